//! HTTP to a CA within bounds: time, size, and roots to trust.
//!
//! An error answer leaves here as a [`Fault`] with its problem document and Retry-After, both of
//! which instant-acme would drop; only a refused nonce is passed on, because instant-acme signs
//! and sends again by itself. Nothing is retried here.

use std::{
    error::Error as StdError, fmt, fmt::Write as _, path::Path, pin::Pin, sync::Arc, time::Duration,
};

use bytes::Bytes;
use certfleet_core::Timestamp;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
use rustls_pki_types::{CertificateDer, pem::PemObject};

use crate::{
    ConfigError, Directory, IssueError, clock,
    clock_skew::ClockSkew,
    problem::{Problem, words},
    retry_after::retry_after,
};

const USER_AGENT: &str = concat!("certfleet/", env!("CARGO_PKG_VERSION"));
/// A chain of ten certificates fits many times.
const LARGEST_BODY: usize = 256 * 1024;
const IDLE: Duration = Duration::from_secs(30);

/// An HTTP client for one CA. Clones share their connections.
#[derive(Clone)]
pub(crate) struct Transport {
    client: Client<HttpsConnector<HttpConnector>, BodyWrapper<Bytes>>,
    directory: Uri,
    limit: Duration,
    skew: ClockSkew,
}

impl Transport {
    /// Builds a client that trusts the system's roots and those in `ca_file`; each request and
    /// its answer may take `limit`.
    pub(crate) fn new(
        directory: &Directory,
        ca_file: Option<&Path>,
        limit: Duration,
    ) -> Result<Self, ConfigError> {
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has the cipher suites of TLS 1.2 and 1.3")
            .with_root_certificates(roots(ca_file)?)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new().with_tls_config(config);
        let connector = if directory.is_secure() {
            connector.https_only()
        } else {
            connector.https_or_http()
        };
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector.enable_http1().enable_http2().build());
        Ok(Self {
            client,
            directory: directory
                .url()
                .parse()
                .expect("a directory is made from a URL"),
            limit,
            skew: ClockSkew::unknown(),
        })
    }

    /// How far this clock is from the CA's.
    pub(crate) fn clock_skew(&self) -> Option<i64> {
        self.skew.seconds()
    }

    /// Sends a request and takes the answer, within the time limit. An answer that is an error is a
    /// [`Fault`], but for a refused nonce.
    pub(crate) async fn send(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Result<Response<Bytes>, Fault> {
        tokio::time::timeout(self.limit, self.exchange(request))
            .await
            .unwrap_or(Err(Fault::TimedOut(self.limit)))
    }

    async fn exchange(
        &self,
        mut request: Request<BodyWrapper<Bytes>>,
    ) -> Result<Response<Bytes>, Fault> {
        let posted = request.method() == Method::POST;
        let for_directory = request.method() == Method::GET && *request.uri() == self.directory;
        request
            .headers_mut()
            .insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        let asked = clock::now();
        let response = self
            .client
            .request(request)
            .await
            .map_err(|error| Fault::Connection {
                doubtful: posted && !error.is_connect(),
                problem: with_causes(&error),
            })?;
        let answered = clock::now();
        self.skew.learn(response.headers(), asked, answered);
        let (mut parts, body) = response.into_parts();
        bound_wait(&mut parts.headers, answered);
        let body = match Limited::new(body, LARGEST_BODY).collect().await {
            Ok(body) => body.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => return Err(Fault::TooLarge),
            Err(error) => {
                return Err(Fault::Connection {
                    doubtful: posted,
                    problem: with_causes(&*error),
                });
            }
        };
        if for_directory && let Some(found) = no_directory(&parts, &body) {
            return Err(Fault::NotADirectory {
                url: self.directory.to_string(),
                found,
            });
        }
        let response = Response::from_parts(parts, body);
        if !response.status().is_success() {
            let nonce = response.status() == StatusCode::BAD_REQUEST
                && Problem::from_body(response.body()).label() == "badNonce";
            if !nonce {
                let fault = Fault::refused(&response);
                return Err(if posted { fault } else { fault.without_doubt() });
            }
        }
        Ok(response)
    }
}

impl HttpClient for Transport {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let this = self.clone();
        Box::pin(async move {
            match this.send(request).await {
                Ok(response) => {
                    let (parts, body) = response.into_parts();
                    Ok(BytesResponse {
                        parts,
                        body: Box::new(body),
                    })
                }
                Err(fault) => Err(Error::Other(Box::new(fault))),
            }
        })
    }
}

