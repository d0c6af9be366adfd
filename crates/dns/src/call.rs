//! What the calls of all providers share: bounds, turns, and errors by who must act.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    time::Duration,
};

use tokio::{sync::Mutex, time::timeout};

use crate::{DnsError, Place, TxtRecord, options::Options};

/// How long one HTTP request of a call may take.
pub(crate) const REQUEST: Option<Duration> = Some(Duration::from_secs(20));

/// How long a whole call may take, with its wait for those before it.
const CALL: Duration = Duration::from_secs(60);

/// The calls for one name, one after the other; a few names may share a turn.
#[derive(Debug, Default)]
pub(crate) struct Turns([Mutex<()>; 32]);

impl Turns {
    /// Makes `call` when its turn has come, within bounded time.
    pub(crate) async fn take(
        &self,
        place: &Place,
        call: impl Future<Output = Result<(), DnsError>>,
    ) -> Result<(), DnsError> {
        let mut hasher = DefaultHasher::new();
        place.record.hash(&mut hasher);
        let slot = hasher.finish() as usize % self.0.len();
        let whole = async {
            let _turn = self.0[slot].lock().await;
            call.await
        };
        timeout(CALL, whole).await.unwrap_or_else(|_| {
            Err(DnsError::Unavailable {
                place: place.clone(),
                problem: format!("no end after {} s", CALL.as_secs()),
            })
        })
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
    /// What an HTTP status other than a success means.
    pub(crate) fn of_status(status: u16) -> Self {
        match status {
            401 | 403 => Self::Credentials,
            408 | 425 | 429 | 500..=599 => Self::Unavailable,
            _ => Self::Rejected,
        }
    }

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

/// Where `record` is to stand, its zone not yet known.
pub(crate) fn place(options: &Options, record: &TxtRecord) -> Place {
    Place {
        provider: options.kind().name.to_owned(),
        record: record.name.clone(),
        zone: None,
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    fn at(record: &str) -> Place {
        Place {
            provider: "test".to_owned(),
            record: record.to_owned(),
            zone: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_that_hangs_ends_and_so_do_those_behind_it() {
        let turns = Turns::default();
        let place = at("_acme-challenge.example.test");
        let (first, second) =
            tokio::join!(turns.take(&place, pending()), turns.take(&place, pending()));
        for ended in [first, second] {
            let error = ended.unwrap_err();
            assert!(error.is_temporary());
            assert!(error.to_string().ends_with("no end after 60 s"), "{error}");
        }
        let third = turns.take(&place, async { Ok(()) });
        third.await.unwrap();
    }
}
