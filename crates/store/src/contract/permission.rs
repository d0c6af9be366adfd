//! Permissions: one node asks, the others wait for its answer.

use certfleet_core::DomainName;

use super::{BRIEF, LONG, eventually};
use crate::{Backend, permission::Permission};

fn name(name: &str) -> DomainName {
    name.parse().expect("the name is well formed")
}

async fn known(backend: &dyn Backend, name: &DomainName) -> Permission {
    backend.permission(name, LONG).await.unwrap()
}

/// One has the right to ask; all know the answer then, until it is too old.
pub async fn is_asked_for_by_one_and_known_to_all(backend: &dyn Backend) {
    for (name, allowed) in [(name("a.example"), true), (name("b.example"), false)] {
        assert_eq!(known(backend, &name).await, Permission::Ask);
        assert_eq!(known(backend, &name).await, Permission::Asking);
        let answered = backend.answer_permission(&name, allowed, LONG).await;
        answered.unwrap();
        let expected = if allowed {
            Permission::Allowed
        } else {
            Permission::Denied
        };
        for _ in 0..2 {
            assert_eq!(known(backend, &name).await, expected);
        }
    }
}

/// However many need to know at once, one asks.
pub async fn is_asked_for_once_by_many_at_once(backend: &dyn Backend) {
    let name = name("a.example");
    let known = || known(backend, &name);
    let (a, b, c, d) = tokio::join!(known(), known(), known(), known());
    let asked = [a, b, c, d].into_iter();
    assert_eq!(asked.filter(|p| *p == Permission::Ask).count(), 1);
}

/// An answer and a right to ask run out: who died while it asked is in nobody's way for long.
pub async fn runs_out(backend: &dyn Backend) {
    let (answered, asked) = (name("a.example"), name("b.example"));
    let written = backend.answer_permission(&answered, false, BRIEF).await;
    written.unwrap();
    let first = backend.permission(&asked, BRIEF).await.unwrap();
    assert_eq!(first, Permission::Ask);
    for name in [answered, asked] {
        eventually("it is to be asked again", async || {
            (known(backend, &name).await == Permission::Ask).then_some(())
        })
        .await;
        assert_eq!(known(backend, &name).await, Permission::Asking);
    }
}
