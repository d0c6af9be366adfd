//! One identifier of a certificate: a DNS name (RFC 8555) or an IP address (RFC 8738).
//!
//! It is held as the text certificates, logs and configuration show, in one form for each thing,
//! so that sets of them can be compared as text.

use std::{fmt, net::IpAddr, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::name::{DomainName, DomainNameError};

/// A DNS name, perhaps a wildcard, or an IP address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Identifier(String);

impl Identifier {
    /// The identifier as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The address, if it is one.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.0.parse().ok()
    }

    /// For `*.example.com`, the part the wildcard stands over: `example.com`.
    #[must_use]
    pub fn wildcard_base(&self) -> Option<&str> {
        self.0.strip_prefix("*.")
    }

    /// Whether a certificate for this is good for `host`, a name or an address.
    ///
    /// A wildcard stands for exactly one label (RFC 6125 section 6.4.3).
    #[must_use]
    pub fn covers(&self, host: &str) -> bool {
        if let Some(address) = self.address() {
            return host.parse() == Ok(address);
        }
        let host = host.strip_suffix('.').unwrap_or(host);
        match self.wildcard_base() {
            None => self.0.eq_ignore_ascii_case(host),
            Some(base) => host
                .split_once('.')
                .is_some_and(|(label, rest)| !label.is_empty() && rest.eq_ignore_ascii_case(base)),
        }
    }

    /// The server name by which a CA asks for this with TLS-ALPN-01: the name itself, or for an
    /// address its reverse name (RFC 8738 section 6).
    #[must_use]
    pub fn server_name(&self) -> String {
        match self.address() {
            None => self.0.clone(),
            Some(IpAddr::V4(address)) => {
                let [a, b, c, d] = address.octets();
                format!("{d}.{c}.{b}.{a}.in-addr.arpa")
            }
            Some(IpAddr::V6(address)) => {
                let mut name = String::with_capacity(72);
                for octet in address.octets().iter().rev() {
                    name.push_str(&format!("{:x}.{:x}.", octet & 15, octet >> 4));
                }
                name + "ip6.arpa"
            }
        }
    }
}

impl From<DomainName> for Identifier {
    fn from(name: DomainName) -> Self {
        Self(name.into())
    }
}

impl From<IpAddr> for Identifier {
    fn from(address: IpAddr) -> Self {
        Self(address.to_string())
    }
}

/// An address, else a DNS name.
impl FromStr for Identifier {
    type Err = DomainNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse::<IpAddr>() {
            Ok(address) => Ok(address.into()),
            Err(_) => text.parse::<DomainName>().map(Into::into),
        }
    }
}

impl TryFrom<String> for Identifier {
    type Error = DomainNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Identifier> for String {
    fn from(identifier: Identifier) -> Self {
        identifier.0
    }
}

impl AsRef<str> for Identifier {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identifier(text: &str) -> Identifier {
        text.parse().unwrap()
    }

    #[test]
    fn names_and_addresses_have_one_form_each() {
        for (text, form) in [
            ("EXAMPLE.com.", "example.com"),
            ("*.Example.com", "*.example.com"),
            ("192.0.2.7", "192.0.2.7"),
            ("2001:DB8:0::1", "2001:db8::1"),
        ] {
            assert_eq!(identifier(text).as_str(), form, "{text}");
        }
        for bad in ["", "192.0.2.7.", "[2001:db8::1]", "1.2.3", "*.192.0.2.7"] {
            assert!(bad.parse::<Identifier>().is_err(), "{bad}");
        }
    }

    #[test]
    fn covers_what_a_certificate_for_it_is_good_for() {
        for (of, host, good) in [
            ("example.com", "EXAMPLE.COM.", true),
            ("example.com", "www.example.com", false),
            ("*.example.com", "WWW.example.com.", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", "a.b.example.com", false),
            ("*.example.com", ".example.com", false),
            ("2001:db8::1", "2001:0db8::0001", true),
            ("192.0.2.7", "192.0.2.8", false),
        ] {
            assert_eq!(identifier(of).covers(host), good, "{of} for {host}");
        }
    }

    /// The examples of RFC 8738 section 6 and RFC 3596 section 2.5.
    #[test]
    fn an_address_is_asked_for_by_its_reverse_name() {
        assert_eq!(
            identifier("192.0.2.10").server_name(),
            "10.2.0.192.in-addr.arpa"
        );
        assert_eq!(
            identifier("4321:0:1:2:3:4:567:89ab").server_name(),
            "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.0.0.0.0.1.2.3.4.ip6.arpa"
        );
        assert_eq!(identifier("a.example").server_name(), "a.example");
    }
}
