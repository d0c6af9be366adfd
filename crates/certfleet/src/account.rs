//! The fleet's account at one ACME CA, made by whichever node comes first.
//!
//! The account's key leaves memory only sealed, and it is in the vault before the CA hears of it: a
//! node that dies in between leaves a key with which the next one finds, or makes, the same account.
//! The same holds for a change of key. An account that is there but does not open is an error, never
//! a reason to make another.

use std::{sync::Arc, time::Duration};

use certfleet_acme::{Acme, Credentials, IssueError};
use certfleet_core::{
    FleetName, Generation, KeyRing, NodeId,
    seal::{Context, SealError, Sealed},
};
use certfleet_store::{
    Backend, CommitError, Lease, StoreError,
    lease::{self, Lost, Resource},
};
use tokio::time::sleep;

/// How often to look whether a peer has made the account.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Keeps the fleet's account at one CA.
#[derive(Clone)]
pub(crate) struct Keeper {
    pub(crate) fleet: FleetName,
    pub(crate) node: NodeId,
    pub(crate) keys: Arc<KeyRing>,
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) lease_ttl: Duration,
}

/// Why there is no account to work with.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The stored account does not open.
    #[error(
        "the fleet's account at {issuer} does not open: {source}; add its master key to the key \
         ring, or delete the account's entry to make a new one"
    )]
    Open {
        /// The issuer, by its name.
        issuer: String,
        /// Why.
        source: SealError,
    },
    /// The fleet has no account there.
    #[error("the fleet has no account at {0} yet; it is made with the first order")]
    None(String),
    /// The CA refused or failed.
    #[error(transparent)]
    Issue(#[from] IssueError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was changed was not kept.
    #[error("the account was not kept: {0}")]
    Keep(#[from] CommitError),
    /// The lease was lost while the account was made or changed.
    #[error(transparent)]
    Lost(#[from] Lost),
}

/// What was done to have the account as it is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    Nothing,
    Created,
    Changed,
}

impl Keeper {
    /// The account's credentials, good to sign in with; the account is made, or brought up to the
    /// configuration, where that is needed.
    pub(crate) async fn open(&self, acme: &Acme) -> Result<(Credentials, Done), AccountError> {
        loop {
            if let Some(credentials) = self.stored(acme).await?
                && acme.is_settled(&credentials)
            {
                return Ok((credentials, Done::Nothing));
            }
            if let Some(lease) = self.lease(acme).await? {
                return self.under(&lease, self.settle(acme, &lease)).await;
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    /// Gives the account another key (RFC 8555 section 7.3.5).
    pub(crate) async fn rotate_key(&self, acme: &Acme) -> Result<Credentials, AccountError> {
        let lease = loop {
            match self.lease(acme).await? {
                Some(lease) => break lease,
                None => sleep(LOOK_AGAIN).await,
            }
        };
        let rotate = async {
            self.stored(acme)
                .await?
                .ok_or_else(|| AccountError::None(acme.name().to_owned()))?;
            let (credentials, _) = self.settle(acme, &lease).await?;
            let both = credentials.with_next_key()?;
            self.keep(acme, &lease, &both).await?;
            let changed = acme.settle(&both).await?;
            self.keep(acme, &lease, &changed).await?;
            Ok(changed)
        };
        self.under(&lease, rotate).await
    }

    /// What the vault holds, if it holds something.
    pub(crate) async fn stored(&self, acme: &Acme) -> Result<Option<Credentials>, AccountError> {
        match self.backend.account(acme.name()).await? {
            Some(sealed) => self.unseal(acme, &sealed).map(Some),
            None => Ok(None),
        }
    }

    /// Makes of what stands in the vault an account as the configuration wants it.
    async fn settle(
        &self,
        acme: &Acme,
        lease: &Lease,
    ) -> Result<(Credentials, Done), AccountError> {
        // A peer may have done it between our look and the lease.
        let (before, created) = match self.stored(acme).await? {
            Some(credentials) if acme.is_settled(&credentials) => {
                return Ok((credentials, Done::Nothing));
            }
            Some(credentials) => {
                let created = !credentials.has_account();
                (credentials, created)
            }
            None => {
                let credentials = acme.new_key()?;
                self.keep(acme, lease, &credentials).await?;
                (credentials, true)
            }
        };
        let settled = acme.settle(&before).await?;
        self.keep(acme, lease, &settled).await?;
        let done = if created { Done::Created } else { Done::Changed };
        Ok((settled, done))
    }

    async fn lease(&self, acme: &Acme) -> Result<Option<Lease>, AccountError> {
        let resource = Resource::Account(acme.name().to_owned());
        let lease = self.backend.acquire(&resource, &self.node, self.lease_ttl);
        Ok(lease.await?)
    }

    /// Works under the lease, and gives it back.
    async fn under<T>(
        &self,
        lease: &Lease,
        work: impl Future<Output = Result<T, AccountError>>,
    ) -> Result<T, AccountError> {
        let done = lease::hold(&*self.backend, lease, work).await;
        if let Err(error) = self.backend.release(lease).await {
            tracing::warn!(%error, "the account's lease was not given back; it will expire");
        }
        done?
    }

    async fn keep(
        &self,
        acme: &Acme,
        lease: &Lease,
        credentials: &Credentials,
    ) -> Result<(), AccountError> {
        let sealed = self.keys.seal(&self.context(acme), credentials.as_bytes());
        let kept = self.backend.keep_account(lease, acme.name(), &sealed);
        Ok(kept.await?)
    }

    fn unseal(&self, acme: &Acme, sealed: &Sealed) -> Result<Credentials, AccountError> {
        let opened = self
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
            fleet: &self.fleet,
            kind: "account",
            record: acme.name(),
            generation: Generation::ZERO,
        }
    }
}
