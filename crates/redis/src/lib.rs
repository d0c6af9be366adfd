//! certfleet's store and coordination in Redis: all seams of [`certfleet_store`] in one
//! [`Redis`], and the only crate that names Redis.
//!
//! Whatever must not come apart happens in one Lua script. Leases, and all that ends by itself, are
//! by the server's clock. Every wait is bounded. Nothing here opens a sealed value or knows of ACME or TLS certificates' insides.
//!
//! # Keys
//! Every key begins with `certfleet:{FLEET}:`; the braces are literal (a hash tag). Nothing
//! searches over keys: what has to be listed has an index.
//!
//! | key | type | what it is | who writes it | time to live |
//! |---|---|---|---|---|
//! | `cert:ID` | hash | a record: the fields of [`Record`](certfleet_core::Record), `epoch`, `committed_at` | commit, remove | owned |
//! | `due` | sorted set | certificate ids by due time, ms | enter, want, commit, postpone, advance, hasten, suggest, revoke, remove | owned |
//! | `changes` | sorted set | certificate ids by the epoch of their last commit | commit, remove | owned |
//! | `epoch` | counter | how many commits and removals there were | commit, remove | owned |
//! | `removed` | sorted set | ids of what was removed and has not come back by the epoch of that, the newest 10,000 | remove, commit | 7 days after the last removal |
//! | `fencing` | counter | the last fencing token | acquire | owned |
//! | `incarnation` | string | which life of the data this is | the first `changes` | owned |
//! | `account:ISSUER` | string | a sealed ACME account | keep_account | owned |
//! | `wanted` | hash | certificates added at run time: [`Wanted`](certfleet_core::Wanted) as JSON by id | want, remove | owned |
//! | `events` | stream | the newest [`KEPT`](certfleet_store::event::KEPT) events or some more | append | owned, capped |
//! | `attempt:ID` | hash | what failed: the fields of [`Attempt`](certfleet_core::retry::Attempt) | postpone; gone with a commit, hasten, remove | `next` + 7 days |
//! | `suggestion:ID` | hash | when the CA suggests to renew: `generation`, `start`, `end`, `explanation`, `selected`, `asked_at` | suggest; gone with a commit, remove | owned |
//! | `questions` | sorted set | certificate ids by when the CA is to be asked, ms | commit, claim_questions, suggest, ask_again, remove | owned |
//! | `budget` | sorted set | buckets `ISSUER:KIND:SUBJECT` that are not full by when they will be, ms | take, give_back | the longest bucket's |
//! | `pauses` | sorted set | issuers by the end of the pause they asked for, ms | pause | the longest pause's |
//! | `revocation:ID:GENERATION` | hash | what is to be revoked: the fields of the record, `reason`, `asked_at` | revoke; gone with revoked | owned |
//! | `revocations:ID` | sorted set | the generations that are to be revoked | revoke, revoked | owned |
//! | `permission:NAME` | string | `allowed`, `denied` or `asking` | permission, answer_permission | the answer's |
//! | `lease:RESOURCE` | hash | `owner`, `node`, `fencing`, `since` | acquire, extend, release | the lease's |
//! | `leases:certificate`, `leases:account` | sorted set | resources of that kind by the end of their lease, ms | acquire, extend, release | the longest lease's |
//! | `challenge:KIND:KEY` | string | an [`Answer`](certfleet_core::Answer), JSON; what the key is says [`Answer::key`](certfleet_core::Answer::key) | post, withdraw | the answer's |
//! | `answers:ID` | sorted set | the answers up for a certificate, JSON, by their end, ms | post, withdraw | the longest answer's |
//! | `node:ID` | hash | a heart-beat | beat, leave | the heart-beat's |
//! | `nodes` | sorted set | node ids by the end of their heart-beat, ms | beat, leave | the longest heart-beat's |
//! | `feed` | channel | JSON: `{"kind":"committed","fields":{...}}`, `{"kind":KIND,"id":"..."}` with `due`, `wanted`, `removed` | commit, hasten, revoke, want, remove | (none: not a key) |
//!
//! "Owned" keys have no time to live: they are the fleet's state, one for each certificate, issuer or
//! generation to revoke, or one in all. Redis keeps no empty hash or sorted set. Redis must not evict them (`maxmemory-policy noeviction`).
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
mod budget;
mod certificate;
mod challenge;
mod client;
mod config;
mod error;
mod event;
mod feed;
mod hash;
mod json;
mod keys;
mod lease;
mod permission;
mod pool;
mod registry;
mod revocation;
mod schedule;
mod scripts;
mod suggestion;
mod wanted;

pub use client::Redis;
pub use config::{Config, ConfigError};
