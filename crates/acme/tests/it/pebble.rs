//! Orders at a real CA: Pebble (Debian package `pebble`).

use std::{net::Ipv4Addr, time::Duration};

use async_trait::async_trait;
use certfleet_acme::{
    Acme, AcmeConfig, BoxError, ChallengeAnswers, Credentials, IssueError, Issuer, Limits, Order,
    Revocation, Step,
};
use certfleet_core::{Answer, ChallengeKind, Leaf, RevocationReason};

use crate::world::{World, names, open_account, verify};

#[tokio::test]
async fn one_certificate_for_three_names() {
    let world = World::new(|_| {}).await;
    let issuer = world.issuer().await;
    let names = names("a.example+b.example+www.a.example");
    let bundle = issuer.issue(world.order(&names)).await.unwrap();

    let root = world.pebble.issuing_root_pem().await.unwrap();
    verify(&bundle, &names, &root).unwrap();
    assert_eq!((world.pebble.orders(), world.pebble.issued()), (1, 1));
    assert_eq!(world.pebble.accounts(), 1);
    assert_eq!((world.board.presented(), world.board.len()), (3, 0));
    assert_eq!(world.board.confirmed(), [3]);

    // Every answer is up before the CA hears of the first.
    let steps = world.steps.all();
    let first_ready = |s: &Step| matches!(s, Step::ChallengeReady { .. });
    let presented = |s: &Step| matches!(s, Step::ChallengePresented { .. });
    let confirmed = |s: &Step| matches!(s, Step::AnswersConfirmed { answers: 3 });
    let confirmed = steps.iter().position(confirmed);
    assert!(steps.iter().rposition(presented) < confirmed, "{steps:?}");
    assert!(confirmed < steps.iter().position(first_ready), "{steps:?}");
    let serial = Leaf::parse(&bundle.chain()[0]).unwrap().serial;
    assert_eq!(steps.last(), Some(&Step::Downloaded { serial }));
}

#[tokio::test]
async fn every_certificate_has_a_key_of_its_own() {
    let world = World::new(|_| {}).await;
    let issuer = world.issuer().await;
    let names = names("a.example");
    let one = issuer.issue(world.order(&names)).await.unwrap();
    let other = issuer.issue(world.order(&names)).await.unwrap();
    assert_ne!(one.key(), other.key());
}

#[tokio::test]
async fn half_of_all_nonces_refused_is_no_obstacle() {
    let world = World::new(|options| options.nonce_reject = 50).await;
    let issuer = world.issuer().await;
    let names = names("a.example+b.example+c.example");
    let bundle = issuer.issue(world.order(&names)).await.unwrap();
    // Requests of our own.
    let validity = Some(Duration::from_secs(86_400));
    let order = Order {
        validity,
        ..world.order(&names)
    };
    issuer.issue(order).await.unwrap();
    let revocation = Revocation {
        certificate: &bundle.chain()[0],
        reason: RevocationReason::Superseded,
        key: None,
    };
    issuer.revoke(revocation).await.unwrap();
    assert_eq!((world.pebble.orders(), world.pebble.issued()), (2, 2));
}

#[tokio::test]
async fn an_account_is_made_once_and_taken_up_again() {
    let world = World::new(|_| {}).await;
    let created = open_account(&world.acme()).await.unwrap();
    let stored = created.as_bytes().to_vec();
    drop(created);

    let names = names("a.example");
    let mut urls = Vec::new();
    for _ in 0..2 {
        let credentials = Credentials::from_bytes(&stored);
        let issuer = world.acme().sign_in(&credentials).await.unwrap();
        urls.push(issuer.account_url().to_owned());
        issuer.issue(world.order(&names)).await.unwrap();
    }
    assert_eq!(urls[0], urls[1]);
    assert_eq!(world.pebble.accounts(), 1);
}

