//! Accounts: the fleet has one account at its CA, made by whichever node comes first.
//!
//! The account's key leaves memory only sealed. An account that is there but does not open is an
//! error, never a reason to make another.

use std::{sync::Arc, time::Duration};

use certfleet_acme::{Acme, Credentials, IssueError, Issuer};
use certfleet_core::{
    Generation,
    seal::{Context, SealError, Sealed},
};
use certfleet_store::{
    CommitError, Lease, StoreError,
    event::EventKind,
    lease::{self, Lost, Resource},
};
use tokio::{sync::OnceCell, time::sleep};

use crate::node::Node;

/// How often to look whether a peer has made the account.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Where certificates come from.
#[derive(Clone)]
pub(crate) enum Source {
    /// An issuer that needs no account.
    Direct(Arc<dyn Issuer>),
    /// An ACME CA, where the fleet has an account.
    Acme(Arc<Acme>),
}

/// Gives the issuer, signed in with the fleet's account.
pub(crate) struct Accounts {
    node: Arc<Node>,
    source: Source,
    lease_ttl: Duration,
    signed_in: OnceCell<Arc<dyn Issuer>>,
}

/// Why there is no account to work with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AccountError {
    /// The stored account does not open.
    #[error(
        "the fleet's account at {issuer} does not open: {source}; add its master key to the key ring, or delete the account's entry to make a new one"
    )]
    Open { issuer: String, source: SealError },
    /// The CA refused or failed.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The new account was not kept.
    #[error("the new account was not kept: {0}")]
    Keep(#[from] CommitError),
    /// The lease was lost while the account was made.
    #[error(transparent)]
    Lost(#[from] Lost),
}

impl Accounts {
    /// Accounts at `source`.
    pub(crate) fn new(node: Arc<Node>, source: Source, lease_ttl: Duration) -> Self {
        Self {
            node,
            source,
            lease_ttl,
            signed_in: OnceCell::new(),
        }
    }

    /// The issuer, ready to issue.
    pub(crate) async fn issuer(&self) -> Result<Arc<dyn Issuer>, AccountError> {
        match &self.source {
            Source::Direct(issuer) => Ok(Arc::clone(issuer)),
            Source::Acme(acme) => self
                .signed_in
                .get_or_try_init(|| self.sign_in(acme))
                .await
                .map(Arc::clone),
        }
    }

    async fn sign_in(&self, acme: &Acme) -> Result<Arc<dyn Issuer>, AccountError> {
        let credentials = loop {
            if let Some(sealed) = self.node.backend.account(acme.name()).await? {
                break self.open(acme, &sealed)?;
            }
            let resource = Resource::Account(acme.name().to_owned());
            match self
                .node
                .backend
                .acquire(&resource, &self.node.id, self.lease_ttl)
                .await?
            {
                None => sleep(LOOK_AGAIN).await,
                Some(lease) => {
                    let backend = &*self.node.backend;
                    let made = lease::hold(backend, &lease, self.create(acme, &lease)).await;
                    if let Err(error) = backend.release(&lease).await {
                        tracing::warn!(%error, "the account's lease was not given back; it will expire");
                    }
                    break made??;
                }
            }
        };
        Ok(Arc::new(acme.sign_in(&credentials).await?))
    }

    async fn create(&self, acme: &Acme, lease: &Lease) -> Result<Credentials, AccountError> {
        let node = &*self.node;
        // A peer may have made it between our look and the lease.
        if let Some(sealed) = node.backend.account(acme.name()).await? {
            return self.open(acme, &sealed);
        }
        let credentials = acme.create_account().await?;
        let sealed = node.keys.seal(&self.context(acme), credentials.as_bytes());
        node.backend
            .keep_account(lease, acme.name(), &sealed)
            .await?;
        node.note(EventKind::AccountCreated, acme.name(), "");
        Ok(credentials)
    }

    fn open(&self, acme: &Acme, sealed: &Sealed) -> Result<Credentials, AccountError> {
        let opened = self
            .node
            .keys
            .open(&self.context(acme), sealed)
            .map_err(|source| AccountError::Open {
                issuer: acme.name().to_owned(),
                source,
            })?;
        Ok(Credentials::from_bytes(&opened))
    }

    fn context<'a>(&'a self, acme: &'a Acme) -> Context<'a> {
        Context {
            fleet: &self.node.fleet,
            kind: "account",
            record: acme.name(),
            generation: Generation::ZERO,
        }
    }
}
