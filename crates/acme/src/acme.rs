//! Any CA that speaks ACME (RFC 8555), and the accounts one has there.
//!
//! Every change of an account is made in two steps, so that a process may die between them: first
//! the caller stores what will be, then the CA is told. Told twice, the CA does nothing the second
//! time.

use std::fmt;

use instant_acme::Account;

use crate::{
    AcmeConfig, AcmeIssuer, ConfigError, Credentials, Directory, ExternalAccount, IssueError,
    Limits, account::Parts, config::mailto, registration::Registration, transport::Transport,
    wire::Wire,
};

/// An ACME CA, without an account yet.
pub struct Acme {
    directory: Directory,
    contact: Vec<String>,
    external_account: Option<ExternalAccount>,
    limits: Limits,
    transport: Transport,
}

impl Acme {
    /// Checks the configuration and reads the roots; nothing is asked of the CA yet.
    ///
    /// # Errors
    /// [`ConfigError`] for a contact that is no address, a root file that cannot be used, or no
    /// root at all.
    pub fn new(config: AcmeConfig) -> Result<Self, ConfigError> {
        let contact: Result<_, _> = config.contact.iter().map(|c| mailto(c)).collect();
        Ok(Self {
            contact: contact?,
            external_account: config.external_account,
            transport: Transport::new(
                &config.directory,
                config.ca_file.as_deref(),
                config.limits.request,
            )?,
            directory: config.directory,
            limits: config.limits,
        })
    }

    /// Names the CA in keys, metrics and logs: its directory URL without the scheme.
    #[must_use]
    pub fn name(&self) -> &str {
        self.directory.name()
    }

    /// A new P-256 key for an account, which has none yet: to be stored before
    /// [`Self::open_account`]. The CA is not asked.
    ///
    /// # Errors
    /// [`IssueError::Crypto`] if there is no randomness.
    pub fn new_key(&self) -> Result<Credentials, IssueError> {
        Ok(Parts::fresh(self.directory.url())?.write())
    }

    /// Opens an account for a key, agreeing to the CA's terms of service, or finds the one it has
    /// already (RFC 8555 section 7.3.1): credentials with the account, to be stored in place of
    /// those given.
    ///
    /// # Errors
    /// [`IssueError::ExternalAccountRequired`] if the CA wants a binding and none is configured;
    /// [`IssueError`] otherwise.
    pub async fn open_account(&self, credentials: &Credentials) -> Result<Credentials, IssueError> {
        let parts = self.read(credentials)?;
        let open = async {
            let wire = self.wire().await?;
            Registration::new(&wire)
                .open(parts, &self.contact, self.external_account.as_ref())
                .await
        };
        Ok(self.within("open an account", open).await?.write())
    }

    /// Takes up an account again, after [`Self::settle`]. Where no roll-over was begun, the CA is
    /// asked for its directory only.
    ///
    /// # Errors
    /// [`IssueError::Credentials`] if they are damaged, another CA's, or a key without an account;
    /// [`IssueError`] if the CA cannot be asked.
    pub async fn sign_in(&self, credentials: &Credentials) -> Result<AcmeIssuer, IssueError> {
        let parts = self.read(credentials)?;
        parts.account(self.name())?;
        let sign_in = async {
            let wire = self.wire().await?;
            let parts = Registration::new(&wire).settle(parts).await?;
            let stored = parts.for_instant_acme(self.name(), wire.resources())?;
            let account = Account::builder_with_http(Box::new(self.transport.clone()))
                .from_credentials(stored)
                .await
                .map_err(|error| IssueError::from_acme(self.name(), "sign in", error))?;
            AcmeIssuer::new(
                account,
                parts,
                wire,
                self.contact.clone(),
                self.limits.clone(),
            )
        };
        self.within("sign in", sign_in).await
    }

    /// Whether the contact that is configured is another than the one the account was registered
    /// with, as far as `credentials` know; [`AcmeIssuer::update_contact`] is next.
    #[must_use]
    pub fn contact_differs(&self, credentials: &Credentials) -> bool {
        self.read(credentials)
            .is_ok_and(|parts| parts.contact.as_ref() != Some(&self.contact))
    }

    /// Has the CA take the new key of [`Credentials::with_next_key`] for the account's (RFC 8555
    /// section 7.3.5): credentials with that key alone, to be stored in place of those given.
    ///
    /// If an earlier call was interrupted, or its answer lost, this finds out and is done. Nobody
    /// else may do the same meanwhile.
    ///
    /// # Errors
    /// [`IssueError::Credentials`] if there is no new key or no account; [`IssueError`] otherwise,
    /// and then the same credentials are good for the next call, and for [`Self::sign_in`].
    pub async fn roll_over(&self, credentials: &Credentials) -> Result<Credentials, IssueError> {
        let parts = self.read(credentials)?;
        let change = async {
            let wire = self.wire().await?;
            Registration::new(&wire).change_key(parts).await
        };
        Ok(self
            .within("change the account's key", change)
            .await?
            .write())
    }

    /// Credentials without a roll-over under way: with the new key alone if the CA knows it as the
    /// account's, else without it.
    ///
    /// # Errors
    /// [`IssueError`].
    pub async fn settle(&self, credentials: &Credentials) -> Result<Credentials, IssueError> {
        let parts = self.read(credentials)?;
        let settle = async {
            let wire = self.wire().await?;
            Registration::new(&wire).settle(parts).await
        };
        Ok(self
            .within("settle the account's key", settle)
            .await?
            .write())
    }

    /// The directory, read.
    async fn wire(&self) -> Result<Wire, IssueError> {
        Wire::open(&self.directory, &self.transport).await
    }

    fn read(&self, credentials: &Credentials) -> Result<Parts, IssueError> {
        credentials.read(self.name(), self.directory.url())
    }

    async fn within<T>(
        &self,
        operation: &'static str,
        work: impl Future<Output = Result<T, IssueError>>,
    ) -> Result<T, IssueError> {
        let limit = self.limits.order;
        tokio::time::timeout(limit, work).await.unwrap_or_else(|_| {
            Err(IssueError::TimedOut {
                ca: self.name().to_owned(),
                operation,
                limit,
                retry_after: None,
            })
        })
    }
}

impl fmt::Debug for Acme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acme")
            .field("directory", &self.directory)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
