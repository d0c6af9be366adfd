//! What a listener counted since it was made.
//!
//! Every connection that is past its beginning, or ended in it, is counted under exactly one
//! result. Results are a closed set, so they are safe as metric labels. Addresses and names are never kept.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use rustls::{Error, HandshakeKind, ProtocolVersion, ServerConnection};

use crate::{challenge::NoAnswer, proxy_protocol::HeaderError};

/// Counters of a [`Listener`](crate::Listener), readable at any time.
#[derive(Debug, Default)]
pub struct Stats {
    accepted: AtomicU64,
    accept_errors: AtomicU64,
    open: AtomicU64,
    tls12: AtomicU64,
    tls13: AtomicU64,
    plain: AtomicU64,
    resumed: AtomicU64,
    challenges: AtomicU64,
    failures: [AtomicU64; Failure::ALL.len()],
    demands: [AtomicU64; Demand::ALL.len()],
}

impl Stats {
    /// Connections accepted.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.accepted.load(Relaxed)
    }

    /// Times the operating system gave an error instead of a connection.
    #[must_use]
    pub fn accept_errors(&self) -> u64 {
        self.accept_errors.load(Relaxed)
    }

    /// Handshakes that are going on now.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.open.load(Relaxed)
    }

    /// Connections handed on without TLS, as their port is a plain one.
    #[must_use]
    pub fn plain(&self) -> u64 {
        self.plain.load(Relaxed)
    }

    /// Handshakes that succeeded by resuming a session; they are counted by version too.
    #[must_use]
    pub fn resumed(&self) -> u64 {
        self.resumed.load(Relaxed)
    }

    /// Handshakes in which a CA was given the answer to its challenge. Those without an answer are
    /// [`Failure::NoAnswer`].
    #[must_use]
    pub fn challenges(&self) -> u64 {
        self.challenges.load(Relaxed)
    }

    /// Handshakes for a name without a certificate, by what came of asking for one. They are
    /// counted by their result too.
    #[must_use]
    pub fn demands(&self, outcome: Demand) -> u64 {
        self.demands[outcome as usize].load(Relaxed)
    }

    /// What [`Self::demands`] tells, by [`Demand::as_str`].
    pub fn demand_counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let counts = Demand::ALL.map(|outcome| (outcome.as_str(), self.demands(outcome)));
        counts.into_iter()
    }

    /// Handshakes that failed for `reason`.
    #[must_use]
    pub fn failures(&self, reason: Failure) -> u64 {
        self.failures[reason as usize].load(Relaxed)
    }

    /// Finished handshakes by result: `tls12` and `tls13` for success, `challenge` for an answer
    /// to a CA, else [`Failure::as_str`].
    pub fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let done = [
            ("tls12", self.tls12.load(Relaxed)),
            ("tls13", self.tls13.load(Relaxed)),
            ("challenge", self.challenges()),
        ];
        done.into_iter().chain(self.failed())
    }

    /// What failed, by reason.
    pub fn failed(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let failed = Failure::ALL.map(|reason| (reason.as_str(), self.failures(reason)));
        failed.into_iter()
    }

    /// Counts a connection, and its handshake as open until the guard is dropped.
    pub(crate) fn begin(self: &Arc<Self>) -> Open {
        self.accepted.fetch_add(1, Relaxed);
        self.open.fetch_add(1, Relaxed);
        Open(Arc::clone(self))
    }

    pub(crate) fn demanded(&self, outcome: Demand) {
        self.demands[outcome as usize].fetch_add(1, Relaxed);
    }

    pub(crate) fn accept_failed(&self) {
        self.accept_errors.fetch_add(1, Relaxed);
    }
}

/// A handshake that is going on. Dropped unfinished, it is counted under no result.
pub(crate) struct Open(Arc<Stats>);

impl Open {
    pub(crate) fn succeeded(self, session: Option<&ServerConnection>) {
        let Some(connection) = session else {
            self.0.plain.fetch_add(1, Relaxed);
            return;
        };
        let version = match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => &self.0.tls13,
            _ => &self.0.tls12,
        };
        version.fetch_add(1, Relaxed);
        if connection.handshake_kind() == Some(HandshakeKind::Resumed) {
            self.0.resumed.fetch_add(1, Relaxed);
        }
    }

    pub(crate) fn answered(self) {
        self.0.challenges.fetch_add(1, Relaxed);
    }

    pub(crate) fn failed(self, reason: Failure) {
        self.0.failures[reason as usize].fetch_add(1, Relaxed);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Relaxed);
    }
}

