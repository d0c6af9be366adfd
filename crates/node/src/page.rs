//! The page a node serves by default: which node answered whom, and with which certificate.
//!
//! It echoes nothing that the client wrote, and everything on it has been parsed into a type whose
//! characters need no escaping in HTML.

use std::net::IpAddr;

use axum::{
    Router,
    extract::{ConnectInfo, State},
    http::{
        HeaderMap, Uri,
        header::{ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST},
    },
    response::{IntoResponse, Response},
};
use certfleet::{Certificate, ClientAddr, Handle, Status};

/// The page, at every path.
pub(crate) fn router(handle: Handle) -> Router {
    Router::new().fallback(page).with_state(handle)
}

async fn page(
    State(handle): State<Handle>,
    ConnectInfo(ClientAddr(client)): ConnectInfo<ClientAddr>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let host = host(&uri, &headers);
    let status = handle.status();
    let facts = facts(&status, client.ip(), host);
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok());
    let (kind, body) = if accept.is_some_and(|accept| accept.contains("text/html")) {
        ("text/html; charset=utf-8", html(&facts))
    } else {
        ("text/plain; charset=utf-8", text(&facts))
    };
    let headers = [
        (CONTENT_TYPE, kind),
        (CACHE_CONTROL, "no-store"),
        (
            CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'",
        ),
    ];
    (headers, body).into_response()
}

/// The host that was asked for, without its port: in HTTP/2 the URI has it, in HTTP/1.1 a header.
fn host<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> &'a str {
    let header = || headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = uri.host().or_else(header).unwrap_or_default();
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

fn facts(status: &Status, client: IpAddr, host: &str) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("node", status.node.to_string()),
        ("client", client.to_canonical().to_string()),
    ];
    if let Some(certificate) = serving(&status.certificates, host) {
        let names: Vec<_> = certificate.names.iter().map(|name| name.as_str()).collect();
        facts.extend([
            ("serial", certificate.serial.clone()),
            ("names", names.join(" ")),
            ("expires", certificate.not_after.to_string()),
            ("generation", certificate.generation.to_string()),
        ]);
    }
    facts
}

/// The certificate for a host: one that has its very name, else one with a wildcard for it.
fn serving<'a>(certificates: &'a [Certificate], host: &str) -> Option<&'a Certificate> {
    let exact = |certificate: &&Certificate| {
        let mut names = certificate.names.iter();
        names.any(|name| name.wildcard_base().is_none() && name.covers(host))
    };
    let covers = |certificate: &&Certificate| certificate.names.covers(host);
    certificates
        .iter()
        .find(exact)
        .or_else(|| certificates.iter().find(covers))
}

fn text(facts: &[(&str, String)]) -> String {
    facts
        .iter()
        .map(|(label, value)| format!("{label}: {value}\n"))
        .collect()
}

fn html(facts: &[(&str, String)]) -> String {
    let rows: String = facts
        .iter()
        .map(|(label, value)| format!("<tr><th>{label}</th><td>{value}</td></tr>\n"))
        .collect();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>certfleet</title>\n\
         <style>body {{ font: 1rem/1.6 system-ui, sans-serif; margin: 3rem; }} \
         th {{ text-align: left; padding-right: 2rem; }} td {{ font-family: monospace; }}</style>\n\
         <h1>certfleet</h1>\n<table>\n{rows}</table>\n</html>\n"
    )
}

#[cfg(test)]
mod tests {
    use certfleet_core::{Epoch, Generation, NameSet};

    use super::*;

    fn certificate(names: &str, serial: &str) -> Certificate {
        let names: NameSet = names.parse().unwrap();
        Certificate {
            id: names.id(),
            names,
            serial: serial.into(),
            not_after: "2026-04-01T00:00:00Z".parse().unwrap(),
            generation: Generation::new(3),
        }
    }

    fn status() -> Status {
        Status {
            node: "web-1".parse().unwrap(),
            ready: true,
            reasons: vec![],
            store_up: true,
            epoch: Epoch::new(5),
            certificates: vec![
                certificate("*.a.example", "01"),
                certificate("a.example+www.a.example", "02"),
            ],
        }
    }

    #[test]
    fn says_node_and_serial_of_the_name_asked_for() {
        for (host, serial) in [
            ("a.example", Some("02")),
            ("www.a.example", Some("02")),
            ("api.a.example", Some("01")),
            ("b.example", None),
            ("", None),
        ] {
            let status = status();
            let found = serving(&status.certificates, host).map(|c| c.serial.as_str());
            assert_eq!(found, serial, "{host}");
        }
        let client = "::ffff:192.0.2.7".parse().unwrap();
        assert_eq!(
            text(&facts(&status(), client, "a.example")),
            "node: web-1\nclient: 192.0.2.7\nserial: 02\nnames: a.example www.a.example\n\
             expires: 2026-04-01T00:00:00.000Z\ngeneration: 3\n"
        );
        assert!(html(&facts(&status(), client, "a.example")).contains("<td>02</td>"));
    }

    #[test]
    fn the_host_comes_from_uri_or_header_without_its_port() {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, "a.example:8443".parse().unwrap());
        assert_eq!(host(&"/x".parse().unwrap(), &headers), "a.example");
        let uri = "https://b.example:8443/x".parse().unwrap();
        assert_eq!(host(&uri, &headers), "b.example");
        assert_eq!(host(&"/".parse().unwrap(), &HeaderMap::new()), "");
    }
}
