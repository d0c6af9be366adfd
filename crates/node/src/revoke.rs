//! `certfleet revoke`: has the certificate that stands replaced with a new key, and then revoked.
//! One node does it; this command does not wait for it.

use certfleet::Config;
use certfleet_core::{CertificateId, RevocationReason};
use serde_json::json;

use crate::{failure::Failure, output, store};

/// Asks for a revocation, and says what will happen.
pub(crate) async fn revoke(
    config: &Config,
    id: &CertificateId,
    reason: RevocationReason,
    json: bool,
) -> Result<(), Failure> {
    let operator = store::operator(config).await?;
    let asked = operator.revoke(id, reason).await?;
    let (serial, generation) = (&asked.record.serial, asked.record.generation);
    if json {
        return output::json(&json!({
            "id": id,
            "serial": serial,
            "generation": generation,
            "reason": reason,
            "asked_at": asked.asked_at,
        }));
    }
    output::text(&format!(
        "{id}, generation {generation}, serial {serial}:\n\
         1. one node gets a new certificate with a new key, and all nodes serve it;\n\
         2. then that node has the old one revoked, for the reason {reason}.\n\
         certfleet show {id} tells how it goes\n"
    ))
}
