//! The account vault.

use certfleet_core::{
    Generation,
    seal::{Context, Sealed},
};

use super::{
    LONG,
    sample::{fleet, lease, node, ring},
};
use crate::{Backend, CommitError, Lease, lease::Resource};

const ISSUER: &str = "https://acme.example:14000/dir?a=b c/..";

fn account(issuer: &str, text: &str) -> Sealed {
    let context = Context {
        fleet: &fleet(),
        kind: "account",
        record: issuer,
        generation: Generation::ZERO,
    };
    ring().seal(&context, text.as_bytes())
}

async fn account_lease(backend: &dyn Backend, issuer: &str) -> Lease {
    let resource = Resource::Account(issuer.to_owned());
    let granted = backend.acquire(&resource, &node("node-a"), LONG).await;
    granted.unwrap().unwrap()
}

/// An account is kept by who holds its lease, comes back as it was, and may be replaced.
pub async fn is_kept_under_its_lease_only(backend: &dyn Backend) {
    assert_eq!(backend.account(ISSUER).await.unwrap(), None);
    let held = account_lease(backend, ISSUER).await;
    for text in ["first", "second"] {
        let account = account(ISSUER, text);
        backend.keep_account(&held, ISSUER, &account).await.unwrap();
        assert_eq!(backend.account(ISSUER).await.unwrap(), Some(account));
    }

    let kept = backend.account(ISSUER).await.unwrap();
    assert!(backend.release(&held).await.unwrap());
    let elsewhere = lease(backend, "a.example").await;
    for wrong in [held, elsewhere] {
        let result = backend
            .keep_account(&wrong, ISSUER, &account(ISSUER, "third"))
            .await;
        let Err(CommitError::LeaseLost { resource }) = result else {
            panic!("{result:?}");
        };
        assert_eq!(resource, Resource::Account(ISSUER.to_owned()));
    }
    assert_eq!(backend.account(ISSUER).await.unwrap(), kept);
}

/// Accounts at different issuers are apart, however alike their names.
pub async fn is_one_for_each_issuer(backend: &dyn Backend) {
    let issuers = ["https://ca.example/dir", "https://ca.example:dir", "ca"];
    for issuer in issuers {
        let held = account_lease(backend, issuer).await;
        let account = account(issuer, issuer);
        backend.keep_account(&held, issuer, &account).await.unwrap();
    }
    for issuer in issuers {
        let kept = backend.account(issuer).await.unwrap().unwrap();
        let context = Context {
            fleet: &fleet(),
            kind: "account",
            record: issuer,
            generation: Generation::ZERO,
        };
        assert_eq!(*ring().open(&context, &kept).unwrap(), issuer.as_bytes());
    }
}
