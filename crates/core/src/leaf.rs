//! What an end-entity certificate says of itself (RFC 5280).
//!
//! These facts are read from the DER that was sealed, never from the plain fields beside it.

use std::net::IpAddr;

use rustls_pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use x509_parser::{extensions::GeneralName, parse_x509_certificate};

use crate::{DomainName, Identifier, NameSet, Timestamp};

/// The facts of an end-entity certificate that certfleet acts on or shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// The DNS names and addresses of the subject alternative name extension that are well formed.
    pub names: Vec<Identifier>,
    /// The issuer's distinguished name, as RFC 4514 text.
    pub issuer: String,
    /// The serial number in lower-case hexadecimal, as `openssl x509 -serial` orders it.
    pub serial: String,
    /// SHA-256 over the DER, in lower-case hexadecimal.
    pub fingerprint: String,
    /// The first moment it is valid.
    pub not_before: Timestamp,
    /// The last moment it is valid.
    pub not_after: Timestamp,
}

impl Leaf {
    /// Reads a DER certificate.
    ///
    /// # Errors
    /// [`LeafError`] if the bytes are no X.509 certificate.
    pub fn parse(der: &CertificateDer<'_>) -> Result<Self, LeafError> {
        let (rest, certificate) =
            parse_x509_certificate(der).map_err(|error| LeafError::Der(error.to_string()))?;
        if !rest.is_empty() {
            return Err(LeafError::Trailing(rest.len()));
        }
        let names = certificate
            .subject_alternative_name()
            .map_err(|error| LeafError::Der(error.to_string()))?
            .map(|san| &san.value.general_names[..])
            .unwrap_or_default()
            .iter()
            .filter_map(|name| match name {
                GeneralName::DNSName(name) => name.parse::<DomainName>().ok().map(Into::into),
                GeneralName::IPAddress(octets) => address(octets).map(Into::into),
                _ => None,
            })
            .collect();
        let validity = certificate.validity();
        Ok(Self {
            names,
            issuer: certificate.issuer().to_string(),
            serial: hex(certificate.raw_serial()),
            fingerprint: hex(&Sha256::digest(der)),
            not_before: Timestamp::from_secs(validity.not_before.timestamp()),
            not_after: Timestamp::from_secs(validity.not_after.timestamp()),
        })
    }

    /// The names of `wanted` that this certificate is not good for.
    #[must_use]
    pub fn missing<'a>(&self, wanted: &'a NameSet) -> Vec<&'a Identifier> {
        wanted
            .iter()
            .filter(|name| {
                !self.names.contains(name) && !self.names.iter().any(|n| n.covers(name.as_str()))
            })
            .collect()
    }
}

fn address(octets: &[u8]) -> Option<IpAddr> {
    match octets.len() {
        4 => <[u8; 4]>::try_from(octets).ok().map(IpAddr::from),
        _ => <[u8; 16]>::try_from(octets).ok().map(IpAddr::from),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Why bytes are no certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LeafError {
    /// The DER does not parse.
    #[error("the certificate does not parse: {0}")]
    Der(String),
    /// There is more behind the certificate.
    #[error("{0} bytes follow the certificate")]
    Trailing(usize),
}
