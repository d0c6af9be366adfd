//! Accepts TCP connections and sees them through their beginning, many at a time: the PROXY
//! protocol header where the sender is trusted with one, then the TLS handshake on a TLS port.
//!
//! A client that is slow, silent or speaks no TLS takes up one of a limited number of places for
//! a limited time, and holds up nobody else. When all places are taken, new connections wait in
//! the kernel's queue. There is no task that outlives the [`Listener`] and no queue but the
//! places themselves: a finished connection keeps its place until it is taken.

use std::{fmt, io, net::SocketAddr, sync::Arc, time::Duration};

use rustls::ServerConfig;
use tokio::{
    net::{TcpListener, TcpStream, ToSocketAddrs},
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};

use crate::{
    challenge::{ChallengeResponder, Challenges},
    networks::Networks,
    on_demand::{Demands, OnDemand, OnDemandLimits},
    protocol::{Plain, Protocol, Tls},
    proxy_protocol,
    resolver::Resolver,
    stats::{Failure, Open, Stats},
};

/// How long nothing is accepted when the system has no more sockets to give.
const PAUSE: Duration = Duration::from_millis(50);

/// What one listener may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many handshakes may go on at a time, finished connections not yet taken among them.
    pub max_handshakes: usize,
    /// How long a handshake may take, together with the PROXY protocol header in front of it.
    pub handshake_timeout: Duration,
}

impl Default for Limits {
    /// 512 handshakes of 10 seconds.
    fn default() -> Self {
        Self {
            max_handshakes: 512,
            handshake_timeout: Duration::from_secs(10),
        }
    }
}

/// A TCP socket that gives connections which are past their beginning: TLS ones, or plain ones.
///
/// Dropping it closes the socket at once and breaks off the handshakes that are going on;
/// connections already taken are not touched.
pub struct Listener<P: Protocol = Tls> {
    tcp: TcpListener,
    protocol: P,
    limits: Limits,
    proxies: Arc<Networks>,
    stats: Arc<Stats>,
    handshakes: JoinSet<Option<Connection<P>>>,
    /// The end of a pause after an error of the system. Kept here, so that it holds even if the
    /// call that began it is dropped.
    paused_until: Option<Instant>,
}

type Connection<P> = (<P as Protocol>::Stream, SocketAddr);

impl Listener {
    /// Binds `addr` (port 0 takes a free one), with counters of its own.
    ///
    /// # Errors
    /// What the system says, such as that the address is in use.
    pub async fn bind(
        addr: impl ToSocketAddrs,
        config: Arc<ServerConfig>,
        limits: Limits,
    ) -> io::Result<Self> {
        let tcp = TcpListener::bind(addr).await?;
        Ok(Self::new(tcp, config, limits, Arc::default()))
    }

    /// Takes over a socket that is bound already, and counts in `stats`, which several listeners
    /// may share.
    #[must_use]
    pub fn new(
        tcp: TcpListener,
        config: Arc<ServerConfig>,
        limits: Limits,
        stats: Arc<Stats>,
    ) -> Self {
        Self::with_protocol(tcp, config.into(), limits, stats)
    }

    /// Answers TLS-ALPN-01 challenges (RFC 8737) with what `responder` knows.
    ///
    /// Without it, and for a name it knows no answer for, a client that offers `acme-tls/1` alone
    /// gets the fatal alert `access_denied`. Such a connection is never given out.
    #[must_use]
    pub fn with_challenges(mut self, responder: Arc<dyn ChallengeResponder>) -> Self {
        self.protocol.challenges = Some(Challenges::new(responder));
        self
    }

    /// Lets a handshake wait while `on_demand` gets a certificate for a server name that
    /// `resolver`, which the configuration was made with, does not know. The default certificate
    /// makes no name known.
    #[must_use]
    pub fn with_on_demand(
        mut self,
        resolver: Resolver,
        on_demand: Arc<dyn OnDemand>,
        limits: &OnDemandLimits,
    ) -> Self {
        self.protocol.demands = Some(Demands::new(resolver, on_demand, limits));
        self
    }
}

impl Listener<Plain> {
    /// The same without TLS.
    #[must_use]
    pub fn plain(tcp: TcpListener, limits: Limits, stats: Arc<Stats>) -> Self {
        Self::with_protocol(tcp, Plain, limits, stats)
    }
}

impl<P: Protocol> Listener<P> {
    fn with_protocol(tcp: TcpListener, protocol: P, limits: Limits, stats: Arc<Stats>) -> Self {
        Self {
            tcp,
            protocol,
            limits,
            proxies: Arc::default(),
            stats,
            handshakes: JoinSet::new(),
            paused_until: None,
        }
    }

    /// Trusts senders in `proxies`, and nobody else, to say whose connection they pass on.
    ///
    /// They must begin each connection with a header of the PROXY protocol, version 1 or 2, and
    /// are refused without; the client's address is then the one in it. What anybody else sends is
    /// taken as it is, and a header among it is not understood.
    #[must_use]
    pub fn with_proxy_protocol_from(self, proxies: Networks) -> Self {
        Self {
            proxies: Arc::new(proxies),
            ..self
        }
    }

