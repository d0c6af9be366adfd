//! The end of an attempt: which chain is taken (RFC 8555 section 7.4.2).
//!
//! A CA may offer chains to other roots beside its default. A preferred chain that is not to be had
//! is no reason to fail: the certificate is issued, and the default chain is taken.

use std::collections::BTreeSet;

use http::{HeaderMap, Uri, header};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use x509_parser::parse_x509_certificate;

use super::Attempt;
use crate::{
    IssueError, Step,
    problem::words,
    retry::Repeat,
    wire::{Answer, By, Post},
};

const READ: &str = "read the alternate chains";
/// How many alternates are looked at.
const MOST: usize = 8;

type Chain = Vec<CertificateDer<'static>>;

impl Attempt<'_> {
    /// The chain that `preferred` names, by the common name of its topmost issuer, out of `default`
    /// and its alternates; `default` if there is none such.
    pub(super) async fn choose_chain(
        &self,
        preferred: &str,
        default: Chain,
        url: Option<&str>,
    ) -> Chain {
        let mut found = BTreeSet::new();
        let mut fits = |chain: &Chain| {
            let topmost = topmost_issuer(chain);
            let fits = topmost.as_deref() == Some(preferred);
            found.extend(topmost.map(|name| words(&name)));
            fits
        };
        if fits(&default) {
            return default;
        }
        let alternates = match url {
            Some(url) => self.alternates(url).await.unwrap_or_default(),
            None => Vec::new(),
        };
        for url in alternates {
            if let Ok(chain) = self.chain(&url).await
                && chain.first() == default.first()
                && fits(&chain)
            {
                return chain;
            }
        }
        self.step(Step::ChainMissing {
            wanted: preferred.to_owned(),
            found: found.into_iter().collect(),
        });
        default
    }

    async fn alternates(&self, url: &str) -> Result<Vec<String>, IssueError> {
        let answer = self.read_url(url).await?;
        Ok(alternate_urls(answer.headers()))
    }

    async fn chain(&self, url: &str) -> Result<Chain, IssueError> {
        let answer = self.read_url(url).await?;
        CertificateDer::pem_slice_iter(answer.body())
            .collect::<Result<_, _>>()
            .map_err(|error| answer.nonsense(error.to_string()))
    }

    async fn read_url(&self, url: &str) -> Result<Answer, IssueError> {
        let request = Post {
            operation: READ,
            url,
            signer: &self.issuer.signer,
            by: By::Account(self.issuer.account.id()),
            repeat: Repeat::Safe,
        };
        self.issuer.wire.post(request, None).await
    }
}

/// Who has signed the last certificate of a chain.
fn topmost_issuer(chain: &[CertificateDer<'_>]) -> Option<String> {
    let (_, certificate) = parse_x509_certificate(chain.last()?).ok()?;
    let name = certificate.issuer().iter_common_name().next()?;
    name.as_str().ok().map(ToOwned::to_owned)
}

/// Where the alternates are, of the links in `headers` (RFC 8288).
fn alternate_urls(headers: &HeaderMap) -> Vec<String> {
    headers
        .get_all(header::LINK)
        .iter()
        .filter_map(|value| value.to_str().ok())
        // No URL of a CA has a comma before "<".
        .flat_map(|value| value.split(",<").flat_map(|part| part.split(", <")))
        .filter_map(|link| {
            let (url, parameters) = link.trim().trim_start_matches('<').split_once('>')?;
            let alternate = parameters.split(';').any(|parameter| {
                let relation = parameter.trim().to_ascii_lowercase();
                matches!(&*relation, "rel=\"alternate\"" | "rel=alternate")
            });
            let absolute = url.parse::<Uri>().is_ok_and(|url| url.scheme().is_some());
            (alternate && absolute).then(|| url.to_owned())
        })
        .take(MOST)
        .collect()
}

/// A bundle's chain, leaf first.
pub(super) fn read_pem(pem: &str) -> Result<Chain, String> {
    let chain: Chain = CertificateDer::pem_slice_iter(pem.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|error| format!("the chain is not PEM: {error}"))?;
    if chain.is_empty() {
        return Err("the chain holds no certificate".into());
    }
    Ok(chain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alternates_are_found_among_the_links() {
        let mut headers = HeaderMap::new();
        for link in [
            "<https://ca/dir>;rel=\"index\"",
            "<https://ca/cert/1>; rel=\"alternate\"",
            "<https://ca/cert/2>;rel=alternate, <https://ca/up>;rel=\"up\",<https://ca/cert/3>;title=x;rel=\"alternate\"",
            "</cert/4>;rel=\"alternate\"",
            "nonsense",
        ] {
            headers.append(header::LINK, link.parse().unwrap());
        }
        assert_eq!(
            alternate_urls(&headers),
            [
                "https://ca/cert/1",
                "https://ca/cert/2",
                "https://ca/cert/3"
            ]
        );
        for i in 0..20 {
            let link = format!("<https://ca/more/{i}>;rel=\"alternate\"");
            headers.append(header::LINK, link.parse().unwrap());
        }
        assert_eq!(alternate_urls(&headers).len(), MOST);
    }
}
