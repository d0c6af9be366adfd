//! What an order costs of the CA's rate limits, asked of the fleet's budget before the CA is.
//!
//! Tokens are taken before the order is made, so that no node spends what another has spent. What an
//! order did not come to use is given back; what is in doubt is counted as used. A Retry-After that
//! concerns everybody pauses the issuer for the whole fleet.

use std::{sync::Arc, time::Duration};

use certfleet_core::{
    Identifier, NameSet, Timestamp,
    budget::{Charge, LimitKind, Limits, Purpose},
};
use certfleet_store::{
    StoreError,
    budget::{Debit, Taken},
};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::{issuers::Issuers, node::Node};

/// How often the metric of what is left is brought up to date.
const LOOK: Duration = Duration::from_secs(30);

/// How long it takes until all have come back after a pause.
const AFTER_PAUSE: Duration = Duration::from_secs(15);

/// The tokens of one order.
pub(crate) struct Spent<'a> {
    node: &'a Node,
    issuer: &'a str,
    debits: Vec<Debit>,
}

/// An order that must wait.
#[derive(Debug, thiserror::Error)]
#[error("{reason}; no order before {until}")]
pub(crate) struct Waits {
    reason: String,
    until: Timestamp,
    /// How long it takes until all that wait for the same have had their turn.
    turns: Duration,
}

impl Waits {
    /// When to try again, `share` in 0 to 1 of all turns later than it may be: if all that wait came
    /// back at once, all but one would have come in vain.
    pub(crate) fn next(&self, share: f64) -> Timestamp {
        self.until.after(self.turns.mul_f64(share.clamp(0.0, 1.0)))
    }
}

/// Takes what an order for `names` costs at `issuer`.
pub(crate) async fn spend<'a>(
    node: &'a Node,
    issuer: &'a str,
    limits: &Limits,
    names: &NameSet,
    purpose: Purpose,
) -> Result<Result<Spent<'a>, Waits>, StoreError> {
    let now = node.clock.now();
    let debits = |charges: Vec<Charge>| -> Vec<Debit> {
        let limited = |charge: Charge| limits.of(charge.kind).map(|limit| (charge, limit));
        charges.into_iter().filter_map(limited).collect()
    };
    let validations = debits(limits.validations(names));
    if !validations.is_empty() {
        let looked = node.backend.look(issuer, &validations, now).await?;
        if let Some(waits) = waits(node, issuer, limits, looked) {
            return Ok(Err(waits));
        }
    }
    let debits = debits(limits.charges(names, purpose));
    let taken = node.backend.take(issuer, &debits, now).await?;
    Ok(match waits(node, issuer, limits, taken) {
        Some(waits) => Err(waits),
        None => Ok(Spent {
            node,
            issuer,
            debits,
        }),
    })
}

fn waits(node: &Node, issuer: &str, limits: &Limits, taken: Taken) -> Option<Waits> {
    match taken {
        Taken::All => None,
        Taken::Paused { until } => Some(Waits {
            reason: format!("{issuer} has asked to be left alone"),
            until,
            turns: AFTER_PAUSE,
        }),
        Taken::Short { charge, until } => {
            let kind = charge.kind.as_str();
            let reason = if charge.subject.is_empty() {
                format!("the limit {kind} at {issuer} is used up")
            } else {
                format!(
                    "the limit {kind} of {} at {issuer} is used up",
                    charge.subject
                )
            };
            let limit = limits.of(charge.kind)?;
            // Any new certificate may wait for the account's orders; of those that share a narrower
            // limit there are seldom more than it allows.
            let waiting = match charge.kind {
                LimitKind::NewOrders => node.missing(),
                _ => limit.capacity,
            };
            Some(Waits {
                reason,
                until,
                turns: limit.refill.saturating_mul(waiting.max(1)),
            })
        }
    }
}

impl Spent<'_> {
    /// Gives back what only an issued certificate costs.
    pub(crate) async fn not_issued(self) {
        let back: Vec<_> = self
            .debits
            .into_iter()
            .filter(|(charge, _)| charge.kind != LimitKind::NewOrders)
            .collect();
        if back.is_empty() {
            return;
        }
        let now = self.node.clock.now();
        if let Err(error) = self.node.backend.give_back(self.issuer, &back, now).await {
            tracing::debug!(%error, "what was not used of the budget comes back in time only");
        }
    }
}

/// Takes what failed validations cost, as far as it is there.
pub(crate) async fn validations_failed<'a>(
    node: &Node,
    issuer: &str,
    limits: &Limits,
    failed: impl IntoIterator<Item = &'a Identifier>,
) {
    let Some(limit) = limits.failed_authorizations else {
        return;
    };
    let now = node.clock.now();
    for charge in limits.validations(failed) {
        let taken = node.backend.take(issuer, &[(charge, limit)], now).await;
        if let Err(error) = taken {
            tracing::debug!(%error, "a failed validation was not counted");
        }
    }
}

/// Keeps the metric of what is left up to date, until told to stop.
pub(crate) async fn watch(node: Arc<Node>, issuers: Arc<Issuers>, stop: CancellationToken) {
    let mut timer = interval(LOOK);
    timer.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = timer.tick() => {}
        }
        let now = node.clock.now();
        let Ok(balances) = node.backend.balances(now).await else {
            continue;
        };
        for entry in issuers.entries() {
            let issuer = entry.source.name();
            for kind in LimitKind::ALL {
                let Some(limit) = entry.limits.of(kind) else {
                    continue;
                };
                let of_kind = balances
                    .iter()
                    .filter(|balance| balance.issuer == issuer && balance.kind == kind);
                let least = of_kind
                    .map(|balance| limit.left(Some(balance.full), now))
                    .min();
                node.metrics
                    .budget_left
                    .with_label_values(&[issuer, kind.as_str()])
                    .set(i64::from(least.unwrap_or(limit.capacity)));
            }
        }
    }
}
