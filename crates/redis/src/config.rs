//! How Redis is reached.

use std::{fmt, time::Duration};

use certfleet_core::FleetName;
use redis::{Client, IntoConnectionInfo, ProtocolVersion, RedisError, TlsCertificates};

/// Where Redis is, whose keys are meant, and how long to wait for it.
///
/// The URL is a secret if it holds a password: `Debug` shows no part of it.
#[derive(Clone)]
pub struct Config {
    /// `redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]`, `rediss://` for TLS, or `unix://PATH`.
    pub url: String,
    /// The roots (PEM) that the certificate of a `rediss://` server is verified against; `None` for
    /// those of the operating system.
    pub root_certificates: Option<Vec<u8>>,
    /// The fleet whose keys are meant.
    pub fleet: FleetName,
    /// How many connections there are at most, beside one for each subscription.
    pub pool_size: usize,
    /// How long it may take to get a connection: to wait for a free one, to check it, to make one.
    pub connect_timeout: Duration,
    /// How long a reply may take. An operation takes a few replies at the most; only reading
    /// every record takes one for each few hundred of them.
    pub response_timeout: Duration,
    /// How often a subscription asks whether its connection is alive; a reply that takes longer
    /// than [`response_timeout`](Self::response_timeout) means that it is not.
    pub ping_interval: Duration,
}

impl Config {
    /// Defaults: 8 connections, 2 s to connect, 2 s to reply, a ping every 5 s.
    #[must_use]
    pub fn new(url: impl Into<String>, fleet: FleetName) -> Self {
        Self {
            url: url.into(),
            root_certificates: None,
            fleet,
            pool_size: 8,
            connect_timeout: Duration::from_secs(2),
            response_timeout: Duration::from_secs(2),
            ping_interval: Duration::from_secs(5),
        }
    }

    /// A client, after everything was checked that can be without asking Redis.
    pub(crate) fn client(&self) -> Result<Client, ConfigError> {
        let zero = [
            ("pool_size", self.pool_size == 0),
            ("connect_timeout", self.connect_timeout.is_zero()),
            ("response_timeout", self.response_timeout.is_zero()),
            ("ping_interval", self.ping_interval.is_zero()),
        ];
        if let Some((setting, _)) = zero.into_iter().find(|(_, is_zero)| *is_zero) {
            return Err(ConfigError::Zero { setting });
        }
        let info = self.url.as_str().into_connection_info()?;
        // RESP2 is what a pub/sub connection speaks; without the library's name there is one
        // command less that an ACL has to grant.
        let settings = info
            .redis_settings()
            .clone()
            .set_protocol(ProtocolVersion::RESP2)
            .set_skip_set_lib_name();
        let info = info.set_redis_settings(settings);
        let Some(pem) = &self.root_certificates else {
            return Ok(Client::open(info)?);
        };
        if !pem.windows(PEM.len()).any(|window| window == PEM) {
            return Err(ConfigError::NoRoot);
        }
        let certificates = TlsCertificates {
            client_tls: None,
            root_cert: Some(pem.clone()),
        };
        Client::build_with_tls(info, certificates).map_err(ConfigError::Roots)
    }
}

/// What a certificate in PEM begins with (RFC 7468 section 5.1).
const PEM: &[u8] = b"-----BEGIN CERTIFICATE-----";

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("url", &"<secret>")
            .field("root_certificates", &self.root_certificates.is_some())
            .field("fleet", &self.fleet)
            .field("pool_size", &self.pool_size)
            .field("connect_timeout", &self.connect_timeout)
            .field("response_timeout", &self.response_timeout)
            .field("ping_interval", &self.ping_interval)
            .finish()
    }
}

/// A [`Config`] that cannot be used. No part of the URL is in it.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The URL makes no sense.
    #[error(
        "the Redis URL cannot be used ({0}); wanted: redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE], \
         or rediss:// for TLS; in a password, percent-encode what is not a letter or digit"
    )]
    Url(#[from] RedisError),
    /// There is no certificate in the roots.
    #[error("the roots for Redis hold no certificate; wanted: PEM")]
    NoRoot,
    /// The roots cannot be used.
    #[error("the roots for Redis cannot be used: {0}")]
    Roots(RedisError),
    /// A setting is zero.
    #[error("the Redis setting {setting} is zero; give it a value above")]
    Zero {
        /// Which one.
        setting: &'static str,
    },
    /// The connection pool does not take the settings.
    #[error("the Redis connection pool cannot be built: {0}")]
    Pool(#[from] deadpool_redis::BuildError),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str) -> Config {
        Config::new(url, "test".parse().unwrap())
    }

    #[test]
    fn takes_the_forms_of_url_there_are() {
        for url in [
            "redis://127.0.0.1",
            "redis://user:pass%2Fword@redis.example:6380/3",
            "rediss://redis.example",
            "redis://[::1]:6379",
            "unix:///run/redis.sock",
        ] {
            let client = config(url).client();
            assert!(client.is_ok(), "{url}: {:?}", client.err());
        }
    }

    #[test]
    fn a_refused_url_is_not_shown() {
        for url in [
            "http://:sesame@host",
            "redis://:sesame/x@host",
            "redis://:sesame@host/first",
            "rediss://:sesame@host/#insecure-really",
            "sesame",
        ] {
            let error = config(url).client().unwrap_err();
            let text = format!("{error} {error:?}");
            assert!(text.contains("rediss:// for TLS"), "{text}");
            assert!(!text.contains("sesame"), "{text}");
        }
        assert!(!format!("{:?}", config("redis://:sesame@host")).contains("sesame"));
    }

    #[test]
    fn roots_are_certificates_and_for_tls_only() {
        let mut config = config("redis://127.0.0.1");
        config.root_certificates = Some(b"garbage".to_vec());
        let error = config.client().unwrap_err();
        assert!(matches!(error, ConfigError::NoRoot), "{error}");
        let key = rcgen::KeyPair::generate().unwrap();
        let root = rcgen::CertificateParams::default()
            .self_signed(&key)
            .unwrap();
        config.root_certificates = Some(root.pem().into_bytes());
        let error = config.client().unwrap_err().to_string();
        assert!(error.contains("rediss://"), "{error}");
    }

    #[test]
    fn a_zero_is_named() {
        let mut config = config("redis://127.0.0.1");
        config.ping_interval = Duration::ZERO;
        let error = config.client().unwrap_err().to_string();
        assert!(error.contains("ping_interval"), "{error}");
    }
}
