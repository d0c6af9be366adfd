//! The challenge board: what is answered, and for which certificate.
//!
//! Two certificates may be validated by the same name at once, and then have one key with
//! tls-alpn-01. The last answer is up, and each certificate withdraws its own only.

use std::time::Duration;

use certfleet_core::{Answer, CertificateId, ChallengeKind, Timestamp};

use super::expiring::Expiring;

/// Answers by kind and key, and by certificate.
#[derive(Debug)]
pub(super) struct Board {
    up: Expiring<Place, Answer>,
    notes: Expiring<(CertificateId, Place), Answer>,
}

type Place = (ChallengeKind, String);

impl Board {
    pub(super) const fn new() -> Self {
        Self {
            up: Expiring::new(),
            notes: Expiring::new(),
        }
    }

    pub(super) fn post(
        &mut self,
        id: &CertificateId,
        answer: &Answer,
        ttl: Duration,
        now: Timestamp,
    ) {
        let (place, end) = (place(answer), now.after(ttl));
        self.up.insert(place.clone(), answer.clone(), end, now);
        self.notes
            .insert((id.clone(), place), answer.clone(), end, now);
    }

    pub(super) fn answer(&self, kind: ChallengeKind, key: &str, now: Timestamp) -> Option<Answer> {
        self.up.get(&(kind, key.to_owned()), now).cloned()
    }

    pub(super) fn withdraw(
        &mut self,
        id: &CertificateId,
        answer: &Answer,
        linger: Duration,
        now: Timestamp,
    ) {
        let place = place(answer);
        if self.up.get(&place, now) == Some(answer) {
            let end = self.up.end(&place).unwrap_or(now).min(now.after(linger));
            self.up.insert(place.clone(), answer.clone(), end, now);
        }
        let note = (id.clone(), place);
        if self.notes.get(&note, now) == Some(answer) {
            self.notes.remove(&note);
        }
    }

    /// The answers for one certificate, in order of kind and key.
    pub(super) fn posted(&self, id: &CertificateId, now: Timestamp) -> Vec<Answer> {
        let first = (id.clone(), (ChallengeKind::Http01, String::new()));
        self.notes
            .range(first.., now)
            .take_while(|((other, _), _, _)| other == id)
            .map(|(_, answer, _)| answer.clone())
            .collect()
    }
}

fn place(answer: &Answer) -> Place {
    (answer.kind, answer.key())
}
