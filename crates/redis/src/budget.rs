//! The budget in Redis: one sorted set of buckets by when they are full, one of pauses by their end.
//!
//! A bucket is called `ISSUER:KIND:SUBJECT`. Issuer and subject may hold colons; the kind, one of a
//! few words, tells where one ends and the other begins.

use async_trait::async_trait;
use certfleet_core::{Timestamp, budget::LimitKind};
use certfleet_store::{
    Budget, StoreError,
    budget::{Balance, Debit, Taken},
};
use redis::cmd;

use crate::{
    Redis,
    scripts::{self, timestamp},
};

#[async_trait]
impl Budget for Redis {
    async fn take(
        &self,
        issuer: &str,
        debits: &[Debit],
        now: Timestamp,
    ) -> Result<Taken, StoreError> {
        self.debit(true, issuer, debits, now).await
    }

    async fn look(
        &self,
        issuer: &str,
        debits: &[Debit],
        now: Timestamp,
    ) -> Result<Taken, StoreError> {
        self.debit(false, issuer, debits, now).await
    }

    async fn give_back(
        &self,
        issuer: &str,
        debits: &[Debit],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let at = &self.keys().budget;
        let mut script = scripts::GIVE_BACK.key(at);
        script.arg(now.as_millis());
        for (charge, limit) in debits {
            script
                .arg(name(issuer, charge.kind, &charge.subject))
                .arg(limit.refill.as_millis());
        }
        self.call("give_back", at, &script).await
    }

    async fn pause(&self, issuer: &str, until: Timestamp) -> Result<(), StoreError> {
        let at = &self.keys().pauses;
        let mut script = scripts::PAUSE.key(at);
        script.arg(issuer).arg(until.as_millis());
        self.call("pause", at, &script).await
    }

    async fn balances(&self, now: Timestamp) -> Result<Vec<Balance>, StoreError> {
        let at = &self.keys().budget;
        let buckets = self.later("balances", at, now).await?;
        let balances = buckets.into_iter().map(|(bucket, full)| {
            read(&bucket, timestamp(full)).ok_or_else(|| {
                StoreError::corrupt(at, format_args!("{bucket:?} is no bucket's name"))
            })
        });
        let mut balances: Vec<Balance> = balances.collect::<Result<_, _>>()?;
        balances
            .sort_by(|a, b| (&a.issuer, a.kind, &a.subject).cmp(&(&b.issuer, b.kind, &b.subject)));
        Ok(balances)
    }

    async fn pauses(&self, now: Timestamp) -> Result<Vec<(String, Timestamp)>, StoreError> {
        let pauses = self.later("pauses", &self.keys().pauses, now).await?;
        let pauses = pauses
            .into_iter()
            .map(|(issuer, end)| (issuer, timestamp(end)));
        let mut pauses: Vec<_> = pauses.collect();
        pauses.sort();
        Ok(pauses)
    }
}

impl Redis {
    async fn debit(
        &self,
        takes: bool,
        issuer: &str,
        debits: &[Debit],
        now: Timestamp,
    ) -> Result<Taken, StoreError> {
        let operation = if takes { "take" } else { "look" };
        let at = &self.keys().budget;
        let mut script = scripts::TAKE.key(at);
        script
            .key(&self.keys().pauses)
            .arg(issuer)
            .arg(now.as_millis())
            .arg(u8::from(takes));
        for (charge, limit) in debits {
            let usable = limit.capacity.saturating_sub(charge.reserve);
            script
                .arg(name(issuer, charge.kind, &charge.subject))
                .arg(limit.refill.as_millis())
                .arg(limit.refill.saturating_mul(usable).as_millis());
        }
        let reply: Vec<String> = self.call(operation, at, &script).await?;
        let reply: Vec<_> = reply.iter().map(String::as_str).collect();
        taken(&reply, debits)
            .ok_or_else(|| StoreError::corrupt(at, format_args!("{operation} answered {reply:?}")))
    }

    /// The members of an index by time that are later than `now`, with their scores.
    async fn later(
        &self,
        operation: &'static str,
        index: &str,
        now: Timestamp,
    ) -> Result<Vec<(String, f64)>, StoreError> {
        let mut command = cmd("ZRANGEBYSCORE");
        command
            .arg(index)
            .arg(format!("({}", now.as_millis()))
            .arg("+inf")
            .arg("WITHSCORES");
        self.run(operation, index, &command).await
    }
}

/// What the script's reply means; nothing if it makes no sense.
fn taken(reply: &[&str], debits: &[Debit]) -> Option<Taken> {
    let time = |text: &str| text.parse().ok().map(Timestamp::from_millis);
    match *reply {
        ["all"] => Some(Taken::All),
        ["short", which, until] => {
            let which: usize = which.parse().ok()?;
            let (charge, _) = debits.get(which.checked_sub(1)?)?;
            Some(Taken::Short {
                charge: charge.clone(),
                until: time(until)?,
            })
        }
        ["paused", until] => Some(Taken::Paused {
            until: time(until)?,
        }),
        _ => None,
    }
}

/// What a bucket is called.
fn name(issuer: &str, kind: LimitKind, subject: &str) -> String {
    format!("{issuer}:{}:{subject}", kind.as_str())
}

/// The bucket of that name; nothing if it is none.
fn read(name: &str, full: Timestamp) -> Option<Balance> {
    let split = |kind: LimitKind| {
        let infix = format!(":{}:", kind.as_str());
        let at = name.find(&infix)?;
        Some((at, kind, at + infix.len()))
    };
    let (issuer, kind, subject) = LimitKind::ALL
        .into_iter()
        .filter_map(split)
        .min_by_key(|(at, ..)| *at)?;
    Some(Balance {
        issuer: name[..issuer].to_owned(),
        kind,
        subject: name[subject..].to_owned(),
        full,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_known_by_its_name_again() {
        let full = Timestamp::from_secs(1);
        for issuer in [
            "acme-v02.api.letsencrypt.org/directory",
            "[2001:db8::1]:14000/dir",
        ] {
            for kind in LimitKind::ALL {
                for subject in ["", "example.com", "2001:db8:1:2::/64", "*.a.example+b:c"] {
                    let balance = Balance {
                        issuer: issuer.to_owned(),
                        kind,
                        subject: subject.to_owned(),
                        full,
                    };
                    assert_eq!(read(&name(issuer, kind, subject), full), Some(balance));
                }
            }
        }
        for bad in ["", "issuer:subject", "issuer:new_orders"] {
            assert_eq!(read(bad, full), None);
        }
    }
}
