//! Whether a certificate can be had as it is wanted: its terms name what is there, and each of its
//! names can be validated.
//!
//! The settings, the command line and the admin port all ask here before anything is written down.
//! Whether the CA agrees is seen only when it is asked.

use std::collections::BTreeMap;

use certfleet_core::{
    ChallengeKind, Identifier, IssuerName, NameSet, ProviderName, Terms, Wanted,
    budget::registered_domains,
};
use certfleet_dns::ProviderConfig;

use super::{Config, IssuerConfig, IssuerKind};

/// How many names a certificate may have; public CAs take no more.
pub const MOST_NAMES: usize = 100;
/// How many parts of a proposed split are told.
const TOLD_PARTS: usize = 10;

/// Why a certificate cannot be had as it is wanted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WantedError {
    /// It has too many names.
    #[error(
        "{count} names are too many for one certificate, which has up to {MOST_NAMES}; split them \
         by registered domain: {proposal}"
    )]
    TooManyNames {
        /// How many it has.
        count: usize,
        /// How they could be split.
        proposal: String,
    },
    /// Its terms name an issuer that is not there.
    #[error(
        "there is no issuer called {name}, only {known}; a table [issuer.{name}] in the \
         configuration file makes one"
    )]
    NoIssuer {
        /// The issuer.
        name: IssuerName,
        /// Those that are there.
        known: String,
    },
    /// Its terms have no issuer, or no way of validation.
    #[error("the list of {0} is empty")]
    Empty(&'static str),
    /// Its terms name a DNS provider that is not there.
    #[error(
        "there is no DNS provider called {name}, only {known}; a table [dns.{name}] in the \
         configuration file makes one"
    )]
    NoProvider {
        /// The provider.
        name: ProviderName,
        /// Those that are there.
        known: String,
    },
    /// Its terms want dns-01, and there is no DNS provider.
    #[error("dns-01 needs a DNS provider; set dns_provider, or add a table [dns.NAME]")]
    Dns01WithoutProvider,
    /// It has a wildcard, which dns-01 alone validates.
    #[error(
        "{name} is a wildcard, which no CA issues by other challenges than dns-01 (RFC 8555 section \
         7.1.3); {cure}"
    )]
    Wildcard {
        /// The wildcard.
        name: Identifier,
        /// What is missing for dns-01.
        cure: &'static str,
    },
    /// It has an address, which dns-01 does not validate.
    #[error(
        "{0} is an address, which dns-01 does not validate (RFC 8738 section 7); add http-01 or \
         tls-alpn-01 to its challenges"
    )]
    Address(Identifier),
}

/// What the terms of a certificate may name.
pub(crate) struct Choices<'a> {
    pub(crate) terms: &'a Terms,
    pub(crate) issuers: &'a BTreeMap<IssuerName, IssuerConfig>,
    pub(crate) dns: &'a BTreeMap<ProviderName, ProviderConfig>,
}

impl Config {
    /// Checks that a certificate can be had as it is wanted.
    ///
    /// # Errors
    /// [`WantedError`], with what is to be changed.
    pub fn check(&self, wanted: &Wanted) -> Result<(), WantedError> {
        let choices = Choices {
            terms: &self.terms,
            issuers: &self.issuers,
            dns: &self.dns,
        };
        choices.check(wanted)
    }
}

impl Choices<'_> {
    /// Checks that a certificate can be had as it is wanted.
    pub(crate) fn check(&self, wanted: &Wanted) -> Result<(), WantedError> {
        let names = &wanted.names;
        if names.len() > MOST_NAMES {
            return Err(WantedError::TooManyNames {
                count: names.len(),
                proposal: proposal(names),
            });
        }
        let terms = wanted.terms.over(self.terms);
        self.check_terms(&terms)?;
        let is_acme = |issuer| matches!(self.issuers[issuer].kind, IssuerKind::Acme(_));
        if !terms.issuers.iter().any(is_acme) {
            return Ok(());
        }
        names.iter().try_for_each(|name| validated(name, &terms))
    }

    /// Checks that terms name only what is there.
    pub(crate) fn check_terms(&self, terms: &Terms) -> Result<(), WantedError> {
        if terms.issuers.is_empty() {
            return Err(WantedError::Empty("issuers"));
        }
        if terms.challenges.is_empty() {
            return Err(WantedError::Empty("challenges"));
        }
        let unknown = |name: &&IssuerName| !self.issuers.contains_key(*name);
        if let Some(name) = terms.issuers.iter().find(unknown) {
            return Err(WantedError::NoIssuer {
                name: name.clone(),
                known: joined(self.issuers.keys()),
            });
        }
        match &terms.dns {
            Some(name) if !self.dns.contains_key(name) => Err(WantedError::NoProvider {
                name: name.clone(),
                known: joined(self.dns.keys()),
            }),
            None if terms.challenges.contains(&ChallengeKind::Dns01) => {
                Err(WantedError::Dns01WithoutProvider)
            }
            _ => Ok(()),
        }
    }
}

/// Checks that a name can be validated.
fn validated(name: &Identifier, terms: &Terms) -> Result<(), WantedError> {
    if terms.challenges.iter().any(|kind| kind.fits(name)) {
        return Ok(());
    }
    Err(if name.wildcard_base().is_some() {
        WantedError::Wildcard {
            name: name.clone(),
            cure: match terms.dns {
                Some(_) => "add dns-01 to its challenges",
                None => "set dns_provider, or add a table [dns.NAME]",
            },
        }
    } else {
        WantedError::Address(name.clone())
    })
}

/// How too many names could be split: by registered domain, and the names of a large one in parts.
fn proposal(names: &NameSet) -> String {
    let mut domains: BTreeMap<String, usize> = BTreeMap::new();
    for name in names {
        let alone = NameSet::new([name.clone()]).expect("one name is a set");
        for domain in registered_domains(&alone) {
            *domains.entry(domain).or_default() += 1;
        }
    }
    let rest = domains.len().saturating_sub(TOLD_PARTS);
    let part = |(domain, count): (&String, &usize)| match count.div_ceil(MOST_NAMES) {
        1 => format!("{domain} ({count})"),
        parts => format!("{domain} ({count}, in {parts} parts)"),
    };
    let mut parts: Vec<_> = domains.iter().take(TOLD_PARTS).map(part).collect();
    if rest > 0 {
        parts.push(format!("and {rest} more domains"));
    }
    parts.join(", ")
}

fn joined<T: ToString>(names: impl Iterator<Item = T>) -> String {
    let names: Vec<_> = names.map(|name| name.to_string()).collect();
    if names.is_empty() {
        "none at all".to_owned()
    } else {
        names.join(", ")
    }
}
