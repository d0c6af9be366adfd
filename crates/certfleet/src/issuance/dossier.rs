//! What the fleet knows of a certificate, read once its lease is held.

use certfleet_core::{
    Answer, CertificateId, Generation, Timestamp, ari::Suggestion, retry::Attempt,
};
use certfleet_store::{Backend, StoreError, Stored, revocation::Revocation};

/// The kind of a failed attempt that had only a revocation left to do.
pub(super) const REVOCATION: &str = "revocation";

/// A certificate's papers.
pub(super) struct Dossier {
    pub(super) stored: Option<Stored>,
    pub(super) due_at: Option<Timestamp>,
    /// What has failed since the last success.
    pub(super) attempt: Option<Attempt>,
    pub(super) suggestion: Option<Suggestion>,
    pub(super) revocations: Vec<Revocation>,
    /// Answers that whoever worked on it before has left behind.
    pub(super) posted: Vec<Answer>,
}

impl Dossier {
    /// Reads everything at once.
    pub(super) async fn read(
        backend: &dyn Backend,
        id: &CertificateId,
    ) -> Result<Self, StoreError> {
        let (stored, due_at, attempt, suggestion, revocations, posted) = tokio::try_join!(
            backend.load(id),
            backend.due_at(id),
            backend.attempt(id),
            backend.suggestion(id),
            backend.revocations(id),
            backend.posted(id),
        )?;
        Ok(Self {
            stored,
            due_at,
            attempt,
            suggestion,
            revocations,
            posted,
        })
    }

    /// The generation that stands.
    pub(super) fn standing(&self) -> Generation {
        self.stored
            .as_ref()
            .map_or(Generation::ZERO, |stored| stored.record.generation)
    }

    /// When the generation that stands is to be renewed: as the CA suggests, else by its record.
    pub(super) fn renew_at(&self) -> Option<Timestamp> {
        let record = &self.stored.as_ref()?.record;
        let suggested = self.suggested().map(|suggestion| suggestion.selected);
        Some(suggested.unwrap_or(record.renew_at))
    }

    /// Whether it is time to act.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.due_at.is_none_or(|due| due <= now)
    }

    /// Whether a new certificate is needed, and not only a revocation carried out.
    pub(super) fn wants_certificate(&self) -> bool {
        let only_revocation = self
            .attempt
            .as_ref()
            .is_some_and(|attempt| attempt.kind == REVOCATION);
        !only_revocation || self.must_replace().is_some()
    }

    /// The request to revoke the generation that stands, if there is one.
    pub(super) fn must_replace(&self) -> Option<&Revocation> {
        let standing = self.standing();
        self.revocations
            .iter()
            .find(|revocation| revocation.record.generation == standing)
    }

    /// How many tries have failed in a row.
    pub(super) fn failures(&self) -> u32 {
        self.attempt.as_ref().map_or(0, |attempt| attempt.failures)
    }

    /// What the CA suggests for the generation that stands.
    pub(super) fn suggested(&self) -> Option<&Suggestion> {
        let standing = self.standing();
        self.suggestion
            .as_ref()
            .filter(|suggestion| suggestion.generation == standing)
    }
}

#[cfg(test)]
mod tests {
    use certfleet_core::{RevocationReason, ari::Window, retry::Advice};

    use super::*;

    fn dossier(standing: u64, kind: Option<&str>, revoke: &[u64]) -> Dossier {
        let at = Timestamp::from_secs(1_000);
        let stored = |generation| crate::sample::stored("a.example", generation);
        Dossier {
            stored: (standing > 0).then(|| stored(standing)),
            due_at: Some(at),
            attempt: kind.map(|kind| Attempt {
                failures: 1,
                failed_at: at,
                node: "a".parse().unwrap(),
                issuer: String::new(),
                kind: kind.to_owned(),
                error: String::new(),
                advice: Advice::Retry,
                failed_challenges: vec![],
                next: at,
            }),
            suggestion: Some(Suggestion {
                generation: Generation::new(2),
                window: Window {
                    start: at,
                    end: at,
                    explanation: None,
                },
                selected: at,
                asked_at: at,
            }),
            revocations: revoke
                .iter()
                .map(|generation| Revocation {
                    record: stored(*generation).record,
                    reason: RevocationReason::KeyCompromise,
                    asked_at: at,
                })
                .collect(),
            posted: vec![],
        }
    }

    #[test]
    fn a_failed_revocation_alone_needs_no_new_certificate() {
        for (standing, kind, revoke, wants) in [
            (0, None, &[][..], true),
            (2, None, &[], true),
            (2, Some("connection"), &[1], true),
            (2, Some(REVOCATION), &[1], false),
            (2, Some(REVOCATION), &[1, 2], true),
        ] {
            let dossier = dossier(standing, kind, revoke);
            assert_eq!(dossier.wants_certificate(), wants, "{standing} {kind:?}");
        }
    }

    #[test]
    fn a_suggestion_is_for_its_generation() {
        assert!(dossier(2, None, &[]).suggested().is_some());
        assert!(dossier(3, None, &[]).suggested().is_none());
    }

    #[test]
    fn what_is_not_on_the_schedule_is_due() {
        let mut dossier = dossier(1, None, &[]);
        assert!(!dossier.is_due(Timestamp::from_secs(999)));
        assert!(dossier.is_due(Timestamp::from_secs(1_000)));
        dossier.due_at = None;
        assert!(dossier.is_due(Timestamp::from_secs(0)));
    }
}
