//! Any CA that speaks ACME (RFC 8555): how it is reached, and the accounts one has there.
//!
//! Every change of an account is made in two steps, so that a process may die between them: first
//! the caller stores what will be, then the CA is told. Told twice, the CA does nothing the second
//! time.

use std::{fmt, path::PathBuf, time::Duration};

use instant_acme::Account;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    AcmeIssuer, ConfigError, Credentials, Directory, ExternalAccount, IssueError,
    account::{AccountKey, Parts},
    problem::words,
    retry::Repeat,
    transport::Transport,
    wire::{Answer, By, Post, Wire, unsigned},
};

const OPEN: &str = "open an account";
const FIND: &str = "find the account of a key";
const ROLL_OVER: &str = "change the account's key";
const SIGN_IN: &str = "sign in";

/// How an ACME CA is reached, and who asks.
#[derive(Clone, Debug)]
pub struct AcmeConfig {
    /// Where the CA is.
    pub directory: Directory,
    /// A PEM file of roots to trust for the CA's own TLS certificate, beside the system's.
    pub ca_file: Option<PathBuf>,
    /// E-mail addresses the CA may write to; none is allowed.
    pub contact: Vec<String>,
    /// The account outside of ACME to bind the account to, where the CA wants that.
    pub external_account: Option<ExternalAccount>,
    /// How long things may take.
    pub limits: Limits,
}

impl AcmeConfig {
    /// With the system's roots, no contact, no external account and the default limits.
    #[must_use]
    pub fn new(directory: Directory) -> Self {
        Self {
            directory,
            ca_file: None,
            contact: Vec::new(),
            external_account: None,
            limits: Limits::default(),
        }
    }
}

/// How long things may take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// One request and its answer.
    pub request: Duration,
    /// One order from beginning to end, tries and waits included.
    pub order: Duration,
}

