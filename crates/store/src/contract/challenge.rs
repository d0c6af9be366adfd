//! The challenge board.

use std::time::Duration;

use certfleet_core::ChallengeKind::{Dns01, Http01, TlsAlpn01};

use super::{
    BRIEF, LONG, eventually,
    sample::{answer, names},
};
use crate::Backend;

/// An answer is there from when it was posted to when it was withdrawn, under its kind and key.
pub async fn is_answered_until_withdrawn(backend: &dyn Backend) {
    let id = names("a.example").id();
    let one = answer(Http01, "a.example", "token-1");
    let two = answer(Http01, "a.example", "token-2");
    assert_eq!(backend.answer(Http01, "token-1").await.unwrap(), None);
    for answer in [&one, &two] {
        backend.post(&id, answer, LONG).await.unwrap();
    }
    let found = backend.answer(Http01, "token-1").await.unwrap();
    assert_eq!(found.as_ref(), Some(&one));
    assert_eq!(backend.answer(Dns01, "token-1").await.unwrap(), None);
    for _ in 0..2 {
        backend.withdraw(&id, &one, Duration::ZERO).await.unwrap();
    }
    assert_eq!(backend.answer(Http01, "token-1").await.unwrap(), None);
    assert!(backend.answer(Http01, "token-2").await.unwrap().is_some());
}

/// A key has one answer, the last one, with its own time to live.
pub async fn is_replaced_by_a_second_post(backend: &dyn Backend) {
    let id = names("a.example").id();
    let first = answer(TlsAlpn01, "a.example", "first");
    let second = answer(TlsAlpn01, "a.example", "second");
    backend.post(&id, &first, BRIEF).await.unwrap();
    backend.post(&id, &second, LONG).await.unwrap();
    tokio::time::sleep(BRIEF * 2).await;
    let found = backend.answer(TlsAlpn01, "a.example").await.unwrap();
    assert_eq!(found.as_ref(), Some(&second));
    assert_eq!(backend.posted(&id).await.unwrap(), [second]);
}

/// What nobody withdraws goes by itself.
pub async fn expires_by_itself(backend: &dyn Backend) {
    let id = names("a.example").id();
    let brief = answer(Http01, "a.example", "brief");
    let long = answer(Http01, "a.example", "long");
    backend.post(&id, &long, LONG).await.unwrap();
    backend.post(&id, &brief, BRIEF).await.unwrap();
    eventually("the answer expires", async || {
        let found = backend.answer(Http01, "brief").await.unwrap();
        found.is_none().then_some(())
    })
    .await;
    eventually("it is listed no more", async || {
        let posted = backend.posted(&id).await.unwrap();
        (posted == [long.clone()]).then_some(())
    })
    .await;
}

/// Whoever takes up the work on a certificate finds all that is up for it, and nothing else.
pub async fn lists_what_is_up_for_a_certificate(backend: &dyn Backend) {
    let (ours, other) = (names("a.example+*.a.example").id(), names("b.example").id());
    let answers = [
        answer(Http01, "a.example", "b"),
        answer(TlsAlpn01, "a.example", "a"),
        answer(Dns01, "a.example", "c"),
        answer(Dns01, "*.a.example", "d"),
    ];
    let elsewhere = answer(Http01, "b.example", "e");
    assert_eq!(backend.posted(&ours).await.unwrap(), []);
    for answer in answers.iter().rev() {
        backend.post(&ours, answer, LONG).await.unwrap();
    }
    backend.post(&other, &elsewhere, LONG).await.unwrap();
    let mut expected = answers.to_vec();
    expected.sort_by_key(|answer| (answer.kind, answer.key()));
    assert_eq!(backend.posted(&ours).await.unwrap(), expected);
    for answer in &answers[2..] {
        let found = backend.answer(Dns01, &answer.key()).await.unwrap();
        assert_eq!(found.as_ref(), Some(answer), "they stand side by side");
    }
    backend
        .withdraw(&ours, &expected.remove(0), Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(backend.posted(&ours).await.unwrap(), expected);
    assert_eq!(backend.posted(&other).await.unwrap(), [elsewhere]);
}

/// Two certificates may be validated by the same name at once: neither takes down the other's.
pub async fn is_withdrawn_by_whose_it_is(backend: &dyn Backend) {
    let (one, two) = (names("a.example").id(), names("a.example+b.example").id());
    let first = answer(TlsAlpn01, "a.example", "first");
    let second = answer(TlsAlpn01, "a.example", "second");
    backend.post(&one, &first, LONG).await.unwrap();
    backend.post(&two, &second, LONG).await.unwrap();
    backend
        .withdraw(&one, &first, Duration::ZERO)
        .await
        .unwrap();
    let found = backend.answer(TlsAlpn01, "a.example").await.unwrap();
    assert_eq!(found.as_ref(), Some(&second));
    assert_eq!(backend.posted(&one).await.unwrap(), []);
    assert_eq!(backend.posted(&two).await.unwrap(), [second]);
}

/// An answer may stay up a while after it was withdrawn, for a CA that looks again; it is nobody's
/// to clear away then, and is gone no later than it would have been.
pub async fn lingers_when_told(backend: &dyn Backend) {
    let id = names("a.example").id();
    let briefly = answer(Http01, "a.example", "briefly");
    let long = answer(Http01, "a.example", "long");
    let ending = answer(Http01, "a.example", "ending");
    for (answer, ttl) in [(&briefly, LONG), (&long, LONG), (&ending, BRIEF)] {
        backend.post(&id, answer, ttl).await.unwrap();
    }
    for (answer, linger) in [(&briefly, BRIEF), (&long, LONG), (&ending, LONG)] {
        backend.withdraw(&id, answer, linger).await.unwrap();
    }
    assert_eq!(backend.posted(&id).await.unwrap(), []);
    for token in ["briefly", "ending"] {
        eventually("the answer is gone", async || {
            let found = backend.answer(Http01, token).await.unwrap();
            found.is_none().then_some(())
        })
        .await;
    }
    let found = backend.answer(Http01, "long").await.unwrap();
    assert_eq!(found, Some(long));
}
