//! How a CA makes sure that a name is ours (RFC 8555 section 8), and what it is answered.
//!
//! Choosing among the ways is a pure decision: the order of preference, what the CA offers, and
//! what has failed lately.

use std::{fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::Identifier;

/// A way of validation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ChallengeKind {
    /// A file over HTTP on port 80 (RFC 8555 section 8.3).
    #[serde(rename = "http-01")]
    Http01,
    /// A certificate in a TLS handshake on port 443 (RFC 8737).
    #[serde(rename = "tls-alpn-01")]
    TlsAlpn01,
    /// A TXT record in the DNS (RFC 8555 section 8.4).
    #[serde(rename = "dns-01")]
    Dns01,
}

impl ChallengeKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Http01, Self::TlsAlpn01, Self::Dns01];

    /// The name it has in ACME.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http01 => "http-01",
            Self::TlsAlpn01 => "tls-alpn-01",
            Self::Dns01 => "dns-01",
        }
    }

    /// Whether it can validate `identifier`: a wildcard is for dns-01 alone (RFC 8555 section
    /// 7.1.3), an address for all but dns-01 (RFC 8738 section 7).
    #[must_use]
    pub fn fits(self, identifier: &Identifier) -> bool {
        match self {
            Self::Dns01 => identifier.address().is_none(),
            _ => identifier.wildcard_base().is_none(),
        }
    }

    /// Of the ways `preferred` that fit and are `offered`, the first that is not among the `failed`;
    /// if all of them have failed, the first.
    #[must_use]
    pub fn choose(
        preferred: &[Self],
        identifier: &Identifier,
        offered: &[Self],
        failed: &[Self],
    ) -> Option<Self> {
        let possible = || {
            preferred
                .iter()
                .filter(|kind| kind.fits(identifier) && offered.contains(kind))
        };
        possible()
            .find(|kind| !failed.contains(kind))
            .or_else(|| possible().next())
            .copied()
    }
}

impl fmt::Display for ChallengeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no way of validation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no challenge; there are http-01, tls-alpn-01 and dns-01")]
pub struct ChallengeKindError(String);

impl FromStr for ChallengeKind {
    type Err = ChallengeKindError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| ChallengeKindError(text.to_owned()))
    }
}

/// The answer to one challenge; it holds no secret, since the CA is to read it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Answer {
    /// The way of validation.
    pub kind: ChallengeKind,
    /// What is validated.
    pub identifier: Identifier,
    /// The CA's token.
    pub token: String,
    /// The token with the thumbprint of the account's key (RFC 8555 section 8.1).
    pub key_authorization: String,
}

impl Answer {
    /// Where it is looked for among answers of its kind: by its token for http-01, by the server
    /// name the CA asks for with tls-alpn-01. Several records stand side by side for dns-01, so
    /// there it is the name with the record's value.
    #[must_use]
    pub fn key(&self) -> String {
        match self.kind {
            ChallengeKind::Http01 => self.token.clone(),
            ChallengeKind::TlsAlpn01 => self.identifier.server_name(),
            ChallengeKind::Dns01 => format!("{}/{}", self.domain(), self.record()),
        }
    }

    /// The name whose `_acme-challenge` record dns-01 looks at: for a wildcard what it stands over.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.identifier
            .wildcard_base()
            .unwrap_or(self.identifier.as_str())
    }

    /// The SHA-256 of the key authorization, which a tls-alpn-01 certificate carries (RFC 8737
    /// section 3).
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(&self.key_authorization).into()
    }

    /// The TXT record's text for dns-01 (RFC 8555 section 8.4).
    #[must_use]
    pub fn record(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.digest())
    }
}

#[cfg(test)]
mod tests {
    use super::{ChallengeKind::*, *};

    #[test]
    fn the_first_that_can_be_had_and_has_not_failed_is_chosen() {
        let all = &[Http01, TlsAlpn01, Dns01][..];
        for (preferred, name, offered, failed, chosen) in [
            (all, "a.example", all, &[][..], Some(Http01)),
            (&[Dns01, Http01][..], "a.example", all, &[], Some(Dns01)),
            (all, "a.example", all, &[Http01], Some(TlsAlpn01)),
            (all, "a.example", all, all, Some(Http01)),
            (all, "a.example", &[Dns01], &[Dns01], Some(Dns01)),
            (all, "*.a.example", all, &[], Some(Dns01)),
            (&[Http01], "*.a.example", all, &[], None),
            (&[Dns01], "192.0.2.7", all, &[], None),
            (
                &[Dns01, TlsAlpn01],
                "2001:db8::1",
                all,
                &[],
                Some(TlsAlpn01),
            ),
            (all, "a.example", &[], &[], None),
        ] {
            assert_eq!(
                ChallengeKind::choose(preferred, &name.parse().unwrap(), offered, failed),
                chosen,
                "{preferred:?} {name} {offered:?} {failed:?}"
            );
        }
    }

    #[test]
    fn an_answer_knows_its_place() {
        let answer = |kind, name: &str| Answer {
            kind,
            identifier: name.parse().unwrap(),
            token: "token".into(),
            key_authorization: "token.thumbprint".into(),
        };
        assert_eq!(answer(Http01, "a.example").key(), "token");
        assert_eq!(
            answer(TlsAlpn01, "192.0.2.7").key(),
            "7.2.0.192.in-addr.arpa"
        );
        let record = answer(Dns01, "*.a.example");
        assert_eq!(record.domain(), "a.example");
        assert_eq!(record.record().len(), 43);
        assert_eq!(record.key(), format!("a.example/{}", record.record()));
    }
}
