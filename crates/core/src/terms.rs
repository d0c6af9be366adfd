//! The terms on which a certificate is got: from whom, validated how, with what key, renewed when.
//!
//! A fleet has default terms; a certificate may have terms of its own, which say only what is
//! different. What is decided from terms and from what has failed is decided here.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    NameSet,
    challenge::ChallengeKind,
    duration,
    identity::{IssuerName, ProviderName},
    key_type::KeyType,
    policy::RenewBefore,
};

/// How many tries are made at one issuer before the next one's turn.
const TRIES_AT_ISSUER: u32 = 3;

/// The terms on which a certificate is got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The issuers, the preferred one first; at least one.
    pub issuers: Vec<IssuerName>,
    /// The ways of validation, the preferred one first; at least one.
    pub challenges: Vec<ChallengeKind>,
    /// The DNS provider for dns-01.
    pub dns: Option<ProviderName>,
    /// The kind of key.
    pub key_type: KeyType,
    /// Whether a renewal keeps the key, as pinned keys need it.
    pub reuse_key: bool,
    /// The profile at the CA (a draft of the ACME working group: `tlsserver`, `shortlived`).
    pub profile: Option<String>,
    /// The common name of the topmost issuer of the preferred chain.
    pub chain: Option<String>,
    /// The validity to ask for; the CA's own otherwise. Many CAs refuse to be asked.
    pub validity: Option<Duration>,
    /// When it is renewed, where the CA suggests nothing.
    pub renew_before: RenewBefore,
}

impl Terms {
    /// The issuer to try after so many failures: the next one after each three tries, and the first
    /// again after the last.
    ///
    /// # Panics
    /// If there is no issuer.
    #[must_use]
    pub fn issuer(&self, failures: u32) -> &IssuerName {
        let turn = usize::try_from(failures / TRIES_AT_ISSUER).unwrap_or(usize::MAX);
        &self.issuers[turn % self.issuers.len()]
    }

    /// Whether a way of validation is left that fits one of `names` and has not `failed`.
    #[must_use]
    pub fn another_way(&self, names: &NameSet, failed: &[ChallengeKind]) -> bool {
        self.challenges
            .iter()
            .any(|kind| !failed.contains(kind) && names.iter().all(|name| kind.fits(name)))
    }
}

/// What is different for one certificate; what is `None` is as the fleet has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnTerms {
    /// See [`Terms::issuers`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuers: Option<Vec<IssuerName>>,
    /// See [`Terms::challenges`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub challenges: Option<Vec<ChallengeKind>>,
    /// See [`Terms::dns`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns: Option<ProviderName>,
    /// See [`Terms::key_type`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_type: Option<KeyType>,
    /// See [`Terms::reuse_key`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reuse_key: Option<bool>,
    /// See [`Terms::profile`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// See [`Terms::chain`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<String>,
    /// See [`Terms::validity`].
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        with = "duration::text"
    )]
    pub validity: Option<Duration>,
    /// See [`Terms::renew_before`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renew_before: Option<RenewBefore>,
}

impl OwnTerms {
    /// These where they say something, `terms` where they do not.
    #[must_use]
    pub fn over(&self, terms: &Terms) -> Terms {
        let own = self.clone();
        Terms {
            issuers: own.issuers.unwrap_or_else(|| terms.issuers.clone()),
            challenges: own.challenges.unwrap_or_else(|| terms.challenges.clone()),
            dns: own.dns.or_else(|| terms.dns.clone()),
            key_type: own.key_type.unwrap_or(terms.key_type),
            reuse_key: own.reuse_key.unwrap_or(terms.reuse_key),
            profile: own.profile.or_else(|| terms.profile.clone()),
            chain: own.chain.or_else(|| terms.chain.clone()),
            validity: own.validity.or(terms.validity),
            renew_before: own.renew_before.unwrap_or(terms.renew_before),
        }
    }
}

/// A certificate that the fleet is to have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Its names.
    pub names: NameSet,
    /// What is different about it.
    #[serde(default)]
    pub terms: OwnTerms,
    /// Whether a client's handshake asked for it first, and not a person.
    #[serde(default)]
    pub on_demand: bool,
}

impl Wanted {
    /// A certificate for `names` on the fleet's terms.
    #[must_use]
    pub fn new(names: NameSet) -> Self {
        Self {
            names,
            terms: OwnTerms::default(),
            on_demand: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ChallengeKind::*, *};

    fn terms() -> Terms {
        Terms {
            issuers: vec!["first".parse().unwrap(), "second".parse().unwrap()],
            challenges: vec![Http01, Dns01],
            dns: None,
            key_type: KeyType::P256,
            reuse_key: false,
            profile: None,
            chain: None,
            validity: None,
            renew_before: RenewBefore::default(),
        }
    }

    #[test]
    fn issuers_take_turns_of_three_tries() {
        let terms = terms();
        let turns: Vec<_> = (0..9).map(|n| terms.issuer(n).as_str()).collect();
        let [first, second] = ["first", "second"];
        assert_eq!(turns, [[first; 3], [second; 3], [first; 3]].concat());
    }

    #[test]
    fn another_way_must_fit_every_name() {
        let terms = terms();
        let left = |names: &str, failed: &[_]| terms.another_way(&names.parse().unwrap(), failed);
        assert!(left("a.example", &[Http01]));
        assert!(!left("a.example", &[Http01, Dns01]));
        assert!(!left("*.a.example", &[Dns01]));
        assert!(!left("192.0.2.7", &[Http01]));
    }

    #[test]
    fn own_terms_go_before_the_fleets_and_read_back() {
        let text = r#"{"names":["a.example"],"terms":{"issuers":["second"],
            "challenges":["tls-alpn-01"],"key_type":"rsa2048","validity":"6d",
            "renew_before":"25%"}}"#;
        let wanted: Wanted = serde_json::from_str(text).unwrap();
        let own = wanted.terms.over(&terms());
        assert_eq!(own.issuer(0).as_str(), "second");
        assert_eq!(own.challenges, [TlsAlpn01]);
        assert_eq!(own.key_type, KeyType::Rsa2048);
        assert_eq!(own.validity, Some(Duration::from_secs(6 * 86_400)));
        assert_eq!(own.renew_before, RenewBefore::Percent(25));
        let back = serde_json::to_string(&wanted).unwrap();
        assert_eq!(serde_json::from_str::<Wanted>(&back).unwrap(), wanted);
        let bad = text.replace("key_type", "key_tpye");
        assert!(serde_json::from_str::<Wanted>(&bad).is_err());
    }
}
