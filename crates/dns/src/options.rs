//! The options of one provider, checked by name against what its kind takes.
//!
//! Every option that a kind requires is here and not empty; no other name is.

use std::{collections::BTreeMap, str::FromStr};

use crate::{ConfigError, Secret, kind::Kind};

/// What is wrong with an option's value; goes into [`ConfigError::Invalid`].
#[derive(Debug)]
pub(crate) struct Problem(pub(crate) String);

impl From<String> for Problem {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<dns_update::Error> for Problem {
    fn from(error: dns_update::Error) -> Self {
        Self(error.to_string())
    }
}

/// A provider's options.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    kind: &'static Kind,
    values: BTreeMap<String, Secret>,
}

impl Options {
    /// Checks the names in `values`; an empty value is as good as none.
    pub(crate) fn new(
        kind: &'static Kind,
        values: BTreeMap<String, Secret>,
    ) -> Result<Self, ConfigError> {
        let known = || kind.all_options();
        for name in values.keys() {
            if !known().any(|option| option.name == name) {
                return Err(ConfigError::UnknownOption {
                    kind: kind.name,
                    option: name.clone(),
                    closest: closest(name, known().map(|option| option.name)),
                    wanted: kind.wanted(),
                });
            }
        }
        let options = Self { kind, values };
        for option in known().filter(|option| option.required) {
            if options.opt(option.name).is_none() {
                return Err(options.missing(option.name));
            }
        }
        Ok(options)
    }

    /// The kind they are for.
    pub(crate) fn kind(&self) -> &'static Kind {
        self.kind
    }

    /// A required option.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.opt(name).expect("required options are checked")
    }

    /// An option, unless absent or empty.
    pub(crate) fn opt(&self, name: &str) -> Option<&str> {
        debug_assert!(
            self.kind.all_options().any(|option| option.name == name),
            "{} does not declare {name}",
            self.kind.name
        );
        self.values
            .get(name)
            .map(Secret::expose)
            .filter(|value| !value.is_empty())
    }

    /// An option as an owned string.
    pub(crate) fn owned(&self, name: &str) -> Option<String> {
        self.opt(name).map(str::to_owned)
    }

    /// An option that is `true` or `false`; absent is `false`.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, Problem> {
        Ok(self.parse(name)?.unwrap_or(false))
    }

    /// An option of another type.
    pub(crate) fn parse<T: FromStr>(&self, name: &str) -> Result<Option<T>, Problem> {
        self.opt(name)
            .map(|text| {
                text.parse()
                    .map_err(|_| Problem(format!("the option {name} cannot be read")))
            })
            .transpose()
    }

    /// The error that `name` is missing.
    pub(crate) fn missing(&self, name: &str) -> ConfigError {
        ConfigError::MissingOption {
            kind: self.kind.name,
            option: name.to_owned(),
            wanted: self.kind.wanted(),
        }
    }

    /// The error that a value does not do.
    pub(crate) fn invalid(&self, problem: &Problem) -> ConfigError {
        ConfigError::Invalid {
            kind: self.kind.name,
            problem: self.redact(&problem.0),
            wanted: self.kind.wanted(),
        }
    }

    /// `text` without the values of secret options, plain or as they stand in a URL.
    pub(crate) fn redact(&self, text: &str) -> String {
        let secrets = self.kind.all_options().filter(|option| option.secret);
        let mut text = text.to_owned();
        for value in secrets.filter_map(|option| self.opt(option.name)) {
            for form in [value.to_owned(), percent_encoded(value)] {
                text = text.replace(&form, "[secret]");
            }
        }
        text
    }
}

/// The name in `names` that is most like `name`, if any is.
pub(crate) fn closest<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<String> {
    names
        .map(|known| (strsim::jaro_winkler(name, known), known))
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known.to_owned())
}

/// `text` as a query string carries it.
fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'*' => {
                char::from(byte).to_string()
            }
            b' ' => "+".to_owned(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
