//! The configuration file: flat TOML, the keys of the settings in lower case.
//!
//! A value is text, a whole number, or a list of texts. Which keys there are and what their values
//! mean is for [`certfleet::settings`] to say. No message shows a line of the file, because it may
//! hold a secret.

use std::{fs::File, io::Read, path::Path};

use certfleet::settings::{Origin, Setting, Settings, SettingsError, known};
use toml::{Table, Value};

use crate::{cli::Source, failure::Failure};

/// Far more than all settings take.
const LONGEST: u64 = 1024 * 1024;

/// The settings of the environment, and those of the file if one is named.
pub(crate) fn settings(source: &Source) -> Result<Settings, Failure> {
    let settings = Settings::from_env()?;
    let named = settings.text(&known::CONFIG).map(Path::new);
    match source.config.as_deref().or(named).map(Path::to_owned) {
        Some(path) => {
            let text = read(&path)?;
            add(settings, &path.display().to_string(), &text)
        }
        None => Ok(settings),
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(LONGEST).read_to_string(&mut text))
        .map_err(|source| Failure::ConfigFile {
            path: path.to_owned(),
            source,
        })?;
    Ok(text)
}

fn add(settings: Settings, file: &str, text: &str) -> Result<Settings, Failure> {
    let table: Table = text.parse().map_err(|error: toml::de::Error| {
        let before = error.span().map_or(0, |span| span.start).min(text.len());
        Failure::Toml {
            file: file.to_owned(),
            line: text.as_bytes()[..before].split(|&b| b == b'\n').count(),
            problem: error.message().to_owned(),
        }
    })?;
    let entries: Result<Vec<_>, Failure> = table
        .into_iter()
        .map(
            |(key, value)| match (plain(&value), Setting::by_key(&key)) {
                (Some(text), _) => Ok((key, text)),
                // That the key is none is what its user must hear first.
                (None, None) => Ok((key, String::new())),
                (None, Some(setting)) => Err(Failure::Settings(SettingsError::Invalid {
                    place: Origin::File(file.to_owned()).place(&key),
                    found: format!("found a value of type {}", value.type_str()),
                    wanted: format!("{}, in quotes", setting.wanted()),
                })),
            },
        )
        .collect();
    Ok(settings.with_file(file, entries?)?)
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Array(members) => {
            let texts: Option<Vec<_>> = members.iter().map(Value::as_str).collect();
            Some(texts?.join(","))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add_to_none(text: &str) -> Result<Settings, Failure> {
        add(Settings::default(), "c.toml", text)
    }

    #[test]
    fn takes_text_numbers_and_lists() {
        let settings = add_to_none(
            "# a fleet\nfleet = \"eu\"\npublic_https_port = 8443\ndomains = [\"a.example+b.example\", \"c.example\"]\n",
        )
        .unwrap();
        for (setting, text) in [
            (&known::FLEET, "eu"),
            (&known::PUBLIC_HTTPS_PORT, "8443"),
            (&known::DOMAINS, "a.example+b.example,c.example"),
        ] {
            assert_eq!(settings.text(setting), Some(text));
        }
    }

    #[test]
    fn says_where_it_is_no_good() {
        for (text, line) in [
            (
                "fleet = \"eu\"\nlease_tll = \"1s\"",
                "c.toml, key lease_tll is not a setting of certfleet; the nearest is lease_ttl",
            ),
            (
                "[redis]\nurl = \"redis://x\"",
                "c.toml, key redis is not a setting of certfleet; the nearest is redis_url",
            ),
            (
                "lease_ttl = true",
                "c.toml, key lease_ttl: found a value of type boolean; wanted: a duration from \
                 1s to 1h, such as 30s, in quotes",
            ),
            (
                "fleet = \"\"",
                "c.toml, key fleet: it is set but empty; wanted: 1 to 63 of the characters \
                 a-z 0-9 -, such as prod-eu",
            ),
        ] {
            let failure = add_to_none(text).unwrap_err();
            assert_eq!(failure.one_line(), line);
            assert_eq!(failure.exit_code(), 2);
        }
    }

    #[test]
    fn a_syntax_error_has_its_line_and_shows_no_secret() {
        let failure = add_to_none("fleet = \"eu\"\nmaster_key = hunter2\n").unwrap_err();
        let line = failure.one_line();
        assert!(line.starts_with("c.toml, line 2: "), "{line}");
        assert!(!line.contains("hunter2"), "{line}");
    }
}
