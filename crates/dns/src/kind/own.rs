//! The kinds that this crate implements itself.

use std::sync::Arc;

use super::{Kind, Make, optional, optional_secret, required, secret};
use crate::{acme_dns::AcmeDns, exec::Exec, httpreq::HttpReq, rfc2136::Rfc2136};

/// The kinds, by name.
pub(super) const KINDS: &[Kind] = &[
    Kind {
        name: "acme-dns",
        title: "acme-dns",
        options: &[
            required("server", "the URL of the acme-dns API"),
            secret("username", "the account's username"),
            secret("password", "the account's password"),
            required(
                "subdomain",
                "the account's subdomain, where _acme-challenge points",
            ),
        ],
        make: Make::Plain(|o| Ok(Arc::new(AcmeDns::new(o)?))),
    },
    Kind {
        name: "exec",
        title: "A program of one's own",
        options: &[required(
            "program",
            "run as PROGRAM present|cleanup NAME. VALUE; 0 is success",
        )],
        make: Make::Plain(|o| Ok(Arc::new(Exec::new(o)))),
    },
    Kind {
        name: "httpreq",
        title: "An HTTP endpoint of one's own",
        options: &[
            required(
                "endpoint",
                "a URL; ENDPOINT/present and ENDPOINT/cleanup take {\"fqdn\", \"value\"} by POST",
            ),
            optional("username", "for HTTP basic authentication"),
            optional_secret("password", "for HTTP basic authentication"),
        ],
        make: Make::Plain(|o| Ok(Arc::new(HttpReq::new(o)?))),
    },
    Kind {
        name: "rfc2136",
        title: "DNS UPDATE (RFC 2136) with TSIG (RFC 8945)",
        options: &[
            required(
                "nameserver",
                "the primary server: HOST or HOST:PORT, after udp:// to use UDP instead of TCP",
            ),
            required("key_name", "the name of the TSIG key"),
            secret("key", "the TSIG key, in base64"),
            optional(
                "algorithm",
                "hmac-sha224, hmac-sha256 (default), hmac-sha384 or hmac-sha512",
            ),
        ],
        make: Make::Zoned(|o, lookup| Ok(Arc::new(Rfc2136::new(o, lookup)?))),
    },
];
