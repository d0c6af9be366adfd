//! Where an ACME CA is found: its directory URL (RFC 8555 section 7.1.1).

use std::{fmt, net::IpAddr, str::FromStr};

use http::Uri;

use crate::ConfigError;

/// Those that their CAs and the other clients document.
const KNOWN: [(&str, &str); 7] = [
    (
        "letsencrypt",
        "https://acme-v02.api.letsencrypt.org/directory",
    ),
    (
        "letsencrypt-staging",
        "https://acme-staging-v02.api.letsencrypt.org/directory",
    ),
    ("zerossl", "https://acme.zerossl.com/v2/DV90"),
    ("google", "https://dv.acme-v02.api.pki.goog/directory"),
    (
        "google-staging",
        "https://dv.acme-v02.test-api.pki.goog/directory",
    ),
    ("sslcom-rsa", "https://acme.ssl.com/sslcom-dv-rsa"),
    ("sslcom-ecc", "https://acme.ssl.com/sslcom-dv-ecc"),
];

/// The directory URL of an ACME CA: https, or http on loopback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    url: String,
    secure: bool,
}

impl Directory {
    /// The URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The URL without its scheme, as keys, metrics and logs name the CA.
    #[must_use]
    pub fn name(&self) -> &str {
        self.url
            .split_once("://")
            .map_or(&self.url, |(_, rest)| rest)
    }

    /// The short names of the CAs that are known by one.
    #[must_use]
    pub fn known() -> Vec<&'static str> {
        KNOWN.iter().map(|(name, _)| *name).collect()
    }

    /// Whether the scheme is https.
    pub(crate) fn is_secure(&self) -> bool {
        self.secure
    }
}

/// The short name of a well-known CA, or a URL.
impl FromStr for Directory {
    type Err = ConfigError;

    fn from_str(value: &str) -> Result<Self, Self::Err> {
        let bad = |problem| ConfigError::Directory {
            value: value.to_owned(),
            problem,
        };
        let url = KNOWN
            .iter()
            .find(|(name, _)| *name == value)
            .map_or(value, |(_, url)| url);
        let uri: Uri = url.parse().map_err(|_| bad("is no URL"))?;
        let host = uri.host().ok_or_else(|| bad("has no host"))?;
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") if is_loopback(host) => false,
            Some("http") => return Err(bad("would be asked in the clear")),
            _ => return Err(bad("has no scheme")),
        };
        if uri.authority().is_some_and(|a| a.as_str().contains('@')) {
            return Err(bad("holds a user or a password"));
        }
        Ok(Self {
            url: url.to_owned(),
            secure,
        })
    }
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

impl fmt::Display for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_urls_are_read() {
        for (value, name) in [
            ("letsencrypt", "acme-v02.api.letsencrypt.org/directory"),
            (
                "letsencrypt-staging",
                "acme-staging-v02.api.letsencrypt.org/directory",
            ),
            ("zerossl", "acme.zerossl.com/v2/DV90"),
            ("google", "dv.acme-v02.api.pki.goog/directory"),
            ("google-staging", "dv.acme-v02.test-api.pki.goog/directory"),
            ("sslcom-rsa", "acme.ssl.com/sslcom-dv-rsa"),
            ("sslcom-ecc", "acme.ssl.com/sslcom-dv-ecc"),
            ("https://ca.example/acme/d", "ca.example/acme/d"),
            ("http://127.0.0.1:14000/dir", "127.0.0.1:14000/dir"),
            ("http://[::1]:14000/dir", "[::1]:14000/dir"),
            ("http://localhost/dir", "localhost/dir"),
        ] {
            let directory: Directory = value.parse().unwrap();
            assert_eq!(directory.name(), name, "{value}");
        }
    }

    #[test]
    fn the_error_says_what_is_wanted() {
        for (value, problem) in [
            ("", "is no URL"),
            ("lets encrypt", "is no URL"),
            ("let's", "has no scheme"),
            ("buypass", "has no scheme"),
            ("/dir", "has no host"),
            ("ftp://ca.example/", "has no scheme"),
            ("http://ca.example/dir", "would be asked in the clear"),
            ("http://10.0.0.1/dir", "would be asked in the clear"),
            (
                "http://localhost.example/dir",
                "would be asked in the clear",
            ),
            ("https://me:pw@ca.example/dir", "holds a user or a password"),
        ] {
            let error = value.parse::<Directory>().unwrap_err().to_string();
            let want = format!("{value:?} {problem}; wanted: letsencrypt, ");
            assert!(error.starts_with(&want), "{error}");
        }
    }
}