/// Puts the Retry-After into seconds within bounds: instant-acme adds it to the time as it is, and
/// panics where that overflows.
fn bound_wait(headers: &mut HeaderMap, now: Timestamp) {
    match retry_after(headers, now) {
        Some(wait) => headers.insert(header::RETRY_AFTER, wait.as_secs().into()),
        None => headers.remove(header::RETRY_AFTER),
    };
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, ConfigError> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(native.certs);
    if let Some(path) = ca_file {
        let bad = |problem: String| ConfigError::CaFile {
            path: path.to_owned(),
            problem,
        };
        let before = roots.len();
        for certificate in
            CertificateDer::pem_file_iter(path).map_err(|error| bad(error.to_string()))?
        {
            roots
                .add(certificate.map_err(|error| bad(error.to_string()))?)
                .map_err(|error| bad(error.to_string()))?;
        }
        if roots.len() == before {
            return Err(bad("there is no PEM certificate in it".into()));
        }
    }
    if roots.is_empty() {
        let problems: Vec<_> = native.errors.iter().map(ToString::to_string).collect();
        return Err(ConfigError::NoRoots(problems.join("; ")));
    }
    Ok(roots)
}

/// What was found in place of a directory, unless it is one, or the server may be better later.
fn no_directory(parts: &http::response::Parts, body: &[u8]) -> Option<String> {
    let status = parts.status;
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return None;
    }
    if !status.is_success() {
        let mut found = format!("HTTP {status}");
        if let Some(target) = parts.headers.get(header::LOCATION) {
            let target = String::from_utf8_lossy(target.as_bytes());
            write!(found, " to {}", words(&target)).expect("a string takes every write");
        }
        return Some(found);
    }
    match serde_json::from_slice::<serde_json::Value>(body) {
        Ok(json) => ["newNonce", "newAccount", "newOrder"]
            .into_iter()
            .find(|key| json.get(key).is_none_or(|url| !url.is_string()))
            .map(|key| format!("JSON without {key}")),
        Err(_) => {
            let start: String = String::from_utf8_lossy(body).chars().take(40).collect();
            Some(format!("no JSON but {:?}", words(&start)))
        }
    }
}

/// An error with what caused it, which hyper's own text leaves out.
fn with_causes(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    words(&text)
}

/// What went wrong with one request; it travels through instant-acme as its boxed error.
#[derive(Debug)]
pub(crate) enum Fault {
    Connection {
        problem: String,
        doubtful: bool,
    },
    TimedOut(Duration),
    Refused {
        status: StatusCode,
        problem: Box<Problem>,
        retry_after: Option<Duration>,
        doubtful: bool,
    },
    NotADirectory {
        url: String,
        found: String,
    },
    TooLarge,
}

impl Fault {
    /// The error that `response` is. The CA may have acted nonetheless where the failure is its own.
    pub(crate) fn refused(response: &Response<Bytes>) -> Self {
        Self::Refused {
            status: response.status(),
            problem: Box::new(Problem::from_body(response.body())),
            retry_after: retry_after(response.headers(), clock::now()),
            doubtful: response.status().is_server_error(),
        }
    }

    /// The same of a request that asked for nothing to be done.
    fn without_doubt(mut self) -> Self {
        if let Self::Refused { doubtful, .. } = &mut self {
            *doubtful = false;
        }
        self
    }

    pub(crate) fn into_error(self, ca: String, operation: &'static str) -> IssueError {
        match self {
            Self::Connection { problem, doubtful } => IssueError::Connection {
                ca,
                operation,
                problem,
                doubtful,
            },
            Self::TimedOut(limit) => IssueError::TimedOut {
                ca,
                operation,
                limit,
                retry_after: None,
            },
            Self::Refused {
                status,
                problem,
                retry_after,
                doubtful,
            } => IssueError::Refused {
                ca,
                operation,
                status: Some(status.as_u16()),
                problem,
                retry_after,
                doubtful,
            },
            Self::NotADirectory { url, found } => IssueError::NotADirectory { url, found },
            Self::TooLarge => IssueError::Answer {
                ca,
                operation,
                problem: format!("it is longer than {LARGEST_BODY} bytes"),
            },
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl StdError for Fault {}
