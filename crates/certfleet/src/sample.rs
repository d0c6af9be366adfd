//! A stored record for tests; what is sealed in it does not open.

use certfleet_core::{Epoch, FencingToken, Generation, Record, Timestamp};
use certfleet_store::Stored;

/// A generation of the certificate for `names`.
pub(crate) fn stored(names: &str, generation: u64) -> Stored {
    let at = Timestamp::from_secs;
    Stored {
        epoch: Epoch::new(generation),
        committed_at: at(1_000),
        record: Record {
            names: names.parse().unwrap(),
            generation: Generation::new(generation),
            fencing: FencingToken::new(generation),
            issued_by: "a".parse().unwrap(),
            renew_at: at(3_000),
            not_before: at(1_000),
            not_after: at(4_000),
            ca: "ca.example/directory".into(),
            issuer: "CN=Test CA".into(),
            serial: "01".into(),
            fingerprint: "ff".into(),
            chain: "-----BEGIN CERTIFICATE-----\n".into(),
            sealed: "certfleet.v1.0123456789abcdef.AAAA".parse().unwrap(),
        },
    }
}
