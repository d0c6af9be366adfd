//! A provider that the crate dns-update speaks to.
//!
//! Its errors are mostly text; they are sorted here by who must act, and cleared of secrets.

use std::fmt;

use async_trait::async_trait;
use dns_update::{DnsRecord, DnsRecordType, DnsUpdater, Error};

use crate::{
    DnsError, DnsProvider, Lookup, TxtRecord,
    call::{Fault, Turns, place},
    options::{Options, Problem},
    zone::ZoneFinder,
};

/// A provider by dns-update.
pub(crate) struct Updater {
    client: DnsUpdater,
    options: Options,
    zone: ZoneFinder,
    lookup: Lookup,
    /// The TTL of new records; `None` where a name holds one value alone.
    ttl: Option<u32>,
    turns: Turns,
}

impl Updater {
    /// One that adds to record sets and takes from them.
    pub(crate) fn adding(
        client: DnsUpdater,
        options: &Options,
        lookup: &Lookup,
        ttl: u32,
    ) -> Result<Self, Problem> {
        Ok(Self {
            ttl: Some(options.parse("ttl")?.unwrap_or(ttl)),
            ..Self::replacing(client, options, lookup)
        })
    }

    /// One that sets the only value that a name can hold.
    pub(crate) fn replacing(client: DnsUpdater, options: &Options, lookup: &Lookup) -> Self {
        Self {
            client,
            options: options.clone(),
            zone: ZoneFinder::new(options.opt("zone"), lookup),
            lookup: lookup.clone(),
            ttl: None,
            turns: Turns::default(),
        }
    }

    async fn change(&self, change: Change, record: &TxtRecord) -> Result<(), DnsError> {
        let place = place(&self.options, record);
        let call = async {
            let zone = self.zone.find(&place).await?;
            let done = match (self.ttl, change) {
                (Some(ttl), change) => change.carry_out(&self.client, record, &zone, ttl).await,
                (None, Change::Set) => replace(&self.client, record, &zone, true).await,
                (None, Change::Remove) if self.another_stands(record).await => Ok(()),
                (None, Change::Remove) => replace(&self.client, record, &zone, false).await,
            };
            done.map_err(|error| {
                let place = place.clone().within(zone);
                sort(&error).at(&self.options, &place, error.to_string())
            })
        };
        self.turns.take(&place, call).await
    }

    /// Whether the name's only value is seen to be another than `record`'s.
    async fn another_stands(&self, record: &TxtRecord) -> bool {
        self.lookup
            .txt(&record.name)
            .await
            .is_ok_and(|values| !values.is_empty() && !values.contains(&record.value))
    }
}

#[async_trait]
impl DnsProvider for Updater {
    fn name(&self) -> &str {
        self.options.kind().name
    }

    async fn set(&self, record: &TxtRecord) -> Result<(), DnsError> {
        self.change(Change::Set, record).await
    }

    async fn remove(&self, record: &TxtRecord) -> Result<(), DnsError> {
        self.change(Change::Remove, record).await
    }
}

impl fmt::Debug for Updater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Updater")
            .field("kind", &self.options.kind().name)
            .finish_non_exhaustive()
    }
}

/// What is to be done with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Set,
    Remove,
}

impl Change {
    /// Adds the value to, or takes it from, the record set at its name.
    pub(crate) async fn carry_out(
        self,
        client: &DnsUpdater,
        record: &TxtRecord,
        zone: &str,
        ttl: u32,
    ) -> Result<(), Error> {
        let values = vec![DnsRecord::TXT(record.value.clone())];
        let (name, kind) = (record.name.as_str(), DnsRecordType::TXT);
        match self {
            Self::Set => client.add_to_rrset(name, kind, ttl, values, zone).await,
            Self::Remove => client.remove_from_rrset(name, kind, values, zone).await,
        }
    }
}

async fn replace(
    client: &DnsUpdater,
    record: &TxtRecord,
    zone: &str,
    stands: bool,
) -> Result<(), Error> {
    let values = stands.then(|| DnsRecord::TXT(record.value.clone()));
    client
        .set_rrset(
            record.name.as_str(),
            DnsRecordType::TXT,
            0,
            values.into_iter().collect(),
            zone,
        )
        .await
}

/// Sorts an error of dns-update: its variants tell little, its text carries the HTTP status.
fn sort(error: &Error) -> Fault {
    match error {
        Error::Unauthorized => Fault::Credentials,
        Error::NotFound => Fault::NoZone,
        Error::Client(_) | Error::Protocol(_) | Error::Serialize(_) => Fault::Unavailable,
        Error::Api(text) => sort_text(text),
        _ => Fault::Rejected,
    }
}

fn sort_text(text: &str) -> Fault {
    if let Some(code) = status(text).filter(|code| Fault::of_status(*code) != Fault::Rejected) {
        return Fault::of_status(code);
    }
    let text = text.to_ascii_lowercase();
    let has = |words: &&str| text.contains(words);
    let told = SAYINGS.iter().find(|(words, _)| words.iter().any(has));
    if let Some((_, fault)) = told {
        return *fault;
    }
    let zone = ["zone", "domain"].iter().any(has);
    if zone && ["not found", "no ", "does not exist"].iter().any(has) {
        return Fault::NoZone;
    }
    Fault::Rejected
}

/// Words in errors that carry no status, and who must act on them; the first that fits counts.
const SAYINGS: &[(&[&str], Fault)] = &[
    (
        &["failed to send", "error sending request", "failed to read"],
        Fault::Unavailable,
    ),
    (
        &[
            "rate limit",
            "throttl",
            "too many requests",
            "rate exceeded",
        ],
        Fault::Unavailable,
    ),
    (
        &[
            "token exchange failed",
            "unauthorized",
            "authentication",
            "access denied",
        ],
        Fault::Credentials,
    ),
];

/// The HTTP status that dns-update writes as `HTTP 503` or, for AWS, `error: 503 Service`.
fn status(text: &str) -> Option<u16> {
    ["HTTP ", "API error: "].iter().find_map(|before| {
        let (_, after) = text.split_once(before)?;
        let code: u16 = after.get(..3)?.parse().ok()?;
        (100..600).contains(&code).then_some(code)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_sorted_by_who_must_act() {
        let api = |text: &str| Error::Api(text.to_owned());
        for (error, expected) in [
            (Error::Unauthorized, Fault::Credentials),
            (Error::NotFound, Fault::NoZone),
            (api("HTTP 403: forbidden"), Fault::Credentials),
            (api("HTTP 503"), Fault::Unavailable),
            (api("HTTP 429: slow down"), Fault::Unavailable),
            (
                api("Route53 API error: 403 Forbidden - <Error/>"),
                Fault::Credentials,
            ),
            (
                api("Route53 API error: 500 Internal Server Error - "),
                Fault::Unavailable,
            ),
            (
                api("Failed to send request to https://x/: error"),
                Fault::Unavailable,
            ),
            (
                api("No Cloudflare zone found for example.com"),
                Fault::NoZone,
            ),
            (
                api("No suitable hosted zone found for name: a."),
                Fault::NoZone,
            ),
            (api("BadRequest the TTL is odd"), Fault::Rejected),
            (Error::Client("io error".into()), Fault::Unavailable),
            (Error::Unsupported("TXT".into()), Fault::Rejected),
            (Error::Serialize("nonsense".into()), Fault::Unavailable),
        ] {
            assert_eq!(sort(&error), expected, "{error}");
        }
    }
}
