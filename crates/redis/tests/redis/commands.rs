//! How many commands Redis runs for each operation, those inside scripts included.
//!
//! A fleet of many certificates pays them at each renewal, so they are counted here: who adds one
//! finds out, and says why it is worth it.

use std::collections::BTreeMap;

use certfleet_core::{
    ChallengeKind,
    budget::{Charge, Limit, LimitKind},
};
use certfleet_store::{
    Budget, CertificateStore, ChallengeBoard, Clock, Leases, Suggestions, SystemClock,
    contract::sample::{self, RENEW_AT, node, resource},
    lease::Grant,
};

use crate::fixture::{Fixture, TTL, id};

/// Calls by command since the last reset.
async fn calls(fixture: &Fixture) -> BTreeMap<String, u32> {
    let stats = fixture.cli(&["INFO", "commandstats"]).await;
    let calls = stats.lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
        let (calls, _) = rest.split_once(',')?;
        Some((name.to_owned(), calls.parse().ok()?))
    });
    // What this function and the pool's checks send is not the operation's.
    let ours = ["info", "config|resetstat", "ping"];
    calls
        .filter(|(name, _)| !ours.contains(&name.as_str()))
        .collect()
}

#[tokio::test]
async fn each_step_of_a_renewal_costs_what_it_is_known_to() {
    let fixture = Fixture::start().await;
    let redis = &fixture.redis;
    let (here, now) = (id("a.example"), SystemClock.now());
    let limit = Limit {
        capacity: 50,
        refill: TTL,
    };
    let debit = |kind| {
        let charge = Charge {
            kind,
            subject: "a.example".to_owned(),
            reserve: 0,
        };
        (charge, limit)
    };
    let debits = LimitKind::ALL.map(debit);
    let answer = sample::answer(ChallengeKind::Http01, "a.example", "token");
    let suggestion = sample::suggestion(1, RENEW_AT);

    let mut counted = Vec::new();
    // The second round is what a renewal is: everything is there, every script is loaded.
    for generation in 1..=2 {
        counted.clear();
        macro_rules! count {
            ($name:literal, $operation:expr) => {{
                fixture.cli(&["CONFIG", "RESETSTAT"]).await;
                let result = $operation.await.unwrap();
                let calls = calls(&fixture).await;
                counted.push(($name, calls.values().sum::<u32>(), calls));
                result
            }};
        }
        let (resource, node) = (resource("a.example"), node("node-a"));
        let granted = count!("acquire", redis.acquire_within(&resource, &node, TTL, 100));
        let Grant::Granted(lease) = granted else {
            panic!("{granted:?}");
        };
        count!("take", redis.take("ca", &debits, now));
        count!("post", redis.post(&here, &answer, TTL));
        count!("extend", redis.extend(&lease));
        count!("withdraw", redis.withdraw(&here, &answer, TTL / 2));
        let record = sample::record("a.example", generation, &lease);
        count!("commit", redis.commit(&lease, &record));
        count!("release", redis.release(&lease));
        let mut suggestion = suggestion.clone();
        suggestion.generation = record.generation;
        count!("claim", redis.claim_questions(sample::soon(), 10, TTL));
        count!("suggest", redis.suggest(&here, &suggestion, RENEW_AT));
    }
    let seen: Vec<_> = counted.iter().map(|(name, n, _)| (*name, *n)).collect();
    let known = [
        ("acquire", 12),
        ("take", 8),
        ("post", 8),
        ("extend", 7),
        ("withdraw", 5),
        ("commit", 12),
        ("release", 4),
        ("claim", 3),
        ("suggest", 9),
    ];
    assert_eq!(seen, known, "{counted:#?}");
}
