//! Settings as people write them, and the way from there to a [`Config`].
//!
//! A setting comes from the environment or from a file, and the environment wins. Each value
//! remembers where it was set, so that every error can say so. A name that begins with
//! `CERTFLEET_` and is no setting is an error, never passed over. This is the only place that
//! reads the environment; files other than those that hold a secret are read by whoever calls
//! [`Settings::with_file`].
//!
//! Flat settings describe the default terms, and one issuer and one DNS provider called `main`.
//! Further ones, and certificates with terms of their own, stand in tables of the file; their
//! values are set by paths such as `issuer.le.directory`.

mod error;
pub mod known;
mod master_key;
mod read;
mod secret;
mod section;
mod service_link;

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fmt, fs,
    path::PathBuf,
};

pub use certfleet_dns::{Kind as DnsKind, kinds as dns_kinds};
use zeroize::Zeroizing;

use self::known::tables::{self, Stray};
pub use self::{
    error::{Origin, Place, SettingsError},
    known::Setting,
};
use crate::config::Config;

/// What the issuer and the DNS provider that flat settings describe are called.
pub(crate) const MAIN: &str = "main";

/// The settings that are set.
#[derive(Debug)]
pub struct Settings {
    /// By path.
    values: BTreeMap<String, Value>,
    /// The first thing that was set wrongly in code; told when the configuration is asked for.
    fault: Option<SettingsError>,
    /// The host's name, which a node goes by if it is not given another.
    host: Option<String>,
}

/// A value with the origin it came from.
struct Value {
    setting: &'static Setting,
    path: String,
    text: Zeroizing<String>,
    origin: Origin,
}

impl Settings {
    /// Takes every variable of this process that begins with `CERTFLEET_`, and the host's name.
    ///
    /// # Errors
    /// [`SettingsError::Unknown`] for a variable that is no setting, [`SettingsError::Invalid`]
    /// for one that is empty or no UTF-8.
    pub fn from_env() -> Result<Self, SettingsError> {
        Self::from_variables(std::env::vars_os(), host_name())
    }

    /// Takes these variables, as [`Self::from_env`] takes the process's.
    ///
    /// # Errors
    /// Those of [`Self::from_env`].
    pub fn from_variables(
        variables: impl IntoIterator<Item = (OsString, OsString)>,
        host: Option<String>,
    ) -> Result<Self, SettingsError> {
        let mut settings = Self {
            values: BTreeMap::new(),
            fault: None,
            host,
        };
        // In order, so that of several errors the same one is told each time.
        for (name, value) in variables.into_iter().collect::<BTreeMap<_, _>>() {
            let Some(key) = key_of(&name) else { continue };
            if service_link::is_one(&key, &value) {
                continue;
            }
            settings.add(&key, value.to_str(), Origin::Environment)?;
        }
        Ok(settings)
    }

