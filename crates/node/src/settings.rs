//! Settings for people to read: the list in `--help`, and what `config check` prints.

use std::fmt::Write;

use certfleet::settings::{
    Setting, Settings,
    known::{self, tables::TABLES},
};
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
    text.push_str(
        "\n\nTables of the file, for what there may be several of; a key is the setting beside it:\n",
    );
    for table in TABLES {
        let _ = write!(text, "\n  {}\n      {}", table.header, table.about);
        for (key, setting) in table.fields {
            let same = if Setting::by_key(setting.key).is_some() {
                setting.variable()
            } else {
                format!("{}; {}", setting.about, setting.wanted())
            };
            let _ = write!(text, "\n      {key}: {same}");
        }
        if let Some(other) = table.others {
            let _ = write!(text, "\n      {}; {}", other.about, other.wanted());
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
    let flat = known::ALL
        .into_iter()
        .map(|setting| Line {
            setting: setting.key.to_owned(),
            value: settings.shown(setting),
            from: match settings.place(setting) {
                Some(place) => place.to_string(),
                None if setting.default.is_some() => "default".to_owned(),
                None => "not set".to_owned(),
            },
        });
    let in_tables = settings.in_tables().map(|(path, shown, place)| Line {
        setting: path.to_owned(),
        value: Some(shown.to_owned()),
        from: place.to_string(),
    });
    let lines: Vec<_> = flat.chain(in_tables).collect();
    let ids = config.certificates.iter().map(|one| one.names.id().to_string());
    let ids: Vec<_> = ids.collect();
    if json {
        return output::json(&serde_json::json!({
            "fleet": config.fleet,
            "node": config.node,
            "certificates": ids,
            "issuers": config.terms.issuers,
            "dns": config.dns.keys().collect::<Vec<_>>(),
            "settings": lines,
        }));
    }
    let mut table = Table::new(["setting", "value", "from"]);
    for line in lines {
        table.row([line.setting, line.value.unwrap_or_default(), line.from]);
    }
    let certificates = if ids.is_empty() {
        "none".to_owned()
    } else {
        ids.join(", ")
    };
    let (node, fleet) = (&config.node, &config.fleet);
    output::text(&format!(
        "{table}\nThe configuration is good: node {node} of fleet {fleet}, certificates \
         {certificates}.\n",
    ))
}
