//! `certfleet account`: the fleet's accounts at its CAs.
//!
//! Nodes make accounts and keep their contact up to date by themselves. These commands show them,
//! do at once what a node would do with its next order, and change keys.

use certfleet::{Config, accounts::Accounts};
use serde::Serialize;
use serde_json::json;

use crate::{
    cli::{Account, AccountCommand},
    failure::Failure,
    output, store,
    table::Table,
};

/// What became of one account.
#[derive(Debug, Serialize)]
struct Outcome {
    issuer: certfleet_core::IssuerName,
    outcome: &'static str,
}

/// Carries out one of the account commands, at each issuer that it is about.
pub(crate) async fn account(config: &Config, command: &AccountCommand) -> Result<(), Failure> {
    let accounts = Accounts::new(config, store::open(config).await?)?;
    let of = command.of();
    let issuers: Vec<_> = match &of.issuer {
        Some(one) => vec![one.clone()],
        None => accounts.issuers().cloned().collect(),
    };
    if issuers.is_empty() {
        return Err(Failure::NoAccounts);
    }
    let mut infos = Vec::new();
    let mut outcomes = Vec::new();
    for issuer in issuers {
        let outcome = match command {
            AccountCommand::Show { .. } => {
                infos.push(accounts.info(&issuer).await?);
                continue;
            }
            AccountCommand::Update { .. } => {
                if accounts.update(&issuer).await? {
                    "brought up to date"
                } else {
                    "up to date already"
                }
            }
            AccountCommand::RotateKey { .. } => {
                accounts.rotate_key(&issuer).await?;
                "has a new key; nodes take it up with their next order"
            }
        };
        if !of.json {
            output::text(&format!("account at {issuer}: {outcome}\n"))?;
        }
        outcomes.push(Outcome { issuer, outcome });
    }
    match command {
        AccountCommand::Show { .. } if of.json => output::json(&infos),
        AccountCommand::Show { .. } => {
            let mut table = Table::new(["issuer", "ca", "account"]);
            for info in infos {
                let url = info.url.unwrap_or_else(|| "none yet".to_owned());
                table.row([info.issuer.to_string(), info.ca, url]);
            }
            output::text(&table.to_string())
        }
        _ if of.json => output::json(&json!(outcomes)),
        _ => Ok(()),
    }
}

impl AccountCommand {
    /// Whose account it is about, and how to print.
    pub(crate) fn of(&self) -> &Account {
        match self {
            Self::Show { of } | Self::Update { of } | Self::RotateKey { of } => of,
        }
    }
}
