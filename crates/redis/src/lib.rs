//! certfleet's store and coordination in Redis: all seams of [`certfleet_store`] in one
//! [`Redis`], and the only crate that names Redis.
//!
//! Whatever must not come apart happens in one Lua script, by the server's clock. Every wait is
//! bounded. Nothing here opens a sealed value or knows of ACME or TLS certificates' insides.
//!
//! # Keys
//! Every key begins with `certfleet:{FLEET}:`; the braces are literal (a hash tag). Nothing
//! searches over keys: what has to be listed has an index.
//!
//! | key | type | what it is | who writes it | time to live |
//! |---|---|---|---|---|
//! | `cert:ID` | hash | a record: the fields of [`Record`](certfleet_core::Record), `epoch`, `committed_at` | commit | owned |
//! | `due` | sorted set | certificate ids by due time, ms | enter, commit, postpone, hasten | owned |
//! | `changes` | sorted set | certificate ids by the epoch of their last commit | commit | owned |
//! | `epoch` | counter | how many commits there were | commit | owned |
//! | `fencing` | counter | the last fencing token | acquire | owned |
//! | `incarnation` | string | which life of the data this is | the first `changes` | owned |
//! | `account:ISSUER` | string | a sealed ACME account | keep_account | owned |
//! | `events` | stream | the newest [`KEPT`](certfleet_store::event::KEPT) events or some more | append | owned, capped |
//! | `attempt:ID` | hash | what failed: `failures`, `failed_at`, `node`, `error`, `next` | postpone; gone with a commit | `next` + 7 days |
//! | `lease:RESOURCE` | hash | `owner`, `node`, `fencing`, `since` | acquire, extend, release | the lease's |
//! | `leases` | sorted set | resources by the end of their lease, ms | acquire, extend, release | the longest lease's |
//! | `challenge:TOKEN` | string | a key authorization | post | the challenge's |
//! | `node:ID` | hash | a heart-beat | beat, leave | the heart-beat's |
//! | `nodes` | sorted set | node ids by the end of their heart-beat, ms | beat, leave | the longest heart-beat's |
//! | `feed` | channel | JSON: `{"kind":"committed","fields":{...}}`, `{"kind":"due","id":"..."}` | commit, hasten | (none: not a key) |
//!
//! "Owned" keys have no time to live: they are the fleet's state, one for each certificate or
//! issuer, or one in all. Redis must not evict them (`maxmemory-policy noeviction`).
//!
//! # Rights
//! [`acl::COMMANDS`] are all commands there are, and [`acl::rules`] makes an ACL user's rules of
//! them: these commands, on the fleet's keys and its channel, and nothing else.
//!
//! # What it relies on
//! Redis 6.2 or later, one primary. Replication in Redis is asynchronous: a fail-over can lose the
//! last commits. A certificate lost so is still served by the nodes that took it, and got anew
//! when it is due.

pub mod acl;

mod account;
mod certificate;
mod challenge;
mod client;
mod config;
mod error;
mod event;
mod feed;
mod hash;
mod keys;
mod lease;
mod registry;
mod schedule;
mod scripts;

pub use client::Redis;
pub use config::{Config, ConfigError};
