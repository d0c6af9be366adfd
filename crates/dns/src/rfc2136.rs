//! DNS UPDATE (RFC 2136) signed with TSIG (RFC 8945), through dns-update.
//!
//! The server's name is resolved at each call, and its addresses are tried in turn. TCP unless
//! told otherwise: an update may be longer than a datagram, and a refused connection is seen.

use std::{fmt, net::SocketAddr};

use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_STANDARD};
use dns_update::{DnsUpdater, Error, TsigAlgorithm, providers::rfc2136::DnsAddress};
use zeroize::Zeroizing;

use crate::{
    DnsError, DnsProvider, Lookup, Place, TxtRecord,
    call::{Fault, Turns, place},
    options::{Options, Problem},
    updater::Change,
    zone::ZoneFinder,
};

/// How many of a server's addresses are tried.
const ADDRESSES: usize = 4;

/// A server that takes updates.
pub(crate) struct Rfc2136 {
    options: Options,
    server: String,
    udp: bool,
    key: Zeroizing<Vec<u8>>,
    zone: ZoneFinder,
    ttl: u32,
    turns: Turns,
}

impl Rfc2136 {
    pub(crate) fn new(options: &Options, lookup: &Lookup) -> Result<Self, Problem> {
        let (server, udp) = server(options.get("nameserver"));
        let key = BASE64_STANDARD
            .decode(options.get("key"))
            .map_err(|_| Problem("the option key is not base64".to_owned()))?;
        let provider = Self {
            options: options.clone(),
            server,
            udp,
            key: Zeroizing::new(key),
            zone: ZoneFinder::new(options.opt("zone"), lookup),
            ttl: options.parse("ttl")?.unwrap_or(60),
            turns: Turns::default(),
        };
        algorithm(options.opt("algorithm"))?;
        // A bad key name shows here, whatever the address.
        provider.client(SocketAddr::from(([127, 0, 0, 1], 53)))?;
        Ok(provider)
    }

    fn client(&self, address: SocketAddr) -> Result<DnsUpdater, Problem> {
        let address = if self.udp {
            DnsAddress::Udp(address)
        } else {
            DnsAddress::Tcp(address)
        };
        Ok(DnsUpdater::new_rfc2136_tsig(
            address,
            self.options.get("key_name"),
            self.key.to_vec(),
            algorithm(self.options.opt("algorithm"))?,
        )?)
    }

    async fn change(&self, change: Change, record: &TxtRecord) -> Result<(), DnsError> {
        let place = place(&self.options, record);
        let call = async {
            let zone = self.zone.find(&place).await?;
            let place = place.clone().within(zone.clone());
            let mut last = None;
            for address in self.addresses(&place).await? {
                let client = self
                    .client(address)
                    .expect("the same was made when the provider was");
                let done = change.carry_out(&client, record, &zone, self.ttl).await;
                match done.map_err(|error| self.fault(&place, &error)) {
                    Err(error @ DnsError::Unavailable { .. }) => last = Some(error),
                    done => return done,
                }
            }
            Err(last.unwrap_or_else(|| self.unresolved(&place, "it has no address")))
        };
        self.turns.take(&place, call).await
    }

    async fn addresses(&self, place: &Place) -> Result<Vec<SocketAddr>, DnsError> {
        match tokio::net::lookup_host(&self.server).await {
            Ok(addresses) => Ok(addresses.take(ADDRESSES).collect()),
            Err(error) => Err(self.unresolved(place, &error.to_string())),
        }
    }

    /// Who must act on `error`: unlike HTTP services, a name server answers by code.
    fn fault(&self, place: &Place, error: &Error) -> DnsError {
        let key = self.options.get("key_name");
        let (fault, problem) = match error {
            // BIND's refusal of a key is not signed, which is what hickory complains of.
            Error::Client(text) | Error::Protocol(text)
                if text.to_ascii_lowercase().contains("tsig") =>
            {
                let problem = format!("the key {key} is not accepted, or the clocks differ");
                (Fault::Credentials, problem)
            }
            Error::Response(code) if code == "Query Refused" => {
                let problem = format!("the key {key} may not change this: {code}");
                (Fault::Credentials, problem)
            }
            Error::Response(code) if code == "Not authorized" || code == "Name not in zone" => {
                let problem = format!("{} is not its primary: {code}", self.server);
                (Fault::NoZone, problem)
            }
            Error::Response(code) if code == "Server Failure" => (Fault::Unavailable, code.clone()),
            Error::Client(text) | Error::Protocol(text) => {
                (Fault::Unavailable, format!("{}: {text}", self.server))
            }
            error => (Fault::Rejected, error.to_string()),
        };
        fault.at(&self.options, place, problem)
    }

    fn unresolved(&self, place: &Place, problem: &str) -> DnsError {
        DnsError::Unavailable {
            place: place.clone(),
            problem: format!("the nameserver {}: {problem}", self.server),
        }
    }
}

#[async_trait]
impl DnsProvider for Rfc2136 {
    fn name(&self) -> &str {
        self.options.kind().name
    }

    async fn set(&self, record: &TxtRecord) -> Result<(), DnsError> {
        self.change(Change::Set, record).await
    }

    async fn remove(&self, record: &TxtRecord) -> Result<(), DnsError> {
        self.change(Change::Remove, record).await
    }
}

impl fmt::Debug for Rfc2136 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rfc2136")
            .field("server", &self.server)
            .finish_non_exhaustive()
    }
}

/// Host and port of the option `nameserver`, and whether it wants UDP.
fn server(text: &str) -> (String, bool) {
    let (host, udp) = match text.strip_prefix("udp://") {
        Some(host) => (host, true),
        None => (text.strip_prefix("tcp://").unwrap_or(text), false),
    };
    let colons = host.matches(':').count();
    let server = match colons {
        0 => format!("{host}:53"),
        1 => host.to_owned(),
        _ if host.ends_with(']') => format!("{host}:53"),
        _ if host.starts_with('[') => host.to_owned(),
        _ => format!("[{host}]:53"),
    };
    (server, udp)
}

fn algorithm(name: Option<&str>) -> Result<TsigAlgorithm, Problem> {
    match name.unwrap_or("hmac-sha256") {
        "hmac-sha224" => Ok(TsigAlgorithm::HmacSha224),
        "hmac-sha256" => Ok(TsigAlgorithm::HmacSha256),
        "hmac-sha384" => Ok(TsigAlgorithm::HmacSha384),
        "hmac-sha512" => Ok(TsigAlgorithm::HmacSha512),
        _ => {
            let known = "hmac-sha224, hmac-sha256, hmac-sha384, hmac-sha512";
            Err(Problem(format!("the option algorithm is none of {known}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nameserver_has_a_port_and_a_transport() {
        for (text, expected, udp) in [
            ("ns1.example.com", "ns1.example.com:53", false),
            ("ns1.example.com:5353", "ns1.example.com:5353", false),
            ("udp://192.0.2.1", "192.0.2.1:53", true),
            ("tcp://192.0.2.1:54", "192.0.2.1:54", false),
            ("2001:db8::1", "[2001:db8::1]:53", false),
            ("[2001:db8::1]", "[2001:db8::1]:53", false),
            ("udp://[2001:db8::1]:54", "[2001:db8::1]:54", true),
        ] {
            assert_eq!(server(text), (expected.to_owned(), udp), "{text}");
        }
    }
}
