//! The name of every key, in one place.
//!
//! All begin with `certfleet:{FLEET}:`. The braces are part of the name: they are the hash tag
//! that keeps a fleet's keys in one slot of a cluster, so that a script may touch several.

use certfleet_core::{CertificateId, ChallengeKind, DomainName, FleetName, Generation, NodeId};
use certfleet_store::lease::Resource;

/// The keys of one fleet.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    prefix: String,
    pub(crate) due: String,
    pub(crate) changes: String,
    pub(crate) epoch: String,
    pub(crate) fencing: String,
    pub(crate) incarnation: String,
    pub(crate) removed: String,
    pub(crate) questions: String,
    pub(crate) wanted: String,
    pub(crate) budget: String,
    pub(crate) pauses: String,
    pub(crate) certificate_leases: String,
    pub(crate) account_leases: String,
    pub(crate) nodes: String,
    pub(crate) events: String,
    /// A channel, not a key.
    pub(crate) feed: String,
}

impl Keys {
    pub(crate) fn new(fleet: &FleetName) -> Self {
        let prefix = prefix(fleet);
        let key = |name: &str| format!("{prefix}{name}");
        Self {
            due: key("due"),
            changes: key("changes"),
            epoch: key("epoch"),
            fencing: key("fencing"),
            incarnation: key("incarnation"),
            removed: key("removed"),
            questions: key("questions"),
            wanted: key("wanted"),
            budget: key("budget"),
            pauses: key("pauses"),
            certificate_leases: key("leases:certificate"),
            account_leases: key("leases:account"),
            nodes: key("nodes"),
            events: key("events"),
            feed: key("feed"),
            prefix,
        }
    }

    pub(crate) fn certificate(&self, id: &CertificateId) -> String {
        self.named("cert", id.as_str())
    }

    pub(crate) fn attempt(&self, id: &CertificateId) -> String {
        self.named("attempt", id.as_str())
    }

    pub(crate) fn lease(&self, resource: &Resource) -> String {
        self.lease_named(&resource.to_string())
    }

    /// The lease on a resource as the index of leases names it.
    pub(crate) fn lease_named(&self, resource: &str) -> String {
        self.named("lease", resource)
    }

    /// The index that has the lease on this.
    pub(crate) fn leases(&self, resource: &Resource) -> &str {
        match resource {
            Resource::Certificate(_) => &self.certificate_leases,
            Resource::Account(_) => &self.account_leases,
        }
    }

    pub(crate) fn suggestion(&self, id: &CertificateId) -> String {
        self.named("suggestion", id.as_str())
    }

    pub(crate) fn revocations(&self, id: &CertificateId) -> String {
        self.named("revocations", id.as_str())
    }

    pub(crate) fn revocation(&self, id: &CertificateId, generation: Generation) -> String {
        self.named("revocation", &format!("{id}:{generation}"))
    }

    pub(crate) fn permission(&self, name: &DomainName) -> String {
        self.named("permission", name.as_str())
    }

    pub(crate) fn answer(&self, kind: ChallengeKind, key: &str) -> String {
        self.named("challenge", &format!("{kind}:{key}"))
    }

    pub(crate) fn answers(&self, id: &CertificateId) -> String {
        self.named("answers", id.as_str())
    }

    pub(crate) fn account(&self, issuer: &str) -> String {
        self.named("account", issuer)
    }

    pub(crate) fn node(&self, node: &NodeId) -> String {
        self.node_named(node.as_str())
    }

    /// The heart-beat of a node as the index of nodes names it.
    pub(crate) fn node_named(&self, node: &str) -> String {
        self.named("node", node)
    }

    fn named(&self, kind: &str, name: &str) -> String {
        format!("{}{kind}:{name}", self.prefix)
    }
}

/// What every key of the fleet begins with.
pub(crate) fn prefix(fleet: &FleetName) -> String {
    format!("certfleet:{{{fleet}}}:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_carry_the_fleet_as_hash_tag() {
        let keys = Keys::new(&"prod".parse().unwrap());
        let id: CertificateId = "a.example".parse().unwrap();
        assert_eq!(keys.due, "certfleet:{prod}:due");
        assert_eq!(keys.certificate(&id), "certfleet:{prod}:cert:a.example");
        assert_eq!(
            keys.lease(&Resource::Certificate(id)),
            "certfleet:{prod}:lease:certificate:a.example"
        );
        let node = "web-1".parse().unwrap();
        assert_eq!(keys.node(&node), "certfleet:{prod}:node:web-1");
    }
}