#[tokio::test]
async fn a_name_that_is_validated_already_needs_no_challenge() {
    let world = World::new(|options| options.authz_reuse = 100).await;
    let issuer = world.issuer().await;
    let two = names("a.example+b.example");
    issuer.issue(world.order(&two)).await.unwrap();
    assert_eq!(world.board.presented(), 2);

    let three = names("a.example+b.example+c.example");
    issuer.issue(world.order(&three)).await.unwrap();
    assert_eq!(world.board.presented(), 3, "only c.example is new");
    let reused = |step: &Step| matches!(step, Step::AuthorizationReused { .. });
    assert_eq!(world.steps.count(reused), 2);
}

#[tokio::test]
async fn a_name_that_cannot_be_reached_is_named_with_the_cas_reason() {
    let world = World::new(|_| {}).await;
    let issuer = world.issuer().await;
    // Nothing listens there.
    let nowhere = Ipv4Addr::new(127, 99, 99, 99).into();
    world.pebble.resolve("bad.example", nowhere).await.unwrap();

    let names = names("bad.example+good.example");
    let error = issuer.issue(world.order(&names)).await.unwrap_err();
    assert_eq!(error.kind(), "challenge");
    assert_eq!(error.retry_after(), None);
    let text = error.to_string();
    assert!(text.contains(issuer.name()), "{text}");
    let IssueError::Challenge { failures, .. } = error else {
        panic!("{text}");
    };
    let failed: Vec<_> = failures
        .iter()
        .map(|failure| (failure.name.as_str(), failure.problem.kind.as_str()))
        .collect();
    assert_eq!(failed, [("bad.example", "connection")], "{text}");
    assert!(text.contains("bad.example by http-01: "), "{text}");
    assert_eq!((world.board.presented(), world.board.len()), (2, 0));
    assert_eq!(world.pebble.issued(), 0);
}

/// Presents nothing.
struct Deaf<'a>(&'a World);

#[async_trait]
impl ChallengeAnswers for Deaf<'_> {
    async fn present(&self, answer: &Answer) -> Result<(), BoxError> {
        self.0.board.present(answer).await?;
        Err("the store is away".into())
    }

    async fn confirm(&self, _: &[Answer]) -> Result<(), BoxError> {
        Ok(())
    }

    async fn withdraw(&self, answer: &Answer) {
        self.0.board.withdraw(answer).await;
    }
}

#[tokio::test]
async fn the_ca_is_not_told_of_an_answer_that_is_not_up() {
    let world = World::new(|_| {}).await;
    let issuer = world.issuer().await;
    let names = names("a.example+b.example");
    let order = Order {
        answers: &Deaf(&world),
        ..world.order(&names)
    };
    let error = issuer.issue(order).await.unwrap_err();
    assert_eq!(error.kind(), "board");
    let text = error.to_string();
    assert!(
        text.ends_with("could not be presented: the store is away"),
        "{text}"
    );
    let told = |step: &Step| matches!(step, Step::ChallengeReady { .. });
    assert_eq!(world.steps.count(told), 0);
    assert_eq!(world.board.len(), 0, "what may be up is withdrawn");
}

/// Presents everything, of which nothing can be read.
struct Unread<'a>(&'a World);

#[async_trait]
impl ChallengeAnswers for Unread<'_> {
    async fn present(&self, answer: &Answer) -> Result<(), BoxError> {
        self.0.board.present(answer).await
    }

    async fn confirm(&self, answers: &[Answer]) -> Result<(), BoxError> {
        assert_eq!(answers.len(), self.0.board.presented());
        Err("not at any name server".into())
    }

    async fn withdraw(&self, answer: &Answer) {
        self.0.board.withdraw(answer).await;
    }
}

#[tokio::test]
async fn the_ca_is_not_told_of_answers_that_cannot_be_read() {
    let world = World::new(|_| {}).await;
    let issuer = world.issuer().await;
    let names = names("a.example+b.example");
    let order = Order {
        challenges: &[ChallengeKind::Dns01],
        answers: &Unread(&world),
        ..world.order(&names)
    };
    let error = issuer.issue(order).await.unwrap_err();
    assert_eq!(error.kind(), "board");
    assert_eq!(error.failed_challenges(), [ChallengeKind::Dns01]);
    let text = error.to_string();
    assert!(text.contains("a.example, b.example (dns-01)"), "{text}");
    let told = |step: &Step| matches!(step, Step::ChallengeReady { .. });
    assert_eq!(world.steps.count(told), 0);
    assert_eq!((world.board.presented(), world.board.len()), (2, 0));
}

