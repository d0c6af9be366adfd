//! One order: at which issuer, for what purpose, with which key, and within the budget.

use std::sync::atomic::{AtomicBool, Ordering};

use certfleet_acme::{IssueError, Issuer, Key, Order, Progress as OrderProgress, Step};
use certfleet_core::{
    Bundle, CertificateId, Identifier, RevocationReason, Timestamp, budget::Purpose,
};
use certfleet_store::event::EventKind;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::{Issuance, dossier::Dossier, failure::AttemptError};
use crate::{budget, challenge::Presenter, issuers::Entry, node::Node, wanted::Goal};

/// A bundle that came of an order, and whose it is.
pub(super) struct Issued {
    pub(super) bundle: Bundle,
    /// The issuer, by its name.
    pub(super) ca: String,
}

impl Issuance {
    /// Gets a bundle from the issuer whose turn it is.
    pub(super) async fn order(
        &self,
        id: &CertificateId,
        goal: &Goal,
        dossier: &Dossier,
    ) -> Result<Issued, AttemptError> {
        let node = &*self.node;
        let entry = self.issuers.entry(goal.terms.issuer(dossier.failures()))?;
        let ca = entry.source.name().to_owned();
        let standing = self.standing(dossier, &ca);
        let purpose = purpose(dossier, &ca, node.clock.now());
        let spent = budget::spend(node, &ca, &entry.limits, &goal.names, purpose).await??;
        let issuer = match self.issuers.open(entry).await {
            Ok(issuer) => issuer,
            Err(error) => {
                spent.not_issued().await;
                return Err(error.into());
            }
        };

        let steps = Steps::new(node, id);
        let presenter = Presenter::new(&self.answers, id, goal.terms.dns.as_ref());
        let failed = dossier.attempt.as_ref();
        let order = Order {
            names: &goal.names,
            key: standing.key(goal, dossier),
            profile: goal.terms.profile.as_deref(),
            chain: goal.terms.chain.as_deref(),
            validity: goal.terms.validity,
            replaces: standing.replaces.as_ref(),
            challenges: &self.answers.possible(&goal.terms),
            failed_challenges: failed.map_or(&[][..], |a| &a.failed_challenges),
            answers: &presenter,
            progress: &steps,
        };
        let result = issuer.issue(order).await;
        let label = result.as_ref().map_or_else(IssueError::kind, |_| "issued");
        node.metrics.orders.with_label_values(&[label]).inc();
        // What it says of the time is acted on before the next order.
        let _ = self.issuers.check_clock(entry, &*issuer);
        match result {
            Ok(bundle) => Ok(Issued { bundle, ca }),
            Err(error) => {
                if !steps.finalized() {
                    spent.not_issued().await;
                }
                self.heed(entry, &*issuer, &error).await;
                Err(error.into())
            }
        }
    }

    /// Has the fleet heed what an error says of the CA and of our names.
    async fn heed(&self, entry: &Entry, issuer: &dyn Issuer, error: &IssueError) {
        let node = &*self.node;
        let failed: Vec<Identifier> = error
            .failed_names()
            .filter_map(|name| name.parse().ok())
            .collect();
        budget::validations_failed(node, issuer.name(), &entry.limits, &failed).await;
        if let Some(pause) = error.pauses_issuer() {
            let until = node.clock.now().after(pause);
            if let Err(error) = node.backend.pause(issuer.name(), until).await {
                tracing::warn!(%error, "the fleet was not told to leave the CA alone");
            }
        }
    }

    /// What the next order takes over of the certificate that stands.
    fn standing(&self, dossier: &Dossier, ca: &str) -> Standing {
        let Some(stored) = &dossier.stored else {
            return Standing::default();
        };
        let record = &stored.record;
        match record.open(&self.node.fleet, &self.node.keys) {
            Ok(bundle) => Standing {
                replaces: (record.ca == ca).then(|| bundle.chain()[0].clone()),
                key: match bundle.key() {
                    PrivateKeyDer::Pkcs8(key) => Some(key),
                    _ => None,
                },
            },
            // Damaged, or over and under a key that is gone: a new one is all that helps.
            Err(error) => {
                tracing::warn!(id = %record.id(), %error, "nothing of the standing certificate is taken over");
                Standing::default()
            }
        }
    }
}

/// What is taken over of the certificate that stands.
#[derive(Default)]
struct Standing {
    replaces: Option<CertificateDer<'static>>,
    key: Option<PrivatePkcs8KeyDer<'static>>,
}

impl Standing {
    /// A fresh key, or the old one where that is wanted and it is not known to be in other hands.
    fn key(&self, goal: &Goal, dossier: &Dossier) -> Key<'_> {
        let compromised = dossier
            .must_replace()
            .is_some_and(|revocation| revocation.reason == RevocationReason::KeyCompromise);
        match &self.key {
            Some(key) if goal.terms.reuse_key && !compromised => Key::Given(key),
            _ => Key::Fresh(goal.terms.key_type),
        }
    }
}

/// What the order is for, as the limits of the issuer `ca` see it.
fn purpose(dossier: &Dossier, ca: &str, now: Timestamp) -> Purpose {
    let Some(stored) = dossier.stored.as_ref().filter(|s| s.record.ca == ca) else {
        return Purpose::New;
    };
    let suggested = dossier.suggested();
    if suggested.is_some_and(|s| s.window.start <= now && stored.record.not_after > now) {
        Purpose::Suggested
    } else {
        Purpose::Renewal
    }
}

/// Tells the journal of an order's steps, and remembers the one past which a certificate may exist.
struct Steps<'a> {
    node: &'a Node,
    id: &'a CertificateId,
    finalized: AtomicBool,
}

impl<'a> Steps<'a> {
    fn new(node: &'a Node, id: &'a CertificateId) -> Self {
        Self {
            node,
            id,
            finalized: AtomicBool::new(false),
        }
    }

    fn finalized(&self) -> bool {
        self.finalized.load(Ordering::Relaxed)
    }
}

impl OrderProgress for Steps<'_> {
    fn step(&self, step: Step) {
        if matches!(step, Step::Finalizing) {
            self.finalized.store(true, Ordering::Relaxed);
        }
        self.node.note(EventKind::OrderStep, self.id, step);
    }
}
