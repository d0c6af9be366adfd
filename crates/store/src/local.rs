//! Implementations for one node alone: in memory, and in files.

mod expiring;
mod ledger;
mod memory;
mod state;
mod subscription;

pub use self::memory::Memory;
