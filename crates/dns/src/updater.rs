//! A provider that the crate dns-update speaks to.
//!
//! Its errors are mostly text; they are sorted here by who must act, and cleared of secrets.

use std::{
    fmt,
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use async_trait::async_trait;
use dns_update::{DnsRecord, DnsRecordType, DnsUpdater, Error};
use tokio::{
    sync::{Mutex, MutexGuard},
    time::timeout,
};

use crate::{
    DnsError, DnsProvider, Lookup, Place, TxtRecord,
    options::{Options, Problem},
    zone::ZoneFinder,
};

/// How long one HTTP request of a call may take.
pub(crate) const REQUEST: Option<Duration> = Some(Duration::from_secs(20));

/// How long a whole call may take, its wait for the calls before it not counted.
pub(crate) const CALL: Duration = Duration::from_secs(60);

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
        let _turn = self.turns.take(&record.name).await;
        let mut place = place(&self.options, record);
        let call = async {
            let zone = self.zone.find(&place).await?;
            place.zone = Some(zone.clone());
            let done = match (self.ttl, change) {
                (Some(ttl), change) => change.carry_out(&self.client, record, &zone, ttl).await,
                (None, Change::Set) => replace(&self.client, record, &zone, true).await,
                (None, Change::Remove) if self.another_stands(record).await => Ok(()),
                (None, Change::Remove) => replace(&self.client, record, &zone, false).await,
            };
            done.map_err(|error| sort(&error).at(&self.options, &place, error.to_string()))
        };
        match timeout(CALL, call).await {
            Ok(done) => done,
            Err(_) => Err(out_of_time(place)),
        }
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

/// The calls for one name, one after the other; a few names may share a turn.
#[derive(Debug, Default)]
pub(crate) struct Turns([Mutex<()>; 32]);

impl Turns {
    pub(crate) async fn take(&self, name: &str) -> MutexGuard<'_, ()> {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        let slot = hasher.finish() as usize % self.0.len();
        self.0[slot].lock().await
    }
}

/// Where `record` is to stand, its zone not yet known.
pub(crate) fn place(options: &Options, record: &TxtRecord) -> Place {
    Place {
        provider: options.kind().name.to_owned(),
        record: record.name.clone(),
        zone: None,
    }
}

/// The call did not end within [`CALL`].
pub(crate) fn out_of_time(place: Place) -> DnsError {
    DnsError::Unavailable {
        place,
        problem: format!("no end after {} s", CALL.as_secs()),
    }
}

/// Who must act on a provider's error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Credentials,
    NoZone,
    Rejected,
    Unavailable,
}

impl Fault {
    /// The error at `place`, with the provider's words cleared of secrets.
    pub(crate) fn at(self, options: &Options, place: &Place, problem: impl AsRef<str>) -> DnsError {
        let place = place.clone();
        let problem = options.redact(problem.as_ref());
        match self {
            Self::Credentials => DnsError::Credentials {
                place,
                problem,
                options: options.kind().credentials(),
            },
            Self::NoZone => DnsError::NoZone { place, problem },
            Self::Rejected => DnsError::Rejected { place, problem },
            Self::Unavailable => DnsError::Unavailable { place, problem },
        }
    }
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
    let lower = text.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    match status(text) {
        Some(401 | 403) => Fault::Credentials,
        Some(408 | 425 | 429 | 500..=599) => Fault::Unavailable,
        _ if has(&["failed to send", "error sending request", "failed to read"]) => {
            Fault::Unavailable
        }
        _ if has(&[
            "rate limit",
            "throttl",
            "too many requests",
            "rate exceeded",
        ]) =>
        {
            Fault::Unavailable
        }
        _ if has(&[
            "token exchange failed",
            "unauthorized",
            "authentication",
            "access denied",
            "accessdenied",
        ]) =>
        {
            Fault::Credentials
        }
        _ if has(&["zone", "domain"]) && has(&["not found", "no ", "does not exist"]) => {
            Fault::NoZone
        }
        _ => Fault::Rejected,
    }
}

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
