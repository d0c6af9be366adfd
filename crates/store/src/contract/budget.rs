//! The budget: tokens are taken by the whole fleet, all or none.

use std::time::Duration;

use certfleet_core::{
    Timestamp,
    budget::{Charge, Limit, LimitKind},
};

use super::LONG;
use crate::{
    Backend, Clock, SystemClock,
    budget::{Balance, Debit, Taken},
};

const ISSUER: &str = "ca.example:14000/dir";
const MINUTE: Duration = Duration::from_secs(60);
const LIMIT: Limit = Limit {
    capacity: 2,
    refill: MINUTE,
};

fn charge(kind: LimitKind, subject: &str) -> Charge {
    Charge {
        kind,
        subject: subject.to_owned(),
        reserve: 0,
    }
}

fn orders(subject: &str) -> Debit {
    (charge(LimitKind::NewOrders, subject), LIMIT)
}

fn balance(debit: &Debit, full: Timestamp) -> Balance {
    Balance {
        issuer: ISSUER.to_owned(),
        kind: debit.0.kind,
        subject: debit.0.subject.clone(),
        full,
    }
}

fn short(debit: &Debit, until: Timestamp) -> Taken {
    Taken::Short {
        charge: debit.0.clone(),
        until,
    }
}

async fn take(backend: &dyn Backend, debits: &[Debit], now: Timestamp) -> Taken {
    backend.take(ISSUER, debits, now).await.unwrap()
}

/// A bucket gives what it holds and then one token for each refill, as
/// [`Limit::take`] reckons, with whatever is reserved left in it.
pub async fn is_reckoned_as_core_does(backend: &dyn Backend) {
    let now = SystemClock.now();
    let mut full = None;
    let millis = [0, 0, 0, 59_999, 60_000, 60_001, 61_000, 119_999, 120_001];
    for (n, after) in millis.into_iter().chain([179_999, 600_000]).enumerate() {
        let at = now.after(Duration::from_millis(after));
        let mut debit = orders("");
        debit.0.reserve = u32::from(n % 4 == 2);
        let expected = match LIMIT.take(full, debit.0.reserve, at) {
            Ok(next) => {
                full = Some(next);
                Taken::All
            }
            Err(until) => short(&debit, until),
        };
        let debits = std::slice::from_ref(&debit);
        let looked = backend.look(ISSUER, debits, at).await.unwrap();
        assert_eq!(looked, expected, "at {after}");
        assert_eq!(take(backend, debits, at).await, expected, "at {after}");
    }
}

/// One empty bucket, and nothing is taken from any.
pub async fn is_taken_whole_or_not_at_all(backend: &dyn Backend) {
    let now = SystemClock.now();
    let (empty, fine) = (orders("empty"), orders("fine"));
    let twice = [empty.clone(), empty.clone()];
    assert_eq!(take(backend, &twice, now).await, Taken::All);
    let until = now.after(MINUTE);
    let refused = take(backend, &[fine.clone(), empty.clone()], now).await;
    assert_eq!(refused, short(&empty, until));
    assert_eq!(
        backend.balances(now).await.unwrap(),
        [balance(&empty, now.after(MINUTE * 2))]
    );
    assert_eq!(take(backend, &[fine, empty], until).await, Taken::All);
}

/// An order that needs two tokens of one bucket needs both.
pub async fn counts_each_token_of_one_bucket(backend: &dyn Backend) {
    let now = SystemClock.now();
    let debit = orders("a.example");
    let three = [debit.clone(), debit.clone(), debit.clone()];
    assert_eq!(
        take(backend, &three, now).await,
        short(&debit, now.after(MINUTE))
    );
    assert_eq!(take(backend, &three[..2], now).await, Taken::All);
    assert_eq!(
        take(backend, &three[..1], now).await,
        short(&debit, now.after(MINUTE))
    );
}

/// Looking takes nothing.
pub async fn is_not_spent_by_a_look(backend: &dyn Backend) {
    let now = SystemClock.now();
    let debits = [orders("a.example"), orders("b.example")];
    for _ in 0..3 {
        let looked = backend.look(ISSUER, &debits, now).await.unwrap();
        assert_eq!(looked, Taken::All);
    }
    assert_eq!(backend.balances(now).await.unwrap(), []);
}