/// Why a handshake failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It took longer than [`Limits::handshake_timeout`](crate::Limits).
    Timeout,
    /// What the client sent is no TLS, or malformed.
    NotTls,
    /// No certificate is published for the name, and no default.
    NoCertificate,
    /// The client offered `acme-tls/1` alone, and no answer is known for the name.
    NoAnswer,
    /// No protocol version, cipher suite, group or ALPN protocol in common.
    Incompatible,
    /// The client broke the protocol.
    Protocol,
    /// The client sent a fatal alert, such as for a certificate it does not trust.
    Alert,
    /// The client closed the connection; so do the probes of many load balancers.
    Closed,
    /// Reading or writing failed, for instance by a reset.
    Io,
    /// A trusted proxy sent no header of the PROXY protocol.
    ProxyMissing,
    /// The header of a trusted proxy breaks the rules of the PROXY protocol.
    ProxyMalformed,
    /// The header of a trusted proxy is longer than is taken.
    ProxyOversize,
}

impl Failure {
    /// All reasons there are.
    pub const ALL: [Self; 12] = [
        Self::Timeout,
        Self::NotTls,
        Self::NoCertificate,
        Self::NoAnswer,
        Self::Incompatible,
        Self::Protocol,
        Self::Alert,
        Self::Closed,
        Self::Io,
        Self::ProxyMissing,
        Self::ProxyMalformed,
        Self::ProxyOversize,
    ];

    /// The reason as a metric label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::NotTls => "not_tls",
            Self::NoCertificate => "no_certificate",
            Self::NoAnswer => "no_answer",
            Self::Incompatible => "incompatible",
            Self::Protocol => "protocol",
            Self::Alert => "alert",
            Self::Closed => "closed",
            Self::Io => "io",
            Self::ProxyMissing => "proxy_missing",
            Self::ProxyMalformed => "proxy_malformed",
            Self::ProxyOversize => "proxy_oversize",
        }
    }
}

/// What came of asking for a certificate on demand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// It was published, and the handshake went on with it.
    Obtained,
    /// It is not to be had.
    Refused,
    /// It was not there within [`OnDemandLimits::timeout`](crate::OnDemandLimits).
    Timeout,
    /// Nobody was asked: as many handshakes as may were waiting.
    Busy,
}

impl Demand {
    /// All outcomes there are.
    pub const ALL: [Self; 4] = [Self::Obtained, Self::Refused, Self::Timeout, Self::Busy];

    /// The outcome as a metric label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Obtained => "obtained",
            Self::Refused => "refused",
            Self::Timeout => "timeout",
            Self::Busy => "busy",
        }
    }
}

/// rustls has no variant for a resolver that found nothing, only this text. A test of a real
/// handshake holds it in place.
const NO_CERTIFICATE: &str = "no server certificate chain resolved";

/// Reads the error of a beginning.
impl From<&io::Error> for Failure {
    fn from(error: &io::Error) -> Self {
        let inner = error.get_ref();
        if let Some(tls) = inner.and_then(|inner| inner.downcast_ref()) {
            return of_tls(tls);
        }
        if let Some(header) = inner.and_then(|inner| inner.downcast_ref()) {
            return match header {
                HeaderError::Missing => Self::ProxyMissing,
                HeaderError::Malformed(_) => Self::ProxyMalformed,
                HeaderError::Oversize(_) => Self::ProxyOversize,
            };
        }
        if inner.is_some_and(|inner| inner.is::<NoAnswer>()) {
            return Self::NoAnswer;
        }
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Closed,
            _ => Self::Io,
        }
    }
}

fn of_tls(error: &Error) -> Failure {
    match error {
        Error::General(text) if text == NO_CERTIFICATE => Failure::NoCertificate,
        Error::InvalidMessage(_) => Failure::NotTls,
        Error::AlertReceived(_) => Failure::Alert,
        Error::PeerIncompatible(_) | Error::NoApplicationProtocol => Failure::Incompatible,
        _ => Failure::Protocol,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_reason_has_a_place_and_a_label_of_its_own() {
        let stats = Arc::new(Stats::default());
        for (index, reason) in Failure::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, index);
            stats.begin().failed(reason);
        }
        let counts: Vec<_> = stats.counts().collect();
        assert_eq!(
            counts.len(),
            counts
                .iter()
                .map(|(label, _)| label)
                .collect::<HashSet<_>>()
                .len()
        );
        assert_eq!(counts.iter().map(|(_, count)| count).sum::<u64>(), 12);
        assert_eq!((stats.accepted(), stats.open()), (12, 0));
    }

    #[test]
    fn each_outcome_of_a_demand_has_a_place_and_a_label_of_its_own() {
        let stats = Stats::default();
        for (index, outcome) in Demand::ALL.into_iter().enumerate() {
            assert_eq!(outcome as usize, index);
            stats.demanded(outcome);
        }
        let counts: Vec<_> = stats.demand_counts().collect();
        assert_eq!(
            counts,
            [("obtained", 1), ("refused", 1), ("timeout", 1), ("busy", 1)]
        );
    }
}
