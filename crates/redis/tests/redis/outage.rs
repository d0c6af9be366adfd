//! Redis away, hanging, or unwilling: every operation ends in time, and says whose turn it is.

use std::{
    future::Future,
    pin::Pin,
    time::{Duration, Instant},
};

use certfleet_core::{
    ChallengeKind, DomainName, Epoch, RevocationReason, Wanted,
    budget::{Charge, Limit, LimitKind},
    seal::Sealed,
};
use certfleet_redis::Redis;
use certfleet_store::{
    AccountVault, Budget, CertificateStore, ChallengeBoard, ChangeFeed, CommitError, EventLog,
    Lease, Leases, NodeRegistry, Permissions, Revocations, Schedule, StoreError, Suggestions,
    WantedList,
    contract::{
        PATIENCE,
        sample::{self, node, resource},
    },
    event::{Event, EventKind},
    registry::Heartbeat,
    revocation::Revocation,
};
use certfleet_testkit::{
    process::free_address,
    redis::{Options, RedisServer},
};
use tokio::time::timeout;

use crate::fixture::{Fixture, TTL, at, config, id};

#[tokio::test]
async fn a_node_starts_without_redis() {
    let address = free_address().unwrap();
    let redis = Redis::new(config(&format!("redis://:sesame@{address}"))).unwrap();
    let error = redis.ping().await.unwrap_err();
    assert!(error.is_unavailable(), "{error}");
    let text = format!("{error} {error:?} {redis:?}");
    assert!(text.contains(&format!("Redis at {address}")), "{text}");
    assert!(!text.contains("sesame"), "{text}");
}

#[tokio::test]
async fn a_wrong_password_is_for_the_operator() {
    let options = Options {
        password: Some("sesame".into()),
        ..Options::default()
    };
    let server = RedisServer::start_with(options).await.unwrap();
    Redis::new(config(&server.url()))
        .unwrap()
        .ping()
        .await
        .unwrap();
    for url in [
        format!("redis://:guess@{}", server.address()),
        format!("redis://{}", server.address()),
    ] {
        let error = Redis::new(config(&url)).unwrap().ping().await.unwrap_err();
        assert!(matches!(error, StoreError::Refused { .. }), "{error}");
        assert!(!format!("{error}{error:?}").contains("guess"), "{error}");
    }
}

