//! Asking the CA when it suggests to renew (RFC 9773), for the whole fleet.
//!
//! A question is due right after a commit and then as often as the CA wants, at least twice a day.
//! Whoever claims it asks, and what is drawn in the suggested window is kept for everybody. The
//! schedule follows the suggestion: sooner than the rule, and also later.

use std::{collections::HashMap, sync::Arc, time::Duration};

use certfleet_acme::{Issuer, RenewalInfo};
use certfleet_core::{
    CertificateId, Timestamp,
    ari::{self, Suggestion, Window},
    retry::Advice,
};
use certfleet_store::{StoreError, Stored, event::EventKind};
use rustls::pki_types::CertificateDer;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::{issuance::jitter, issuers::Issuers, node::Node, progress::Progress};

/// How many questions are claimed at a time.
const AT_ONCE: usize = 16;
/// How long a claim holds: a node that dies with it delays the question by that.
const HOLD: Duration = Duration::from_secs(600);

/// How old a certificate is at the least when it is renewed on a suggestion; a twentieth of its
/// lifetime, if that is less. A CA that suggests times gone by for whatever it issues is not to be
/// asked for one certificate after the other.
const YOUNG: Duration = Duration::from_secs(3600);

/// Asks.
pub(crate) struct Asker {
    node: Arc<Node>,
    issuers: Arc<Issuers>,
    progress: Arc<Progress>,
    /// How often in a row each issuer could not be asked.
    failures: HashMap<String, u32>,
}

impl Asker {
    /// An asker for the certificates of `node`'s fleet.
    pub(crate) fn new(node: Arc<Node>, issuers: Arc<Issuers>, progress: Arc<Progress>) -> Self {
        Self {
            node,
            issuers,
            progress,
            failures: HashMap::new(),
        }
    }

    /// Looks for questions every `check`, until told to stop.
    pub(crate) async fn run(mut self, check: Duration, stop: CancellationToken) {
        let mut timer = interval(check);
        timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = timer.tick() => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                asked = self.ask_all() => if let Err(error) = asked {
                    tracing::debug!(%error, "no renewal information is asked for");
                }
            }
        }
    }

    /// Asks until no question is due.
    async fn ask_all(&mut self) -> Result<(), StoreError> {
        loop {
            let now = self.node.clock.now();
            let claimed = self
                .node
                .backend
                .claim_questions(now, AT_ONCE, HOLD)
                .await?;
            let last = claimed.len() < AT_ONCE;
            for id in claimed {
                let again = self.ask(&id).await?;
                if let Some(Again(again)) = again {
                    self.node.backend.ask_again(&id, again).await?;
                }
            }
            if last {
                return Ok(());
            }
        }
    }

    /// Asks for one; `None` if the answer was kept with the time of the next question.
    async fn ask(&mut self, id: &CertificateId) -> Result<Option<Again>, StoreError> {
        let node = Arc::clone(&self.node);
        let now = node.clock.now();
        let Some(stored) = node.backend.load(id).await? else {
            return Ok(Some(Again(None)));
        };
        let record = &stored.record;
        let wanted = node.wanted.get(id).is_some();
        // None after the certificate's end (RFC 9773 section 4.3.3).
        if record.not_after <= now || !wanted {
            return Ok(Some(Again(None)));
        }
        let Some(entry) = self.issuers.by_ca(&record.ca) else {
            return Ok(Some(Again(None)));
        };
        let Ok(bundle) = record.open(&node.fleet, &node.keys) else {
            return Ok(Some(Again(Some(now.after(ari::LONG_TERM)))));
        };
        let issuer = match self.issuers.open(entry).await {
            Ok(issuer) => issuer,
            Err(error) => {
                tracing::debug!(%error, "no renewal information");
                return Ok(Some(Again(Some(now.after(ari::LONG_TERM)))));
            }
        };
        match self.question(&*issuer, &bundle.chain()[0]).await {
            Answered::Never => Ok(Some(Again(None))),
            Answered::Later(wait) => Ok(Some(Again(Some(now.after(wait))))),
            Answered::Suggested(window, wait) => {
                self.keep(id, &stored, window, now.after(wait)).await?;
                Ok(None)
            }
        }
    }

    async fn question(&mut self, issuer: &dyn Issuer, leaf: &CertificateDer<'_>) -> Answered {
        let failures = self.failures.entry(issuer.name().to_owned()).or_default();
        match issuer.renewal_info(leaf).await {
            Ok(RenewalInfo::Unsupported) => Answered::Never,
            Ok(RenewalInfo::Suggested {
                window,
                retry_after,
            }) => {
                *failures = 0;
                Answered::Suggested(window, ari::ask_again(retry_after))
            }
            Err(error) => {
                tracing::warn!(%error, "no renewal information; the rule of the certificate holds");
                *failures = failures.saturating_add(1);
                let passing = matches!(error.advice(), Advice::Retry | Advice::Wait);
                let wait = if passing {
                    let bound = error.retry_after().unwrap_or_default();
                    ari::ask_again_after_failures(*failures).max(bound)
                } else {
                    ari::LONG_TERM
                };
                Answered::Later(wait)
            }
        }
    }

    async fn keep(
        &self,
        id: &CertificateId,
        stored: &Stored,
        window: Window,
        again: Timestamp,
    ) -> Result<(), StoreError> {
        let node = &*self.node;
        let record = &stored.record;
        let now = node.clock.now();
        let before = node.backend.suggestion(id).await?;
        let window = within(window, stored);
        let explanation = window.explanation.clone();
        let drawn = Suggestion::draw(before.as_ref(), record.generation, window, jitter(), now);
        if !node.backend.suggest(id, &drawn, again).await? {
            return Ok(());
        }
        let known = before.filter(|before| before.generation == drawn.generation);
        if known.is_none_or(|known| known.selected != drawn.selected) {
            let why = explanation.map_or_else(String::new, |url| format!("; see {url}"));
            let detail = format!(
                "generation {}: renew at {} (window {} to {}){why}",
                drawn.generation, drawn.selected, drawn.window.start, drawn.window.end
            );
            node.note(EventKind::Suggested, id, detail);
        }
        if drawn.selected <= now {
            self.progress.due.notify_one();
        }
        Ok(())
    }
}

/// When a question is to be asked again; never, with `None`.
struct Again(Option<Timestamp>);

enum Answered {
    Never,
    Later(Duration),
    Suggested(Window, Duration),
}

/// The window cut to what leaves a twentieth of the lifetime for failures, so that a certificate is
/// never allowed to expire on a suggestion, and to when it is no longer [`YOUNG`].
fn within(window: Window, stored: &Stored) -> Window {
    let record = &stored.record;
    let twentieth = record.not_after.since(record.not_before) / 20;
    let earliest = stored.committed_at.after(twentieth.min(YOUNG));
    let latest = record.not_after.before(twentieth);
    let cut = |at: Timestamp| at.max(earliest).min(latest);
    Window {
        start: cut(window.start),
        end: cut(window.end),
        ..window
    }
}
