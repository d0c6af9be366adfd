//! The CA's suggestions: one node asks, all follow.

use std::{collections::BTreeSet, slice, time::Duration};

use certfleet_core::{CertificateId, Timestamp};

use super::{
    LONG,
    sample::{RENEW_AT, attempt, commit, lease, names, soon, suggestion},
};
use crate::Backend;

fn id(names: &str) -> CertificateId {
    super::sample::names(names).id()
}

async fn claim(backend: &dyn Backend, now: Timestamp, most: usize) -> Vec<CertificateId> {
    backend.claim_questions(now, most, LONG).await.unwrap()
}

/// A commit has the CA asked at once; who claims that has it alone until the claim runs out.
pub async fn is_asked_for_once_after_a_commit(backend: &dyn Backend) {
    let now = soon();
    assert_eq!(claim(backend, now, 10).await, []);
    let id = commit(backend, "a.example", 1).await.record.id();
    assert_eq!(claim(backend, now, 10).await, slice::from_ref(&id));
    assert_eq!(claim(backend, now, 10).await, []);
    let almost = now.after(LONG - Duration::from_millis(1));
    assert_eq!(claim(backend, almost, 10).await, []);
    assert_eq!(claim(backend, now.after(LONG), 10).await, [id]);
}

/// The most overdue come first, no more than asked for, and no question is given twice.
pub async fn questions_are_claimed_in_order_and_once(backend: &dyn Backend) {
    let now = soon();
    for (name, ago) in [("a", 2), ("b", 3), ("c", 1), ("d", 0)] {
        let id = commit(backend, &format!("{name}.example"), 1)
            .await
            .record
            .id();
        let at = now.before(Duration::from_millis(ago));
        backend.ask_again(&id, Some(at)).await.unwrap();
    }
    let later = now.after(Duration::from_millis(1));
    let far = commit(backend, "e.example", 1).await.record.id();
    backend.ask_again(&far, Some(later)).await.unwrap();
    assert_eq!(
        claim(backend, now, 2).await,
        [id("b.example"), id("a.example")]
    );
    let (one, two) = tokio::join!(claim(backend, now, 1), claim(backend, now, 10));
    let both: BTreeSet<_> = one.iter().chain(&two).cloned().collect();
    assert_eq!(one.len() + two.len(), 2);
    assert_eq!(both, [id("c.example"), id("d.example")].into());
}

/// A suggestion is kept as it is, decides when to renew, and when the CA is asked again.
pub async fn moves_the_schedule(backend: &dyn Backend) {
    let id = commit(backend, "a.example", 2).await.record.id();
    assert_eq!(backend.suggestion(&id).await.unwrap(), None);
    let again = soon().after(LONG);
    for (selected, explanation) in [
        (RENEW_AT.after(LONG), None),
        (RENEW_AT.before(LONG), Some("https://ca.example/why")),
    ] {
        let mut suggested = suggestion(2, selected);
        suggested.window.explanation = explanation.map(str::to_owned);
        assert!(backend.suggest(&id, &suggested, again).await.unwrap());
        let kept = backend.suggestion(&id).await.unwrap();
        assert_eq!(kept, Some(suggested));
        assert_eq!(backend.due_at(&id).await.unwrap(), Some(selected));
        assert_eq!(claim(backend, soon(), 10).await, []);
    }
    assert_eq!(claim(backend, again, 10).await, [id]);
}

/// A late answer, about what has been replaced or removed, changes nothing.
pub async fn is_for_the_standing_generation_only(backend: &dyn Backend) {
    let id = names("a.example").id();
    let again = soon().after(LONG);
    let suggested = |generation| suggestion(generation, RENEW_AT.before(LONG));
    assert!(!backend.suggest(&id, &suggested(1), again).await.unwrap());
    assert_eq!(backend.due_at(&id).await.unwrap(), None);
    commit(backend, "a.example", 2).await;
    for wrong in [1, 3] {
        let kept = backend.suggest(&id, &suggested(wrong), again).await;
        assert!(!kept.unwrap(), "{wrong}");
    }
    assert_eq!(backend.suggestion(&id).await.unwrap(), None);
    assert_eq!(backend.due_at(&id).await.unwrap(), Some(RENEW_AT));
    assert_eq!(claim(backend, soon(), 10).await, [id]);
}

/// While something has failed, or someone wants it now, the schedule is not the CA's.
pub async fn leaves_alone_what_failed_or_is_due(backend: &dyn Backend) {
    let failed = commit(backend, "a.example", 1).await.record.id();
    let held = lease(backend, "a.example").await;
    let attempt = attempt(1, soon().after(LONG));
    backend.postpone(&held, &failed, &attempt).await.unwrap();
    let hastened = commit(backend, "b.example", 1).await.record.id();
    backend.hasten(&hastened).await.unwrap();
    for id in [&failed, &hastened] {
        let suggested = suggestion(1, RENEW_AT.before(LONG));
        assert!(backend.suggest(id, &suggested, soon()).await.unwrap());
        assert_eq!(backend.suggestion(id).await.unwrap(), Some(suggested));
    }
    let due_at = backend.due_at(&failed).await.unwrap();
    assert_eq!(due_at, Some(attempt.next));
    assert_eq!(backend.due(soon(), 10).await.unwrap(), [hastened]);
}

/// What was suggested for one generation says nothing of the next.
pub async fn is_forgotten_with_a_commit(backend: &dyn Backend) {
    let id = commit(backend, "a.example", 1).await.record.id();
    let suggested = suggestion(1, RENEW_AT.before(LONG));
    let again = soon().after(LONG);
    assert!(backend.suggest(&id, &suggested, again).await.unwrap());
    commit(backend, "a.example", 2).await;
    assert_eq!(backend.suggestion(&id).await.unwrap(), None);
    assert_eq!(claim(backend, soon(), 10).await, [id]);
}

/// When the CA is asked again can be changed, and ended; what was suggested stays.
pub async fn is_asked_for_again_when_told(backend: &dyn Backend) {
    let id = commit(backend, "a.example", 1).await.record.id();
    let (now, later) = (soon(), soon().after(LONG));
    let suggested = suggestion(1, RENEW_AT);
    assert!(backend.suggest(&id, &suggested, later).await.unwrap());
    backend.ask_again(&id, Some(now)).await.unwrap();
    assert_eq!(claim(backend, now, 10).await, slice::from_ref(&id));
    backend.ask_again(&id, None).await.unwrap();
    assert_eq!(claim(backend, RENEW_AT, 10).await, []);
    assert_eq!(backend.suggestion(&id).await.unwrap(), Some(suggested));

    let unknown = names("b.example").id();
    backend.ask_again(&unknown, Some(now)).await.unwrap();
    assert_eq!(claim(backend, now, 10).await, []);
}
