//! The HTTP port: challenge answers, and a redirect to HTTPS for everything else.
//!
//! The redirect goes only to a host that is a well-formed name, so that a forged Host header
//! cannot send anyone elsewhere than to a name it already named.

use axum::{
    Router,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Redirect, Response},
};
use certfleet_core::DomainName;

/// The router of the HTTP port; `https_port` is the port that clients reach HTTPS on.
pub(crate) fn router(challenge: Router, https_port: u16) -> Router {
    challenge.fallback(move |uri: Uri, headers: HeaderMap| async move {
        redirect(&uri, &headers, https_port)
    })
}

fn redirect(uri: &Uri, headers: &HeaderMap, https_port: u16) -> Response {
    match target(uri, headers, https_port) {
        Some(target) => Redirect::permanent(&target).into_response(),
        None => (StatusCode::BAD_REQUEST, "no host name to redirect to\n").into_response(),
    }
}

fn target(uri: &Uri, headers: &HeaderMap, https_port: u16) -> Option<String> {
    let host = match uri.host() {
        Some(host) => host,
        None => {
            let host = headers.get(header::HOST)?.to_str().ok()?;
            host.rsplit_once(':').map_or(host, |(name, _port)| name)
        }
    };
    let host: DomainName = host.parse().ok()?;
    let port = if https_port == 443 {
        String::new()
    } else {
        format!(":{https_port}")
    };
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    Some(format!("https://{host}{port}{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_to_the_same_name_and_path() {
        for (host, path, port, wanted) in [
            ("a.example", "/x?y=1", 443, Some("https://a.example/x?y=1")),
            ("A.example:80", "/", 443, Some("https://a.example/")),
            ("localhost:8080", "/", 8443, Some("https://localhost:8443/")),
            ("evil.example/@a.example", "/", 443, None),
            ("a.example\" onload", "/", 443, None),
            ("192.0.2.1", "/", 443, None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, host.parse().unwrap());
            let uri: Uri = path.parse().unwrap();
            assert_eq!(target(&uri, &headers, port).as_deref(), wanted, "{host}");
        }
        assert_eq!(target(&"/".parse().unwrap(), &HeaderMap::new(), 443), None);
    }
}
