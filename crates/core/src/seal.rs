//! Sealing: AES-256-GCM under a ring of master keys, each value bound to its place.
//!
//! # Wire format
//! A sealed value is one line of ASCII, so that `redis-cli` shows it whole:
//!
//! ```text
//! certfleet.v1.KEYID.PAYLOAD
//! ```
//!
//! `KEYID` is the [`KeyId`] in 16 hexadecimal digits; `PAYLOAD` is unpadded base64url (RFC 4648)
//! of a 96-bit random nonce followed by ciphertext and the 128-bit tag.
//!
//! The additional authenticated data is the header up to the payload's dot, then fleet, kind and
//! record (each behind its length as big-endian `u32`), then the generation (big-endian `u64`).
//! A value that was moved to another fleet, kind, name or generation therefore does not open,
//! and neither does one whose header was changed.
//!
//! # Bound on use
//! With random 96-bit nonces a key may seal 2^32 values (NIST SP 800-38D section 8.3). A fleet of
//! 10,000 certificates renewed every three days seals about 1.2 million values a year: over 3,000
//! years to the bound. Keys are used as they are, with no derivation.
//!
//! # What is refused
//! Whatever does not begin with the header, so that a plaintext value is never taken; see
//! [`SealError`].

mod key;
mod ring;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

pub use self::{
    key::{KeyId, MasterKey, MasterKeyError},
    ring::KeyRing,
};
use crate::{FleetName, Generation};

const MAGIC: &str = "certfleet.";
const HEADER: &str = "certfleet.v1.";

/// The place a sealed value belongs to; it opens nowhere else.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The fleet it belongs to.
    pub fleet: &'a FleetName,
    /// What sort of thing is sealed, such as `certificate` or `account`.
    pub kind: &'static str,
    /// Which one of its kind: a certificate id, an issuer.
    pub record: &'a str,
    /// Which generation of it.
    pub generation: Generation,
}

impl Context<'_> {
    fn additional_data(&self, key: KeyId) -> Vec<u8> {
        let mut data = format!("{HEADER}{key}").into_bytes();
        for part in [self.fleet.as_str(), self.kind, self.record] {
            let length = u32::try_from(part.len()).expect("names are far below 4 GiB");
            data.extend_from_slice(&length.to_be_bytes());
            data.extend_from_slice(part.as_bytes());
        }
        data.extend_from_slice(&self.generation.value().to_be_bytes());
        data
    }
}

/// A value in sealed form; it can be stored and shown anywhere.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Sealed(String);

impl Sealed {
    /// The sealed value as one line of ASCII.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key that seals it, as its header claims.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        let (key, _) = split(&self.0).expect("the form was checked when the value was made");
        key
    }
}

/// Checks the form; whether it opens is for [`KeyRing::open`] to say.
impl FromStr for Sealed {
    type Err = SealError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        split(text).map(|_| Self(text.to_owned()))
    }
}

/// Header apart from payload.
fn split(text: &str) -> Result<(KeyId, &str), SealError> {
    if !text.starts_with(MAGIC) {
        return Err(SealError::Plaintext);
    }
    let Some(rest) = text.strip_prefix(HEADER) else {
        let version = text[MAGIC.len()..].split('.').next().unwrap_or_default();
        return Err(SealError::Version(version.chars().take(16).collect()));
    };
    let (key, payload) = rest.split_once('.').ok_or(SealError::Malformed)?;
    Ok((key.parse().map_err(|()| SealError::Malformed)?, payload))
}

impl TryFrom<String> for Sealed {
    type Error = SealError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Sealed> for String {
    fn from(sealed: Sealed) -> Self {
        sealed.0
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed(under {}, {} bytes)", self.key_id(), self.0.len())
    }
}

/// Why a value was not opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// It has no seal at all.
    #[error("the value is not sealed; plaintext is always refused")]
    Plaintext,
    /// It was sealed by a later version of certfleet.
    #[error("the value is sealed in format {0:?}; this program reads v1")]
    Version(String),
    /// The header or the payload is no well-formed text.
    #[error("the sealed value is malformed: cut short or overwritten")]
    Malformed,
    /// No key in the ring has the id it names.
    #[error("the value is sealed under key {0}, which is not in the key ring")]
    UnknownKey(KeyId),
    /// The tag does not fit: it was changed, or belongs to another place or key.
    #[error(
        "the value does not open under key {0}: it was changed, or moved from another name or generation"
    )]
    Refused(KeyId),
}
