//! What Pebble tells of its certificates at its management port, beside ACME.

use std::{collections::BTreeMap, net::IpAddr, path::Path};

use anyhow::{Context, Result, anyhow, bail, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, pem::PemObject},
};
use serde_json::Value;
use x509_parser::{extensions::GeneralName, parse_x509_certificate};

use super::Pebble;
use crate::process::START_LIMIT;

const LARGEST_BODY: usize = 64 * 1024;

/// What the CA says of a certificate it has issued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateStatus {
    /// It stands.
    Valid,
    /// It is revoked.
    Revoked {
        /// Why (RFC 5280, 5.3.1), if whoever revoked it said so.
        reason: Option<u8>,
    },
}

impl Pebble {
    /// The root under which it issues, as PEM.
    ///
    /// # Errors
    /// If its management port does not answer.
    pub async fn issuing_root_pem(&self) -> Result<String> {
        self.root_pem(0).await
    }

    /// A root, as PEM: the first, or with [`super::PebbleOptions::alternate_roots`] a further one.
    ///
    /// # Errors
    /// If its management port does not answer, or there is no such root.
    pub async fn root_pem(&self, number: usize) -> Result<String> {
        self.get(&format!("roots/{number}")).await
    }

    /// The certificate of what signs, as PEM, as the root of this number vouches for it.
    ///
    /// # Errors
    /// If its management port does not answer, or there is no such root.
    pub async fn intermediate_pem(&self, number: usize) -> Result<String> {
        self.get(&format!("intermediates/{number}")).await
    }

    /// What it says of the certificate with this serial number, in hexadecimal.
    ///
    /// # Errors
    /// If its management port does not answer, or it has issued none such.
    pub async fn certificate_status(&self, serial: &str) -> Result<CertificateStatus> {
        let answer = self.certificate(serial).await?;
        match answer["Status"].as_str() {
            Some("Valid") => Ok(CertificateStatus::Valid),
            Some("Revoked") => {
                let reason = answer["Reason"].as_u64().map(u8::try_from).transpose()?;
                Ok(CertificateStatus::Revoked { reason })
            }
            _ => bail!("Pebble says of certificate {serial}: {answer}"),
        }
    }

    /// How many certificates it has issued for each set of names, written `a.example+b.example`.
    ///
    /// The log does not name what an order is for, so an order of which nothing came is in
    /// [`Pebble::orders`] alone: where that equals [`Pebble::issued`], and each count here is one,
    /// nothing was ordered twice.
    ///
    /// # Errors
    /// If its management port does not answer.
    pub async fn issued_by_names(&self) -> Result<BTreeMap<String, usize>> {
        let mut counts = BTreeMap::new();
        for serial in self.serials() {
            let answer = self.certificate(&serial).await?;
            let pem = answer["Certificate"].as_str().unwrap_or_default();
            let names = names(pem).with_context(|| format!("read certificate {serial}"))?;
            *counts.entry(names).or_default() += 1;
        }
        Ok(counts)
    }

    async fn certificate(&self, serial: &str) -> Result<Value> {
        let answer = self.get(&format!("cert-status-by-serial/{serial}")).await?;
        Ok(serde_json::from_str(&answer)?)
    }

    async fn get(&self, path: &str) -> Result<String> {
        let url = format!("https://{}/{path}", self.addresses.management);
        self.http.request(Method::GET, &url, String::new()).await
    }
}

/// A client for the ports of Pebble and challtestsrv, bounded in time and size.
#[derive(Clone, Debug)]
pub(super) struct Http(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl Http {
    /// Trusting the roots in a PEM file and no others.
    pub(super) fn trusting(roots: &Path) -> Result<Self> {
        let mut store = RootCertStore::empty();
        for root in CertificateDer::pem_file_iter(roots)? {
            store.add(root?)?;
        }
        let config = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(store)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self(Client::builder(TokioExecutor::new()).build(connector)))
    }

    /// The body of a good answer.
    pub(super) async fn request(&self, method: Method, url: &str, body: String) -> Result<String> {
        let request = Request::builder()
            .method(method)
            .uri(url)
            .body(Full::new(Bytes::from(body)))?;
        let exchange = async {
            let response = self.0.request(request).await?;
            let status = response.status();
            let body = Limited::new(response.into_body(), LARGEST_BODY)
                .collect()
                .await
                .map_err(anyhow::Error::from_boxed)?;
            let text = String::from_utf8(body.to_bytes().into())?;
            ensure!(status.is_success(), "HTTP {status}: {text}");
            Ok(text)
        };
        tokio::time::timeout(START_LIMIT, exchange)
            .await
            .context("no answer in time")
            .flatten()
            .with_context(|| format!("ask {url}"))
    }
}

/// The names and addresses a certificate is for, in their order, joined by `+`.
fn names(pem: &str) -> Result<String> {
    let der = CertificateDer::from_pem_slice(pem.as_bytes())?;
    let (_, certificate) = parse_x509_certificate(&der)?;
    let names = certificate.subject_alternative_name()?;
    let names = names.context("it is for no name")?;
    let names = names.value.general_names.iter().map(|name| match name {
        GeneralName::DNSName(name) => Ok((*name).to_owned()),
        GeneralName::IPAddress(bytes) => address(bytes),
        other => Err(anyhow!("it is for {other}")),
    });
    let mut names = names.collect::<Result<Vec<_>>>()?;
    names.sort();
    Ok(names.join("+"))
}

fn address(bytes: &[u8]) -> Result<String> {
    let four = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    let sixteen = || <[u8; 16]>::try_from(bytes).map(IpAddr::from);
    Ok(four.or_else(|_| sixteen())?.to_string())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    #[test]
    fn a_certificate_is_for_names_and_addresses() {
        let sets: [(&[&str], &str); 4] = [
            (&["a.example"], "a.example"),
            (&["b.example", "*.a.example"], "*.a.example+b.example"),
            (&["127.0.0.1", "a.example"], "127.0.0.1+a.example"),
            (&["::1"], "::1"),
        ];
        for (names, want) in sets {
            let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
            let key = KeyPair::generate().unwrap();
            let certificate = CertificateParams::new(names).unwrap();
            let pem = certificate.self_signed(&key).unwrap().pem();
            assert_eq!(super::names(&pem).unwrap(), want);
        }
    }
}
