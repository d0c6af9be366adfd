//! What a node says of itself: to probes, to operators, to whoever embeds it.

use certfleet_core::{CertificateId, Epoch, Generation, NameSet, NodeId, Timestamp};
use serde::Serialize;

/// What a node says of itself.
#[derive(Clone, Debug, Serialize)]
pub struct Status {
    /// The node.
    pub node: NodeId,
    /// Whether it takes traffic.
    pub ready: bool,
    /// Why not, or what else an operator should know.
    pub reasons: Vec<String>,
    /// Whether the fleet's store answered when last asked.
    pub store_up: bool,
    /// The epoch up to which it serves every certificate.
    pub epoch: Epoch,
    /// The certificates it serves, by id.
    pub certificates: Vec<Certificate>,
}

/// One certificate that a node serves.
#[derive(Clone, Debug, Serialize)]
pub struct Certificate {
    /// Its id.
    pub id: CertificateId,
    /// Its names.
    pub names: NameSet,
    /// Its serial number, hexadecimal.
    pub serial: String,
    /// The end of its validity.
    pub not_after: Timestamp,
    /// Its generation.
    pub generation: Generation,
}
