//! The beginning of an attempt: making the order (RFC 8555 section 7.4).
//!
//! What the CA would refuse anyway is refused before it is asked: too many names, names that cannot
//! be validated, a profile it does not have. That an order replaces a certificate is a courtesy to
//! the CA (RFC 9773 section 5): where the CA does not take it, the order is made without.

use std::collections::BTreeMap;

use certfleet_core::{
    Identifier, NameSet, Timestamp, ari::certificate_id, budget::registered_domains,
};
use instant_acme::{NewOrder, Order};
use serde_json::{Value, json};

use super::Attempt;
use crate::{
    IssueError, Step, clock,
    retry::{Repeat, Tries},
    wire::{By, Post},
};

const CREATE: &str = "create the order";
const READ: &str = "read the order";

/// How many names a certificate may have: more than a hundred no public CA allows.
const MOST_NAMES: usize = 100;

impl Attempt<'_> {
    /// Refuses an order that cannot succeed, before it is made.
    pub(super) fn accept(&self) -> Result<(), IssueError> {
        let names = self.wanted.names;
        if names.len() > MOST_NAMES {
            return Err(IssueError::TooManyNames {
                names: names.len(),
                most: MOST_NAMES,
                split: split(names),
            });
        }
        let profiles = &self.issuer.wire.resources().meta.profiles;
        match self.wanted.profile {
            Some(profile) if !profiles.contains_key(profile) => Err(IssueError::UnknownProfile {
                ca: self.ca().to_owned(),
                profile: profile.to_owned(),
                known: profiles.keys().cloned().collect(),
            }),
            _ => self.accept_names(),
        }
    }

    /// Makes the order, once.
    pub(super) async fn create(&self) -> Result<Order, IssueError> {
        let mut replaces = self
            .wanted
            .replaces
            .filter(|_| self.issuer.wire.resources().renewal_info.is_some())
            .and_then(certificate_id);
        let order = loop {
            let order = if replaces.is_none() && self.wanted.validity.is_none() {
                self.order_plainly().await
            } else {
                self.order_with(replaces.as_deref()).await
            };
            match order {
                Err(error) if replaces.is_some() && refuses_replaces(&error) => {
                    replaces = None;
                    let problem = error.problem().map(ToString::to_string);
                    self.step(Step::ReplacesRefused {
                        problem: problem.unwrap_or_default(),
                    });
                }
                other => break other?,
            }
        };
        self.step(Step::OrderCreated {
            url: order.url().to_owned(),
            names: self.wanted.names.len(),
        });
        Ok(order)
    }

    async fn order_plainly(&self) -> Result<Order, IssueError> {
        let identifiers: Vec<_> = self
            .wanted
            .names
            .iter()
            .map(|name| match name.address() {
                Some(address) => instant_acme::Identifier::Ip(address),
                None => instant_acme::Identifier::Dns(name.to_string()),
            })
            .collect();
        let mut request = NewOrder::new(&identifiers);
        if let Some(profile) = self.wanted.profile {
            request = request.profile(profile);
        }
        let mut tries = Tries::new(Repeat::Doubles);
        loop {
            match self.issuer.account.new_order(&request).await {
                Ok(order) => return Ok(order),
                Err(error) => tries.pause(self.error(CREATE, error)).await?,
            }
        }
    }

    /// With what instant-acme has no word for, or takes too strictly: it drops an order that a CA
    /// has made without saying `replaces` again.
    async fn order_with(&self, replaces: Option<&str>) -> Result<Order, IssueError> {
        let names = self.wanted.names.iter();
        let mut payload = json!({"identifiers": names.map(identifier).collect::<Vec<_>>()});
        if let Some(profile) = self.wanted.profile {
            payload["profile"] = profile.into();
        }
        if let Some(replaces) = replaces {
            payload["replaces"] = replaces.into();
        }
        if let Some(validity) = self.wanted.validity {
            let end = clock::now().after(validity);
            payload["notAfter"] = Timestamp::from_secs(end.as_secs()).to_string().into();
        }
        let issuer = self.issuer;
        let request = Post {
            operation: CREATE,
            url: &issuer.wire.resources().new_order,
            signer: &issuer.signer,
            by: By::Account(issuer.account.id()),
            repeat: Repeat::Doubles,
        };
        let url = issuer
            .wire
            .post(request, Some(&payload))
            .await?
            .location()?;
        let mut tries = Tries::new(Repeat::Safe);
        loop {
            match issuer.account.order(url.clone()).await {
                Ok(order) => return Ok(order),
                Err(error) => tries.pause(self.error(READ, error)).await?,
            }
        }
    }
}

