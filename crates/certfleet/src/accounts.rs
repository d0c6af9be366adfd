//! The fleet's accounts at its ACME issuers, for operators: what they are, and changes to them.
//!
//! Nodes make accounts themselves, with the first order, and bring the contact up to the
//! configuration whenever they sign in; nothing here is needed for that.

use std::{collections::BTreeMap, fmt, sync::Arc};

use certfleet_acme::Acme;
use certfleet_core::IssuerName;
use certfleet_store::Backend;
use serde::Serialize;

use crate::{
    account::{AccountError, Keeper},
    assembly,
    config::{Config, IssuerKind},
    error::FleetError,
    issuers::Source,
};

/// The accounts of one fleet.
pub struct Accounts {
    keeper: Keeper,
    issuers: BTreeMap<IssuerName, Arc<Acme>>,
}

/// An account at an issuer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccountInfo {
    /// The issuer's name in configuration.
    pub issuer: IssuerName,
    /// The issuer's name in records.
    pub ca: String,
    /// The account's URL at the CA; `None` if the fleet has none there yet.
    pub url: Option<String>,
}

impl Accounts {
    /// The accounts at the ACME issuers of `config`; nothing is asked of anyone yet.
    ///
    /// # Errors
    /// If an issuer cannot be set up from its settings.
    pub fn new(config: &Config, backend: Arc<dyn Backend>) -> Result<Self, FleetError> {
        let mut issuers = BTreeMap::new();
        for (name, issuer) in &config.issuers {
            if matches!(issuer.kind, IssuerKind::Acme(_))
                && let Source::Acme(acme) = assembly::source(issuer)?
            {
                issuers.insert(name.clone(), acme);
            }
        }
        Ok(Self {
            keeper: Keeper::new(config, backend),
            issuers,
        })
    }

    /// The issuers that accounts may be at.
    pub fn issuers(&self) -> impl Iterator<Item = &IssuerName> {
        self.issuers.keys()
    }

    /// What account there is at an issuer.
    ///
    /// # Errors
    /// If it does not open, or the CA or the store fails.
    pub async fn info(&self, name: &IssuerName) -> Result<AccountInfo, AccountError> {
        let acme = self.acme(name)?;
        let url = match self.keeper.stored(acme).await? {
            Some(credentials) if credentials.has_account() => {
                let issuer = acme.sign_in(&credentials).await?;
                Some(issuer.account_url().to_owned())
            }
            _ => None,
        };
        Ok(AccountInfo {
            issuer: name.clone(),
            ca: acme.name().to_owned(),
            url,
        })
    }

    /// Has the account at an issuer as the configuration wants it: made if there is none, its
    /// contact brought up to date, a change of key that was interrupted finished. `true` if
    /// something was to be done.
    ///
    /// # Errors
    /// If the CA or the store fails.
    pub async fn update(&self, name: &IssuerName) -> Result<bool, AccountError> {
        let (_, done) = self.keeper.open(self.acme(name)?).await?;
        Ok(done.is_something())
    }

    /// Gives the account at an issuer another key (RFC 8555 section 7.3.5). Nodes take it up with
    /// their next order.
    ///
    /// # Errors
    /// [`AccountError::None`] if there is no account; or if the CA or the store fails.
    pub async fn rotate_key(&self, name: &IssuerName) -> Result<(), AccountError> {
        self.keeper.rotate_key(self.acme(name)?).await
    }

    fn acme(&self, name: &IssuerName) -> Result<&Acme, AccountError> {
        let acme = self.issuers.get(name);
        acme.map(|acme| &**acme)
            .ok_or_else(|| AccountError::NotAcme(name.clone()))
    }
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Accounts")
            .field("issuers", &self.issuers)
            .finish_non_exhaustive()
    }
}
