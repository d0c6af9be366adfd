//! The list of certificates wanted.

use certfleet_core::{KeyType, Timestamp, Wanted};

use super::{
    hear,
    sample::{names, soon},
};
use crate::{Backend, feed::Signal};

/// All that was added is listed in order of id, each as it was added last.
pub async fn comes_back_in_order(backend: &dyn Backend) {
    assert_eq!(backend.wanted().await.unwrap().len(), 0);
    for name in ["b.example", "*.a.example+a.example", "192.0.2.7"] {
        backend.want(&Wanted::new(names(name))).await.unwrap();
    }
    let mut own = Wanted::new(names("b.example"));
    own.on_demand = true;
    own.terms.key_type = Some(KeyType::Rsa2048);
    own.terms.profile = Some("shortlived \"so to speak\"".to_owned());
    backend.want(&own).await.unwrap();

    let wanted = backend.wanted().await.unwrap();
    let wanted: Vec<_> = wanted.into_iter().map(|one| one.unwrap()).collect();
    let mut expected = [
        Wanted::new(names("192.0.2.7")),
        Wanted::new(names("*.a.example+a.example")),
        own.clone(),
    ];
    expected.sort_by_key(|one| one.names.id());
    assert_eq!(wanted, expected);
    let found = backend.wanted_one(&names("b.example").id()).await.unwrap();
    assert_eq!(found, Some(own));
    let none = backend.wanted_one(&names("c.example").id()).await.unwrap();
    assert_eq!(none, None);
}

/// What was added is due at once, unless it has its time already.
pub async fn is_due_unless_it_is_on_the_schedule(backend: &dyn Backend) {
    let (new, known) = (names("a.example"), names("b.example"));
    let later = Timestamp::from_secs(4_000_000_000);
    backend.enter(&[(known.id(), later)]).await.unwrap();
    for names in [&new, &known] {
        backend.want(&Wanted::new(names.clone())).await.unwrap();
    }
    assert_eq!(backend.due(soon(), 10).await.unwrap(), [new.id()]);
    assert_eq!(backend.due_at(&known.id()).await.unwrap(), Some(later));
}

/// A subscriber hears of it.
pub async fn is_heard(backend: &dyn Backend) {
    let mut subscription = backend.subscribe().await;
    assert!(matches!(hear(&mut subscription).await, Signal::Connected));
    let names = names("a.example");
    backend.want(&Wanted::new(names.clone())).await.unwrap();
    let signal = hear(&mut subscription).await;
    assert!(
        matches!(&signal, Signal::Wanted(id) if *id == names.id()),
        "{signal:?}"
    );
}
