//! Where Redis is and how to log in there.
//!
//! The URL may hold a password, so it shows itself without user, password and query; only
//! [`RedisUrl::secret`] gives the whole of it. Whether a server answers is not asked here.

use std::{fmt, str::FromStr};

use url::Url;
use zeroize::Zeroizing;

/// A `redis://` or `rediss://` (TLS) URL.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl {
    secret: Zeroizing<String>,
    shown: String,
}

impl RedisUrl {
    /// The whole URL, password included: for the Redis client alone.
    #[must_use]
    pub fn secret(&self) -> &str {
        &self.secret
    }
}

impl FromStr for RedisUrl {
    type Err = RedisUrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = Url::parse(text).map_err(|_| RedisUrlError::NotUrl)?;
        if !matches!(url.scheme(), "redis" | "rediss") {
            return Err(RedisUrlError::Scheme);
        }
        let host = url.host_str().ok_or(RedisUrlError::NoHost)?;
        let database = url.path().trim_start_matches('/');
        if !database.bytes().all(|b| b.is_ascii_digit()) {
            return Err(RedisUrlError::Database);
        }
        let mut shown = format!("{}://{host}:{}", url.scheme(), url.port().unwrap_or(6379));
        if !database.is_empty() {
            shown = format!("{shown}/{database}");
        }
        Ok(Self {
            secret: Zeroizing::new(text.to_owned()),
            shown,
        })
    }
}

/// Scheme, host, port and database, and never user or password.
impl fmt::Display for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RedisUrl({})", self.shown)
    }
}

/// Why a text is no Redis URL; the text is never shown, it may hold a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedisUrlError {
    /// It does not parse as a URL.
    #[error("it is not a URL")]
    NotUrl,
    /// Its scheme is another one.
    #[error("its scheme is neither redis nor rediss")]
    Scheme,
    /// It names no host.
    #[error("it names no host")]
    NoHost,
    /// What follows the host is no database number.
    #[error("what follows the host is not a database number")]
    Database,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_where_and_never_the_password() {
        for (text, shown) in [
            ("redis://127.0.0.1", "redis://127.0.0.1:6379"),
            ("redis://:hunter2@cache:7000/3", "redis://cache:7000/3"),
            (
                "rediss://me:hunter2@[::1]:1?protocol=resp3",
                "rediss://[::1]:1",
            ),
        ] {
            let url: RedisUrl = text.parse().unwrap();
            assert_eq!(url.secret(), text);
            assert_eq!(url.to_string(), shown);
            assert_eq!(format!("{url:?}"), format!("RedisUrl({shown})"));
        }
    }

    #[test]
    fn refuses_the_rest() {
        for (text, error) in [
            ("", RedisUrlError::NotUrl),
            ("cache", RedisUrlError::NotUrl),
            ("cache:6379", RedisUrlError::Scheme),
            ("http://cache:6379", RedisUrlError::Scheme),
            ("redis://", RedisUrlError::NoHost),
            ("redis://cache/zero", RedisUrlError::Database),
        ] {
            assert_eq!(text.parse::<RedisUrl>(), Err(error), "{text}");
        }
    }
}
