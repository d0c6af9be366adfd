//! The settings there are: one table for parsing, help texts, checks and error messages.
//!
//! A key is written in lower case in a file and as `CERTFLEET_KEY` in the environment. A setting
//! that is not in [`ALL`] does not exist, and naming it is an error.

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
    DOMAINS: "domains", "the names to have certificates for",
        "domain names, those of one certificate joined by + and certificates separated by commas",
        "example.com+www.example.com,example.org", None;
    ACME_DIRECTORY: "acme_directory", "the CA that issues the certificates",
        "letsencrypt, letsencrypt-staging, built-in, or the https URL of an ACME directory",
        "letsencrypt-staging", None;
    ACME_CA_FILE: "acme_ca_file", "further roots to trust when speaking to the CA",
        "the path of a PEM file", "/etc/certfleet/private-ca.pem", None;
    EMAIL: "email", "where the CA may write to",
        "a mail address", "ops@example.com", None;
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
    ADMIN_ADDR: "admin_addr", "where metrics and health are served",
        "an IP address with a port", "0.0.0.0:9180", Some("127.0.0.1:9180");
    DATA_DIR: "data_dir", "this node's own folder: with Redis for a sealed snapshot to start from, else for the store itself",
        "the path of a folder", "/var/lib/certfleet", None;
    LEASE_TTL: "lease_ttl", "how long a lease lasts that its holder does not extend",
        "a duration from 1s to 1h", "30s", Some("30s");
    RENEW_CHECK_INTERVAL: "renew_check_interval", "how often the node looks for certificates that are due",
        "a duration from 100ms to 1d", "1m", Some("1m");
    RENEW_BEFORE: "renew_before", "how long before its end a certificate is renewed, where its lifetime allows it",
        "a duration from 1s to 365d", "30d", Some("30d");
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
