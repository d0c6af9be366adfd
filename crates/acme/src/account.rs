//! The credentials of an ACME account as bytes for the caller to seal: its key, its URL once the CA
//! has one for it, and the contact it was registered with.
//!
//! A key comes before its account, and a new key before the CA hears of it: whoever stores the
//! credentials at each of these steps loses no account, whenever the process dies. They are wiped
//! when dropped and show nothing of themselves in `Debug`.

use std::{borrow::Cow, fmt};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rustls_pki_types::PrivatePkcs8KeyDer;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use zeroize::Zeroizing;

use crate::{IssueError, jws::Signer, resources::Resources, wire::unsigned};

/// What it takes to sign in to an ACME account again.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials(Zeroizing<Vec<u8>>);

impl Credentials {
    /// Takes back what [`Self::as_bytes`] gave; whether it is of use,
    /// [`Acme::sign_in`](crate::Acme::sign_in) says.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }

    /// The credentials in the clear; they go to a sealer and nowhere else.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether the key has an account; if not, [`Acme::open_account`](crate::Acme::open_account)
    /// is next. What cannot be read has none.
    #[must_use]
    pub fn has_account(&self) -> bool {
        self.parse().is_ok_and(|parts| parts.id.is_some())
    }

    /// Whether a new key was put beside the account's and the CA may or may not know it;
    /// [`Acme::roll_over`](crate::Acme::roll_over) is next.
    #[must_use]
    pub fn is_rolling_over(&self) -> bool {
        self.parse().is_ok_and(|parts| parts.next_key.is_some())
    }

    /// The same with a new key beside the account's, to be stored before
    /// [`Acme::roll_over`](crate::Acme::roll_over). One that is there already stays.
    ///
    /// # Errors
    /// [`IssueError::Credentials`] if they cannot be read, [`IssueError::Crypto`] if there is no
    /// randomness.
    pub fn with_next_key(&self) -> Result<Self, IssueError> {
        let mut parts = self
            .parse()
            .map_err(|problem| bad("the account's CA", problem))?;
        if parts.next_key.is_none() {
            parts.next_key = Some(AccountKey::fresh()?);
        }
        Ok(parts.write())
    }

    /// Reads them for the CA named `ca` with the directory at `url`.
    pub(crate) fn read(&self, ca: &str, url: &str) -> Result<Parts, IssueError> {
        let home: Home<'_> =
            serde_json::from_slice(&self.0).map_err(|error| bad(ca, unreadable(&error)))?;
        if home.directory != url {
            return Err(bad(ca, format!("it belongs to {}", home.directory)));
        }
        self.parse().map_err(|problem| bad(ca, problem))
    }

    fn parse(&self) -> Result<Parts, String> {
        serde_json::from_slice(&self.0).map_err(|error| unreadable(&error))
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

/// What credentials consist of.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Parts {
    /// The account's URL.
    pub(crate) id: Option<String>,
    #[serde(rename = "key_pkcs8")]
    pub(crate) key: AccountKey,
    #[serde(rename = "next_key_pkcs8", skip_serializing_if = "Option::is_none")]
    pub(crate) next_key: Option<AccountKey>,
    /// The CA's directory URL.
    pub(crate) directory: String,
    /// The contact URIs that the CA has; `None` if that is not known.
    pub(crate) contact: Option<Vec<String>>,
}

impl Parts {
    /// A new key for the CA with the directory at `url`.
    pub(crate) fn fresh(url: &str) -> Result<Self, IssueError> {
        Ok(Self {
            id: None,
            key: AccountKey::fresh()?,
            next_key: None,
            directory: url.to_owned(),
            contact: None,
        })
    }

    pub(crate) fn write(&self) -> Credentials {
        Credentials(json(self))
    }

    /// The account's URL.
    pub(crate) fn account(&self, ca: &str) -> Result<&str, IssueError> {
        self.id.as_deref().ok_or_else(|| {
            bad(
                ca,
                "its key has no account yet; open one with it first".into(),
            )
        })
    }

    /// What instant-acme signs in with, so that it need not read the directory again.
    pub(crate) fn for_instant_acme(
        &self,
        ca: &str,
        resources: &Resources,
    ) -> Result<instant_acme::AccountCredentials, IssueError> {
        #[derive(Serialize)]
        struct ForInstantAcme<'a> {
            id: &'a str,
            key_pkcs8: &'a AccountKey,
            urls: &'a Resources,
        }
        let json = json(&ForInstantAcme {
            id: self.account(ca)?,
            key_pkcs8: &self.key,
            urls: resources,
        });
        serde_json::from_slice(&json).map_err(|error| bad(ca, unreadable(&error)))
    }
}

