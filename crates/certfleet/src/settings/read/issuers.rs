//! The issuers: the one called `main` from the flat settings, and the tables `[issuer.NAME]`.

use std::{collections::BTreeMap, path::Path};

use certfleet_acme::{AcmeConfig, ConfigError, Directory, ExternalAccount, MacAlgorithm};
use certfleet_core::{IssuerName, budget::Limits};

use super::{MAIN, rate};
use crate::{
    config::{IssuerConfig, IssuerKind},
    settings::{
        Place, Setting, Settings, SettingsError, Value,
        known::{
            ACME_CA_FILE, ACME_DIRECTORY, ACME_EAB_ALGORITHM, ACME_EAB_KEY_ID, ACME_EAB_MAC_KEY,
            ACME_EAB_MAC_KEY_FILE, DATA_DIR, EMAIL, RATE_LIMITS, tables::ISSUER,
        },
        secret::Pair,
        section::{Section, found, plain},
    },
};

/// What `directory` is for the CA within certfleet.
const BUILT_IN: &str = "built-in";
/// The directory whose limits are known.
const LETS_ENCRYPT: &str = "letsencrypt";

const EAB_MAC_KEY: Pair = Pair {
    given: &ACME_EAB_MAC_KEY,
    file: &ACME_EAB_MAC_KEY_FILE,
};

/// All of them.
pub(super) fn all(
    settings: &Settings,
    data_dir: Option<&Path>,
) -> Result<BTreeMap<IssuerName, IssuerConfig>, SettingsError> {
    let flat = Section::flat(settings);
    let tables = Section::names(settings, &ISSUER);
    let mut issuers = BTreeMap::new();
    if flat.value(&ACME_DIRECTORY).is_some() || tables.is_empty() {
        issuers.insert(main(), issuer(&flat, data_dir)?);
    } else {
        is_for_someone(&flat)?;
    }
    for name in tables {
        let table = Section::table(settings, &ISSUER, name);
        let config = issuer(&table, data_dir)?;
        let name: IssuerName = name.parse().expect("a table's name was checked when set");
        if issuers.insert(name, config).is_some() {
            return Err(SettingsError::Both {
                first: flat.place(&ACME_DIRECTORY),
                second: table.place(&ACME_DIRECTORY),
            });
        }
    }
    Ok(issuers)
}

fn main() -> IssuerName {
    MAIN.parse().expect("it has 1 to 63 of the characters a-z")
}

/// Where the flat settings describe no issuer, none of those that would be for it may be set.
fn is_for_someone(flat: &Section<'_>) -> Result<(), SettingsError> {
    let mut fields = ISSUER.fields.iter();
    match fields.find(|(_, setting)| flat.value(setting).is_some()) {
        None => Ok(()),
        Some((key, setting)) => Err(SettingsError::Invalid {
            place: flat.place(setting),
            found: format!("it is for the issuer {MAIN}, and there is none"),
            wanted: format!(
                "{}, or {key} in the tables [issuer.NAME]",
                ACME_DIRECTORY.key
            ),
        }),
    }
}

fn issuer(section: &Section<'_>, data_dir: Option<&Path>) -> Result<IssuerConfig, SettingsError> {
    let directory = section.required(&ACME_DIRECTORY, |text| match text {
        BUILT_IN => Ok(None),
        other => directory(other).map(Some),
    })?;
    let limits = section.optional(&RATE_LIMITS, rate::limits)?;
    let Some(directory) = directory else {
        let data_dir = data_dir.ok_or_else(|| SettingsError::Missing {
            setting: &DATA_DIR,
            wanted: format!(
                "{}, to keep the root of the built-in CA in",
                DATA_DIR.wanted()
            ),
        })?;
        return Ok(IssuerConfig {
            kind: IssuerKind::BuiltIn {
                dir: data_dir.join("ca"),
            },
            limits: limits.unwrap_or_default(),
        });
    };
    let limits = limits.unwrap_or_else(|| {
        if is_lets_encrypt(&directory) {
            Limits::lets_encrypt()
        } else {
            Limits::default()
        }
    });
    let mut acme = AcmeConfig::new(directory);
    acme.ca_file = section.optional(&ACME_CA_FILE, plain)?;
    acme.contact = section.optional(&EMAIL, mail)?.into_iter().collect();
    acme.external_account = external_account(section)?;
    Ok(IssuerConfig {
        kind: IssuerKind::Acme(acme),
        limits,
    })
}

fn is_lets_encrypt(directory: &Directory) -> bool {
    LETS_ENCRYPT
        .parse()
        .is_ok_and(|known: Directory| known == *directory)
}

fn external_account(section: &Section<'_>) -> Result<Option<ExternalAccount>, SettingsError> {
    let key_id = section.optional(&ACME_EAB_KEY_ID, |text| Ok(text.to_owned()))?;
    let algorithm = section.optional(&ACME_EAB_ALGORITHM, algorithm)?;
    let Some(key_id) = key_id else {
        return match EAB_MAC_KEY.value(section)? {
            None => Ok(None),
            Some(key) => Err(half(
                key,
                &section.place(&ACME_EAB_KEY_ID),
                &ACME_EAB_KEY_ID,
            )),
        };
    };
    let account = EAB_MAC_KEY.read(section, |mac_key| {
        ExternalAccount::new(key_id, mac_key, algorithm.unwrap_or_default())
            .map_err(|error| error.to_string())
    })?;
    account.map(Some).ok_or_else(|| {
        let id = section.value(&ACME_EAB_KEY_ID);
        let id = id.expect("the key id was just read");
        half(id, &section.place(&ACME_EAB_MAC_KEY), &ACME_EAB_MAC_KEY)
    })
}

/// Of an external account's two halves only one is given.
fn half(given: &Value, missing: &Place, setting: &'static Setting) -> SettingsError {
    SettingsError::Invalid {
        place: given.place(),
        found: "it is half of an external account".to_owned(),
        wanted: format!("{missing} as well: {}", setting.wanted()),
    }
}

fn algorithm(text: &str) -> Result<MacAlgorithm, String> {
    plain(text)
}

fn directory(text: &str) -> Result<Directory, String> {
    text.parse().map_err(|error| match error {
        ConfigError::Directory { problem, .. } => format!("{}, which {problem}", found(text)),
        other => other.to_string(),
    })
}

fn mail(text: &str) -> Result<String, String> {
    let good = text.split_once('@').is_some_and(|(user, host)| {
        !user.is_empty()
            && !user.contains([':', ' '])
            && !host.is_empty()
            && !host.contains(['@', ' '])
    });
    if good {
        Ok(text.to_owned())
    } else {
        Err(found(text))
    }
}
