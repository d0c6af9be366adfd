//! What certfleet knows without asking anyone: names, certificates, sealing, and when to renew.
//!
//! Everything here is a pure function of its arguments. Nothing here does I/O, reads a clock,
//! or is `async`: callers pass the time in and carry decisions out.
//!
//! | module | holds |
//! |---|---|
//! | [`identity`] | [`FleetName`], [`NodeId`] and other names that configuration gives |
//! | [`name`] | [`DomainName`]: one validated DNS name, perhaps a wildcard |
//! | [`identifier`] | [`Identifier`]: a DNS name or an IP address |
//! | [`names`] | [`NameSet`] and the [`CertificateId`] made from it |
//! | [`bundle`] | [`Bundle`]: a chain with its key |
//! | [`leaf`] | [`Leaf`]: what a certificate says of itself |
//! | [`counter`] | [`Generation`], [`FencingToken`], [`Epoch`] |
//! | [`seal`] | AES-256-GCM sealing under a ring of master keys |
//! | [`record`] | [`Record`]: a sealed bundle with the fields people read |
//! | [`terms`] | [`Wanted`]: a certificate to have, and on what [`Terms`] |
//! | [`challenge`] | [`ChallengeKind`] and [`Answer`]: how a name is validated |
//! | [`key_type`] | [`KeyType`]: kinds of key |
//! | [`policy`] | when a certificate is renewed, by its own validity |
//! | [`ari`] | when it is renewed, by the CA's suggestion (RFC 9773) |
//! | [`budget`] | what the CA's rate limits allow |
//! | [`revocation`] | [`RevocationReason`] |
//! | [`retry`] | when a failed attempt is made again |
//! | [`duration`] | durations as people write them |
//! | [`timestamp`] | [`Timestamp`]: milliseconds since the Unix epoch |

pub mod ari;
pub mod budget;
pub mod bundle;
pub mod challenge;
pub mod counter;
pub mod duration;
pub mod identifier;
pub mod identity;
pub mod key_type;
pub mod leaf;
pub mod name;
pub mod names;
pub mod policy;
pub mod record;
pub mod retry;
pub mod revocation;
pub mod seal;
pub mod terms;
pub mod timestamp;

pub use bundle::Bundle;
pub use challenge::{Answer, ChallengeKind};
pub use counter::{Epoch, FencingToken, Generation};
pub use identifier::Identifier;
pub use identity::{FleetName, IssuerName, NodeId, ProviderName};
pub use key_type::KeyType;
pub use leaf::Leaf;
pub use name::DomainName;
pub use names::{CertificateId, NameSet};
pub use record::Record;
pub use revocation::RevocationReason;
pub use seal::KeyRing;
pub use terms::{OwnTerms, Terms, Wanted};
pub use timestamp::Timestamp;
