//! Logs, to standard error: text for people on a terminal, JSON for machines.

use std::io::{self, IsTerminal};

use certfleet::settings::{Setting, Settings, SettingsError, known};
use tracing_subscriber::EnvFilter;

use crate::failure::Failure;

/// Starts logging as the settings say.
pub(crate) fn start(settings: &Settings) -> Result<(), Failure> {
    let terminal = io::stderr().is_terminal();
    let filter = filter(settings)?;
    let json = json(settings, terminal)?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(terminal)
        .with_writer(io::stderr);
    if json {
        builder.json().flatten_event(true).init();
    } else {
        builder.init();
    }
    Ok(())
}

fn filter(settings: &Settings) -> Result<EnvFilter, SettingsError> {
    let text = settings.text(&known::LOG).unwrap_or_default();
    EnvFilter::builder()
        .parse(text)
        .map_err(|_| invalid(settings, &known::LOG, text))
}

fn json(settings: &Settings, terminal: bool) -> Result<bool, SettingsError> {
    match settings.text(&known::LOG_FORMAT) {
        None => Ok(!terminal),
        Some("json") => Ok(true),
        Some("text") => Ok(false),
        Some(other) => Err(invalid(settings, &known::LOG_FORMAT, other)),
    }
}

fn invalid(settings: &Settings, setting: &'static Setting, text: &str) -> SettingsError {
    SettingsError::Invalid {
        place: settings
            .place(setting)
            .expect("a default is good, so what is bad was set"),
        found: format!("found {text:?}"),
        wanted: setting.wanted(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(key: &str, value: &str) -> Settings {
        Settings::default()
            .with_file("c.toml", [(key.to_owned(), value.to_owned())])
            .unwrap()
    }

    #[test]
    fn the_format_is_by_setting_then_by_terminal() {
        for (value, terminal, wanted) in [("json", true, true), ("text", false, false)] {
            assert_eq!(json(&settings("log_format", value), terminal), Ok(wanted));
        }
        assert_eq!(json(&Settings::default(), true), Ok(false));
        assert_eq!(json(&Settings::default(), false), Ok(true));
    }

    #[test]
    fn what_is_no_filter_or_format_is_named() {
        assert!(filter(&Settings::default()).is_ok());
        assert_eq!(
            filter(&settings("log", "certfleet=loud"))
                .unwrap_err()
                .to_string(),
            "c.toml, key log: found \"certfleet=loud\"; wanted: a filter of levels and targets, \
             such as info,certfleet=debug"
        );
        assert_eq!(
            json(&settings("log_format", "xml"), true)
                .unwrap_err()
                .to_string(),
            "c.toml, key log_format: found \"xml\"; wanted: text or json, such as json"
        );
    }
}
