//! The requests about an account at a CA: made or found for a key, and given another key (RFC 8555
//! section 7.3).
//!
//! Each may be made again after it was interrupted, with the same outcome.

use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    ExternalAccount, IssueError,
    account::{AccountKey, Parts},
    problem::words,
    retry::Repeat,
    wire::{Answer, By, Post, Wire, unsigned},
};

const OPEN: &str = "open an account";
const FIND: &str = "find the account of a key";
const CHANGE_KEY: &str = "change the account's key";

/// The registration of accounts at a CA.
pub(crate) struct Registration<'a> {
    wire: &'a Wire,
}

impl<'a> Registration<'a> {
    pub(crate) fn new(wire: &'a Wire) -> Self {
        Self { wire }
    }

    /// Makes an account for the key, or finds the one it has (section 7.3.1).
    pub(crate) async fn open(
        &self,
        parts: Parts,
        contact: &[String],
        external: Option<&ExternalAccount>,
    ) -> Result<Parts, IssueError> {
        let url = &self.wire.resources().new_account;
        let signer = parts.key.signer(self.wire.ca())?;
        let mut payload = json!({"termsOfServiceAgreed": true, "contact": contact});
        if let Some(external) = external {
            payload["externalAccountBinding"] = external
                .bind(&signer.jwk(), url)
                .map_err(|_| unsigned("bind the account"))?;
        } else if self.wire.resources().meta.external_account_required {
            return Err(self.unbound());
        }
        let request = Post {
            operation: OPEN,
            url,
            signer: &signer,
            by: By::Key,
            repeat: Repeat::Safe,
        };
        let answer = match self.wire.post(request, Some(&payload)).await {
            Err(error) if external.is_none() && error.kind() == "externalAccountRequired" => {
                return Err(self.unbound());
            }
            other => other?,
        };
        let is_new = answer.status() == StatusCode::CREATED;
        let contact = contact_of(&answer)?.or_else(|| is_new.then(|| contact.to_vec()));
        Ok(Parts {
            id: Some(answer.location()?),
            contact,
            ..parts
        })
    }

    /// Takes the new key for the account's if the CA does so, and drops it otherwise.
    pub(crate) async fn settle(&self, mut parts: Parts) -> Result<Parts, IssueError> {
        if let Some(next) = parts.next_key.take() {
            let found = self.find(&next).await?;
            if found.is_some() && found == parts.id {
                parts.key = next;
            }
        }
        Ok(parts)
    }

    /// Has the new key taken for the account's (section 7.3.5).
    pub(crate) async fn change_key(&self, parts: Parts) -> Result<Parts, IssueError> {
        let ca = self.wire.ca();
        let next = parts
            .next_key
            .clone()
            .ok_or_else(|| IssueError::Credentials {
                ca: ca.to_owned(),
                problem: "there is no new key beside its key".into(),
            })?;
        let url = self.wire.resources().key_change.as_deref();
        let url = url.ok_or_else(|| IssueError::Unsupported {
            ca: ca.to_owned(),
            what: "way to change an account's key",
        })?;
        let account = parts.account(ca)?;
        let (old, new) = (parts.key.signer(ca)?, next.signer(ca)?);
        let change = json!({"account": account, "oldKey": old.jwk()}).to_string();
        let header = json!({"jwk": new.jwk(), "url": url});
        let inner = new
            .sign(header, change.as_bytes())
            .map_err(|_| unsigned(CHANGE_KEY))?;
        let request = Post {
            operation: CHANGE_KEY,
            url,
            signer: &old,
            by: By::Account(account),
            repeat: Repeat::Safe,
        };
        if let Err(error) = self.wire.post(request, Some(&inner)).await {
            // It may have been done before, by a request of which the answer was lost.
            let known = self.find(&next).await;
            if !known.is_ok_and(|found| found.as_deref() == Some(account)) {
                return Err(error);
            }
        }
        Ok(Parts {
            key: next,
            next_key: None,
            ..parts
        })
    }

    /// The URL of the account that has this key.
    async fn find(&self, key: &AccountKey) -> Result<Option<String>, IssueError> {
        let request = Post {
            operation: FIND,
            url: &self.wire.resources().new_account,
            signer: &key.signer(self.wire.ca())?,
            by: By::Key,
            repeat: Repeat::Safe,
        };
        let existing = json!({"onlyReturnExisting": true});
        match self.wire.post(request, Some(&existing)).await {
            Ok(answer) => answer.location().map(Some),
            Err(error) if error.kind() == "accountDoesNotExist" => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn unbound(&self) -> IssueError {
        IssueError::ExternalAccountRequired {
            ca: self.wire.ca().to_owned(),
        }
    }
}

/// The contact of an account that is in order, if the CA shows it (section 7.1.2).
fn contact_of(answer: &Answer) -> Result<Option<Vec<String>>, IssueError> {
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
