//! What certfleet knows without asking anyone: names, certificates, sealing, and when to renew.
//!
//! Everything here is a pure function of its arguments. Nothing here does I/O, reads a clock,
//! or is `async`: callers pass the time in and carry decisions out.
//!
//! | module | holds |
//! |---|---|
//! | [`identity`] | [`FleetName`] and [`NodeId`]: who is speaking |
//! | [`name`] | [`DomainName`]: one validated DNS name, perhaps a wildcard |
//! | [`names`] | [`NameSet`] and the [`CertificateId`] made from it |
//! | [`bundle`] | [`Bundle`]: a chain with its key |
//! | [`leaf`] | [`Leaf`]: what a certificate says of itself |
//! | [`counter`] | [`Generation`], [`FencingToken`], [`Epoch`] |
//! | [`seal`] | AES-256-GCM sealing under a ring of master keys |
//! | [`record`] | [`Record`]: a sealed bundle with the fields people read |
//! | [`policy`] | when a certificate is renewed |
//! | [`retry`] | when a failed attempt is made again |
//! | [`timestamp`] | [`Timestamp`]: milliseconds since the Unix epoch |

pub mod bundle;
pub mod counter;
pub mod identity;
pub mod leaf;
pub mod name;
pub mod names;
pub mod policy;
pub mod record;
pub mod retry;
pub mod seal;
pub mod timestamp;

pub use bundle::Bundle;
pub use counter::{Epoch, FencingToken, Generation};
pub use identity::{FleetName, NodeId};
pub use leaf::Leaf;
pub use name::DomainName;
pub use names::{CertificateId, NameSet};
pub use record::Record;
pub use seal::KeyRing;
pub use timestamp::Timestamp;
