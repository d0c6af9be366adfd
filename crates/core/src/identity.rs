//! Names that configuration gives: the fleet's, a node's, an issuer's, a DNS provider's.
//!
//! They end up in Redis keys, file paths and metric labels, so all are held to characters that
//! mean nothing special in any of them.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A name that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{value:?} {problem}; wanted: 1 to {max} of the characters {allowed}")]
pub struct IdentityError {
    value: String,
    problem: &'static str,
    max: usize,
    allowed: &'static str,
}

macro_rules! identity {
    ($(#[$doc:meta])* $name:ident, $max:literal, $allowed:literal, $permits:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdentityError;

            fn from_str(value: &str) -> Result<Self, Self::Err> {
                let permits: fn(char) -> bool = $permits;
                let problem = if value.is_empty() {
                    "is empty"
                } else if value.len() > $max {
                    "is too long"
                } else if !value.chars().all(permits) {
                    "has a character that is not allowed"
                } else {
                    return Ok(Self(value.to_owned()));
                };
                Err(IdentityError { value: value.to_owned(), problem, max: $max, allowed: $allowed })
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdentityError;

            fn try_from(value: String) -> Result<Self, Self::Error> {
                value.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

identity! {
    /// The name all nodes of one fleet share; it is the hash tag of every Redis key of the fleet.
    FleetName, 63, "a-z 0-9 -",
    |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'
}
identity! {
    /// The name of one node, unique within its fleet; a host name will do.
    NodeId, 128, "A-Z a-z 0-9 . _ -",
    |c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

identity! {
    /// The name an issuer has in configuration.
    IssuerName, 63, "a-z 0-9 -",
    |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'
}
identity! {
    /// The name an account at a DNS provider has in configuration.
    ProviderName, 63, "a-z 0-9 -",
    |c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_would_break_a_key() {
        for bad in ["", "Prod", "a b", "{x}", "a:b"] {
            let error = bad.parse::<FleetName>().unwrap_err();
            assert!(error.to_string().contains("a-z 0-9 -"), "{error}");
        }
        assert!("prod-eu".parse::<FleetName>().is_ok());
        assert!("web-1.eu_West".parse::<NodeId>().is_ok());
        assert!("../etc".parse::<NodeId>().is_err());
    }
}
