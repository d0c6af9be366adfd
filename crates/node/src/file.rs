//! The configuration file: TOML, the keys of the settings in lower case, and tables for what there
//! may be several of.
//!
//! A value is text, a whole number, true or false, or a list of texts. Which keys there are and
//! what their values mean is for [`certfleet::settings`] to say. No message shows a line of the file, because it may
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
    let mut entries = Vec::new();
    for (key, value) in table {
        flatten(file, key, value, &mut entries)?;
    }
    Ok(settings.with_file(file, entries)?)
}

/// Adds a value as entries of paths and texts: of a table each value, of a list its members joined
/// by commas, of a list of tables each by its number.
fn flatten(
    file: &str,
    path: String,
    value: Value,
    entries: &mut Vec<(String, String)>,
) -> Result<(), Failure> {
    let text = match value {
        Value::String(text) => text,
        Value::Integer(number) => number.to_string(),
        Value::Boolean(truth) => truth.to_string(),
        Value::Table(table) if !table.is_empty() => {
            for (key, value) in table {
                flatten(file, format!("{path}.{key}"), value, entries)?;
            }
            return Ok(());
        }
        Value::Array(members) if members.iter().any(Value::is_table) => {
            for (i, member) in members.into_iter().enumerate() {
                flatten(file, format!("{path}.{}", i + 1), member, entries)?;
            }
            return Ok(());
        }
        // That it is empty is for the settings to say.
        Value::Table(_) => String::new(),
        Value::Array(members) if members.iter().all(Value::is_str) => {
            let texts: Vec<_> = members.iter().filter_map(Value::as_str).collect();
            texts.join(",")
        }
        other => match Setting::by_path(&path) {
            // That the key is none is what its user must hear first.
            None => String::new(),
            Some(setting) => {
                return Err(Failure::Settings(SettingsError::Invalid {
                    place: Origin::File(file.to_owned()).place(&path),
                    found: format!("found a value of type {}", other.type_str()),
                    wanted: format!("{}, in quotes", setting.wanted()),
                }));
            }
        },
    };
    entries.push((path, text));
    Ok(())
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
    fn tables_are_paths() {
        let settings = add_to_none(
            "[issuer.le]\ndirectory = \"letsencrypt\"\n[dns.cf]\nprovider = \"cloudflare\"\n\
             token = \"hunter2\"\n[[certificates]]\nnames = [\"*.a.example\", \"a.example\"]\n\
             reuse_key = true\n",
        )
        .unwrap();
        let found: Vec<_> = settings
            .in_tables()
            .map(|(path, shown, _)| format!("{path} = {shown}"))
            .collect();
        let wanted = [
            "certificates.1.names = *.a.example,a.example",
            "certificates.1.reuse_key = true",
            "dns.cf.provider = cloudflare",
            "dns.cf.token = (secret)",
            "issuer.le.directory = letsencrypt",
        ];
        assert_eq!(found, wanted);
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
                "c.toml, key redis.url is not a setting of certfleet; the nearest is redis_url",
            ),
            (
                "lease_ttl = 1.5",
                "c.toml, key lease_ttl: found a value of type float; wanted: a duration from \
                 1s to 1h, such as 30s, in quotes",
            ),
            (
                "[issuer.le]\ndirectory = \"letsencrypt\"\nemial = \"x\"",
                "c.toml, key issuer.le.emial is not a setting of certfleet; the nearest is \
                 issuer.le.email",
            ),
            (
                "[issuer.le]",
                "c.toml, key issuer.le: it is no table with values in it; wanted: a table \
                 [issuer.NAME]",
            ),
            (
                "[[certificates]]\nnames = [\"a.example\"]\n[[certificates]]\nname = \"b\"",
                "c.toml, key certificates.2.name is not a setting of certfleet; the nearest is \
                 certificates.2.names",
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
