//! The settings there are: one table for parsing, help texts, checks and error messages.
//!
//! A key is written in lower case in a file and as `CERTFLEET_KEY` in the environment. A setting
//! that is not in [`ALL`] does not exist, and naming it is an error. What there may be several of
//! stands in tables of the file, whose keys are the same settings under shorter names: see
//! [`tables`].

pub mod tables;

/// One thing that can be set.
#[derive(Debug)]
pub struct Setting {
    /// Its key in a file.
    pub key: &'static str,
    /// What it decides.
    pub about: &'static str,
    /// What form its value has.
    pub form: &'static str,
    /// A value for example.
    pub example: &'static str,
    /// The value it has when it is not set, if there is one.
    pub default: Option<&'static str>,
    /// Whether its value is never to be shown.
    pub secret: bool,
}

impl Setting {
    /// Its name in the environment.
    #[must_use]
    pub fn variable(&self) -> String {
        format!("{PREFIX}{}", self.key.to_ascii_uppercase())
    }

    /// What is wanted for it, for messages.
    #[must_use]
    pub fn wanted(&self) -> String {
        format!("{}, such as {}", self.form, self.example)
    }

    /// The setting with this key.
    #[must_use]
    pub fn by_key(key: &str) -> Option<&'static Self> {
        ALL.into_iter().find(|setting| setting.key == key)
    }

    /// The setting at this path in a file: a key, or `issuer.NAME.directory` and the like.
    #[must_use]
    pub fn by_path(path: &str) -> Option<&'static Self> {
        Self::by_key(path).or_else(|| tables::resolve(path).ok())
    }

    /// The setting whose key is most like this one.
    #[must_use]
    pub fn nearest(key: &str) -> &'static Self {
        ALL.into_iter()
            .min_by_key(|setting| strsim::damerau_levenshtein(setting.key, key))
            .expect("the table is not empty")
    }
}

/// What every variable of certfleet begins with.
pub const PREFIX: &str = "CERTFLEET_";

macro_rules! settings {
    ($($name:ident: $key:literal, $about:literal, $form:literal, $example:literal, $default:expr $(, $secret:ident)?;)*) => {
        $(
            #[doc = concat!("`", $key, "`: ", $about, ".")]
            pub static $name: Setting = Setting {
                key: $key,
                about: $about,
                form: $form,
                example: $example,
                default: $default,
                secret: settings!(@secret $($secret)?),
            };
        )*

        /// All settings, in the order people read them.
        pub static ALL: [&Setting; settings!(@count $($name)*)] = [$(&$name),*];
    };
    (@secret secret) => { true };
    (@secret) => { false };
    (@count $($name:ident)*) => { [$(stringify!($name)),*].len() };
}

