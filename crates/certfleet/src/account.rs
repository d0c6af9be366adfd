//! The fleet's account at one ACME CA, made by whichever node comes first.
//!
//! The account's key leaves memory only sealed, and it is in the vault before the CA hears of it: a
//! node that dies in between leaves a key with which the next one finds, or makes, the same account.
//! The same holds for a change of key. An account that is there but does not open is an error, never
//! a reason to make another.

use std::{sync::Arc, time::Duration};

use certfleet_acme::{Acme, Credentials, IssueError};
use certfleet_core::{
    FleetName, Generation, IssuerName, KeyRing, NodeId,
    seal::{Context, SealError, Sealed},
};
use certfleet_store::{
    Backend, CommitError, Lease, StoreError,
    lease::{self, Lost, Resource},
};
use tokio::time::sleep;

use crate::config::Config;

/// How often to look whether a peer has made the account.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Keeps the fleet's account at one CA.
#[derive(Clone)]
pub(crate) struct Keeper {
    fleet: FleetName,
    node: NodeId,
    keys: Arc<KeyRing>,
    backend: Arc<dyn Backend>,
    lease_ttl: Duration,
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
    /// No such issuer has accounts.
    #[error("no ACME issuer is called {0} in this configuration")]
    NotAcme(IssuerName),
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

impl Done {
    /// Whether anything was.
    pub(crate) fn is_something(self) -> bool {
        self != Self::Nothing
    }
}

/// Whether nothing is to be done before these are of use.
fn is_settled(acme: &Acme, credentials: &Credentials) -> bool {
    credentials.has_account()
        && !credentials.is_rolling_over()
        && !acme.contact_differs(credentials)
}

/// What was done to have the account as it is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Done {
    Nothing,
    Created,
    Changed,
}

impl Keeper {
    /// Keeps the accounts of the fleet that `config` is of.
    pub(crate) fn new(config: &Config, backend: Arc<dyn Backend>) -> Self {
        Self {
            fleet: config.fleet.clone(),
            node: config.node.clone(),
            keys: Arc::clone(&config.keys),
            backend,
            lease_ttl: config.lease_ttl,
        }
    }

    /// The account's credentials, good to sign in with; the account is made, or brought up to the
    /// configuration, where that is needed.
    pub(crate) async fn open(&self, acme: &Acme) -> Result<(Credentials, Done), AccountError> {
        loop {
            if let Some(credentials) = self.stored(acme).await?
                && is_settled(acme, &credentials)
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
    pub(crate) async fn rotate_key(&self, acme: &Acme) -> Result<(), AccountError> {
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
            let changed = acme.roll_over(&both).await?;
            self.keep(acme, &lease, &changed).await?;
            Ok(())
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
        let mut credentials = match self.stored(acme).await? {
            Some(credentials) if is_settled(acme, &credentials) => {
                return Ok((credentials, Done::Nothing));
            }
            Some(credentials) => credentials,
            None => {
                let credentials = acme.new_key()?;
                self.keep(acme, lease, &credentials).await?;
                credentials
            }
        };
        let mut done = Done::Changed;
        if !credentials.has_account() {
            credentials = acme.open_account(&credentials).await?;
            self.keep(acme, lease, &credentials).await?;
            done = Done::Created;
        }
        if credentials.is_rolling_over() {
            credentials = acme.settle(&credentials).await?;
            self.keep(acme, lease, &credentials).await?;
        }
        if acme.contact_differs(&credentials) {
            let issuer = acme.sign_in(&credentials).await?;
            credentials = issuer.update_contact(&credentials).await?;
            self.keep(acme, lease, &credentials).await?;
        }
        Ok((credentials, done))
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