/// What was not used is there again, and a bucket holds no more than it can.
pub async fn takes_back_what_was_not_used(backend: &dyn Backend) {
    let now = SystemClock.now();
    let (used, full) = (orders("used"), orders("full"));
    let both = [used.clone(), used.clone()];
    assert_eq!(take(backend, &both, now).await, Taken::All);
    let back = [used.clone(), full.clone()];
    backend.give_back(ISSUER, &back, now).await.unwrap();
    let once = balance(&used, now.after(MINUTE));
    assert_eq!(backend.balances(now).await.unwrap(), [once]);
    assert_eq!(take(backend, &both[..1], now).await, Taken::All);
    assert_eq!(
        take(backend, &both[..1], now).await,
        short(&used, now.after(MINUTE))
    );
    let more = [used.clone(), used.clone(), used.clone()];
    backend.give_back(ISSUER, &more, now).await.unwrap();
    assert_eq!(backend.balances(now).await.unwrap(), []);
    let three = take(backend, &more, now).await;
    assert_eq!(three, short(&used, now.after(MINUTE)));
}

/// Buckets of other issuers, kinds and subjects are others, and are listed in that order until
/// they are full.
pub async fn is_apart_by_issuer_kind_and_subject(backend: &dyn Backend) {
    let now = SystemClock.now();
    let subjects = ["", "2001:db8:1:2::/64", "a.example"];
    let mut expected = Vec::new();
    for issuer in ["ca.example", ISSUER, "ca.example/dir"] {
        for kind in LimitKind::ALL {
            for subject in subjects {
                expected.push(Balance {
                    issuer: issuer.to_owned(),
                    kind,
                    subject: subject.to_owned(),
                    full: now.after(MINUTE),
                });
            }
        }
    }
    expected.sort_by(|a, b| (&a.issuer, a.kind, &a.subject).cmp(&(&b.issuer, b.kind, &b.subject)));
    for one in expected.iter().rev() {
        let debit = [(charge(one.kind, &one.subject), LIMIT)];
        let taken = backend.take(&one.issuer, &debit, now).await.unwrap();
        assert_eq!(taken, Taken::All, "{one:?}");
    }
    assert_eq!(backend.balances(now).await.unwrap(), expected);
    let full = now.after(MINUTE);
    assert_eq!(backend.balances(full).await.unwrap(), []);
}

/// A pause stands before everything at that issuer, and only there, until it ends.
pub async fn waits_while_the_issuer_is_paused(backend: &dyn Backend) {
    let now = SystemClock.now();
    let until = now.after(LONG);
    assert_eq!(take(backend, &[], now).await, Taken::All);
    backend.pause(ISSUER, until).await.unwrap();
    backend.pause(ISSUER, now.after(LONG / 2)).await.unwrap();
    backend.pause("b.example", until.after(LONG)).await.unwrap();

    let debits = [orders("a.example")];
    for debits in [&debits[..], &[]] {
        let paused = Taken::Paused { until };
        assert_eq!(take(backend, debits, now).await, paused);
        let looked = backend.look(ISSUER, debits, now).await.unwrap();
        assert_eq!(looked, paused);
        let elsewhere = backend.take("c.example", debits, now).await.unwrap();
        assert_eq!(elsewhere, Taken::All);
    }
    assert_eq!(
        backend.pauses(now).await.unwrap(),
        [
            ("b.example".to_owned(), until.after(LONG)),
            (ISSUER.to_owned(), until)
        ]
    );
    assert_eq!(take(backend, &debits, until).await, Taken::All);
    let left = backend.pauses(until).await.unwrap();
    assert_eq!(left, [("b.example".to_owned(), until.after(LONG))]);
}

/// However many ask at once, no more is given than there is.
pub async fn gives_no_token_twice(backend: &dyn Backend) {
    let now = SystemClock.now();
    let debits = [orders("a.example")];
    let take = || take(backend, &debits, now);
    let (a, b, c, d) = tokio::join!(take(), take(), take(), take());
    let taken = [a, b, c, d];
    let all = taken.iter().filter(|taken| **taken == Taken::All).count();
    assert_eq!(all, 2, "{taken:?}");
}

/// A node whose clock is ahead does not make the fleet forget what was taken.
pub async fn is_not_emptied_by_a_clock_that_is_ahead(backend: &dyn Backend) {
    let now = SystemClock.now();
    let (ours, theirs) = (orders("ours"), orders("theirs"));
    let spent = [ours.clone(), ours.clone()];
    assert_eq!(take(backend, &spent, now).await, Taken::All);
    let ahead = now.after(LONG * 60);
    assert_eq!(take(backend, &[theirs], ahead).await, Taken::All);
    assert_eq!(
        take(backend, &spent[..1], now).await,
        short(&ours, now.after(MINUTE))
    );
}