fn identifier(name: &Identifier) -> Value {
    let kind = name.address().map_or("dns", |_| "ip");
    json!({"type": kind, "value": name.as_str()})
}

/// Whether the order may have been refused for `replaces`: the certificate was replaced already, or
/// the CA does not find it, or not with this account. Its words are its own, so whatever is not
/// plainly about something else is taken for that; made without, the order is refused again if it
/// was not. A CA that stumbles over `replaces` would do so each time: Pebble, up to 2.6 at least,
/// fails on a certificate whose serial number begins with a zero byte, one in 256.
fn refuses_replaces(error: &IssueError) -> bool {
    match error {
        IssueError::Refused {
            status: Some(500),
            problem,
            retry_after: None,
            ..
        } => problem.label() == "serverInternal",
        IssueError::Refused {
            status: Some(400..=428 | 430..=499),
            problem,
            ..
        } => matches!(
            problem.label(),
            "alreadyReplaced" | "conflict" | "malformed" | "refused" | "unauthorized"
        ),
        _ => false,
    }
}

/// The names in sets that are small enough, those of one registered domain together where that is
/// possible.
fn split(names: &NameSet) -> Vec<NameSet> {
    let mut domains = BTreeMap::<String, Vec<Identifier>>::new();
    for name in names {
        let alone = NameSet::new([name.clone()]).expect("one name is a set");
        let domain = registered_domains(&alone).pop_first().unwrap_or_default();
        domains.entry(domain).or_default().push(name.clone());
    }
    let mut sets = Vec::<Vec<Identifier>>::new();
    for group in domains.values().flat_map(|group| group.chunks(MOST_NAMES)) {
        match sets.last_mut() {
            Some(set) if set.len() + group.len() <= MOST_NAMES => set.extend_from_slice(group),
            _ => sets.push(group.to_vec()),
        }
    }
    sets.into_iter()
        .map(|set| NameSet::new(set).expect("no group is empty"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Problem;

    #[test]
    fn names_are_split_by_registered_domain() {
        let names = |domain: &'static str, count: usize| {
            (0..count).map(move |i| format!("n{i}.{domain}").parse::<Identifier>().unwrap())
        };
        let all = names("a.example", 30)
            .chain(names("b.co.uk", 60))
            .chain(names("c.example", 120));
        let sets = split(&NameSet::new(all).unwrap());
        let sizes: Vec<_> = sets.iter().map(NameSet::len).collect();
        assert_eq!(sizes, [90, 100, 20]);
        assert_eq!(
            registered_domains(&sets[0]).into_iter().collect::<Vec<_>>(),
            ["a.example", "b.co.uk"]
        );
    }

    #[test]
    fn what_may_be_a_refusal_of_replaces_is_answered_by_an_order_without() {
        for (status, kind, refuses) in [
            (409, "alreadyReplaced", true),
            (409, "", true),
            (400, "malformed", true),
            (404, "malformed", true),
            (403, "unauthorized", true),
            (403, "rejectedIdentifier", false),
            (400, "invalidProfile", false),
            (429, "rateLimited", false),
            (429, "", false),
            (500, "serverInternal", true),
            (500, "", false),
            (503, "serverInternal", false),
        ] {
            let error = IssueError::Refused {
                ca: "ca".into(),
                operation: CREATE,
                status: Some(status),
                problem: Box::new(Problem {
                    kind: kind.into(),
                    ..Problem::default()
                }),
                retry_after: None,
                doubtful: false,
            };
            assert_eq!(refuses_replaces(&error), refuses, "{status} {kind}");
        }
    }
}