    /// The address it is bound to.
    ///
    /// # Errors
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }

    /// What was counted so far.
    #[must_use]
    pub fn stats(&self) -> Arc<Stats> {
        Arc::clone(&self.stats)
    }

    /// The next connection that is past its beginning, whenever it began, and its client.
    ///
    /// The client is the peer, or who a trusted proxy says it is.
    ///
    /// Call it in a loop: connections are accepted only while a call is waiting. Errors of single
    /// connections are counted and logged, errors of the system are waited out; neither ends the
    /// loop. A call may be dropped at any time and nothing is lost (cancel safe).
    pub async fn accept(&mut self) -> (P::Stream, SocketAddr) {
        loop {
            let has_room = self.handshakes.len() < self.limits.max_handshakes.max(1);
            tokio::select! {
                Some(done) = self.handshakes.join_next() => match done {
                    Ok(Some(connection)) => return connection,
                    Ok(None) => {}
                    Err(error) => tracing::error!(%error, "a handshake died; this is a fault in certfleet or its TLS stack"),
                },
                accepted = accept_after(&self.tcp, self.paused_until), if has_room => {
                    self.paused_until = None;
                    match accepted {
                        Ok((tcp, peer)) => self.begin(tcp, peer),
                        Err(error) => {
                            self.stats.accept_failed();
                            if !concerns_one_connection(&error) {
                                tracing::warn!(%error, "no connection can be accepted; is the limit of open files too low?");
                                self.paused_until = Some(Instant::now() + PAUSE);
                            }
                        }
                    }
                }
            }
        }
    }

    fn begin(&mut self, tcp: TcpStream, peer: SocketAddr) {
        let beginning = begin(
            self.protocol.clone(),
            tcp,
            peer,
            Arc::clone(&self.proxies),
            Arc::clone(&self.stats),
        );
        let limit = self.limits.handshake_timeout;
        self.handshakes
            .spawn(within::<P>(limit, peer, beginning, self.stats.begin()));
    }
}

impl<P: Protocol> fmt::Debug for Listener<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener")
            .field("tcp", &self.tcp)
            .field("limits", &self.limits)
            .field("proxies", &self.proxies)
            .field("stats", &self.stats)
            .finish_non_exhaustive()
    }
}

/// The next TCP connection, but not before `pause` is over.
async fn accept_after(
    tcp: &TcpListener,
    pause: Option<Instant>,
) -> io::Result<(TcpStream, SocketAddr)> {
    if let Some(end) = pause {
        sleep_until(end).await;
    }
    tcp.accept().await
}

/// Whether only the connection to be accepted was lost, so that the next can be taken at once.
/// Any other error (no more files, no more memory) would come again at once.
fn concerns_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
    )
}

/// One beginning: whose connection it is, then what its protocol asks for.
async fn begin<P: Protocol>(
    protocol: P,
    mut tcp: TcpStream,
    peer: SocketAddr,
    proxies: Arc<Networks>,
    stats: Arc<Stats>,
) -> io::Result<Option<Connection<P>>> {
    // Without it the last flight of a handshake may wait for an acknowledgement.
    if let Err(error) = tcp.set_nodelay(true) {
        tracing::debug!(%peer, %error, "TCP_NODELAY is not set");
    }
    let mut client = peer;
    if proxies.contains(peer.ip())
        && let Some(said) = proxy_protocol::read(&mut tcp).await?
    {
        tracing::trace!(%peer, client = %said, "passed on by a proxy");
        client = said;
    }
    let stream = protocol.begin(tcp, &stats).await?;
    Ok(stream.map(|stream| (stream, client)))
}

/// A beginning within its time, counted, and logged if it fails.
async fn within<P: Protocol>(
    limit: Duration,
    peer: SocketAddr,
    beginning: impl Future<Output = io::Result<Option<Connection<P>>>>,
    open: Open,
) -> Option<Connection<P>> {
    let (reason, error) = match timeout(limit, beginning).await {
        Ok(Ok(Some((stream, client)))) => {
            open.succeeded(P::session(&stream));
            return Some((stream, client));
        }
        Ok(Ok(None)) => {
            open.answered();
            return None;
        }
        Ok(Err(error)) => (Failure::from(&error), error),
        Err(elapsed) => (Failure::Timeout, elapsed.into()),
    };
    tracing::debug!(%peer, reason = reason.as_str(), %error, "a connection failed to begin");
    open.failed(reason);
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_errors_of_one_connection_go_without_a_pause() {
        const ECONNABORTED: i32 = 103;
        const EMFILE: i32 = 24;
        const ENFILE: i32 = 23;
        const ENOBUFS: i32 = 105;
        for (code, one) in [
            (ECONNABORTED, true),
            (EMFILE, false),
            (ENFILE, false),
            (ENOBUFS, false),
        ] {
            let error = io::Error::from_raw_os_error(code);
            assert_eq!(concerns_one_connection(&error), one, "{error}");
        }
    }
}