    /// Adds what a file says, where the environment does not say it already.
    ///
    /// `file` is the name to use in messages; `entries` are its keys and values. The members of a
    /// list are joined by commas; a value in a table has a path for a key, `issuer.le.email`, and
    /// one of several tables its number, `certificates.2.names`.
    ///
    /// # Errors
    /// [`SettingsError::Unknown`] for a key that is no setting, [`SettingsError::Invalid`] for an
    /// empty value.
    pub fn with_file(
        mut self,
        file: &str,
        entries: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, SettingsError> {
        let origin = Origin::File(file.to_owned());
        for (key, text) in entries {
            let text = Zeroizing::new(text);
            if key == known::CONFIG.key {
                return Err(SettingsError::Invalid {
                    place: origin.place(&key),
                    found: "a file names another file".to_owned(),
                    wanted: format!("{} or --config", known::CONFIG.variable()),
                });
            }
            self.add(&key, Some(&text), origin.clone())?;
        }
        Ok(self)
    }

    /// Sets a setting in code, over whatever it was set to; `method` is what messages name. What
    /// is wrong with it is told by [`Self::config`].
    pub(crate) fn set(&mut self, key: &str, text: impl Into<String>, method: &'static str) {
        let text = Zeroizing::new(text.into());
        self.values.remove(key);
        if let Err(error) = self.add(key, Some(&text), Origin::Code(method)) {
            self.fault.get_or_insert(error);
        }
    }

    /// Adds a value for a setting that has none yet.
    fn add(&mut self, path: &str, text: Option<&str>, origin: Origin) -> Result<(), SettingsError> {
        let setting = setting_at(path, &origin)?;
        let text = match text {
            Some(text) if !text.trim().is_empty() => text.trim(),
            other => {
                return Err(SettingsError::Invalid {
                    place: origin.place(path),
                    found: other
                        .map_or("it is not UTF-8", |_| "it is set but empty")
                        .to_owned(),
                    wanted: setting.wanted(),
                });
            }
        };
        self.values.entry(path.to_owned()).or_insert_with(|| Value {
            setting,
            path: path.to_owned(),
            text: Zeroizing::new(text.to_owned()),
            origin,
        });
        Ok(())
    }

    /// What a setting is set to, or else its default.
    #[must_use]
    pub fn text(&self, setting: &Setting) -> Option<&str> {
        self.values
            .get(setting.key)
            .map(|value| value.text.as_str())
            .or(setting.default)
    }

    /// Where a setting was set, if it was.
    #[must_use]
    pub fn place(&self, setting: &Setting) -> Option<Place> {
        self.values.get(setting.key).map(Value::place)
    }

    /// What a setting is set to, in a form that may be shown to anyone.
    #[must_use]
    pub fn shown(&self, setting: &Setting) -> Option<String> {
        self.text(setting)
            .map(|text| if setting.secret { "(secret)" } else { text })
            .map(str::to_owned)
    }

    /// What stands in tables: each path, its value in a form that may be shown to anyone, and where
    /// it was set.
    pub fn in_tables(&self) -> impl Iterator<Item = (&str, &str, Place)> {
        self.values
            .values()
            .filter(|value| Setting::by_key(&value.path).is_none())
            .map(|value| (value.path.as_str(), value.shown(), value.place()))
    }

    /// The configuration these settings make.
    ///
    /// Beyond the settings themselves it depends on the files that hold secrets alone.
    ///
    /// # Errors
    /// The first setting that is not good, in the order of [`known::ALL`].
    pub fn config(&self) -> Result<Config, SettingsError> {
        match &self.fault {
            Some(fault) => Err(fault.clone()),
            None => read::config(self),
        }
    }
}

/// Nothing is set; the host's name is known.
impl Default for Settings {
    fn default() -> Self {
        Self {
            values: BTreeMap::new(),
            fault: None,
            host: host_name(),
        }
    }
}

/// The key a variable stands for, if it is one of certfleet's.
fn key_of(variable: &OsStr) -> Option<String> {
    let key = variable.to_string_lossy();
    Some(key.strip_prefix(known::PREFIX)?.to_ascii_lowercase())
}

/// The setting that a path names at this origin.
fn setting_at(path: &str, origin: &Origin) -> Result<&'static Setting, SettingsError> {
    if let Some(setting) = Setting::by_key(path) {
        return Ok(setting);
    }
    let place = origin.place(path);
    let stray = match (origin, tables::resolve(path)) {
        // The environment has no tables.
        (Origin::Environment, _) => {
            return Err(SettingsError::Unknown {
                place,
                nearest: Setting::nearest(path).variable(),
            });
        }
        (_, Ok(setting)) => return Ok(setting),
        (_, Err(stray)) => stray,
    };
    Err(match stray {
        Stray::Unknown(nearest) => SettingsError::Unknown { place, nearest },
        Stray::Plain(header) => SettingsError::Invalid {
            place,
            found: "it is no table with values in it".to_owned(),
            wanted: format!("a table {header}"),
        },
        Stray::Name(header) => SettingsError::Invalid {
            place,
            found: "the table's name cannot be one".to_owned(),
            wanted: format!("{header}, the name of 1 to 63 of the characters a-z 0-9 -"),
        },
    })
}

/// The folder programs keep this user's data in, by the XDG base directory specification.
#[must_use]
pub fn user_data_dir() -> Option<PathBuf> {
    let folder = |variable| std::env::var_os(variable).map(PathBuf::from);
    folder("XDG_DATA_HOME")
        .filter(|folder| folder.is_absolute())
        .or_else(|| Some(folder("HOME")?.join(".local/share")))
        .filter(|folder| folder.is_absolute())
}

/// What the system calls this host.
fn host_name() -> Option<String> {
    ["/proc/sys/kernel/hostname", "/etc/hostname"]
        .into_iter()
        .filter_map(|path| fs::read_to_string(path).ok())
        .chain(std::env::var_os("HOSTNAME").and_then(|name| name.into_string().ok()))
        .map(|name| name.trim().to_owned())
        .find(|name| !name.is_empty())
}

impl Value {
    fn place(&self) -> Place {
        self.origin.place(&self.path)
    }

    fn shown(&self) -> &str {
        if self.setting.secret {
            "(secret)"
        } else {
            &self.text
        }
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} from {}", self.shown(), self.place())
    }
}

#[cfg(test)]
mod tests;
