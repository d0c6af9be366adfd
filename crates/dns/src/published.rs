//! Waits until a record is published: until every authoritative server of its zone shows it.
//!
//! A server that does not answer at all is not waited for beyond the limit: a CA's resolver would
//! ask another. It is an error only if no server shows the record. One that answers and does not
//! show it is always an error, because the CA may be the one to ask it.

use std::{net::SocketAddr, time::Duration};

use hickory_resolver::{
    net::{DnsError as Answer, NetError},
    proto::rr::{Name, RecordType},
};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, sleep_until, timeout_at},
};

use crate::{
    DnsError, Lagging, Lookup, Propagation, TxtRecord,
    lookup::{Recursion, resolver, server, texts},
};

/// The wait after the first round of questions; each later one is half as long again.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// How long servers are given that are asked just before the end.
const GRACE: Duration = Duration::from_secs(1);

/// How long a server's addresses are given beside one that answered.
const ADDRESS_GRACE: Duration = Duration::from_millis(500);

/// How many of a zone's servers, and of a server's addresses, are asked.
const MOST_SERVERS: usize = 16;
const MOST_ADDRESSES: usize = 4;

/// How much of what a server shows goes into an error, in values.
const MOST_SHOWN: usize = 4;

impl Lookup {
    /// Waits until each authoritative server of the record's zone shows the record, `limit` at
    /// most. With [`Propagation::Wait`] it asks nobody and waits for that time.
    ///
    /// # Errors
    /// [`DnsError::Unpublished`] names the servers that do not, and what they show instead;
    /// [`DnsError::Lookup`] if the zone or its servers cannot be found. The record still stands.
    pub async fn await_published(
        &self,
        record: &TxtRecord,
        limit: Duration,
    ) -> Result<(), DnsError> {
        if let Propagation::Wait(time) = self.0.config.propagation {
            sleep(time.min(limit)).await;
            return Ok(());
        }
        let began = Instant::now();
        let end = began + limit;
        let (zone, mut pending) = self.zone_servers(record, end.max(began + GRACE)).await?;
        let (total, mut wait) = (pending.len(), FIRST_WAIT);
        loop {
            // The last round begins at the end, and has a little time to get answers.
            let round_end = end.max(Instant::now() + GRACE);
            let mut late = self.ask(&pending, record, round_end).await;
            late.retain(|(_, view)| *view != View::Shown);
            if late.is_empty() {
                return Ok(());
            }
            if Instant::now() >= end {
                return conclude(record, zone, total, late, began.elapsed());
            }
            pending = late.into_iter().map(|(server, _)| server).collect();
            sleep_until(end.min(Instant::now() + wait)).await;
            wait = (wait + wait / 2).min(LONGEST_WAIT);
        }
    }

    /// The record's zone and the zone's servers, found by `end`.
    async fn zone_servers(
        &self,
        record: &TxtRecord,
        end: Instant,
    ) -> Result<(String, Vec<String>), DnsError> {
        let found = async {
            let zone = self.zone(&record.name).await?;
            let mut servers = self.servers(&zone).await?;
            servers.truncate(MOST_SERVERS);
            Ok((zone, servers))
        };
        timeout_at(end, found).await.unwrap_or_else(|_| {
            Err(DnsError::Lookup {
                name: record.name.clone(),
                what: "the zone",
                problem: "no answer in time".to_owned(),
            })
        })
    }

    /// What each of `servers` shows, all asked at once.
    async fn ask(
        &self,
        servers: &[String],
        record: &TxtRecord,
        end: Instant,
    ) -> Vec<(String, View)> {
        let mut questions = JoinSet::new();
        for server in servers {
            let (lookup, server, record) = (self.clone(), server.clone(), record.clone());
            questions.spawn(async move {
                let view = lookup.view(&server, &record, end).await;
                (server, view)
            });
        }
        let mut views = questions.join_all().await;
        views.sort_by(|a, b| a.0.cmp(&b.0));
        views
    }

    /// What `name` shows of `record` by `end`, over all of its addresses that answer.
    async fn view(&self, name: &str, record: &TxtRecord, end: Instant) -> View {
        let mut seen = View::silent("no answer in time");
        let addresses = match timeout_at(end, self.addresses(name)).await {
            Ok(Ok(addresses)) if addresses.is_empty() => return View::silent("it has no address"),
            Ok(Ok(addresses)) => addresses,
            Ok(Err(error)) => return View::Silent(error.to_string()),
            Err(_) => return seen,
        };
        let mut questions = JoinSet::new();
        for address in addresses.into_iter().take(MOST_ADDRESSES) {
            let record = record.clone();
            questions.spawn(async move { ask_at(address, &record).await });
        }
        let mut end = end;
        while let Ok(Some(Ok(view))) = timeout_at(end, questions.join_next()).await {
            seen = view.and(seen);
            // Where one address answers, the others get a little time and no more.
            if !matches!(seen, View::Silent(_)) {
                end = end.min(Instant::now() + ADDRESS_GRACE);
            }
        }
        seen
    }
}

