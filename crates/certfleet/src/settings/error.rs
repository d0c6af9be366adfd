//! What can be wrong with settings, each in one line.
//!
//! Every message says which setting it is about and where that was set, what was found there, and
//! what is wanted. A secret's value is never part of one.

use std::fmt;

use super::known::Setting;

/// Where a value was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// In the environment.
    Environment,
    /// In the file of this name.
    File(String),
    /// In code, by the method of this name.
    Code(&'static str),
}

impl Origin {
    /// This setting at this origin, for messages.
    #[must_use]
    pub fn place(&self, key: &str) -> Place {
        Place {
            origin: self.clone(),
            key: key.to_owned(),
        }
    }
}

/// One setting at the origin it was set at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    origin: Origin,
    key: String,
}

/// `environment variable CERTFLEET_KEY`, `certfleet.toml, key key`, or the method's name.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::Environment => write!(f, "environment variable {}", variable(&self.key)),
            Origin::File(name) => write!(f, "{name}, key {}", self.key.escape_debug()),
            Origin::Code(method) if method.ends_with(&self.key) => f.write_str(method),
            Origin::Code(method) => write!(f, "{method}({:?})", self.key),
        }
    }
}

fn variable(key: &str) -> String {
    let key = key.to_ascii_uppercase();
    format!("{}{}", super::known::PREFIX, key.escape_debug())
}

/// Why settings make no configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// There is no such setting.
    #[error("{place} is not a setting of certfleet; the nearest is {nearest}")]
    Unknown {
        /// What was set.
        place: Place,
        /// The nearest that there is, as it is written at that origin.
        nearest: String,
    },
    /// The value is not what is wanted.
    #[error("{place}: {found}; wanted: {wanted}")]
    Invalid {
        /// What was set.
        place: Place,
        /// What was found.
        found: String,
        /// What is wanted.
        wanted: String,
    },
    /// Something must be set and is not.
    #[error("{} is not set (nor key {} in a file); wanted: {wanted}", .setting.variable(), .setting.key)]
    Missing {
        /// What must be set.
        setting: &'static Setting,
        /// What it must be set to.
        wanted: String,
    },
    /// Something must be set in a table and is not.
    #[error("{place} is not set; wanted: {wanted}")]
    MissingKey {
        /// What must be set.
        place: Place,
        /// What it must be set to.
        wanted: String,
    },
    /// Two settings say the same thing and only one may.
    #[error("{first} and {second} are both set; wanted: one of them")]
    Both {
        /// The one.
        first: Place,
        /// The other.
        second: Place,
    },
}

/// Two settings are the same one.
impl PartialEq for Setting {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Setting {}
