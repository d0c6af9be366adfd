//! `certfleet renew`: makes certificates due at once. Some node of the fleet then renews them;
//! this command does not wait for it.

use std::collections::BTreeSet;

use certfleet::Config;
use certfleet_core::CertificateId;

use crate::{failure::Failure, output, store};

/// Makes one certificate due, or all there are if none is named.
pub(crate) async fn renew(config: &Config, id: Option<CertificateId>) -> Result<(), Failure> {
    let store = store::open(config).await?;
    let all = store::ids(config, &*store).await?;
    let chosen = match id {
        None => all,
        Some(id) if all.contains(&id) => BTreeSet::from([id]),
        Some(id) => {
            return Err(Failure::NoCertificate {
                fleet: config.fleet.clone(),
                id,
            });
        }
    };
    for id in chosen {
        store.hasten(&id).await?;
        output::text(&format!("{id} is due now\n"))?;
    }
    Ok(())
}
