//! Who may change anything by the admin port.
//!
//! With a token configured: whoever shows it. Without one: a client on this host, on a port that is
//! bound to a loopback address, that is no browser on behalf of another site. Such a browser gives
//! itself away by a Host that is not this host (DNS rebinding) or by an Origin that is not.

use std::net::{IpAddr, SocketAddr};

use axum::{
    extract::{ConnectInfo, Request, State},
    http::{
        HeaderMap, StatusCode,
        header::{AUTHORIZATION, HOST, HeaderName, ORIGIN},
        uri::{Authority, Uri},
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use certfleet::{config::Secret, settings::known::ADMIN_TOKEN};

use super::problem::Problem;

/// Decides who may.
#[derive(Clone)]
pub(super) struct Guard {
    token: Option<Secret>,
    bound: SocketAddr,
}

/// Lets a request pass that may change something.
pub(super) async fn check(
    State(guard): State<Guard>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    match guard.admit(client.ip(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

impl Guard {
    /// A guard of the port bound to `bound`.
    pub(super) fn new(token: Option<Secret>, bound: SocketAddr) -> Self {
        Self { token, bound }
    }

    fn admit(&self, client: IpAddr, headers: &HeaderMap) -> Result<(), Problem> {
        match &self.token {
            Some(token) => shows(token, headers),
            None => self.is_local(client, headers),
        }
    }

    fn is_local(&self, client: IpAddr, headers: &HeaderMap) -> Result<(), Problem> {
        let forbidden = |why: &str| {
            let detail = format!(
                "{why}; set {} on the nodes to let clients in that show it",
                ADMIN_TOKEN.variable()
            );
            Err(Problem::new(StatusCode::FORBIDDEN, detail))
        };
        if !self.bound.ip().to_canonical().is_loopback() {
            return forbidden("this port is not bound to a loopback address, so it takes no changes");
        }
        if !client.to_canonical().is_loopback() {
            return forbidden("changes are taken from this host alone");
        }
        if text(headers, HOST).is_none_or(|host| !names_this_host(host)) {
            return forbidden("the header Host names another host than this one");
        }
        let origin = headers.get(ORIGIN).map(|_| text(headers, ORIGIN));
        if origin.is_some_and(|origin| !origin.is_some_and(is_this_host)) {
            return forbidden("the header Origin names another site");
        }
        Ok(())
    }
}

/// Whether the request shows the token (RFC 6750 section 2.1).
fn shows(token: &Secret, headers: &HeaderMap) -> Result<(), Problem> {
    let unauthorized = |detail: &str| Err(Problem::new(StatusCode::UNAUTHORIZED, detail));
    let Some(shown) = text(headers, AUTHORIZATION) else {
        return unauthorized("changes need the header Authorization: Bearer with the admin token");
    };
    let bearer = shown
        .split_once(' ')
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    match bearer {
        Some((_, shown)) if token.is(shown.trim()) => Ok(()),
        Some(_) => unauthorized("this is not the admin token"),
        None => unauthorized("the header Authorization has another scheme than Bearer"),
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// Whether an authority, a name or an address perhaps with a port, is this host by loopback.
fn names_this_host(authority: &str) -> bool {
    authority
        .parse::<Authority>()
        .is_ok_and(|authority| is_loopback(authority.host()))
}

/// Whether an origin (RFC 6454 section 6.2) is this host by loopback.
fn is_this_host(origin: &str) -> bool {
    let uri = origin.parse::<Uri>().ok();
    uri.as_ref().and_then(Uri::host).is_some_and(is_loopback)
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || address.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    /// What becomes of a request with these headers: its status and the problem.
    fn asked(
        token: Option<&str>,
        bound: &str,
        client: &str,
        headers: &[(HeaderName, &str)],
    ) -> Result<(), (u16, String)> {
        let guard = Guard::new(token.map(Secret::new), bound.parse().unwrap());
        let headers = headers
            .iter()
            .map(|(name, value)| (name.clone(), value.parse().unwrap()))
            .collect();
        let admitted = guard.admit(client.parse().unwrap(), &headers);
        admitted.map_err(|problem| (problem.status.as_u16(), problem.detail))
    }

    #[test]
    fn without_a_token_only_this_host_may() {
        let local = "127.0.0.1:9180";
        for (bound, client, headers, why) in [
            (local, "127.0.0.1", &[(HOST, "127.0.0.1:9180")][..], None),
            (local, "127.0.0.9", &[(HOST, "localhost")], None),
            ("[::1]:9180", "::1", &[(HOST, "[::1]:9180")], None),
            (
                local,
                "127.0.0.1",
                &[(HOST, "localhost:9180"), (ORIGIN, "http://localhost:3000")],
                None,
            ),
            (
                "0.0.0.0:9180",
                "127.0.0.1",
                &[(HOST, "localhost")],
                Some("this port is not bound to a loopback address"),
            ),
            (
                local,
                "10.0.0.1",
                &[(HOST, "localhost")],
                Some("changes are taken from this host alone"),
            ),
            (local, "127.0.0.1", &[], Some("the header Host names another host")),
            (
                local,
                "127.0.0.1",
                &[(HOST, "evil.example:9180")],
                Some("the header Host names another host"),
            ),
            (
                local,
                "127.0.0.1",
                &[(HOST, "127.0.0.1.evil.example")],
                Some("the header Host names another host"),
            ),
            (
                local,
                "127.0.0.1",
                &[(HOST, "localhost"), (ORIGIN, "https://evil.example")],
                Some("the header Origin names another site"),
            ),
            (
                local,
                "127.0.0.1",
                &[(HOST, "localhost"), (ORIGIN, "null")],
                Some("the header Origin names another site"),
            ),
        ] {
            match (asked(None, bound, client, headers), why) {
                (Ok(()), None) => {}
                (Err((403, detail)), Some(why)) => {
                    assert!(detail.starts_with(why), "{detail}");
                    assert!(detail.contains("CERTFLEET_ADMIN_TOKEN"), "{detail}");
                }
                (outcome, _) => panic!("{bound} {client} {headers:?}: {outcome:?}"),
            }
        }
    }

    #[test]
    fn with_a_token_whoever_shows_it_may() {
        let from_outside = |headers: &[(HeaderName, &str)]| {
            asked(Some(TOKEN), "0.0.0.0:9180", "10.0.0.1", headers)
        };
        for good in ["Bearer 0123456789abcdef", "bearer  0123456789abcdef"] {
            let host = (HOST, "admin.example");
            assert_eq!(from_outside(&[host, (AUTHORIZATION, good)]), Ok(()), "{good}");
        }
        for bad in [
            "Bearer 0123456789abcdeF",
            "Bearer 0123456789abcde",
            "Bearer 0123456789abcdef0",
            "Bearer ",
            "Basic 0123456789abcdef",
            "0123456789abcdef",
        ] {
            let (status, detail) = from_outside(&[(AUTHORIZATION, bad)]).unwrap_err();
            assert_eq!(status, 401, "{bad}");
            assert!(!detail.contains("0123"), "{detail}");
        }
        assert_eq!(from_outside(&[]).unwrap_err().0, 401);
        // Nobody is let in by being on this host.
        let local = asked(Some(TOKEN), "127.0.0.1:9180", "127.0.0.1", &[(HOST, "localhost")]);
        assert_eq!(local.unwrap_err().0, 401);
    }
}
