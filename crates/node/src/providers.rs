//! `certfleet config dns-providers`: the kinds of DNS provider there are, and their options.

use std::fmt::Write;

use certfleet::settings::{DnsKind, dns_kinds};

use crate::{failure::Failure, output, table::Table};

/// Prints all kinds, or one with its options.
pub(crate) fn providers(name: Option<&str>) -> Result<(), Failure> {
    let kinds = dns_kinds();
    let Some(name) = name else {
        let mut table = Table::new(["kind", "service"]);
        for kind in kinds {
            table.row([kind.name.to_owned(), kind.title.to_owned()]);
        }
        return output::text(&table.to_string());
    };
    let kind = kinds.into_iter().find(|kind| kind.name == name);
    let kind = kind.ok_or_else(|| Failure::NoProvider(name.to_owned()))?;
    output::text(&example(kind))
}

/// A kind as a table of the configuration file, each option with what it is.
fn example(kind: &DnsKind) -> String {
    let mut text = format!(
        "# {}\n[dns.main]\nprovider = \"{}\"\n",
        kind.title, kind.name
    );
    for option in kind.all_options() {
        let mark = if option.required { "" } else { "# " };
        // A secret is better off in a file of its own.
        let file = if option.secret { "_file" } else { "" };
        let value = if option.secret { "/run/secrets/" } else { "" };
        let name = option.name;
        let _ = writeln!(text, "{mark}{name}{file} = \"{value}\"  # {}", option.help);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_an_example_that_is_toml() {
        for kind in dns_kinds() {
            let text = example(kind);
            let table: toml::Table = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(table["dns"]["main"]["provider"].as_str(), Some(kind.name));
        }
    }
}
