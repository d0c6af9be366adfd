//! The operator's permission service: `GET URL?domain=NAME`, as Caddy's `ask` has it.
//!
//! A status of 200 to 299 is a yes; 403, 404 and 410 are a no; everything else, a redirect among it,
//! is no answer.

use std::time::Duration;

use bytes::Bytes;
use certfleet_core::DomainName;
use http::{Request, StatusCode};
use http_body_util::Empty;
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::time::timeout;
use url::Url;

/// The service.
pub(crate) struct PermissionUrl {
    url: Url,
    limit: Duration,
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
}

/// Why the service gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AskError {
    #[error("{url} did not answer in {limit:?}")]
    Late { url: Url, limit: Duration },
    #[error("{url} cannot be asked: {problem}")]
    Unreachable { url: Url, problem: String },
    #[error("{url} answered {status}; wanted: 200 for yes, 403 or 404 for no")]
    Status { url: Url, status: StatusCode },
}

impl PermissionUrl {
    /// The service at `url`, which may take `limit` to answer.
    pub(crate) fn new(url: Url, limit: Duration, tls: rustls::ClientConfig) -> Self {
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .build();
        Self {
            url,
            limit,
            client: Client::builder(TokioExecutor::new()).build(connector),
        }
    }

    /// How long it may take to answer.
    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    /// Whether `name` may have a certificate.
    pub(crate) async fn ask(&self, name: &DomainName) -> Result<bool, AskError> {
        let mut url = self.url.clone();
        url.query_pairs_mut().append_pair("domain", name.as_str());
        let request = Request::get(url.as_str())
            .header(
                http::header::USER_AGENT,
                concat!("certfleet/", env!("CARGO_PKG_VERSION")),
            )
            .body(Empty::new())
            .map_err(|error| self.unreachable(&error))?;
        let answer = timeout(self.limit, self.client.request(request)).await;
        let answer = answer.map_err(|_| AskError::Late {
            url: self.url.clone(),
            limit: self.limit,
        })?;
        let status = answer.map_err(|error| self.unreachable(&error))?.status();
        match status {
            status if status.is_success() => Ok(true),
            StatusCode::FORBIDDEN | StatusCode::NOT_FOUND | StatusCode::GONE => Ok(false),
            status => Err(AskError::Status {
                url: self.url.clone(),
                status,
            }),
        }
    }

    fn unreachable(&self, error: &dyn std::error::Error) -> AskError {
        AskError::Unreachable {
            url: self.url.clone(),
            problem: error.to_string(),
        }
    }
}
