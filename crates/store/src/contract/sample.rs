//! Real records, made and sealed as a node would, and the small values the cases need.

use std::time::Duration;

use certfleet_core::{
    Answer, Bundle, ChallengeKind, FleetName, Generation, KeyRing, Leaf, NameSet, NodeId, Record,
    RevocationReason, Timestamp,
    ari::{Suggestion, Window},
    record::Draft,
    retry::{Advice, Attempt},
    seal::MasterKey,
};

use super::{BRIEF, LONG, eventually};
use crate::{Backend, Clock, Lease, Stored, SystemClock, lease::Resource, revocation::Revocation};

/// When every sample record is to be renewed: far from now on either side.
pub const RENEW_AT: Timestamp = Timestamp::from_secs(4_000_000_000);

/// The issuer that every sample record names.
pub const CA: &str = "ca.example:14000/dir";

/// The fleet the samples are sealed for.
#[must_use]
pub fn fleet() -> FleetName {
    "contract".parse().expect("the name is well formed")
}

/// The ring the samples are sealed under.
#[must_use]
pub fn ring() -> KeyRing {
    KeyRing::new(MasterKey::from_bytes(&[7; 32]), vec![])
}

/// A node's name.
#[must_use]
pub fn node(name: &str) -> NodeId {
    name.parse().expect("the name is well formed")
}

/// Names joined by `+`.
#[must_use]
pub fn names(names: &str) -> NameSet {
    names.parse().expect("the names are well formed")
}

/// What a lease on the certificate for `names` is on.
#[must_use]
pub fn resource(names: &str) -> Resource {
    Resource::Certificate(self::names(names).id())
}

/// The time, by this machine's clock, and a margin for the store's that may be another.
#[must_use]
pub fn soon() -> Timestamp {
    SystemClock.now().after(Duration::from_secs(5))
}

/// An attempt that has failed so often, the last time at `failed_at`; the next is a minute later.
#[must_use]
pub fn attempt(failures: u32, failed_at: Timestamp) -> Attempt {
    Attempt {
        failures,
        failed_at,
        node: node("node-a"),
        issuer: "first".to_owned(),
        kind: "rateLimited".to_owned(),
        error: "the CA said \"no\"\nand no more".to_owned(),
        advice: Advice::Wait,
        failed_challenges: vec![ChallengeKind::Http01, ChallengeKind::Dns01],
        next: failed_at.after(Duration::from_millis(61_234)),
    }
}

/// An answer of the given kind, for a name and with a token.
#[must_use]
pub fn answer(kind: ChallengeKind, identifier: &str, token: &str) -> Answer {
    Answer {
        kind,
        identifier: identifier.parse().expect("the name is well formed"),
        token: token.to_owned(),
        key_authorization: format!("{token}.thumbprint"),
    }
}

/// A suggestion for the given generation, with this time drawn from the middle of its window.
#[must_use]
pub fn suggestion(generation: u64, selected: Timestamp) -> Suggestion {
    Suggestion {
        generation: Generation::new(generation),
        window: Window {
            start: selected.before(LONG),
            end: selected.after(LONG),
            explanation: None,
        },
        selected,
        asked_at: Timestamp::from_millis(1_900_000_000_123),
    }
}

/// A request to revoke a record because its key is compromised.
#[must_use]
pub fn revocation(stored: &Stored) -> Revocation {
    Revocation {
        record: stored.record.clone(),
        reason: RevocationReason::KeyCompromise,
        asked_at: Timestamp::from_millis(1_900_000_000_123),
    }
}

/// A sealed record of a fresh self-signed certificate, made under `lease`.
///
/// # Panics
/// If the lease is not on a certificate, or the system cannot make keys.
#[must_use]
pub fn record(names: &str, generation: u64, lease: &Lease) -> Record {
    let names = self::names(names);
    let bundle = bundle(&names);
    let leaf = Leaf::parse(&bundle.chain()[0]).expect("a fresh certificate parses");
    let draft = Draft {
        names,
        generation: Generation::new(generation),
        fencing: lease.fencing,
        issued_by: node("node-a"),
        renew_at: RENEW_AT,
        ca: CA.to_owned(),
    };
    Record::seal(draft, &bundle, leaf, &fleet(), &ring())
}

fn bundle(names: &NameSet) -> Bundle {
    let names: Vec<_> = names.iter().map(ToString::to_string).collect();
    let key = rcgen::KeyPair::generate().expect("the system makes keys");
    let certificate = rcgen::CertificateParams::new(names)
        .and_then(|params| params.self_signed(&key))
        .expect("the names fit a certificate");
    Bundle::new(vec![certificate.der().clone()], key.serialize_der().into())
        .expect("there is one certificate")
}

/// Takes a long lease on the certificate for `names`, which must be free.
///
/// # Panics
/// If it is not.
pub async fn lease(backend: &dyn Backend, names: &str) -> Lease {
    backend
        .acquire(&resource(names), &node("node-a"), LONG)
        .await
        .expect("the store answers")
        .expect("the lease is free")
}

/// A lease on the certificate for `names`, which must be free, that has run out by now.
///
/// # Panics
/// If it does not run out.
pub async fn expired(backend: &dyn Backend, names: &str) -> Lease {
    let resource = resource(names);
    let lease = backend
        .acquire(&resource, &node("node-a"), BRIEF)
        .await
        .expect("the store answers")
        .expect("the lease is free");
    eventually("the lease expires", async || {
        let holders = backend.holders().await.expect("the store answers");
        let held = holders.iter().any(|h| h.resource == resource.to_string());
        (!held).then_some(())
    })
    .await;
    lease
}

/// Commits the given generation under a lease of its own.
///
/// # Panics
/// If the store refuses.
pub async fn commit(backend: &dyn Backend, names: &str, generation: u64) -> Stored {
    let lease = lease(backend, names).await;
    let stored = backend
        .commit(&lease, &record(names, generation, &lease))
        .await
        .expect("the commit stands");
    assert!(backend.release(&lease).await.expect("the store answers"));
    stored
}