/// The key of an account: ECDSA on P-256, as PKCS#8.
#[derive(Clone)]
pub(crate) struct AccountKey(Zeroizing<Vec<u8>>);

impl AccountKey {
    fn fresh() -> Result<Self, IssueError> {
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let key = EcdsaKeyPair::generate_pkcs8(algorithm, &SystemRandom::new())
            .map_err(|_| unsigned("make an account's key"))?;
        Ok(Self(Zeroizing::new(key.as_ref().to_vec())))
    }

    pub(crate) fn signer(&self, ca: &str) -> Result<Signer, IssueError> {
        let der = Zeroizing::new(self.0.to_vec());
        Signer::from_pkcs8(&PrivatePkcs8KeyDer::from(der.as_slice()))
            .ok_or_else(|| bad(ca, "its key is damaged".into()))
    }
}

impl Serialize for AccountKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(&*self.0));
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for AccountKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl de::Visitor<'_> for Text {
            type Value = AccountKey;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key in base64url")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                let key = URL_SAFE_NO_PAD.decode(text).map_err(E::custom)?;
                Ok(AccountKey(Zeroizing::new(key)))
            }
        }

        deserializer.deserialize_str(Text)
    }
}

/// The part that tells whose account it is.
#[derive(Deserialize)]
struct Home<'a> {
    #[serde(borrow)]
    directory: Cow<'a, str>,
}

fn json(value: &impl Serialize) -> Zeroizing<Vec<u8>> {
    // Room for any account, so that growing leaves no unwiped copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(8192));
    serde_json::to_writer(&mut *bytes, value)
        .expect("text fields serialize, and a vector takes every write");
    bytes
}

fn bad(ca: &str, problem: String) -> IssueError {
    IssueError::Credentials {
        ca: ca.to_owned(),
        problem,
    }
}

/// The parser's own words could quote the key.
fn unreadable(error: &serde_json::Error) -> String {
    let (line, column) = (error.line(), error.column());
    format!("unreadable at line {line} column {column}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://ca.example/dir";

    fn error(credentials: &str, url: &str) -> String {
        match Credentials::from_bytes(credentials.as_bytes()).read("ca.example/dir", url) {
            Ok(_) => panic!("{credentials} were taken"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn neither_debug_nor_errors_show_the_bytes() {
        let text = format!(r#"{{"id":"x","key_pkcs8":"c2VjcmV0!","directory":"{URL}"}}"#);
        let credentials = Credentials::from_bytes(text.as_bytes());
        assert_eq!(format!("{credentials:?}"), "Credentials(..)");
        let error = error(&text, URL);
        assert!(error.contains("unreadable at line 1"), "{error}");
        assert!(!error.contains("c2VjcmV0"), "{error}");
    }

    #[test]
    fn another_cas_account_is_refused() {
        let text = format!(r#"{{"id":"x","key_pkcs8":"","directory":"{URL}"}}"#);
        assert_eq!(
            error(&text, "https://other.example/dir"),
            "the stored account for ca.example/dir cannot be used: it belongs to https://ca.example/dir"
        );
    }

    #[test]
    fn what_earlier_versions_stored_is_read() {
        let text =
            format!(r#"{{"id":"https://ca.example/1","key_pkcs8":"AAAA","directory":"{URL}"}}"#);
        let credentials = Credentials::from_bytes(text.as_bytes());
        assert!(credentials.has_account() && !credentials.is_rolling_over());
        let parts = credentials.read("ca.example/dir", URL).unwrap();
        assert_eq!(parts.contact, None);
    }

    #[test]
    fn a_new_key_stands_beside_the_old_and_stays() {
        let alone = Parts::fresh(URL).unwrap().write();
        assert!(!alone.has_account() && !alone.is_rolling_over());
        let beside = alone.with_next_key().unwrap();
        assert!(beside.is_rolling_over());
        assert_eq!(beside.with_next_key().unwrap(), beside);
        let keys = |c: &Credentials| c.read("ca", URL).unwrap().key.0;
        assert_eq!(keys(&alone), keys(&beside));
    }
}
