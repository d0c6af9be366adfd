//! Binding an ACME account to one that was made with the CA outside of ACME (RFC 8555 section
//! 7.3.4).

use std::{fmt, str::FromStr};

use aws_lc_rs::{error::Unspecified, hmac};
use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::{ConfigError, jws::Signer};

/// What the CA has given for it: a key's name, and the key. Each is used once by some CAs.
#[derive(Clone)]
pub struct ExternalAccount {
    key_id: String,
    mac_key: Zeroizing<Vec<u8>>,
    algorithm: MacAlgorithm,
}

impl ExternalAccount {
    /// From the key's identifier and the key in base64url, as CAs hand it out; plain base64 and
    /// padding are taken as well.
    ///
    /// # Errors
    /// [`ConfigError::ExternalAccount`] if one is empty, or the key is no base64. The error shows
    /// nothing of the key.
    pub fn new(
        key_id: impl Into<String>,
        mac_key: &str,
        algorithm: MacAlgorithm,
    ) -> Result<Self, ConfigError> {
        let key_id = key_id.into();
        if key_id.trim().is_empty() {
            return Err(ConfigError::ExternalAccount("the key id is empty"));
        }
        let mac_key = decode(mac_key.trim())
            .ok_or(ConfigError::ExternalAccount("the MAC key is no base64url"))?;
        if mac_key.is_empty() {
            return Err(ConfigError::ExternalAccount("the MAC key is empty"));
        }
        Ok(Self {
            key_id,
            mac_key,
            algorithm,
        })
    }

    /// What binds the account with the public key `jwk`, for the request to `url`.
    pub(crate) fn bind(&self, jwk: &Value, url: &str) -> Result<Value, Unspecified> {
        let header = json!({"kid": self.key_id, "url": url});
        self.signer().sign(header, jwk.to_string().as_bytes())
    }

    fn signer(&self) -> Signer {
        let algorithm = match self.algorithm {
            MacAlgorithm::Hs256 => hmac::HMAC_SHA256,
            MacAlgorithm::Hs384 => hmac::HMAC_SHA384,
            MacAlgorithm::Hs512 => hmac::HMAC_SHA512,
        };
        let key = hmac::Key::new(algorithm, &self.mac_key);
        Signer::Mac(self.algorithm.as_str(), Box::new(key))
    }
}

impl fmt::Debug for ExternalAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExternalAccount")
            .field("key_id", &self.key_id)
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    [alphabet::URL_SAFE, alphabet::STANDARD]
        .iter()
        .find_map(|alphabet| GeneralPurpose::new(alphabet, config).decode(text).ok())
        .map(Zeroizing::new)
}

/// The algorithm of the MAC (RFC 7518 section 3.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MacAlgorithm {
    /// HMAC with SHA-256, which CAs expect.
    #[default]
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
}

impl MacAlgorithm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Hs256, Self::Hs384, Self::Hs512];

    /// Its name in JSON Web Algorithms and in configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
        }
    }
}

impl fmt::Display for MacAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no algorithm.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no MAC algorithm; there are HS256, HS384 and HS512")]
pub struct MacAlgorithmError(String);

/// In either case.
impl FromStr for MacAlgorithm {
    type Err = MacAlgorithmError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.as_str().eq_ignore_ascii_case(text))
            .ok_or_else(|| MacAlgorithmError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    use super::*;

    #[test]
    fn a_key_is_read_as_cas_write_it_and_never_shown() {
        for text in [
            "-_8aZmZmZmY",
            "-_8aZmZmZmY=",
            "+/8aZmZmZmY=",
            " -_8aZmZmZmY\n",
        ] {
            let account = ExternalAccount::new("kid-1", text, MacAlgorithm::Hs256).unwrap();
            assert_eq!(account.mac_key.len(), 8, "{text}");
            let debug = format!("{account:?}");
            assert_eq!(
                debug,
                "ExternalAccount { key_id: \"kid-1\", algorithm: Hs256, .. }"
            );
        }
        for (id, key, problem) in [
            ("", "AAAA", "the key id is empty"),
            ("kid", "", "the MAC key is empty"),
            ("kid", "s3cret!", "the MAC key is no base64url"),
        ] {
            let error = ExternalAccount::new(id, key, MacAlgorithm::Hs256).unwrap_err();
            let error = error.to_string();
            assert!(
                error.contains(problem) && !error.contains("s3cret"),
                "{error}"
            );
        }
    }

    #[test]
    fn each_algorithm_is_that_of_its_name() {
        for (algorithm, name, length) in [
            (MacAlgorithm::Hs256, "HS256", 32),
            (MacAlgorithm::Hs384, "HS384", 48),
            (MacAlgorithm::Hs512, "HS512", 64),
        ] {
            let account = ExternalAccount::new("kid-1", "SmVmZQ", algorithm).unwrap();
            let bound = account
                .bind(&json!({"kty": "EC"}), "https://ca/new")
                .unwrap();
            let part = |name: &str| URL_SAFE_NO_PAD.decode(bound[name].as_str().unwrap());
            let header: Value = serde_json::from_slice(&part("protected").unwrap()).unwrap();
            assert_eq!(
                header,
                json!({"alg": name, "kid": "kid-1", "url": "https://ca/new"})
            );
            assert_eq!(part("payload").unwrap(), br#"{"kty":"EC"}"#);
            assert_eq!(part("signature").unwrap().len(), length);
            assert_eq!(name.to_lowercase().parse(), Ok(algorithm));
        }
        assert!("none".parse::<MacAlgorithm>().is_err());
    }
}