#[tokio::test]
async fn a_dropped_order_withdraws_its_answers() {
    let world = World::new(|_| {}).await;
    let issuer = world.issuer().await;
    let names = names("a.example+b.example+c.example");
    let presented = |step: &Step| matches!(step, Step::ChallengePresented { .. });
    tokio::select! {
        result = issuer.issue(world.order(&names)) => panic!("done already: {result:?}"),
        () = world.steps.first(presented) => {}
    }
    assert_eq!((world.board.presented(), world.board.len()), (3, 0));
}

#[tokio::test]
async fn a_ca_that_falls_silent_costs_the_time_limit_and_no_more() {
    let world = World::new(|_| {}).await;
    let credentials = open_account(&world.acme()).await.unwrap();
    let acme = world.acme_within(Limits {
        request: Duration::from_secs(20),
        order: Duration::from_secs(2),
    });
    let issuer = acme.sign_in(&credentials).await.unwrap();
    let names = names("a.example");
    let presented = |step: &Step| matches!(step, Step::ChallengePresented { .. });
    let (result, ()) = tokio::join!(issuer.issue(world.order(&names)), async {
        world.steps.first(presented).await;
        world.pebble.pause().unwrap();
    });
    world.pebble.resume().unwrap();
    let error = result.unwrap_err();
    assert_eq!(error.kind(), "timeout");
    assert!(error.to_string().ends_with("not done within 2s"), "{error}");
    assert_eq!((world.board.presented(), world.board.len()), (1, 0));
}

#[tokio::test]
async fn a_ca_that_restarts_is_waited_for() {
    let mut world = World::new(|_| {}).await;
    let acme = world.acme();
    let credentials = open_account(&acme).await.unwrap();
    world.pebble.stop().unwrap();
    let (account, started) = tokio::join!(open_account(&acme), world.pebble.start_again());
    started.unwrap();
    account.unwrap();

    // Pebble has forgotten the account: the caller learns that it must make another.
    let issuer = acme.sign_in(&credentials).await.unwrap();
    let names = names("a.example");
    let error = issuer.issue(world.order(&names)).await.unwrap_err();
    assert_eq!(error.kind(), "accountDoesNotExist", "{error}");
}

#[tokio::test]
async fn a_ca_that_is_down_is_a_connection_error() {
    let mut world = World::new(|_| {}).await;
    let acme = world.acme();
    world.pebble.stop().unwrap();
    let error = open_account(&acme).await.unwrap_err();
    assert_eq!(error.kind(), "connection");
    let text = error.to_string();
    let start = format!("{}: cannot read the directory: ", acme.name());
    assert!(text.starts_with(&start), "{text}");
    assert!(text.contains("Connection refused"), "{text}");
}

#[tokio::test]
async fn a_ca_whose_root_is_not_trusted_is_refused() {
    let world = World::new(|_| {}).await;
    let directory = world.pebble.directory_url().parse().unwrap();
    // Any other root, so that the test does not depend on the system having some.
    let other = World::new(|_| {}).await;
    let acme = Acme::new(AcmeConfig {
        ca_file: Some(other.pebble.ca_file()),
        ..AcmeConfig::new(directory)
    })
    .unwrap();
    let error = open_account(&acme).await.unwrap_err().to_string();
    assert!(error.contains("invalid peer certificate"), "{error}");
    assert_eq!(world.pebble.accounts(), 0);
}

#[tokio::test]
async fn no_order_is_spent_on_a_wildcard() {
    let world = World::new(|_| {}).await;
    let issuer = world.issuer().await;
    let names = names("a.example+*.a.example");
    let error = issuer.issue(world.order(&names)).await.unwrap_err();
    assert_eq!(error.kind(), "challenge");
    assert!(
        error.to_string().contains(
            "cannot validate *.a.example: allowed: http-01; possible for it: dns-01; add dns-01"
        ),
        "{error}"
    );
    assert_eq!(world.pebble.orders(), 0);
}