/// What a server shows.
#[derive(Clone, Debug, PartialEq, Eq)]
enum View {
    /// The record.
    Shown,
    /// An answer without the record: the values, or an error code.
    Other(String),
    /// No answer, and why.
    Silent(String),
}

impl View {
    fn silent(why: &str) -> Self {
        Self::Silent(why.to_owned())
    }

    /// The view of one server from those of two of its addresses: a silent address does not count
    /// beside one that answers, which is how IPv6 is missed on hosts that lack it.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Other(shows), _) | (_, Self::Other(shows)) => Self::Other(shows),
            (Self::Shown, _) | (_, Self::Shown) => Self::Shown,
            (silent, _) => silent,
        }
    }
}

/// What becomes of the wait when its time is over and `late` of `total` servers do not show it.
fn conclude(
    record: &TxtRecord,
    zone: String,
    total: usize,
    late: Vec<(String, View)>,
    waited: Duration,
) -> Result<(), DnsError> {
    let all_silent = late.iter().all(|(_, view)| matches!(view, View::Silent(_)));
    if all_silent && late.len() < total {
        let silent: Vec<_> = late.iter().map(|(server, _)| server.as_str()).collect();
        tracing::warn!(%zone, name = %record.name, ?silent, "authoritative servers do not answer");
        return Ok(());
    }
    let servers = late.into_iter().map(|(server, view)| Lagging {
        server,
        shows: match view {
            View::Shown => "it".to_owned(),
            View::Other(shows) => shows,
            View::Silent(why) => format!("nothing: {why}"),
        },
    });
    Err(DnsError::Unpublished {
        name: record.name.clone(),
        zone,
        waited,
        servers: servers.collect(),
    })
}

/// Asks one address without recursion.
async fn ask_at(address: SocketAddr, record: &TxtRecord) -> View {
    let asked = async {
        let name = Name::from_ascii(format!("{}.", record.name)).map_err(NetError::from)?;
        let resolver = resolver(vec![server(address)], Recursion::Off)?;
        resolver.lookup(name, RecordType::TXT).await
    };
    match asked.await {
        Ok(answer) => {
            let values = texts(answer.answers(), Some(&record.name));
            if values.contains(&record.value) {
                View::Shown
            } else {
                View::Other(shown(&values))
            }
        }
        Err(error) if error.is_no_records_found() => View::Other("no TXT record".to_owned()),
        Err(NetError::Dns(Answer::ResponseCode(code))) => View::Other(code.to_string()),
        Err(error) => View::Silent(error.to_string()),
    }
}

fn shown(values: &[String]) -> String {
    if values.is_empty() {
        return "no TXT record".to_owned();
    }
    let mut some: Vec<_> = values
        .iter()
        .take(MOST_SHOWN)
        .map(|v| format!("{v:?}"))
        .collect();
    if values.len() > MOST_SHOWN {
        some.push(format!("and {} more", values.len() - MOST_SHOWN));
    }
    some.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn silent() -> View {
        View::Silent("timed out".into())
    }

    fn other() -> View {
        View::Other("no TXT record".into())
    }

    #[test]
    fn a_silent_address_does_not_count_beside_one_that_answers() {
        for (one, two, expected) in [
            (View::Shown, View::Shown, View::Shown),
            (View::Shown, silent(), View::Shown),
            (silent(), View::Shown, View::Shown),
            (View::Shown, other(), other()),
            (other(), silent(), other()),
            (silent(), silent(), silent()),
        ] {
            assert_eq!(
                one.clone().and(two.clone()),
                expected,
                "{one:?} and {two:?}"
            );
        }
    }

    #[test]
    fn only_silent_servers_beside_one_that_shows_the_record_are_let_pass() {
        let record = TxtRecord::new("_acme-challenge.example.com", "v");
        let decide = |total, late: &[View]| {
            let late = late.iter().map(|view| ("ns".to_owned(), view.clone()));
            let zone = "example.com".to_owned();
            conclude(&record, zone, total, late.collect(), Duration::from_secs(9))
        };
        assert_eq!(decide(2, &[silent()]), Ok(()));
        for (total, late) in [
            (1, vec![silent()]),
            (2, vec![silent(), silent()]),
            (2, vec![other()]),
            (3, vec![silent(), other()]),
        ] {
            let error = decide(total, &late).unwrap_err();
            assert!(error.is_temporary(), "{error}");
            assert!(
                error
                    .to_string()
                    .contains("after 9 s; of zone example.com ns shows"),
                "{error}"
            );
        }
    }
}
