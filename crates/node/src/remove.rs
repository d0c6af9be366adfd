//! `certfleet remove`: a certificate the fleet is to serve and renew no longer. It is not revoked.

use certfleet::Config;
use certfleet_core::CertificateId;
use serde_json::json;

use crate::{failure::Failure, output, store};

/// Removes a certificate; a node that works on it is waited for.
pub(crate) async fn remove(
    config: &Config,
    id: &CertificateId,
    json: bool,
) -> Result<(), Failure> {
    store::operator(config).await?.remove(id).await?;
    let configured = config.certificates.iter().any(|one| one.names.id() == *id);
    if json {
        return output::json(&json!({"id": id, "removed": true, "configured": configured}));
    }
    output::text(&format!("{id} is removed; no node serves or renews it\n"))?;
    if configured {
        output::text(
            "but the configuration names it: a node that starts gets it again, until it is taken \
             out there\n",
        )?;
    }
    Ok(())
}
