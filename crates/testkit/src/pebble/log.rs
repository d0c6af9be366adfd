//! What Pebble has done, counted in its log: what a client believes plays no part in it.
//!
//! A log goes on over a restart, and so do the counts. Pebble writes a line before it answers, so
//! whoever has the answer finds the line.

use std::{collections::BTreeMap, fs};

use super::Pebble;

/// What a request to the CA is for, named as in the directory and RFC 8555 (7.1), RFC 9773.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Endpoint {
    /// The directory.
    Directory,
    /// A fresh nonce.
    NewNonce,
    /// A new account, or the look-up of one by its key.
    NewAccount,
    /// An account, read, changed or deactivated.
    Account,
    /// The list of an account's orders.
    AccountOrders,
    /// A new key for an account.
    KeyChange,
    /// A new order.
    NewOrder,
    /// An order, read.
    Order,
    /// An authorization, read or deactivated.
    Authorization,
    /// A challenge, announced as ready or read.
    Challenge,
    /// A certificate request for an order.
    Finalize,
    /// A certificate, downloaded.
    Certificate,
    /// A revocation.
    RevokeCert,
    /// When to renew (ARI).
    RenewalInfo,
    /// What this fixture does not know.
    Other,
}

/// The paths that Pebble gives its endpoints, without what names one thing.
const PATHS: [(&str, Endpoint); 14] = [
    ("/dir", Endpoint::Directory),
    ("/nonce-plz", Endpoint::NewNonce),
    ("/sign-me-up", Endpoint::NewAccount),
    ("/my-account/", Endpoint::Account),
    ("/list-orderz/", Endpoint::AccountOrders),
    ("/rollover-account-key", Endpoint::KeyChange),
    ("/order-plz", Endpoint::NewOrder),
    ("/my-order/", Endpoint::Order),
    ("/authZ/", Endpoint::Authorization),
    ("/chalZ/", Endpoint::Challenge),
    ("/finalize-order/", Endpoint::Finalize),
    ("/certZ/", Endpoint::Certificate),
    ("/revoke-cert", Endpoint::RevokeCert),
    (
        "/draft-ietf-acme-ari-03/renewalInfo/",
        Endpoint::RenewalInfo,
    ),
];

impl Pebble {
    /// How many accounts it has made.
    #[must_use]
    pub fn accounts(&self) -> usize {
        self.count(" accounts in memory")
    }

    /// How many of them are bound to an external account.
    #[must_use]
    pub fn bindings(&self) -> usize {
        self.count("Successful newAccount Binding ")
    }

    /// How many orders it has accepted.
    #[must_use]
    pub fn orders(&self) -> usize {
        self.count("Added order ")
    }

    /// How many of them say which certificate they replace (RFC 9773, 5).
    #[must_use]
    pub fn replacements(&self) -> usize {
        self.count(" is a replacement of ")
    }

    /// How many authorizations it has made; one that is reused counts once.
    #[must_use]
    pub fn authorizations(&self) -> usize {
        self.count(" authorizations in the db")
    }

    /// How many challenges it found answered.
    #[must_use]
    pub fn validations(&self) -> usize {
        self.count(" set VALID by completed challenge ")
    }

    /// How many challenges it found not answered as they should be.
    #[must_use]
    pub fn failed_validations(&self) -> usize {
        self.count(" set INVALID by completed challenge ")
    }

    /// How many certificates it has issued.
    #[must_use]
    pub fn issued(&self) -> usize {
        self.serials().len()
    }

    /// How many requests it has taken, those with a nonce it refused included.
    ///
    /// A request for a path or by a method that there is not is not counted.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.requests_by_endpoint().values().sum()
    }

    /// How many requests it has taken for this.
    #[must_use]
    pub fn requests_to(&self, endpoint: Endpoint) -> usize {
        let counts = self.requests_by_endpoint();
        counts.get(&endpoint).copied().unwrap_or_default()
    }

    /// How many requests it has taken, by what they were for.
    #[must_use]
    pub fn requests_by_endpoint(&self) -> BTreeMap<Endpoint, usize> {
        let mut counts = BTreeMap::new();
        for endpoint in self.log().lines().filter_map(endpoint) {
            *counts.entry(endpoint).or_default() += 1;
        }
        counts
    }

    /// The serial numbers of the certificates it has issued, in that order, in hexadecimal.
    #[must_use]
    pub fn serials(&self) -> Vec<String> {
        let log = self.log();
        log.lines().filter_map(serial).map(str::to_owned).collect()
    }

    fn count(&self, words: &str) -> usize {
        let log = self.log();
        log.lines().filter(|line| line.contains(words)).count()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }
}

/// What the request was for that a line tells of, if it tells of one.
fn endpoint(line: &str) -> Option<Endpoint> {
    let request = line.strip_suffix(" -> calling handler()")?;
    let (_, path) = request.rsplit_once(' ')?;
    let known = PATHS.iter().find(|(known, _)| *known == path);
    Some(known.map_or(Endpoint::Other, |(_, endpoint)| *endpoint))
}

/// The serial number of the certificate that a line tells of, if it tells of one.
fn serial(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("Issued certificate serial ")?;
    rest.split(' ').next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_tell_of_requests() {
        for (line, want) in [
            (
                "HEAD /nonce-plz -> calling handler()",
                Some(Endpoint::NewNonce),
            ),
            (
                "POST /order-plz -> calling handler()",
                Some(Endpoint::NewOrder),
            ),
            (
                "POST /my-order/ -> calling handler()",
                Some(Endpoint::Order),
            ),
            (
                "GET /draft-ietf-acme-ari-03/renewalInfo/ -> calling handler()",
                Some(Endpoint::RenewalInfo),
            ),
            ("GET /new-thing -> calling handler()", Some(Endpoint::Other)),
            ("Added order \"x\" to the db", None),
            ("", None),
        ] {
            let line = format!("Pebble 2026/11/24 10:00:00 {line}");
            assert_eq!(endpoint(&line), want, "{line}");
        }
    }

    #[test]
    fn lines_tell_of_certificates() {
        let line = "Pebble 2026/11/24 10:00:00 Issued certificate serial 52d6b1 for order X";
        assert_eq!(serial(line), Some("52d6b1"));
        assert_eq!(serial("Pebble 2026/11/24 10:00:00 Added order"), None);
    }
}
