//! The credentials of an ACME account: its URL and its key, as bytes for the caller to seal.
//!
//! They are wiped when dropped and show nothing of themselves in `Debug`.

use std::{borrow::Cow, fmt};

use instant_acme::AccountCredentials;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::IssueError;

/// What it takes to sign in to an ACME account again.
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

    pub(crate) fn write(credentials: &AccountCredentials) -> Self {
        // Room for any P-256 account, so that growing leaves no unwiped copy behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
        serde_json::to_writer(&mut *bytes, credentials)
            .expect("text fields serialize, and a vector takes every write");
        Self(bytes)
    }

    /// Reads them for the CA named `ca` with the directory at `url`.
    pub(crate) fn read(&self, ca: &str, url: &str) -> Result<AccountCredentials, IssueError> {
        let bad = |problem| IssueError::Credentials {
            ca: ca.to_owned(),
            problem,
        };
        // The parser's own words could quote the key.
        let unreadable = |error: serde_json::Error| {
            let (line, column) = (error.line(), error.column());
            bad(format!("unreadable at line {line} column {column}"))
        };
        let home: Home<'_> = serde_json::from_slice(&self.0).map_err(unreadable)?;
        if home.directory != url {
            return Err(bad(format!("it belongs to {}", home.directory)));
        }
        serde_json::from_slice(&self.0).map_err(unreadable)
    }
}

/// The part that tells whose account it is.
#[derive(Deserialize)]
struct Home<'a> {
    #[serde(borrow)]
    directory: Cow<'a, str>,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
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
}
