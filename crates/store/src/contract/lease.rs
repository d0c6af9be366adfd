//! Leases: one holder at a time, and ever higher tokens.

use std::time::Duration;

use tokio::time::sleep;

use super::{
    BRIEF, LONG, eventually,
    sample::{lease, node, resource},
};
use crate::{
    Backend, Lease,
    lease::{Grant, Resource},
};

async fn brief(backend: &dyn Backend) -> Lease {
    let granted = backend
        .acquire(&resource("a.example"), &node("node-a"), BRIEF)
        .await;
    granted.unwrap().unwrap()
}

async fn wait_for_another(backend: &dyn Backend) -> Lease {
    eventually("the lease expires", async || {
        let granted = backend
            .acquire(&resource("a.example"), &node("node-b"), LONG)
            .await;
        granted.unwrap()
    })
    .await
}

/// While one holds a lease nobody else gets it, the same node included.
pub async fn is_exclusive(backend: &dyn Backend) {
    let held = lease(backend, "a.example").await;
    assert!(held.owner.starts_with("node-a/"), "{}", held.owner);
    assert_eq!((&held.resource, held.ttl), (&resource("a.example"), LONG));
    for name in ["node-a", "node-b"] {
        let granted = backend.acquire(&held.resource, &node(name), LONG).await;
        assert_eq!(granted.unwrap(), None, "to {name}");
    }
}

/// Leases on different things are apart, and their tokens differ.
pub async fn of_another_resource_is_free(backend: &dyn Backend) {
    let first = lease(backend, "a.example").await;
    let second = lease(backend, "b.example").await;
    let account = Resource::Account("a.example".to_owned());
    let third = backend.acquire(&account, &node("node-a"), LONG).await;
    assert!(first.fencing < second.fencing);
    assert!(second.fencing < third.unwrap().unwrap().fencing);
}

/// A lease ends without anyone's doing.
pub async fn expires_by_itself_and_the_next_has_a_higher_token(backend: &dyn Backend) {
    let first = brief(backend).await;
    let second = wait_for_another(backend).await;
    assert!(second.fencing > first.fencing);
    assert_ne!(second.owner, first.owner);
}

/// An extended lease outlives its first time to live.
pub async fn extension_keeps_it_alive(backend: &dyn Backend) {
    let ttl = Duration::from_secs(1);
    let resource = resource("a.example");
    let granted = backend.acquire(&resource, &node("node-a"), ttl).await;
    let held = granted.unwrap().unwrap();
    for _ in 0..4 {
        sleep(ttl * 2 / 5).await;
        assert!(backend.extend(&held).await.unwrap());
    }
    let granted = backend.acquire(&resource, &node("node-b"), LONG).await;
    assert_eq!(granted.unwrap(), None);
}

/// Someone else's lease is not extended.
pub async fn is_extended_by_its_owner_only(backend: &dyn Backend) {
    let held = lease(backend, "a.example").await;
    let owner = Lease::new_owner(&node("node-a"));
    assert!(!backend.extend(&Lease { owner, ..held }).await.unwrap());
}

/// Someone else's lease is not released, one's own is, once.
pub async fn is_released_by_its_owner_only(backend: &dyn Backend) {
    let held = lease(backend, "a.example").await;
    let owner = Lease::new_owner(&node("node-a"));
    let other = Lease {
        owner,
        ..held.clone()
    };
    assert!(!backend.release(&other).await.unwrap());
    assert!(backend.extend(&held).await.unwrap(), "it is still held");
    assert!(backend.release(&held).await.unwrap());
    assert!(!backend.release(&held).await.unwrap(), "it is gone");
    lease(backend, "a.example").await;
}

/// Who held an expired lease can neither extend nor release it, and so not the next holder's.
pub async fn is_gone_for_its_owner_once_expired(backend: &dyn Backend) {
    let first = brief(backend).await;
    let second = wait_for_another(backend).await;
    assert!(!backend.extend(&first).await.unwrap());
    assert!(!backend.release(&first).await.unwrap());
    assert!(backend.extend(&second).await.unwrap());
}

/// Everyone can see who holds what, and for how long.
pub async fn holders_are_listed_in_order(backend: &dyn Backend) {
    assert_eq!(backend.holders().await.unwrap(), []);
    let second = lease(backend, "b.example").await;
    let first = lease(backend, "a.example").await;
    let holders = backend.holders().await.unwrap();
    let seen: Vec<_> = holders
        .iter()
        .map(|holder| {
            (
                holder.resource.as_str(),
                holder.node.as_str(),
                holder.fencing,
            )
        })
        .collect();
    assert_eq!(
        seen,
        [
            ("certificate:a.example", "node-a", first.fencing),
            ("certificate:b.example", "node-a", second.fencing),
        ]
    );
    for holder in holders {
        assert!(
            holder.remaining > LONG / 2 && holder.remaining <= LONG,
            "{holder:?}"
        );
    }
    assert!(backend.release(&first).await.unwrap());
    assert_eq!(backend.holders().await.unwrap().len(), 1);
}

/// No more certificates are worked on at once than may be; accounts are not counted.
pub async fn on_certificates_are_bounded(backend: &dyn Backend) {
    let acquire = async |name: &str, most| {
        let resource = resource(name);
        backend
            .acquire_within(&resource, &node("node-a"), LONG, most)
            .await
            .unwrap()
    };
    let account = Resource::Account("ca.example".to_owned());
    for _ in 0..2 {
        let within = backend
            .acquire_within(&account, &node("node-a"), LONG, 0)
            .await;
        let Grant::Granted(held) = within.unwrap() else {
            panic!("accounts are not bounded");
        };
        assert!(backend.release(&held).await.unwrap());
    }
    backend
        .acquire(&account, &node("node-a"), LONG)
        .await
        .unwrap();

    assert_eq!(acquire("a.example", 0).await, Grant::Full);
    let Grant::Granted(first) = acquire("a.example", 2).await else {
        panic!("there is room for two");
    };
    assert!(matches!(acquire("b.example", 2).await, Grant::Granted(_)));
    assert_eq!(acquire("c.example", 2).await, Grant::Full);
    assert_eq!(acquire("b.example", 2).await, Grant::Held);
    assert!(matches!(acquire("c.example", 3).await, Grant::Granted(_)));
    assert!(backend.extend(&first).await.unwrap());
    assert_eq!(acquire("d.example", 3).await, Grant::Full);
    assert!(backend.release(&first).await.unwrap());
    assert!(matches!(acquire("d.example", 3).await, Grant::Granted(_)));
}

/// A dead node's leases make room as they run out, whoever holds others.
pub async fn that_ran_out_make_room(backend: &dyn Backend) {
    lease(backend, "c.example").await;
    brief(backend).await;
    let (other, node) = (resource("b.example"), node("node-b"));
    let within = || backend.acquire_within(&other, &node, LONG, 2);
    assert_eq!(within().await.unwrap(), Grant::Full);
    eventually("there is room", async || {
        matches!(within().await.unwrap(), Grant::Granted(_)).then_some(())
    })
    .await;
}
