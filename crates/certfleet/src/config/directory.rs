//! Where a CA's ACME directory is.
//!
//! Parsed once from configuration; it is always HTTPS (RFC 8555 section 6.1), so that accounts
//! and orders never travel in the clear. Whether anything answers there is not asked here.

use std::{fmt, str::FromStr};

use url::Url;

const LETSENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";
const LETSENCRYPT_STAGING: &str = "https://acme-staging-v02.api.letsencrypt.org/directory";

/// The URL of an ACME directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory(Url);

impl Directory {
    /// The URL as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// `letsencrypt`, `letsencrypt-staging`, or an HTTPS URL.
impl FromStr for Directory {
    type Err = DirectoryError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = match text {
            "letsencrypt" => LETSENCRYPT,
            "letsencrypt-staging" => LETSENCRYPT_STAGING,
            other => other,
        };
        let url = Url::parse(text).map_err(|_| DirectoryError::NotUrl)?;
        if url.scheme() != "https" {
            return Err(DirectoryError::NotHttps);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(DirectoryError::UserInfo);
        }
        Ok(Self(url))
    }
}

impl fmt::Display for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a text is no ACME directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    /// It is neither a name that is known nor a URL.
    #[error("neither a known CA nor a URL")]
    NotUrl,
    /// Its scheme is not `https`.
    #[error("its scheme is not https")]
    NotHttps,
    /// It names a user or a password.
    #[error("a directory takes no user name or password")]
    UserInfo,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_names_and_https_urls() {
        for (text, url) in [
            ("letsencrypt", LETSENCRYPT),
            ("letsencrypt-staging", LETSENCRYPT_STAGING),
            ("https://127.0.0.1:14000/dir", "https://127.0.0.1:14000/dir"),
        ] {
            assert_eq!(text.parse::<Directory>().unwrap().as_str(), url);
        }
    }

    #[test]
    fn refuses_the_rest() {
        for (text, error) in [
            ("", DirectoryError::NotUrl),
            ("letsencrypt-prod", DirectoryError::NotUrl),
            ("http://ca.example/dir", DirectoryError::NotHttps),
            ("https://user:pw@ca.example/dir", DirectoryError::UserInfo),
        ] {
            assert_eq!(text.parse::<Directory>(), Err(error), "{text}");
        }
    }
}