impl Default for Limits {
    /// 30 seconds for a request, 5 minutes for an order.
    fn default() -> Self {
        Self {
            request: Duration::from_secs(30),
            order: Duration::from_secs(300),
        }
    }
}

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
        self.within(OPEN, self.open(parts)).await
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
            let parts = self.settled(&wire, parts).await?;
            let stored = parts.for_instant_acme(self.name(), wire.resources())?;
            let account = Account::builder_with_http(Box::new(self.transport.clone()))
                .from_credentials(stored)
                .await
                .map_err(|error| IssueError::from_acme(self.name(), SIGN_IN, error))?;
            AcmeIssuer::new(
                account,
                parts,
                wire,
                self.contact.clone(),
                self.limits.clone(),
            )
        };
        self.within(SIGN_IN, sign_in).await
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
        let Some(next) = parts.next_key.clone() else {
            return Err(IssueError::Credentials {
                ca: self.name().to_owned(),
                problem: "there is no new key beside its key".into(),
            });
        };
        self.within(ROLL_OVER, self.change_key(parts, next)).await
    }

    /// Credentials without a roll-over under way: with the new key alone if the CA knows it as the
    /// account's, else without it.
    ///
    /// # Errors
    /// [`IssueError`].
    pub async fn settle(&self, credentials: &Credentials) -> Result<Credentials, IssueError> {
        let parts = self.read(credentials)?;
        let settle = async { self.settled(&self.wire().await?, parts).await };
        Ok(self.within(FIND, settle).await?.write())
    }

    async fn open(&self, parts: Parts) -> Result<Credentials, IssueError> {
        let wire = self.wire().await?;
        let url = &wire.resources().new_account;
        let signer = parts.key.signer(self.name())?;
        let mut payload = json!({"termsOfServiceAgreed": true, "contact": self.contact});
        match &self.external_account {
            Some(external) => {
                payload["externalAccountBinding"] = external
                    .bind(&signer.jwk(), url)
                    .map_err(|_| unsigned("bind the account"))?;
            }
            None if wire.resources().meta.external_account_required => return Err(self.unbound()),
            None => {}
        }
        let request = Post {
            operation: OPEN,
            url,
            signer: &signer,
            by: By::Key,
            repeat: Repeat::Safe,
        };
        let answer = match wire.post(request, Some(&payload)).await {
            Err(error)
                if self.external_account.is_none() && error.kind() == "externalAccountRequired" =>
            {
                return Err(self.unbound());
            }
            other => other?,
        };
        let is_new = answer.status() == http::StatusCode::CREATED;
        let contact = registered(&answer)?.or_else(|| is_new.then(|| self.contact.clone()));
        let parts = Parts {
            id: Some(answer.location()?),
            contact,
            ..parts
        };
        Ok(parts.write())
    }

    async fn settled(&self, wire: &Wire, mut parts: Parts) -> Result<Parts, IssueError> {
        if let Some(next) = parts.next_key.take() {
            let found = self.find(wire, &next).await?;
            if found.is_some() && found == parts.id {
                parts.key = next;
            }
        }
        Ok(parts)
    }

    /// The URL of the account that has this key.
    async fn find(&self, wire: &Wire, key: &AccountKey) -> Result<Option<String>, IssueError> {
        let request = Post {
            operation: FIND,
            url: &wire.resources().new_account,
            signer: &key.signer(self.name())?,
            by: By::Key,
            repeat: Repeat::Safe,
        };
        match wire
            .post(request, Some(&json!({"onlyReturnExisting": true})))
            .await
        {
            Ok(answer) => answer.location().map(Some),
            Err(error) if error.kind() == "accountDoesNotExist" => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn change_key(&self, parts: Parts, next: AccountKey) -> Result<Credentials, IssueError> {
        let ca = self.name();
        let wire = self.wire().await?;
        let url = wire.resources().key_change.as_deref();
        let url = url.ok_or_else(|| IssueError::Unsupported {
            ca: ca.to_owned(),
            what: "way to change an account's key",
        })?;
        let account = parts.account(ca)?;
        let (old, new) = (parts.key.signer(ca)?, next.signer(ca)?);
        let change = json!({"account": account, "oldKey": old.jwk()});
        let inner = new
            .sign(
                json!({"jwk": new.jwk(), "url": url}),
                change.to_string().as_bytes(),
            )
            .map_err(|_| unsigned(ROLL_OVER))?;
        let request = Post {
            operation: ROLL_OVER,
            url,
            signer: &old,
            by: By::Account(account),
            repeat: Repeat::Safe,
        };
        if let Err(error) = wire.post(request, Some(&inner)).await {
            // It may have been done before, by a call of which the answer was lost.
            let known = self.find(&wire, &next).await;
            if !known.is_ok_and(|found| found.as_deref() == Some(account)) {
                return Err(error);
            }
        }
        let parts = Parts {
            key: next,
            next_key: None,
            ..parts
        };
        Ok(parts.write())
    }

    async fn wire(&self) -> Result<Wire, IssueError> {
        Wire::open(&self.directory, &self.transport).await
    }

    fn read(&self, credentials: &Credentials) -> Result<Parts, IssueError> {
        credentials.read(self.name(), self.directory.url())
    }

    fn unbound(&self) -> IssueError {
        IssueError::ExternalAccountRequired {
            ca: self.name().to_owned(),
        }
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

/// The contact of an account that is in order, if the CA shows it (RFC 8555 section 7.1.2).
fn registered(answer: &Answer) -> Result<Option<Vec<String>>, IssueError> {
    #[derive(Deserialize)]
    struct Account {
        status: String,
        #[serde(default)]
        contact: Value,
    }
    let account: Account = answer.json()?;
    if account.status != "valid" {
        let problem = format!("the account is {:?}", words(&account.status));
        return Err(answer.nonsense(problem));
    }
    Ok(serde_json::from_value(account.contact).ok())
}

impl fmt::Debug for Acme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acme")
            .field("directory", &self.directory)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

fn mailto(address: &str) -> Result<String, ConfigError> {
    let whole = address
        .split_once('@')
        .is_some_and(|(user, host)| !user.is_empty() && host.contains('.') && !host.contains('@'));
    // RFC 8555 section 7.3: one address, no header fields.
    let plain = !address
        .chars()
        .any(|c| c.is_whitespace() || c.is_control() || matches!(c, ',' | '?' | ':'));
    if whole && plain {
        Ok(format!("mailto:{address}"))
    } else {
        Err(ConfigError::Contact(address.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contacts_are_addresses() {
        assert_eq!(mailto("ops@example.com").unwrap(), "mailto:ops@example.com");
        for bad in [
            "",
            "ops",
            "@example.com",
            "ops@localhost",
            "a@b.example,c@d.example",
            "ops@example.com?subject=x",
            "mailto:ops@example.com",
            "o ps@example.com",
        ] {
            let error = mailto(bad).unwrap_err().to_string();
            assert!(error.contains("no e-mail address"), "{error}");
        }
    }
}
