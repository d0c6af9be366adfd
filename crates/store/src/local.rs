//! Implementations for one node alone: in memory, and in files.

mod agenda;
mod board;
mod expiring;
mod file_store;
pub(crate) mod files;
mod ledger;
mod memory;
mod purse;
mod ranked;
mod requests;
#[cfg(test)]
pub(crate) mod scratch;
pub(crate) mod shelf;
mod state;
mod subscription;

pub use self::{file_store::FileStore, memory::Memory};
