//! A CA's own words for what is wrong: problem documents (RFC 7807, RFC 8555 section 6.7).
//!
//! The words come from outside: they are cut to a length and freed of control characters before
//! they reach a log.

use std::fmt;

use instant_acme::Identifier;
use serde::Deserialize;

const NAMESPACE: &str = "urn:ietf:params:acme:error:";
const LONGEST: usize = 400;

/// The error types that become metric labels (RFC 8555 section 6.7, RFC 9773, ACME profiles).
pub(crate) const TYPES: [&str; 27] = [
    "accountDoesNotExist",
    "alreadyReplaced",
    "alreadyRevoked",
    "badCSR",
    "badNonce",
    "badPublicKey",
    "badRevocationReason",
    "badSignatureAlgorithm",
    "caa",
    "compound",
    "connection",
    "dns",
    "externalAccountRequired",
    "incorrectResponse",
    "invalidContact",
    "invalidProfile",
    "malformed",
    "orderNotReady",
    "rateLimited",
    "rejectedIdentifier",
    "serverInternal",
    "tls",
    "unauthorized",
    "unsupportedContact",
    "unsupportedIdentifier",
    "userActionRequired",
    "conflict",
];

/// What a CA says is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problem {
    /// The problem's type, without the ACME namespace: `rateLimited`.
    pub kind: String,
    /// The CA's explanation.
    pub detail: String,
    /// What is wrong with single names (RFC 8555 section 6.7.1).
    pub subproblems: Vec<Subproblem>,
}

/// What a CA says is wrong with one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subproblem {
    /// The name; empty if the CA gives none.
    pub name: String,
    /// The type, without the ACME namespace.
    pub kind: String,
    /// The CA's explanation.
    pub detail: String,
}

impl Problem {
    /// Reads an error answer's body. What is no problem document becomes the explanation itself.
    pub(crate) fn from_body(body: &[u8]) -> Self {
        match serde_json::from_slice::<Document>(body) {
            Ok(document) => document.into(),
            Err(_) => Self {
                detail: words(&String::from_utf8_lossy(body)),
                ..Self::default()
            },
        }
    }

    /// The type as a metric label, out of a bounded set: `refused` if it is none of ACME's.
    #[must_use]
    pub fn label(&self) -> &'static str {
        TYPES
            .into_iter()
            .find(|kind| *kind == self.kind)
            .unwrap_or("refused")
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_words(f, &self.detail, &self.kind)?;
        for subproblem in &self.subproblems {
            write!(f, "; {}: ", subproblem.name)?;
            write_words(f, &subproblem.detail, &subproblem.kind)?;
        }
        Ok(())
    }
}

fn write_words(f: &mut fmt::Formatter<'_>, detail: &str, kind: &str) -> fmt::Result {
    match (detail, kind) {
        ("", "") => f.write_str("no reason given"),
        ("", kind) => f.write_str(kind),
        (detail, "") => f.write_str(detail),
        (detail, kind) => write!(f, "{detail} ({kind})"),
    }
}

impl From<instant_acme::Problem> for Problem {
    fn from(problem: instant_acme::Problem) -> Self {
        let subproblems = problem.subproblems.into_iter().map(|sub| Part {
            r#type: sub.r#type,
            detail: sub.detail,
            identifier: sub.identifier,
        });
        Self::from(Document {
            r#type: problem.r#type,
            detail: problem.detail,
            subproblems: subproblems.collect(),
        })
    }
}

/// The document as it is sent.
#[derive(Deserialize)]
struct Document {
    r#type: Option<String>,
    detail: Option<String>,
    #[serde(default)]
    subproblems: Vec<Part>,
}

#[derive(Deserialize)]
struct Part {
    r#type: Option<String>,
    detail: Option<String>,
    identifier: Option<Identifier>,
}

impl From<Document> for Problem {
    fn from(document: Document) -> Self {
        Self {
            kind: kind(document.r#type),
            detail: words(&document.detail.unwrap_or_default()),
            subproblems: document.subproblems.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Part> for Subproblem {
    fn from(part: Part) -> Self {
        Self {
            name: part
                .identifier
                .map(|identifier| words(&identifier.authorized(false).to_string()))
                .unwrap_or_default(),
            kind: kind(part.r#type),
            detail: words(&part.detail.unwrap_or_default()),
        }
    }
}

fn kind(r#type: Option<String>) -> String {
    let text = r#type.unwrap_or_default();
    words(text.strip_prefix(NAMESPACE).unwrap_or(&text))
}

/// Text from outside, made fit for one line of a log.
pub(crate) fn words(text: &str) -> String {
    let mut out: String = text
        .trim()
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(LONGEST + 1)
        .collect();
    if let Some((cut, _)) = out.char_indices().nth(LONGEST) {
        out.truncate(cut);
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_keeps_its_words_and_names() {
        let problem = Problem::from_body(
            br#"{"type":"urn:ietf:params:acme:error:malformed","detail":"Some names were rejected",
            "status":400,"subproblems":[{"type":"urn:ietf:params:acme:error:rejectedIdentifier",
            "detail":"not for you","identifier":{"type":"dns","value":"example.net"}}]}"#,
        );
        assert_eq!(
            problem.to_string(),
            "Some names were rejected (malformed); example.net: not for you (rejectedIdentifier)"
        );
        assert_eq!(problem.label(), "malformed");
    }

    #[test]
    fn the_label_is_from_a_bounded_set() {
        for (kind, label) in [
            ("rateLimited", "rateLimited"),
            ("madeUp", "refused"),
            ("", "refused"),
        ] {
            let body = format!(r#"{{"type":"{NAMESPACE}{kind}"}}"#);
            assert_eq!(Problem::from_body(body.as_bytes()).label(), label);
        }
        let foreign = Problem::from_body(br#"{"type":"about:blank"}"#);
        assert_eq!(foreign.to_string(), "about:blank");
    }

    #[test]
    fn words_stay_on_one_line_and_short() {
        let problem =
            Problem::from_body(format!("<html>\n\x1b[31m{}", "x".repeat(9999)).as_bytes());
        assert!(problem.detail.starts_with("<html>  [31mxxx"), "{problem}");
        assert_eq!(problem.detail.chars().count(), LONGEST + 1);
        assert_eq!(Problem::from_body(b"").to_string(), "no reason given");
    }
}
