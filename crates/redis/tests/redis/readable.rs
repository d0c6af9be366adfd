//! What an operator sees with redis-cli, and that nothing temporary stays for ever.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
    process::{Command, Stdio},
};

use certfleet_core::{
    ChallengeKind, Wanted,
    budget::{Charge, Limit, LimitKind},
    retry::Advice,
};
use certfleet_store::{
    AccountVault, Budget, CertificateStore, ChallengeBoard, Clock, Leases, Revocations, Schedule,
    Suggestions, SystemClock, WantedList,
    contract::sample::{self, node, record, resource},
    lease::Resource,
};

use crate::{
    fixture::{Fixture, TTL, at, id},
    outage::operations,
};

async fn fields(fixture: &Fixture, key: &str) -> BTreeMap<String, String> {
    let mut fields = BTreeMap::new();
    for name in fixture.cli(&["HKEYS", key]).await.lines() {
        fields.insert(name.to_owned(), fixture.cli(&["HGET", key, name]).await);
    }
    fields
}

#[tokio::test]
async fn a_record_is_plain_to_people_and_openssl() {
    let fixture = Fixture::start().await;
    let stored = fixture.commit("a.example+*.a.example", 1).await;
    let key = format!("certfleet:{{test}}:cert:{}", stored.record.id());

    let seen = fields(&fixture, &key).await;
    let mut expected: BTreeSet<_> = stored.record.fields().into_iter().map(|f| f.0).collect();
    expected.extend(["epoch", "committed_at"]);
    assert_eq!(
        seen.keys().map(String::as_str).collect::<BTreeSet<_>>(),
        expected
    );
    assert_eq!(seen["names"], "a.example *.a.example");
    assert_eq!(seen["renew_at"], "2096-10-02T07:06:40.000Z");
    assert_eq!(seen["epoch"], "1");
    assert_eq!(seen["committed_at"], stored.committed_at.to_string());

    let chain = fixture.cli(&["HGET", &key, "chain"]).await;
    let mut openssl = Command::new("openssl")
        .args(["x509", "-noout", "-subject"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the Debian package \"openssl\" is installed");
    openssl
        .stdin
        .take()
        .unwrap()
        .write_all(chain.as_bytes())
        .unwrap();
    let printed = openssl.wait_with_output().unwrap().stdout;
    assert_eq!(
        String::from_utf8_lossy(&printed).trim(),
        "subject=CN = rcgen self signed cert"
    );

    assert_eq!(
        fixture
            .cli(&["ZRANGE", "certfleet:{test}:due", "0", "-1", "WITHSCORES"])
            .await,
        format!("{}\n4000000000000", stored.record.id()),
    );
}

#[tokio::test]
async fn a_lease_says_who_holds_it() {
    let fixture = Fixture::start().await;
    let lease = fixture.lease("a.example").await;
    let key = "certfleet:{test}:lease:certificate:a.example";
    let seen = fields(&fixture, key).await;
    assert_eq!(seen["node"], "node-a");
    assert_eq!(seen["owner"], lease.owner);
    assert_eq!(seen["fencing"], "1");
    assert!(seen["since"].ends_with('Z'), "{}", seen["since"]);
    let held = fixture.redis.holders().await.unwrap();
    assert_eq!(held.len(), 1);
    assert_eq!(held[0].resource, "certificate:a.example");
    assert!(held[0].remaining <= TTL);

    // The index lasts as long as the longest lease in it, and no longer.
    let brief = std::time::Duration::from_millis(500);
    let redis = &fixture.redis;
    let second = redis
        .acquire(&resource("b.example"), &node("node-a"), brief)
        .await;
    assert!(second.unwrap().is_some());
    let left = fixture
        .cli(&["PTTL", "certfleet:{test}:leases:certificate"])
        .await;
    let left: u128 = left.parse().expect("it has a time to live");
    assert!(
        left > TTL.as_millis() / 2 && left <= TTL.as_millis(),
        "{left}"
    );
}

/// Every kind of key is there at once: what has an end is in the one list, and what is the fleet's
/// for good in the other.
#[tokio::test]
async fn what_is_temporary_has_a_time_to_live() {
    let fixture = Fixture::start().await;
    let redis = &fixture.redis;
    let lease = fixture.lease("a.example").await;
    for (name, operation) in operations(redis, &lease) {
        operation
            .await
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    // Once more what was taken away again, and what needs a lease of its own.
    let lease = fixture.lease("a.example").await;
    for (name, operation) in operations(redis, &lease) {
        if ![
            "acquire",
            "postpone",
            "withdraw",
            "give_back",
            "revoked",
            "leave",
            "remove",
        ]
        .contains(&name)
        {
            operation
                .await
                .unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
    let gone = fixture.lease("gone.example").await;
    redis.remove(&gone, &id("gone.example")).await.unwrap();
    let failed = fixture.lease("c.example").await;
    let attempt = sample::attempt(1, SystemClock.now());
    let failing = redis.postpone(&failed, &id("c.example"), &attempt).await;
    failing.unwrap();
    let account = Resource::Account("ca.example/directory".into());
    let granted = redis.acquire(&account, &node("node-a"), TTL).await;
    let lease = granted.unwrap().unwrap();
    let sealed = record("a.example", 1, &lease).sealed;
    let kept = redis.keep_account(&lease, "ca.example/directory", &sealed);
    kept.await.unwrap();

    let (mut owned, mut temporary) = (BTreeSet::new(), BTreeSet::new());
    for key in fixture.cli(&["KEYS", "*"]).await.lines() {
        let name = key
            .strip_prefix("certfleet:{test}:")
            .expect("all keys are the fleet's");
        match fixture.cli(&["PTTL", key]).await.parse::<i64>().unwrap() {
            -1 => owned.insert(name.to_owned()),
            _ => temporary.insert(name.to_owned()),
        };
    }
    assert_eq!(
        owned.iter().map(String::as_str).collect::<Vec<_>>(),
        [
            "account:ca.example/directory",
            "cert:a.example",
            "changes",
            "due",
            "epoch",
            "events",
            "fencing",
            "incarnation",
            "questions",
            "revocation:a.example:1",
            "revocations:a.example",
            "suggestion:a.example",
            "wanted"
        ]
    );
    assert_eq!(
        temporary.iter().map(String::as_str).collect::<Vec<_>>(),
        [
            "answers:a.example",
            "attempt:c.example",
            "budget",
            "challenge:http-01:token",
            "lease:account:ca.example/directory",
            "lease:certificate:b.example",
            "lease:certificate:c.example",
            "lease:certificate:gone.example",
            "leases:account",
            "leases:certificate",
            "node:node-a",
            "nodes",
            "pauses",
            "permission:a.example",
            "removed"
        ]
    );
}

/// What issue and renewal go by, as an operator reads it.
#[tokio::test]
async fn the_state_of_a_renewal_is_plain_to_people() {
    let fixture = Fixture::start().await;
    let redis = &fixture.redis;
    let stored = fixture.commit("a.example", 1).await;
    let here = id("a.example");
    let key = |name: &str| format!("certfleet:{{test}}:{name}");

    let lease = fixture.lease("a.example").await;
    let attempt = sample::attempt(2, at("2026-01-02T00:00:00Z"));
    redis.postpone(&lease, &here, &attempt).await.unwrap();
    let seen = fields(&fixture, &key("attempt:a.example")).await;
    assert_eq!(seen["failures"], "2");
    assert_eq!(seen["issuer"], "first");
    assert_eq!(seen["kind"], "rateLimited");
    assert_eq!(seen["advice"], "wait");
    assert_eq!(seen["failed_challenges"], "http-01 dns-01");
    assert_eq!(seen["next"], "2026-01-02T00:01:01.234Z");

    let mut suggestion = sample::suggestion(1, at("2026-03-01T00:00:00Z"));
    suggestion.window.explanation = Some("https://ca.example/why".to_owned());
    let again = at("2026-02-01T00:00:00Z");
    assert!(redis.suggest(&here, &suggestion, again).await.unwrap());
    let seen = fields(&fixture, &key("suggestion:a.example")).await;
    assert_eq!(seen["generation"], "1");
    assert_eq!(seen["start"], "2026-02-28T23:59:00.000Z");
    assert_eq!(seen["end"], "2026-03-01T00:01:00.000Z");
    assert_eq!(seen["selected"], "2026-03-01T00:00:00.000Z");
    assert_eq!(seen["explanation"], "https://ca.example/why");

    redis.revoke(&sample::revocation(&stored)).await.unwrap();
    let seen = fields(&fixture, &key("revocation:a.example:1")).await;
    assert_eq!(seen["reason"], "keyCompromise");
    assert_eq!(seen["serial"], stored.record.serial);

    let limit = Limit {
        capacity: 5,
        refill: TTL,
    };
    let charge = Charge {
        kind: LimitKind::CertificatesPerDomain,
        subject: "2001:db8:1:2::/64".to_owned(),
        reserve: 0,
    };
    let now = at("2026-01-02T00:00:00Z");
    redis
        .take("ca.example/dir", &[(charge, limit)], now)
        .await
        .unwrap();
    assert_eq!(
        fixture
            .cli(&["ZRANGE", &key("budget"), "0", "-1", "WITHSCORES"])
            .await,
        "ca.example/dir:certificates_per_domain:2001:db8:1:2::/64\n1767312060000"
    );

    let mut wanted = Wanted::new(sample::names("b.example"));
    wanted.on_demand = true;
    redis.want(&wanted).await.unwrap();
    assert_eq!(
        fixture.cli(&["HGET", &key("wanted"), "b.example"]).await,
        r#"{"names":["b.example"],"terms":{},"on_demand":true}"#
    );

    let answer = sample::answer(ChallengeKind::Dns01, "*.a.example", "token");
    redis.post(&here, &answer, TTL).await.unwrap();
    let text = r#"{"kind":"dns-01","identifier":"*.a.example","token":"token","key_authorization":"token.thumbprint"}"#;
    let at = format!("challenge:dns-01:a.example/{}", answer.record());
    assert_eq!(fixture.cli(&["GET", &key(&at)]).await, text);
    assert_eq!(
        fixture
            .cli(&["ZRANGE", &key("answers:a.example"), "0", "-1"])
            .await,
        text
    );
}

/// What an older node wrote down of a failed attempt is no reason to fail.
#[tokio::test]
async fn an_attempt_without_the_later_fields_is_read() {
    let fixture = Fixture::start().await;
    let key = "certfleet:{test}:attempt:a.example";
    let time = "2026-01-02T00:00:00Z";
    fixture
        .cli(&[
            "HSET",
            key,
            "failures",
            "2",
            "failed_at",
            time,
            "node",
            "node-a",
            "error",
            "no",
            "next",
            time,
        ])
        .await;
    let attempt = fixture.redis.attempt(&id("a.example")).await.unwrap();
    let attempt = attempt.unwrap();
    assert_eq!((attempt.failures, attempt.issuer.as_str()), (2, ""));
    assert_eq!(attempt.advice, Advice::Retry);
    assert_eq!(attempt.failed_challenges, []);
    fixture
        .cli(&["HSET", key, "failed_challenges", "dns"])
        .await;
    let error = fixture.redis.attempt(&id("a.example")).await.unwrap_err();
    assert!(error.to_string().contains(key), "{error}");
}

/// What someone wrote over by hand is named, and hides nothing else.
#[tokio::test]
async fn what_is_wanted_but_garbled_hides_nothing_else() {
    let fixture = Fixture::start().await;
    let key = "certfleet:{test}:wanted";
    for name in ["a.example", "c.example"] {
        let wanted = Wanted::new(sample::names(name));
        fixture.redis.want(&wanted).await.unwrap();
    }
    let swapped = r#"{"names":["c.example"]}"#;
    fixture
        .cli(&["HSET", key, "b.example", "{", "d.example", swapped])
        .await;
    let wanted = fixture.redis.wanted().await.unwrap();
    let readable: Vec<_> = wanted.iter().map(Result::is_ok).collect();
    assert_eq!(readable, [true, false, true, false]);
    for (n, name) in [(1, "b.example"), (3, "d.example")] {
        let error = wanted[n].as_ref().unwrap_err().to_string();
        assert!(error.contains(&format!("{key} {name}")), "{error}");
    }
}
