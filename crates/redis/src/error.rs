//! What Redis answers, as [`StoreError`]: by who must act.

use std::fmt;

use certfleet_store::StoreError;
use redis::{ErrorKind, RedisError, ServerErrorKind};

/// `error`, which `operation` met at the key `at`, as a store error.
pub(crate) fn store_error(
    store: &str,
    operation: &'static str,
    at: &str,
    error: RedisError,
) -> StoreError {
    match blame(&error) {
        Blame::Value => StoreError::corrupt(at, Words(&error)),
        Blame::Operator => StoreError::Refused {
            store: store.to_owned(),
            operation,
            problem: Words(&error).to_string(),
        },
        Blame::Nobody => unavailable(store, operation, error),
    }
}

/// Redis could not be asked, or did not answer.
pub(crate) fn unavailable(
    store: &str,
    operation: &'static str,
    source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> StoreError {
    StoreError::Unavailable {
        store: store.to_owned(),
        operation,
        source: source.into(),
    }
}

enum Blame {
    /// What is stored is not what belongs there.
    Value,
    /// Rights, memory, a replica: it will not get better by itself.
    Operator,
    /// It may answer later.
    Nobody,
}

fn blame(error: &RedisError) -> Blame {
    use ServerErrorKind::{BusyLoading, ClusterDown, MasterDown, TryAgain};
    match error.kind() {
        ErrorKind::Parse | ErrorKind::UnexpectedReturnType => Blame::Value,
        ErrorKind::Server(BusyLoading | ClusterDown | MasterDown | TryAgain) => Blame::Nobody,
        ErrorKind::Server(_) | ErrorKind::AuthenticationFailed | ErrorKind::InvalidClientConfig => {
            Blame::Operator
        }
        ErrorKind::Extension => match error.code() {
            Some("WRONGTYPE") => Blame::Value,
            Some("BUSY") => Blame::Nobody,
            _ => Blame::Operator,
        },
        _ => Blame::Nobody,
    }
}

/// An error as Redis worded it: code and text.
struct Words<'a>(&'a RedisError);

impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0.code(), self.0.detail()) {
            (Some(code), Some(detail)) => write!(f, "{code} {detail}"),
            _ => self.0.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use redis::make_extension_error;

    use super::*;

    fn text(code: &str) -> String {
        let error = match code {
            "IO" => std::io::Error::from(std::io::ErrorKind::ConnectionRefused).into(),
            "LOADING" => RedisError::from((
                ErrorKind::Server(ServerErrorKind::BusyLoading),
                "loading the data set",
            )),
            "NOPERM" => {
                RedisError::from((ErrorKind::Server(ServerErrorKind::NoPerm), "no permission"))
            }
            code => make_extension_error(code.into(), Some("words".into())),
        };
        store_error("Redis at h:1", "load", "the-key", error).to_string()
    }

    #[test]
    fn each_answer_blames_who_must_act() {
        for (code, expected) in [
            ("IO", "Redis at h:1 is unavailable for load: "),
            ("LOADING", "Redis at h:1 is unavailable for load: "),
            ("BUSY", "Redis at h:1 is unavailable for load: "),
            ("NOPERM", "Redis at h:1 refused load: "),
            ("OOM", "Redis at h:1 refused load: OOM words"),
            ("NOAUTH", "Redis at h:1 refused load: NOAUTH words"),
            (
                "WRONGTYPE",
                "the value at the-key cannot be read: WRONGTYPE words",
            ),
        ] {
            let text = text(code);
            assert!(text.starts_with(expected), "{code}: {text}");
        }
    }
}
