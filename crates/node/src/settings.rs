//! Settings for people to read: the list in `--help`, and what `config check` prints.

use std::fmt::Write;

use certfleet::settings::{Settings, known};
use serde::Serialize;

use crate::{failure::Failure, output, table::Table};

/// All settings, as `--help` lists them.
pub(crate) fn help() -> String {
    let mut text = String::from(
        "Settings, from the environment or, in lower case and without CERTFLEET_, from a TOML \
         file; the environment wins:\n",
    );
    for setting in known::ALL {
        let variable = setting.variable();
        let _ = write!(
            text,
            "\n  {variable}\n      {}\n      {}",
            setting.about,
            setting.wanted()
        );
        if let Some(default) = setting.default {
            let _ = write!(text, " [default: {default}]");
        }
    }
    text
}

/// One setting, as `config check` prints it.
#[derive(Serialize)]
struct Line {
    setting: String,
    value: Option<String>,
    from: String,
}

/// Prints every setting with its origin, once they are found to make a configuration.
pub(crate) fn check(settings: &Settings, json: bool) -> Result<(), Failure> {
    let config = settings.config()?;
    let lines: Vec<_> = known::ALL
        .into_iter()
        .map(|setting| Line {
            setting: setting.key.to_owned(),
            value: settings.shown(setting),
            from: match settings.place(setting) {
                Some(place) => place.to_string(),
                None if setting.default.is_some() => "default".to_owned(),
                None => "not set".to_owned(),
            },
        })
        .collect();
    if json {
        return output::json(&serde_json::json!({
            "fleet": config.fleet,
            "node": config.node,
            "certificates": config.certificates.iter().map(certfleet_core::NameSet::id).collect::<Vec<_>>(),
            "settings": lines,
        }));
    }
    let mut table = Table::new(["setting", "value", "from"]);
    for line in lines {
        table.row([line.setting, line.value.unwrap_or_default(), line.from]);
    }
    output::text(&format!(
        "{table}\nThe configuration is good: node {} of fleet {}, certificates {}.\n",
        config.node,
        config.fleet,
        config
            .certificates
            .iter()
            .map(|names| names.id().to_string())
            .collect::<Vec<_>>()
            .join(", "),
    ))
}
