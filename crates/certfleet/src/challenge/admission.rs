//! Who may ask for challenge answers, and how often in vain.
//!
//! Only misses are counted: a CA that validates a hundred names asks a hundred times in a moment
//! and must never be refused, while whoever guesses tokens soon finds the board closed. Behind a
//! balancer that does not send the PROXY protocol, all clients are one.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    num::NonZeroU32,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{
    extract::ConnectInfo,
    http::{Extensions, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use certfleet_tls::Networks;
use tokio::time::Instant;

use super::buckets::Buckets;
use crate::serve::ClientAddr;

/// Decides about clients, and remembers what they did.
pub(crate) struct Admission {
    allowed: Networks,
    misses: Mutex<Buckets>,
}

impl Admission {
    /// Clients in `allowed` may miss `per_second` times a second, and `burst` times at once.
    pub(crate) fn new(allowed: Networks, per_second: NonZeroU32, burst: NonZeroU32) -> Self {
        Self {
            allowed,
            misses: Mutex::new(Buckets::new(per_second, burst)),
        }
    }

    /// Whether the client may ask at all.
    pub(super) fn admit(&self, client: IpAddr) -> Result<(), Refusal> {
        if self.allowed.contains(client) {
            Ok(())
        } else {
            Err(Refusal::NotAllowed)
        }
    }

    /// Whether the client has misses left.
    pub(super) fn may_miss(&self, client: IpAddr) -> Result<(), Refusal> {
        match self.misses().wait(client, Instant::now()) {
            Some(wait) => Err(Refusal::TooMany(wait)),
            None => Ok(()),
        }
    }

    /// The client asked for what is not there.
    pub(super) fn missed(&self, client: IpAddr) {
        self.misses().take(client, Instant::now());
    }

    fn misses(&self) -> MutexGuard<'_, Buckets> {
        self.misses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a client gets no answer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Refusal {
    /// It is in none of the networks that are let in.
    NotAllowed,
    /// It missed too often, and has to wait.
    TooMany(Duration),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::NotAllowed => StatusCode::FORBIDDEN.into_response(),
            Self::TooMany(wait) => {
                // Whole seconds (RFC 9110 section 10.2.3), and not too few.
                let seconds = wait.as_millis().div_ceil(1000).try_into();
                let retry_after = HeaderValue::from(seconds.unwrap_or(u32::MAX));
                let headers = [(header::RETRY_AFTER, retry_after)];
                (StatusCode::TOO_MANY_REQUESTS, headers).into_response()
            }
        }
    }
}

/// The client's address, from whichever kind of `ConnectInfo` the server gives. Without any, all
/// clients are one, whom no list of networks but the whole of IPv4 lets in.
pub(super) fn client(extensions: &Extensions) -> IpAddr {
    let own = extensions
        .get::<ConnectInfo<ClientAddr>>()
        .map(|ConnectInfo(client)| client.0);
    let axums = || {
        extensions
            .get::<ConnectInfo<SocketAddr>>()
            .map(|ConnectInfo(client)| *client)
    };
    own.or_else(axums)
        .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |client| client.ip())
}
