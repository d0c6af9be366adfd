//! How a test wants Pebble to be, and how Pebble is told: its configuration and its environment.

use std::{collections::BTreeMap, net::SocketAddr, path::Path, time::Duration};

use serde_json::{Value, json};

use super::Addresses;

/// How a test wants Pebble to be.
#[derive(Clone, Debug)]
pub struct PebbleOptions {
    /// Where it asks for HTTP-01 answers; a fleet's port 80.
    pub http_port: u16,
    /// Where it asks for TLS-ALPN-01 answers; a fleet's port 443. Else where nobody listens.
    pub tls_port: Option<u16>,
    /// The DNS server it asks. Else a challtestsrv of its own, which knows every name.
    pub dns_server: Option<SocketAddr>,
    /// How long its certificates are valid, in whole seconds.
    pub validity: Duration,
    /// How many per cent of good nonces it refuses.
    pub nonce_reject: u8,
    /// For how many per cent of names it reuses an earlier authorization of the same account.
    ///
    /// 2.6 reuses one in a hundred at 0 still: who wants none takes a new account.
    pub authz_reuse: u8,
    /// The MAC keys of external accounts, in base64url without padding, by their key ids. If there
    /// is one, no account is made without. Pebble refuses a key shorter than the hash (32, 48, 64
    /// bytes) when it is used.
    pub external_account_keys: BTreeMap<String, String>,
    /// What its answers about what is not done yet say of when to ask again.
    pub retry_after: RetryAfter,
    /// How many intermediate certificates are between a certificate and its root; at least one.
    pub chain_length: u8,
    /// How many roots there are beside the first, each with an alternate chain.
    pub alternate_roots: u8,
    /// Names for which, with all below them, it issues nothing. 2.6 drops the connection of an order
    /// for a name of fewer labels than one of these.
    pub blocklist: Vec<String>,
    /// It validates after a random number of whole seconds below this one. Else at once.
    pub va_sleep: Option<Duration>,
    /// Whether it takes every challenge for answered without asking.
    pub always_valid: bool,
    /// Whether it refuses what future versions of it will refuse.
    pub strict: bool,
}

/// `Retry-After` in Pebble's answers, in whole seconds; none if zero.
///
/// Half of the answers give it as a date instead of a number, at random.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RetryAfter {
    /// With an authorization of which a challenge is being validated.
    pub authorization: Duration,
    /// With an order that is being processed.
    pub order: Duration,
}

impl PebbleOptions {
    /// Pebble's own refusals and reuse (5 % and 50 %), with certificates for 90 days, strict,
    /// validating at once, one intermediate, one root.
    #[must_use]
    pub fn new(http_port: u16) -> Self {
        Self {
            http_port,
            tls_port: None,
            dns_server: None,
            validity: Duration::from_secs(90 * 86_400),
            nonce_reject: 5,
            authz_reuse: 50,
            external_account_keys: BTreeMap::new(),
            retry_after: RetryAfter::default(),
            chain_length: 1,
            alternate_roots: 0,
            blocklist: vec![],
            va_sleep: None,
            always_valid: false,
            strict: true,
        }
    }

    /// The configuration file; the certificate of the endpoints is in `dir`.
    pub(super) fn config(&self, addresses: &Addresses, dir: &Path) -> Value {
        let validity = self.validity.as_secs();
        json!({"pebble": {
            "listenAddress": addresses.acme,
            "managementListenAddress": addresses.management,
            "certificate": dir.join("endpoint.pem"),
            "privateKey": dir.join("endpoint-key.pem"),
            "httpPort": self.http_port,
            "tlsPort": self.tls_port.unwrap_or_else(|| addresses.nowhere.port()),
            "ocspResponderURL": "",
            "externalAccountBindingRequired": !self.external_account_keys.is_empty(),
            "externalAccountMACKeys": self.external_account_keys,
            "domainBlocklist": self.blocklist,
            "retryAfter": {
                "authz": self.retry_after.authorization.as_secs(),
                "order": self.retry_after.order.as_secs(),
            },
            // 2.6 reads the first and knows no profiles; later versions read only these.
            "certificateValidityPeriod": validity,
            "profiles": {"default": {"description": "the only one", "validityPeriod": validity}},
        }})
    }

    /// The environment, which sets what the configuration cannot.
    pub(super) fn environment(&self) -> BTreeMap<&'static str, String> {
        let mut set = BTreeMap::from([
            ("PEBBLE_WFE_NONCEREJECT", self.nonce_reject.to_string()),
            ("PEBBLE_AUTHZREUSE", self.authz_reuse.to_string()),
            ("PEBBLE_CHAIN_LENGTH", self.chain_length.to_string()),
            ("PEBBLE_ALTERNATE_ROOTS", self.alternate_roots.to_string()),
            (
                "PEBBLE_VA_ALWAYS_VALID",
                u8::from(self.always_valid).to_string(),
            ),
        ]);
        match self.va_sleep {
            Some(most) => set.insert("PEBBLE_VA_SLEEPTIME", most.as_secs().to_string()),
            None => set.insert("PEBBLE_VA_NOSLEEP", "1".to_owned()),
        };
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::free_address;

    fn config(change: impl FnOnce(&mut PebbleOptions)) -> Value {
        let mut options = PebbleOptions::new(5002);
        change(&mut options);
        let address = free_address().unwrap();
        let addresses = Addresses {
            acme: address,
            management: address,
            nowhere: ([127, 0, 0, 1], 4).into(),
            dns: address,
            dns_management: address,
        };
        options.config(&addresses, Path::new("/dir"))["pebble"].take()
    }

    #[test]
    fn accounts_need_a_binding_only_if_there_are_keys() {
        let plain = config(|_| {});
        assert_eq!(plain["externalAccountBindingRequired"], false);
        let keys = BTreeMap::from([("kid-1".to_owned(), "c2VjcmV0".to_owned())]);
        let bound = config(|options| options.external_account_keys = keys);
        assert_eq!(bound["externalAccountBindingRequired"], true);
        assert_eq!(bound["externalAccountMACKeys"]["kid-1"], "c2VjcmV0");
    }

    #[test]
    fn tls_is_asked_where_nobody_listens_unless_a_port_is_given() {
        assert_eq!(config(|_| {})["tlsPort"], 4);
        assert_eq!(
            config(|options| options.tls_port = Some(443))["tlsPort"],
            443
        );
    }

    #[test]
    fn it_validates_at_once_unless_it_is_to_sleep() {
        let mut options = PebbleOptions::new(5002);
        let environment = options.environment();
        assert_eq!(environment["PEBBLE_VA_NOSLEEP"], "1");
        assert!(!environment.contains_key("PEBBLE_VA_SLEEPTIME"));
        options.va_sleep = Some(Duration::from_secs(3));
        let environment = options.environment();
        assert_eq!(environment["PEBBLE_VA_SLEEPTIME"], "3");
        assert!(!environment.contains_key("PEBBLE_VA_NOSLEEP"));
    }
}
