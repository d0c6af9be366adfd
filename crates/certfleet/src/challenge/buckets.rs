//! Token buckets, one for each client, as pure functions of the time that is passed in.
//!
//! A bucket is kept as the moment at which it will be full again (the generic cell rate
//! algorithm), and one that is full is the same as none. So clients can be forgotten: of a full
//! table the half goes that was not seen for longest, and a forgotten client starts afresh.

use std::{
    collections::HashMap,
    mem,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    time::Duration,
};

use tokio::time::Instant;

/// How many clients are known at the most, in two halves.
const CLIENTS: usize = 8192;

/// The buckets of all clients. One client is an IPv4 address or an IPv6 network of 64 bits, which
/// is what a single customer gets.
#[derive(Debug)]
pub(crate) struct Buckets {
    /// How long a token takes to come back.
    interval: Duration,
    /// How long an empty bucket takes to fill.
    depth: Duration,
    /// Seen lately; when these are half of what may be known, they become `older`.
    recent: HashMap<IpAddr, Instant>,
    older: HashMap<IpAddr, Instant>,
}

impl Buckets {
    /// Full buckets of `burst` tokens, which come back at `per_second`.
    pub(crate) fn new(per_second: NonZeroU32, burst: NonZeroU32) -> Self {
        let interval = Duration::from_secs(1) / per_second.get();
        Self {
            interval,
            depth: interval.saturating_mul(burst.get()),
            recent: HashMap::new(),
            older: HashMap::new(),
        }
    }

    /// How long until the client has a token; none if it has one at `now`.
    pub(crate) fn wait(&self, client: IpAddr, now: Instant) -> Option<Duration> {
        let missing = self.missing(network(client), now) + self.interval;
        missing
            .checked_sub(self.depth)
            .filter(|wait| !wait.is_zero())
    }

    /// Takes a token from the client's bucket; from an empty one there is nothing to take.
    pub(crate) fn take(&mut self, client: IpAddr, now: Instant) {
        let client = network(client);
        let missing = self.missing(client, now) + self.interval;
        if self.recent.len() >= CLIENTS / 2 && !self.recent.contains_key(&client) {
            self.older = mem::take(&mut self.recent);
        }
        self.recent.insert(client, now + missing.min(self.depth));
    }

    /// What the client's bucket lacks at `now`, as the time it takes to come back.
    fn missing(&self, client: IpAddr, now: Instant) -> Duration {
        let full_at = self.recent.get(&client).or_else(|| self.older.get(&client));
        full_at.map_or(Duration::ZERO, |full_at| {
            full_at.saturating_duration_since(now)
        })
    }
}

/// The network a client is counted by.
fn network(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & (!0 << 64)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "192.0.2.1";

    struct Fixture {
        buckets: Buckets,
        start: Instant,
    }

    impl Fixture {
        /// Five a second, three at once.
        fn new() -> Self {
            let buckets = Buckets::new(5.try_into().unwrap(), 3.try_into().unwrap());
            Self {
                buckets,
                start: Instant::now(),
            }
        }

        /// Milliseconds to wait, at a time in milliseconds.
        fn wait(&self, client: &str, at: u64) -> u128 {
            let now = self.start + Duration::from_millis(at);
            let wait = self.buckets.wait(client.parse().unwrap(), now);
            wait.unwrap_or_default().as_millis()
        }

        fn take(&mut self, client: &str, at: u64) {
            let now = self.start + Duration::from_millis(at);
            self.buckets.take(client.parse().unwrap(), now);
        }
    }

    #[test]
    fn a_burst_is_spent_and_comes_back_bit_by_bit() {
        let mut fixture = Fixture::new();
        // (time, wait before, whether a token is taken then)
        for (at, wait, take) in [
            (0, 0, true),
            (0, 0, true),
            (0, 0, true),
            (0, 200, false),
            (150, 50, false),
            (200, 0, true),
            (200, 200, true), // nothing was there to take, and nothing is owed
            (399, 1, false),
            (400, 0, true),
            (10_000, 0, true), // never more than a burst
            (10_000, 0, true),
            (10_000, 0, true),
            (10_000, 200, false),
        ] {
            assert_eq!(fixture.wait(A, at), wait, "at {at} ms");
            if take {
                fixture.take(A, at);
            }
        }
    }

    #[test]
    fn who_shares_a_bucket() {
        for (one, other, shared) in [
            (A, "192.0.2.2", false),
            (A, "::ffff:192.0.2.1", true),
            ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
        ] {
            let mut fixture = Fixture::new();
            for _ in 0..3 {
                fixture.take(one, 0);
            }
            assert_eq!(fixture.wait(other, 0) > 0, shared, "{one} and {other}");
        }
    }

    #[test]
    fn the_table_is_bounded_and_forgets_whom_it_has_not_seen_for_longest() {
        let mut fixture = Fixture::new();
        for _ in 0..3 {
            fixture.take(A, 0);
        }
        let mut stranger = 0_u32;
        let mut strangers = |fixture: &mut Fixture, count: usize| {
            for _ in 0..count {
                stranger += 1;
                let address = std::net::Ipv4Addr::from_bits(0x0a00_0000 + stranger);
                fixture.take(&address.to_string(), 0);
                let known = fixture.buckets.recent.len() + fixture.buckets.older.len();
                assert!(known <= CLIENTS);
            }
        };
        strangers(&mut fixture, CLIENTS / 2);
        assert_eq!(fixture.wait(A, 0), 200, "known among the older ones");
        fixture.take(A, 0);
        strangers(&mut fixture, CLIENTS / 2);
        assert_eq!(fixture.wait(A, 0), 200, "seen again, so kept");
        strangers(&mut fixture, CLIENTS);
        assert_eq!(fixture.wait(A, 0), 0, "forgotten");
    }
}