settings! {
    FLEET: "fleet", "the fleet this node belongs to",
        "1 to 63 of the characters a-z 0-9 -", "prod-eu", Some("default");
    NODE_ID: "node_id", "this node's name, unique in its fleet; the host's name if not set",
        "1 to 128 of the characters A-Z a-z 0-9 . _ -", "web-1", None;
    REDIS_URL: "redis_url", "where the fleet's state is; without it the node is a fleet of one",
        "a URL that begins with redis:// or rediss://", "redis://127.0.0.1:6379/0", None, secret;
    DOMAINS: "domains", "the names and addresses to have certificates for; none for a fleet that is told at run time or asks on demand",
        "domain names, those of one certificate joined by + and certificates separated by commas",
        "example.com+www.example.com,example.org", None;
    ISSUERS: "issuers", "the issuers to turn to, the preferred one first; the only one there is if not set",
        "names of issuers, separated by commas", "main", None;
    CHALLENGES: "challenges", "how names are validated, the preferred way first; http-01, tls-alpn-01 and, with a DNS provider, dns-01 if not set",
        "some of http-01, tls-alpn-01 and dns-01, separated by commas", "tls-alpn-01,http-01", None;
    KEY_TYPE: "key_type", "the kind of key that certificates are for",
        "p256, p384, rsa2048 or rsa4096", "p384", Some("p256");
    REUSE_KEY: "reuse_key", "whether a renewal keeps the key",
        "true or false", "true", Some("false");
    PROFILE: "profile", "the profile to ask the CA for; the CA's default if not set",
        "the name of a profile that the CA offers", "shortlived", None;
    PREFERRED_CHAIN: "preferred_chain", "the chain to take where the CA offers several; the CA's default if not set",
        "the common name of the topmost issuer in the chain", "ISRG Root X1", None;
    VALIDITY: "validity", "how long certificates are to be valid, for CAs that let themselves be asked",
        "a duration from 1m to 3650d", "30d", None;
    RENEW_BEFORE: "renew_before", "how long before its end a certificate is renewed, where its lifetime allows it and the CA suggests nothing",
        "a duration from 1s to 365d, or a share of the lifetime from 1% to 99%", "30d", Some("30d");
    ACME_DIRECTORY: "acme_directory", "the CA that issues the certificates",
        "letsencrypt, letsencrypt-staging, zerossl, google, google-staging, sslcom-rsa, sslcom-ecc, built-in, or the https URL of an ACME directory",
        "letsencrypt-staging", None;
    ACME_CA_FILE: "acme_ca_file", "further roots to trust when speaking to the CA",
        "the path of a PEM file", "/etc/certfleet/private-ca.pem", None;
    EMAIL: "email", "where the CA may write to",
        "a mail address", "ops@example.com", None;
    ACME_EAB_KEY_ID: "acme_eab_key_id", "the key id of the external account that the CA binds its own to",
        "the key id as the CA hands it out", "kid-1", None;
    ACME_EAB_MAC_KEY: "acme_eab_mac_key", "the key that goes with acme_eab_key_id",
        "the key in base64url, as the CA hands it out", "c2VjcmV0LXNlY3JldC1zZWNyZXQ", None, secret;
    ACME_EAB_MAC_KEY_FILE: "acme_eab_mac_key_file", "a file that holds it, instead of acme_eab_mac_key",
        "the path of a file with the key in base64url", "/run/secrets/eab.key", None;
    ACME_EAB_ALGORITHM: "acme_eab_algorithm", "what the binding is signed with",
        "HS256, HS384 or HS512", "HS384", Some("HS256");
    RATE_LIMITS: "rate_limits", "the CA's rate limits, which the fleet keeps to; Let's Encrypt's for its production directory and none for others if not set",
        "letsencrypt, none, or limits separated by commas, each a number in a time",
        "new_orders=300/3h,certificates_per_domain=50/7d,duplicate_certificates=5/7d,failed_authorizations=5/1h", None;
    DNS_PROVIDER: "dns_provider", "the DNS provider to set records at for dns-01",
        "the kind of a DNS provider", "cloudflare", None;
    DNS_OPTIONS: "dns_options", "what the provider is to be reached with",
        "KEY=VALUE, separated by commas", "token=SECRET", None, secret;
    DNS_OPTIONS_FILE: "dns_options_file", "a file that holds them, instead of dns_options",
        "the path of a file with a KEY=VALUE on each line", "/run/secrets/dns", None;
    DNS_RESOLVERS: "dns_resolvers", "the resolvers to ask for zones and name servers; the system's if not set",
        "IP addresses, each perhaps with a port, separated by commas", "192.0.2.53,[2001:db8::53]:5353", None;
    DNS_PROPAGATION: "dns_propagation", "how a record is made sure of before the CA is told: by asking each authoritative server of its zone, or by letting some time pass",
        "authoritative, or a duration from 1s to 1h", "2m", Some("authoritative");
    DNS_PROPAGATION_TIMEOUT: "dns_propagation_timeout", "how long a record may take to be at all of its zone's name servers",
        "a duration from 1s to 1h", "5m", Some("2m");
    DNS_AUTHORITATIVE_PORT: "dns_authoritative_port", "the port that authoritative name servers are asked on",
        "a port from 1 to 65535", "5353", Some("53");
    ON_DEMAND_PERMISSION_URL: "on_demand_permission_url", "who says whether a name that a client asks for may have a certificate, by GET URL?domain=NAME; without it only wanted names have",
        "an http or https URL", "http://127.0.0.1:8000/may-have-certificate", None;
    ON_DEMAND_PERMISSION_TIMEOUT: "on_demand_permission_timeout", "how long that answer may take",
        "a duration from 100ms to 1m", "5s", Some("5s");
    ON_DEMAND_ALLOWED_FOR: "on_demand_allowed_for", "how long a yes is remembered",
        "a duration from 1s to 30d", "1h", Some("1h");
    ON_DEMAND_DENIED_FOR: "on_demand_denied_for", "how long a no is remembered",
        "a duration from 1s to 30d", "1m", Some("1m");
    ON_DEMAND_WAIT: "on_demand_wait", "how long a handshake waits for its certificate",
        "a duration from 1s to 5m", "30s", Some("30s");
    ON_DEMAND_WAITING: "on_demand_waiting", "how many handshakes may wait at a time",
        "a number from 1 to 4294967295", "1000", Some("1000");
    ON_DEMAND_NAMES: "on_demand_names", "how many new names a node may ask about, in how long",
        "a number in a time", "30/1m", Some("30/1m");
    ORDERS_PER_NODE: "orders_per_node", "how many certificates one node works on at a time",
        "a number from 1 to 4294967295", "8", Some("8");
    ORDERS_PER_FLEET: "orders_per_fleet", "how many certificates the whole fleet works on at a time",
        "a number from 1 to 4294967295", "32", Some("32");
    RETRY_FIRST: "retry_first", "how long to wait after the first failure; each further wait is four times as long",
        "a duration from 1s to 1d", "1m", Some("1m");
    RETRY_TRIES: "retry_tries", "after how many failures in a row the alarm is raised and the slow schedule begins",
        "a number from 1 to 100", "5", Some("5");
    RETRY_SLOW: "retry_slow", "how long to wait between tries from then on",
        "a duration from 1m to 1d", "12h", Some("12h");
    MASTER_KEY: "master_key", "the key that seals private keys before they leave the process",
        "32 bytes in base64 (or several such keys separated by commas: the first seals, any opens)",
        "the output of certfleet key generate", None, secret;
    MASTER_KEY_FILE: "master_key_file", "a file that holds the master key, instead of master_key",
        "the path of a file with 32 bytes in base64 (or several such lines: the first seals, any opens)",
        "/run/secrets/certfleet.key", None;
    HTTP_ADDR: "http_addr", "where challenges are answered and the rest is redirected to HTTPS",
        "an IP address with a port", "[::]:80", Some("0.0.0.0:80");
    HTTPS_ADDR: "https_addr", "where HTTPS is served",
        "an IP address with a port", "[::]:443", Some("0.0.0.0:443");
    PUBLIC_HTTPS_PORT: "public_https_port", "the port that clients reach HTTPS on, for redirects",
        "a port from 1 to 65535", "8443", Some("443");
    PROXY_PROTOCOL_FROM: "proxy_protocol_from", "the balancers that begin each connection with a PROXY protocol header; nobody if not set",
        "networks (CIDR) or addresses, separated by commas", "10.0.0.0/8,2001:db8::/32", None;
    CHALLENGE_ALLOW: "challenge_allow", "who may ask for challenge answers; a public CA tells nobody the addresses it asks from",
        "networks (CIDR) or addresses, separated by commas", "10.0.0.0/8,2001:db8::/32", Some("0.0.0.0/0,::/0");
    CHALLENGE_RATE: "challenge_rate", "how often a second a client may ask for challenge answers that are not there",
        "a number from 1 to 4294967295", "5", Some("5");
    CHALLENGE_BURST: "challenge_burst", "how often a client may do so at once",
        "a number from 1 to 4294967295", "20", Some("20");
    ADMIN_ADDR: "admin_addr", "where metrics and health are served, and certificates are added and removed",
        "an IP address with a port", "0.0.0.0:9180", Some("127.0.0.1:9180");
    ADMIN_TOKEN: "admin_token", "what a client of the admin port must show to change anything; without it only clients on this host may",
        "a text of 16 to 256 characters without spaces", "the output of certfleet key generate", None, secret;
    ADMIN_TOKEN_FILE: "admin_token_file", "a file that holds it, instead of admin_token",
        "the path of a file with a text of 16 to 256 characters", "/run/secrets/admin.token", None;
    DATA_DIR: "data_dir", "this node's own folder: with Redis for a sealed snapshot to start from, else for the store itself",
        "the path of a folder", "/var/lib/certfleet", None;
    LEASE_TTL: "lease_ttl", "how long a lease lasts that its holder does not extend",
        "a duration from 1s to 1h", "30s", Some("30s");
    RENEW_CHECK_INTERVAL: "renew_check_interval", "how often the node looks for certificates that are due",
        "a duration from 100ms to 1d", "1m", Some("1m");
    START_PAUSE: "start_pause", "how long a node that has started orders nothing: until the balancer has found it",
        "a duration from 0s to 1h", "5s", Some("0s");
    DRAIN_PAUSE: "drain_pause", "how long a stopping node, no longer ready, still accepts connections: until the balancer has noticed",
        "a duration from 0s to 1h", "5s", Some("0s");
    DRAIN_TIMEOUT: "drain_timeout", "how long open connections may go on once the node stops",
        "a duration from 0s to 1h", "30s", Some("30s");
    CONFIG: "config", "the file to read settings from (the program's; in the environment only)",
        "the path of a TOML file", "/etc/certfleet/certfleet.toml", None;
    LOG: "log", "what is logged (the program's)",
        "a filter of levels and targets", "info,certfleet=debug", Some("info");
    LOG_FORMAT: "log_format", "how it is logged (the program's); text on a terminal, else json, if not set",
        "text or json", "json", None;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_key_finds_its_neighbour() {
        for (wrong, near) in [
            ("redis_ur", "redis_url"),
            ("domain", "domains"),
            ("renew_befor", "renew_before"),
            ("nodeid", "node_id"),
        ] {
            let nearest = Setting::nearest(wrong);
            assert_eq!(nearest.key, near);
        }
    }

    #[test]
    fn variables_are_keys_in_capitals() {
        assert_eq!(REDIS_URL.variable(), "CERTFLEET_REDIS_URL");
    }
}
