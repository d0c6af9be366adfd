//! The certificates wanted from the start: those of `domains`, and the tables `[[certificates]]`.
//!
//! No set of names is wanted twice, and each can be had as far as that is known beforehand.

use std::collections::BTreeMap;

use certfleet_core::{CertificateId, Identifier, NameSet, Wanted};

use super::terms;
use crate::{
    config::Choices,
    settings::{
        Place, Setting, Settings, SettingsError,
        known::{
            DOMAINS,
            tables::{CERTIFICATE, NAMES},
        },
        section::{Section, list},
    },
};

/// What `domains` is for a fleet that wants none from the start.
const NONE: &str = "none";

/// All of them, in the order they are written.
pub(super) fn all(
    settings: &Settings,
    choices: &Choices<'_>,
) -> Result<Vec<Wanted>, SettingsError> {
    let flat = Section::flat(settings);
    let tables = Section::names(settings, &CERTIFICATE);
    let domains = match flat.optional(&DOMAINS, domains)? {
        Some(domains) => domains,
        None if !tables.is_empty() => Vec::new(),
        None => {
            return Err(SettingsError::Missing {
                setting: &DOMAINS,
                wanted: DOMAINS.wanted(),
            });
        }
    };
    let mut all = Collected::default();
    for names in domains {
        all.add(Wanted::new(names), choices, &flat, |_| &DOMAINS)?;
    }
    for number in tables {
        let table = Section::table(settings, &CERTIFICATE, number);
        let wanted = Wanted {
            names: table.required(&NAMES, names)?,
            terms: terms::own(&table)?,
            on_demand: false,
        };
        all.add(wanted, choices, &table, terms::about)?;
    }
    Ok(all.wanted)
}

#[derive(Default)]
struct Collected {
    wanted: Vec<Wanted>,
    places: BTreeMap<CertificateId, Place>,
}

impl Collected {
    /// Adds one that is good; `about` says which setting of `section` an error is about.
    fn add(
        &mut self,
        wanted: Wanted,
        choices: &Choices<'_>,
        section: &Section<'_>,
        about: impl FnOnce(&crate::config::WantedError) -> &'static Setting,
    ) -> Result<(), SettingsError> {
        if let Err(error) = choices.check(&wanted) {
            // What a table does not say itself is wrong with its names.
            let setting = about(&error);
            let said = section.value(setting).is_some();
            let setting = if said { setting } else { &NAMES };
            return Err(section.invalid(setting, error.to_string()));
        }
        let place = section.place(about_names(section));
        if let Some(first) = self.places.insert(wanted.names.id(), place.clone()) {
            return Err(SettingsError::Invalid {
                found: if first == place {
                    format!("{} stands there twice", wanted.names)
                } else {
                    format!("{} is wanted already by {first}", wanted.names)
                },
                wanted: about_names(section).wanted(),
                place,
            });
        }
        self.wanted.push(wanted);
        Ok(())
    }
}

/// The setting of a section that has the names.
fn about_names(section: &Section<'_>) -> &'static Setting {
    if section.value(&NAMES).is_some() {
        &NAMES
    } else {
        &DOMAINS
    }
}

fn domains(text: &str) -> Result<Vec<NameSet>, String> {
    if text == NONE {
        return Ok(Vec::new());
    }
    text.split(',')
        .map(|names| names.trim().parse().map_err(|error| format!("{error}")))
        .collect()
}

fn names(text: &str) -> Result<NameSet, String> {
    let names: Vec<Identifier> = list(text)?;
    NameSet::new(names).map_err(|error| error.to_string())
}
