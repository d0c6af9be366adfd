//! The terms certificates are got on: the fleet's from the flat settings, and those a table of
//! the file has of its own.

use std::{collections::BTreeMap, time::Duration};

use certfleet_core::{
    ChallengeKind, IssuerName, KeyType, OwnTerms, ProviderName, Terms, policy::RenewBefore,
};
use certfleet_dns::ProviderConfig;

use super::{DAY, SECOND};
use crate::{
    config::{Choices, IssuerConfig, WantedError},
    settings::{
        Setting, SettingsError,
        known::{
            CHALLENGES, DNS_PROVIDER, ISSUERS, KEY_TYPE, PREFERRED_CHAIN, PROFILE, RENEW_BEFORE,
            REUSE_KEY, VALIDITY,
            tables::{DNS, NAMES},
        },
        section::{Section, found, list, plain, within},
    },
};

/// The longest name of a profile or a chain.
const LONGEST: usize = 128;

/// What this group of settings says of terms.
pub(super) fn own(section: &Section<'_>) -> Result<OwnTerms, SettingsError> {
    Ok(OwnTerms {
        issuers: section.optional(&ISSUERS, list)?,
        challenges: section.optional(&CHALLENGES, list)?,
        dns: section.optional(&DNS, plain)?,
        key_type: section.optional(&KEY_TYPE, plain)?,
        reuse_key: section.optional(&REUSE_KEY, plain)?,
        profile: section.optional(&PROFILE, name)?,
        chain: section.optional(&PREFERRED_CHAIN, name)?,
        validity: section.optional(&VALIDITY, within(60 * SECOND, 3650 * DAY))?,
        renew_before: section.optional(&RENEW_BEFORE, renew_before)?,
    })
}

/// The fleet's terms: what the flat settings say, over what follows from the issuers and the
/// providers there are.
pub(super) fn fleet(
    flat: &Section<'_>,
    issuers: &BTreeMap<IssuerName, IssuerConfig>,
    dns: &BTreeMap<ProviderName, ProviderConfig>,
) -> Result<Terms, SettingsError> {
    let own = own(flat)?;
    if own.issuers.is_none() && issuers.len() > 1 {
        let names: Vec<_> = issuers.keys().map(IssuerName::as_str).collect();
        return Err(SettingsError::Missing {
            setting: &ISSUERS,
            wanted: format!(
                "the order to turn to {} in, the preferred one first",
                names.join(", ")
            ),
        });
    }
    let mut challenges = vec![ChallengeKind::Http01, ChallengeKind::TlsAlpn01];
    if !dns.is_empty() {
        challenges.push(ChallengeKind::Dns01);
    }
    let terms = own.over(&Terms {
        issuers: issuers.keys().cloned().collect(),
        challenges,
        dns: default_provider(flat, dns)?,
        key_type: KeyType::default(),
        reuse_key: false,
        profile: None,
        chain: None,
        validity: None,
        renew_before: RenewBefore::default(),
    });
    let choices = Choices {
        terms: &terms,
        issuers,
        dns,
    };
    match choices.check_terms(&terms) {
        Ok(()) => Ok(terms),
        Err(error) => Err(flat.invalid(about(&error), error.to_string())),
    }
}

/// The setting that an error is about.
pub(super) fn about(error: &WantedError) -> &'static Setting {
    match error {
        WantedError::NoIssuer { .. } | WantedError::Empty("issuers") => &ISSUERS,
        WantedError::Dns01WithoutProvider | WantedError::Empty(_) => &CHALLENGES,
        WantedError::NoProvider { .. } => &DNS,
        WantedError::TooManyNames { .. }
        | WantedError::Wildcard { .. }
        | WantedError::Address(_) => &NAMES,
    }
}

/// The provider for who names none: the one called main, or the only one.
fn default_provider(
    flat: &Section<'_>,
    dns: &BTreeMap<ProviderName, ProviderConfig>,
) -> Result<Option<ProviderName>, SettingsError> {
    let mut names = dns.keys();
    match (names.next(), dns.len()) {
        (None, _) => Ok(None),
        (Some(only), 1) => Ok(Some(only.clone())),
        (Some(first), _) => {
            let main = dns.keys().find(|name| name.as_str() == super::MAIN);
            main.cloned().map(Some).ok_or_else(|| {
                let table = Section::table(
                    flat.settings(),
                    &crate::settings::known::tables::PROVIDER,
                    first.as_str(),
                );
                SettingsError::Invalid {
                    place: table.place(&DNS_PROVIDER),
                    found: "there are several DNS providers, and none is the default".to_owned(),
                    wanted: "one of them called main, as in [dns.main]".to_owned(),
                }
            })
        }
    }
}

fn name(text: &str) -> Result<String, String> {
    if text.len() <= LONGEST && !text.contains(char::is_control) {
        Ok(text.to_owned())
    } else {
        Err(found(text))
    }
}

fn renew_before(text: &str) -> Result<RenewBefore, String> {
    let bounds = Duration::from_secs(1)..=365 * DAY;
    match plain(text)? {
        RenewBefore::Time(time) if !bounds.contains(&time) => Err(found(text)),
        rule => Ok(rule),
    }
}