#[tokio::test]
async fn no_memory_is_for_the_operator() {
    let fixture = Fixture::start().await;
    let lease = fixture.lease("a.example").await;
    let record = sample::record("a.example", 1, &lease);
    fixture.cli(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let error = fixture.redis.commit(&lease, &record).await.unwrap_err();
    let CommitError::Store(error @ StoreError::Refused { .. }) = error else {
        panic!("{error}");
    };
    assert!(error.to_string().contains("OOM"), "{error}");
    fixture.cli(&["CONFIG", "SET", "maxmemory", "0"]).await;
    fixture.redis.commit(&lease, &record).await.unwrap();
}

#[tokio::test]
async fn nothing_hangs_when_redis_does() {
    let fixture = Fixture::start().await;
    let lease = fixture.lease("a.example").await;
    let mut hasty = config(&fixture.server.url());
    hasty.connect_timeout = Duration::from_millis(100);
    hasty.response_timeout = Duration::from_millis(100);
    let redis = Redis::new(hasty).unwrap();
    redis.ping().await.unwrap();
    fixture.server.pause().unwrap();
    // One round with the connection that hangs, one with new ones.
    for round in 0..2 {
        for (name, operation) in operations(&redis, &lease) {
            let started = Instant::now();
            let ended = timeout(PATIENCE, operation).await.expect(name);
            let error = ended.expect_err("nobody answers");
            let took = started.elapsed();
            assert!(error.is_unavailable(), "{name}, round {round}: {error}");
            assert!(
                took < Duration::from_secs(1),
                "{name}, round {round}: {took:?}"
            );
        }
    }
    fixture.server.resume().unwrap();
    timeout(PATIENCE, async { while redis.ping().await.is_err() {} })
        .await
        .expect("it heals by itself");
    for (name, operation) in operations(&fixture.redis, &lease) {
        operation
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

type Operation<'a> = Pin<Box<dyn Future<Output = Result<(), StoreError>> + 'a>>;

/// Every operation there is, in an order in which all succeed.
pub(crate) fn operations<'a>(
    redis: &'a Redis,
    lease: &'a Lease,
) -> Vec<(&'static str, Operation<'a>)> {
    fn op<'a, T: 'a, E: Into<CommitError> + 'a>(
        work: impl Future<Output = Result<T, E>> + 'a,
    ) -> Operation<'a> {
        Box::pin(async {
            match work.await.map_err(Into::into) {
                Ok(_) => Ok(()),
                Err(CommitError::Store(error)) => Err(error),
                Err(CommitError::LeaseLost { .. }) => Ok(()),
                Err(refusal) => panic!("{refusal}"),
            }
        })
    }
    let here = id("a.example");
    let heartbeat = Heartbeat {
        node: node("node-a"),
        version: "1".into(),
        started_at: at("2026-01-01T00:00:00Z"),
        at: at("2026-01-02T00:00:00Z"),
        epoch: Epoch::new(1),
        certificates: 1,
        ready: true,
    };
    let event = Event {
        at: at("2026-01-02T00:00:00Z"),
        node: node("node-a"),
        kind: EventKind::NodeStarted,
        subject: String::new(),
        detail: "here".into(),
    };
    let attempt = sample::attempt(1, at("2026-01-02T00:00:00Z"));
    let answer = sample::answer(ChallengeKind::Http01, "a.example", "token");
    let names = sample::names("a.example");
    let name: DomainName = "a.example".parse().unwrap();
    let wanted = Wanted::new(names);
    let now = at("2026-01-02T00:00:00Z");
    let limit = Limit {
        capacity: 5,
        refill: TTL,
    };
    let charge = Charge {
        kind: LimitKind::NewOrders,
        subject: String::new(),
        reserve: 0,
    };
    let debit = (charge, limit);
    let record = sample::record("a.example", 1, lease);
    let suggestion = sample::suggestion(1, at("2096-01-01T00:00:00Z"));
    let request = Revocation {
        record: record.clone(),
        reason: RevocationReason::KeyCompromise,
        asked_at: now,
    };
    let account: Sealed = record.sealed.clone();
    // Each operation owns what it is called with.
    macro_rules! call {
        ($operation:ident($($value:ident),*)) => {{
            $(let $value = $value.clone();)*
            (
                stringify!($operation),
                op(async move { redis.$operation($(&$value),*).await }),
            )
        }};
    }
    vec![
        ("ping", op(redis.ping())),
        (
            "acquire",
            op(async {
                redis
                    .acquire(&resource("b.example"), &node("node-a"), TTL)
                    .await
            }),
        ),
        ("extend", op(redis.extend(lease))),
        ("holders", op(redis.holders())),
        call!(want(wanted)),
        call!(wanted()),
        call!(wanted_one(here)),
        {
            let id = here.clone();
            ("enter", op(async move { redis.enter(&[(id, now)]).await }))
        },
        {
            let id = here.clone();
            ("advance", op(async move { redis.advance(&id, now).await }))
        },
        {
            let id = here.clone();
            (
                "postpone",
                op(async move { redis.postpone(lease, &id, &attempt).await }),
            )
        },
        call!(attempt(here)),
        (
            "commit",
            op(async move { redis.commit(lease, &record).await }),
        ),
        call!(load(here)),
        ("ids", op(redis.ids())),
        ("changes", op(redis.changes(None))),
        ("due", op(redis.due(at("2030-01-01T00:00:00Z"), 10))),
        call!(due_at(here)),
        ("claim_questions", op(redis.claim_questions(now, 10, TTL))),
        {
            let id = here.clone();
            let again = at("2096-01-01T00:00:00Z");
            (
                "suggest",
                op(async move { redis.suggest(&id, &suggestion, again).await }),
            )
        },
        call!(suggestion(here)),
        {
            let id = here.clone();
            (
                "ask_again",
                op(async move { redis.ask_again(&id, Some(now)).await }),
            )
        },
        call!(hasten(here)),
        call!(revoke(request)),
        call!(revocations(here)),
        (
            "revoked",
            op(async move { redis.revoked(lease, &request).await }),
        ),
        {
            let debits = [debit.clone()];
            (
                "take",
                op(async move { redis.take("ca", &debits, now).await }),
            )
        },
        {
            let debits = [debit.clone()];
            (
                "give_back",
                op(async move { redis.give_back("ca", &debits, now).await }),
            )
        },
        (
            "look",
            op(async move { redis.look("ca", &[debit], now).await }),
        ),
        (
            "pause",
            op(redis.pause("other", at("2096-01-01T00:00:00Z"))),
        ),
        ("balances", op(redis.balances(now))),
        ("pauses", op(redis.pauses(now))),
        {
            let name = name.clone();
            (
                "permission",
                op(async move { redis.permission(&name, TTL).await }),
            )
        },
        (
            "answer_permission",
            op(async move { redis.answer_permission(&name, true, TTL).await }),
        ),
        {
            let (id, answer) = (here.clone(), answer.clone());
            (
                "post",
                op(async move { redis.post(&id, &answer, TTL).await }),
            )
        },
        ("answer", op(redis.answer(ChallengeKind::Http01, "token"))),
        call!(posted(here)),
        {
            let id = here.clone();
            (
                "withdraw",
                op(async move { redis.withdraw(&id, &answer, TTL).await }),
            )
        },
        (
            "keep_account",
            op(async move { redis.keep_account(lease, "ca", &account).await }),
        ),
        ("account", op(redis.account("ca"))),
        ("beat", op(async move { redis.beat(&heartbeat, TTL).await })),
        ("nodes", op(redis.nodes())),
        ("leave", op(async { redis.leave(&node("node-a")).await })),
        ("append", op(async move { redis.append(&event).await })),
        ("events", op(redis.events(10))),
        (
            "remove",
            op(async move { redis.remove(lease, &here).await }),
        ),
        ("release", op(redis.release(lease))),
    ]
}
