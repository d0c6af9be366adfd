//! `certfleet add`: certificates the fleet is to have from now on. Some node gets each of them;
//! this command does not wait for it.

use certfleet::Config;
use certfleet_core::Wanted;
use serde_json::json;

use crate::{cli::AddOptions, failure::Failure, output, store};

/// Adds certificates, or changes the terms of those that are there. All are checked first.
pub(crate) async fn add(config: &Config, options: AddOptions) -> Result<(), Failure> {
    let terms = options.terms.own();
    let certificates = options.certificates.into_iter().map(|names| Wanted {
        terms: terms.clone(),
        ..Wanted::new(names)
    });
    let certificates: Vec<_> = certificates.collect();
    for wanted in &certificates {
        config.check(wanted)?;
    }
    let operator = store::operator(config).await?;
    for wanted in &certificates {
        operator.add(wanted).await?;
        if !options.json {
            let id = wanted.names.id();
            output::text(&format!(
                "{id} is wanted now; certfleet show {id} tells how it goes\n"
            ))?;
        }
    }
    if options.json {
        let added = certificates.iter().map(|wanted| {
            json!({"id": wanted.names.id(), "names": wanted.names, "terms": wanted.terms})
        });
        return output::json(&added.collect::<Vec<_>>());
    }
    Ok(())
}
