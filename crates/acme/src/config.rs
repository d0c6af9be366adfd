//! How an ACME CA is reached, who asks, and how long things may take.

use std::{path::PathBuf, time::Duration};

use crate::{ConfigError, Directory, ExternalAccount};

/// How an ACME CA is reached, and who asks.
#[derive(Clone, Debug)]
pub struct AcmeConfig {
    /// Where the CA is.
    pub directory: Directory,
    /// A PEM file of roots to trust for the CA's own TLS certificate, beside the system's.
    pub ca_file: Option<PathBuf>,
    /// E-mail addresses the CA may write to; none is allowed.
    pub contact: Vec<String>,
    /// The account outside of ACME to bind the account to, where the CA wants that.
    pub external_account: Option<ExternalAccount>,
    /// How long things may take.
    pub limits: Limits,
}

impl AcmeConfig {
    /// With the system's roots, no contact, no external account and the default limits.
    #[must_use]
    pub fn new(directory: Directory) -> Self {
        Self {
            directory,
            ca_file: None,
            contact: Vec::new(),
            external_account: None,
            limits: Limits::default(),
        }
    }
}

/// How long things may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// One request and its answer.
    pub request: Duration,
    /// One order from beginning to end: tries, waits, and the confirmation of the answers, which
    /// takes its time in the DNS.
    pub order: Duration,
}

impl Default for Limits {
    /// 30 seconds for a request, 5 minutes for an order.
    fn default() -> Self {
        Self {
            request: Duration::from_secs(30),
            order: Duration::from_secs(300),
        }
    }
}

/// An e-mail address as the URI that an account has for it.
pub(crate) fn mailto(address: &str) -> Result<String, ConfigError> {
    let whole = address
        .split_once('@')
        .is_some_and(|(user, host)| !user.is_empty() && host.contains('.') && !host.contains('@'));
    // RFC 8555 section 7.3: one address, no header fields.
    let plain = !address
        .chars()
        .any(|c| c.is_whitespace() || c.is_control() || matches!(c, ',' | '?' | ':'));
    if whole && plain {
        Ok(format!("mailto:{address}"))
    } else {
        Err(ConfigError::Contact(address.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contacts_are_addresses() {
        assert_eq!(mailto("ops@example.com").unwrap(), "mailto:ops@example.com");
        for bad in [
            "",
            "ops",
            "@example.com",
            "ops@localhost",
            "a@b.example,c@d.example",
            "ops@example.com?subject=x",
            "mailto:ops@example.com",
            "o ps@example.com",
        ] {
            let error = mailto(bad).unwrap_err().to_string();
            assert!(error.contains("no e-mail address"), "{error}");
        }
    }
}
