//! One group of settings to read from: the flat ones, or one table of the file.
//!
//! Both hold the same settings, a table under its shorter keys. Only the flat ones have defaults:
//! what a table does not say is for whoever reads it to decide.

use std::{collections::BTreeSet, fmt, str::FromStr, time::Duration};

use certfleet_core::duration;

use super::{Origin, Place, Setting, Settings, SettingsError, Value, known::tables::Table};

/// A group of settings.
#[derive(Clone, Copy)]
pub(super) struct Section<'a> {
    settings: &'a Settings,
    table: Option<(&'static Table, &'a str)>,
}

impl<'a> Section<'a> {
    /// The flat settings.
    pub(super) fn flat(settings: &'a Settings) -> Self {
        Self {
            settings,
            table: None,
        }
    }

    /// The table of a kind with this name.
    pub(super) fn table(settings: &'a Settings, table: &'static Table, name: &'a str) -> Self {
        Self {
            settings,
            table: Some((table, name)),
        }
    }

    /// The names of all tables of a kind, in order; numbers by their size.
    pub(super) fn names(settings: &'a Settings, table: &Table) -> Vec<&'a str> {
        let prefix = format!("{}.", table.name);
        let names: BTreeSet<_> = settings
            .values
            .keys()
            .filter_map(|path| path.strip_prefix(&prefix)?.split_once('.'))
            .map(|(name, _)| (name.parse::<u32>().ok(), name))
            .collect();
        names.into_iter().map(|(_, name)| name).collect()
    }

    /// The settings this is a group of.
    pub(super) fn settings(&self) -> &'a Settings {
        self.settings
    }

    /// The value of a setting, if it is set.
    pub(super) fn value(&self, setting: &Setting) -> Option<&'a Value> {
        self.settings.values.get(&self.path(setting)?)
    }

    /// The keys and values of the table that are none of its fields.
    pub(super) fn others(&self) -> Vec<(&'a str, &'a Value)> {
        let Some((table, name)) = self.table else {
            return Vec::new();
        };
        let prefix = format!("{}.{name}.", table.name);
        let values = self.settings.values.iter();
        values
            .filter_map(|(path, value)| Some((path.strip_prefix(&prefix)?, value)))
            .filter(|(key, _)| table.fields.iter().all(|(field, _)| field != key))
            .collect()
    }

    /// Where a setting is set, or would be.
    pub(super) fn place(&self, setting: &Setting) -> Place {
        let path = self.path(setting).unwrap_or_else(|| setting.key.to_owned());
        match self.value(setting) {
            Some(value) => value.place(),
            None => self.origin().place(&path),
        }
    }

    /// The setting read, or its default; it must have one or be set.
    pub(super) fn required<T>(
        &self,
        setting: &'static Setting,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<T, SettingsError> {
        self.optional(setting, parse)?
            .ok_or_else(|| match self.table {
                None => SettingsError::Missing {
                    setting,
                    wanted: setting.wanted(),
                },
                Some(_) => SettingsError::MissingKey {
                    place: self.place(setting),
                    wanted: setting.wanted(),
                },
            })
    }

    /// The setting read, or its default, if it has one or is set.
    pub(super) fn optional<T>(
        &self,
        setting: &'static Setting,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, SettingsError> {
        let set = self.value(setting).map(|value| value.text.as_str());
        set.or_else(|| setting.default.filter(|_| self.table.is_none()))
            .map(parse)
            .transpose()
            .map_err(|found| self.invalid(setting, found))
    }

    /// The setting is not what is wanted.
    pub(super) fn invalid(&self, setting: &Setting, found: String) -> SettingsError {
        SettingsError::Invalid {
            place: self.place(setting),
            found,
            wanted: setting.wanted(),
        }
    }

    fn path(&self, setting: &Setting) -> Option<String> {
        match self.table {
            None => Some(setting.key.to_owned()),
            Some((table, name)) => {
                let key = table.key_of(setting)?;
                Some(format!("{}.{name}.{key}", table.name))
            }
        }
    }

    /// Where what is not set would be: a table in the file that has the rest of it.
    fn origin(&self) -> Origin {
        let Some((table, name)) = self.table else {
            return Origin::Environment;
        };
        let prefix = format!("{}.{name}.", table.name);
        let mut values = self.settings.values.values();
        values
            .find(|value| value.path.starts_with(&prefix))
            .map_or(Origin::Environment, |value| value.origin.clone())
    }
}

/// What `T` reads.
pub(super) fn plain<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| found(text))
}

/// What `T` reads, whose own words about a text say all.
pub(super) fn told<T: FromStr<Err: fmt::Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error: T::Err| error.to_string())
}

/// A duration within bounds.
pub(super) fn within(
    least: Duration,
    most: Duration,
) -> impl FnOnce(&str) -> Result<Duration, String> {
    move |text| {
        duration::parse(text)
            .filter(|duration| (least..=most).contains(duration))
            .ok_or_else(|| found(text))
    }
}

/// Members separated by commas, none of them twice.
pub(super) fn list<T: FromStr<Err: fmt::Display> + PartialEq + fmt::Display>(
    text: &str,
) -> Result<Vec<T>, String> {
    let mut members = Vec::new();
    for member in text.split(',') {
        let member = told::<T>(member.trim())?;
        if members.contains(&member) {
            return Err(format!("{member} stands there twice"));
        }
        members.push(member);
    }
    Ok(members)
}

/// What was found, on one line and not endless.
pub(super) fn found(text: impl fmt::Display) -> String {
    let text = text.to_string();
    let shown: String = text.chars().take(80).collect();
    let more = if shown.len() < text.len() {
        " and more"
    } else {
        ""
    };
    format!("found {shown:?}{more}")
}
