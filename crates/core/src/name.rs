//! One DNS name as a certificate carries it: lower case, A-labels, perhaps a wildcard.
//!
//! Parsing happens once, at the edge; what has this type is known to be well formed (RFC 1123
//! labels, RFC 5890 A-labels, RFC 6125 wildcards). Whether it resolves is not asked here.

use std::{fmt, net::IpAddr, str::FromStr};

use serde::{Deserialize, Serialize};

/// A validated DNS name, such as `example.com` or `*.example.com`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DomainName(String);

impl DomainName {
    /// The name in the form certificates carry it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is no DNS name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} is not a domain name: {problem}")]
pub struct DomainNameError {
    name: String,
    problem: Problem,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum Problem {
    #[error("it is empty")]
    Empty,
    #[error("it is a URL; give the host alone")]
    Url,
    #[error("it has a port; give the host alone")]
    Port,
    #[error("it is an IP address")]
    Address,
    #[error("a wildcard stands only alone and leftmost, as in *.example.com")]
    Wildcard,
    #[error("two dots stand together or one stands first")]
    EmptyLabel,
    #[error("the label {0:?} is longer than 63 characters")]
    LongLabel(String),
    #[error("the label {0:?} begins or ends with a hyphen")]
    Hyphen(String),
    #[error("the character {0:?} is not allowed (letters, digits and hyphens are)")]
    Character(char),
    #[error("it cannot be written in IDNA form (RFC 5891)")]
    Idna,
    #[error("it is longer than 253 characters")]
    Long,
}

impl FromStr for DomainName {
    type Err = DomainNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        normalise(text)
            .map(Self)
            .map_err(|problem| DomainNameError {
                name: text.into(),
                problem,
            })
    }
}

fn normalise(text: &str) -> Result<String, Problem> {
    if text.is_empty() || text == "." {
        return Err(Problem::Empty);
    }
    if text.contains("://") {
        return Err(Problem::Url);
    }
    if text.parse::<IpAddr>().is_ok() {
        return Err(Problem::Address);
    }
    if text
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()))
    {
        return Err(Problem::Port);
    }
    let (prefix, rest) = text
        .strip_prefix("*.")
        .map_or(("", text), |rest| ("*.", rest));
    if rest.contains('*') {
        return Err(Problem::Wildcard);
    }
    let rest = rest.strip_suffix('.').unwrap_or(rest);
    if let Some(bad) = rest
        .chars()
        .find(|&c| c.is_ascii() && !is_ldh(c) && c != '.')
    {
        return Err(Problem::Character(bad));
    }
    let ascii = idna::domain_to_ascii(rest).map_err(|_| Problem::Idna)?;
    check_labels(&ascii)?;
    let name = format!("{prefix}{ascii}");
    if name.len() > 253 {
        return Err(Problem::Long);
    }
    Ok(name)
}

fn check_labels(ascii: &str) -> Result<(), Problem> {
    for label in ascii.split('.') {
        if label.is_empty() {
            return Err(Problem::EmptyLabel);
        }
        if label.len() > 63 {
            return Err(Problem::LongLabel(label.into()));
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err(Problem::Hyphen(label.into()));
        }
        if let Some(bad) = label.chars().find(|&c| !is_ldh(c)) {
            return Err(Problem::Character(bad));
        }
    }
    // A last label of digits alone is how addresses such as 10.1 or 1.2.3.4.5 look (RFC 1123).
    match ascii.rsplit('.').next() {
        Some(last) if last.bytes().all(|b| b.is_ascii_digit()) => Err(Problem::Address),
        _ => Ok(()),
    }
}

fn is_ldh(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-'
}

impl TryFrom<String> for DomainName {
    type Error = DomainNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<DomainName> for String {
    fn from(name: DomainName) -> Self {
        name.0
    }
}

impl AsRef<str> for DomainName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_names_and_brings_them_to_one_form() {
        for (text, name) in [
            ("example.com", "example.com"),
            ("EXAMPLE.com.", "example.com"),
            ("localhost", "localhost"),
            ("*.Example.com", "*.example.com"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("*.bücher.example", "*.xn--bcher-kva.example"),
            ("3com.example", "3com.example"),
        ] {
            assert_eq!(
                text.parse::<DomainName>().map(String::from),
                Ok(name.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn says_what_is_wrong_with_what_is_no_name() {
        let long_label = "a".repeat(64) + ".example";
        let long_name = "a.".repeat(127) + "com";
        for (text, problem) in [
            ("", "empty"),
            (".", "empty"),
            ("https://example.com", "URL"),
            ("example.com:443", "port"),
            ("192.0.2.7", "IP address"),
            ("2001:db8::1", "IP address"),
            ("1.2.3.4.5", "IP address"),
            ("a*.example.com", "wildcard"),
            ("*.*.example.com", "wildcard"),
            ("*", "wildcard"),
            ("a..example", "two dots"),
            (".example", "two dots"),
            ("-a.example", "hyphen"),
            ("a-.example", "hyphen"),
            ("exa mple.com", "' '"),
            ("exa_mple.com", "'_'"),
            ("example.com/path", "'/'"),
            (&long_label, "63"),
            (&long_name, "253"),
        ] {
            let error = text.parse::<DomainName>().expect_err(text).to_string();
            assert!(error.contains(problem), "{text:?} gave: {error}");
        }
    }
}
