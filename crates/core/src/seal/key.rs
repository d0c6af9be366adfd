//! One master key and the id it is known by.

use std::{fmt, str::FromStr};

use aes_gcm::{
    Aes256Gcm, KeyInit, Nonce,
    aead::{Aead, Payload},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// Names a master key without giving it away: the first 8 bytes of a SHA-256 over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct KeyId([u8; 8]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for KeyId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let lower_hex = text
            .bytes()
            .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if text.len() != 16 || !lower_hex {
            return Err(());
        }
        let value = u64::from_str_radix(text, 16).map_err(|_| ())?;
        Ok(Self(value.to_be_bytes()))
    }
}

/// A 256-bit key that seals what leaves a node; wiped when dropped.
pub struct MasterKey {
    id: KeyId,
    cipher: Aes256Gcm,
}

impl MasterKey {
    /// Reads 32 bytes of standard base64, as `certfleet key generate` prints them.
    ///
    /// # Errors
    /// [`MasterKeyError`], which says what was found without showing it.
    pub fn from_base64(text: &str) -> Result<Self, MasterKeyError> {
        let text = text.trim();
        if text.is_empty() {
            return Err(MasterKeyError::Empty);
        }
        let bytes = Zeroizing::new(
            STANDARD
                .decode(text)
                .map_err(|_| MasterKeyError::Encoding)?,
        );
        let bytes: &[u8; 32] = bytes
            .as_slice()
            .try_into()
            .map_err(|_| MasterKeyError::Length(bytes.len()))?;
        Ok(Self::from_bytes(bytes))
    }

    /// Takes the 32 bytes themselves.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        let mut digest = Sha256::new_with_prefix(b"certfleet key id v1\0");
        digest.update(bytes);
        let mut id = [0; 8];
        id.copy_from_slice(&digest.finalize()[..8]);
        Self {
            id: KeyId(id),
            cipher: Aes256Gcm::new(bytes.into()),
        }
    }

    /// A new random key in the form [`Self::from_base64`] reads.
    ///
    /// # Panics
    /// If the operating system has no randomness to give.
    #[must_use]
    pub fn generate_base64() -> Zeroizing<String> {
        let mut bytes = Zeroizing::new([0; 32]);
        getrandom::fill(bytes.as_mut()).expect("the operating system gives randomness");
        Zeroizing::new(STANDARD.encode(bytes.as_ref()))
    }

    /// The id of this key.
    #[must_use]
    pub fn id(&self) -> KeyId {
        self.id
    }

    pub(super) fn encrypt(&self, nonce: [u8; 12], plaintext: &[u8], data: &[u8]) -> Vec<u8> {
        let payload = Payload {
            msg: plaintext,
            aad: data,
        };
        self.cipher
            .encrypt(&Nonce::from(nonce), payload)
            .expect("AES-GCM seals anything below 64 GiB")
    }

    pub(super) fn decrypt(
        &self,
        nonce: [u8; 12],
        ciphertext: &[u8],
        data: &[u8],
    ) -> Option<Zeroizing<Vec<u8>>> {
        let payload = Payload {
            msg: ciphertext,
            aad: data,
        };
        self.cipher
            .decrypt(&Nonce::from(nonce), payload)
            .ok()
            .map(Zeroizing::new)
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.id)
    }
}

/// Why a text is no master key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MasterKeyError {
    /// There is nothing in it.
    #[error("it is empty")]
    Empty,
    /// It is no standard base64.
    #[error("it is not base64 (RFC 4648 section 4)")]
    Encoding,
    /// It decodes to another number of bytes than 32.
    #[error("it holds {0} bytes of base64 instead of 32")]
    Length(usize),
}
