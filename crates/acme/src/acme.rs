//! Any CA that speaks ACME (RFC 8555): accounts, and the issuer that one signs in to.

use std::{fmt, path::PathBuf, time::Duration};

use async_trait::async_trait;
use certfleet_core::Bundle;
use instant_acme::{Account, NewAccount, RevocationRequest};

use crate::{
    ConfigError, Credentials, Directory, IssueError, Issuer, Order, Revocation,
    attempt::Attempt,
    retry::{Repeat, Tries},
    transport::Transport,
};

/// How an ACME CA is reached, and who asks.
#[derive(Clone, Debug)]
pub struct AcmeConfig {
    /// Where the CA is.
    pub directory: Directory,
    /// A PEM file of roots to trust for the CA's own TLS certificate, beside the system's.
    pub ca_file: Option<PathBuf>,
    /// E-mail addresses the CA may write to; none is allowed.
    pub contact: Vec<String>,
    /// How long things may take.
    pub limits: Limits,
}

impl AcmeConfig {
    /// With the system's roots, no contact and the default limits.
    #[must_use]
    pub fn new(directory: Directory) -> Self {
        Self {
            directory,
            ca_file: None,
            contact: Vec::new(),
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

    /// Makes an account with a fresh P-256 key, agreeing to the CA's terms of service.
    ///
    /// # Errors
    /// [`IssueError`]; an answer that was lost leaves an account behind that no one has the key of.
    pub async fn create_account(&self) -> Result<Credentials, IssueError> {
        const OPERATION: &str = "create an account";
        let contact: Vec<_> = self.contact.iter().map(String::as_str).collect();
        let account = NewAccount {
            contact: &contact,
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let create = async {
            let mut tries = Tries::new(Repeat::Doubles);
            loop {
                match Account::builder_with_http(Box::new(self.transport.clone()))
                    .create(&account, self.directory.url().to_owned(), None)
                    .await
                {
                    Ok((_, credentials)) => return Ok(Credentials::write(&credentials)),
                    Err(error) => tries.pause(self.error(OPERATION, error)).await?,
                }
            }
        };
        self.within(OPERATION, create).await
    }

    /// Takes up an account again. The CA is asked for its directory only.
    ///
    /// # Errors
    /// [`IssueError::Credentials`] if they are damaged or another CA's; [`IssueError`] if the
    /// directory cannot be had.
    pub async fn sign_in(&self, credentials: &Credentials) -> Result<AcmeIssuer, IssueError> {
        const OPERATION: &str = "read the directory";
        let sign_in = async {
            let mut tries = Tries::new(Repeat::Safe);
            loop {
                match Account::builder_with_http(Box::new(self.transport.clone()))
                    .from_credentials(credentials.read(self.name(), self.directory.url())?)
                    .await
                {
                    Ok(account) => return Ok(account),
                    Err(error) => tries.pause(self.error(OPERATION, error)).await?,
                }
            }
        };
        Ok(AcmeIssuer {
            account: self.within(OPERATION, sign_in).await?,
            name: self.name().to_owned(),
            limits: self.limits.clone(),
        })
    }

    fn error(&self, operation: &'static str, error: instant_acme::Error) -> IssueError {
        IssueError::from_acme(self.name(), operation, error)
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

impl fmt::Debug for Acme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acme")
            .field("directory", &self.directory)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

/// An account at an ACME CA, ready for orders.
pub struct AcmeIssuer {
    account: Account,
    name: String,
    limits: Limits,
}

impl AcmeIssuer {
    /// The account's URL at the CA.
    #[must_use]
    pub fn account_url(&self) -> &str {
        self.account.id()
    }
}

#[async_trait]
impl Issuer for AcmeIssuer {
    fn name(&self) -> &str {
        &self.name
    }

    async fn issue(&self, order: Order<'_>) -> Result<Bundle, IssueError> {
        Attempt::new(&self.name, &self.account, &self.limits, order)
            .run()
            .await
    }

    async fn revoke(&self, revocation: Revocation<'_>) -> Result<(), IssueError> {
        const OPERATION: &str = "revoke the certificate";
        let request = RevocationRequest {
            certificate: revocation.certificate,
            reason: None,
        };
        let mut tries = Tries::new(Repeat::Safe);
        loop {
            match self.account.revoke(&request).await {
                Ok(()) => return Ok(()),
                Err(error) => {
                    let error = IssueError::from_acme(&self.name, OPERATION, error);
                    if error.kind() == "alreadyRevoked" {
                        return Ok(());
                    }
                    tries.pause(error).await?;
                }
            }
        }
    }
}

impl fmt::Debug for AcmeIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcmeIssuer")
            .field("name", &self.name)
            .field("account", &self.account.id())
            .finish_non_exhaustive()
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
