//! HTTP for the providers implemented here, within bounds: time, size, no redirects.

use std::fmt;

use reqwest::{Client, RequestBuilder, Response, Url, redirect::Policy};

use crate::{
    DnsError, Place,
    call::{Fault, REQUEST},
    options::{Options, Problem},
};

const USER_AGENT: &str = concat!("certfleet/", env!("CARGO_PKG_VERSION"));

/// How much of an answer is read.
const LARGEST_BODY: usize = 64 * 1024;

/// How much of an answer goes into an error.
const SNIPPET: usize = 300;

/// One HTTP service and the options it was configured with.
pub(crate) struct Service {
    client: Client,
    base: String,
    options: Options,
}

impl Service {
    /// The service at the URL in `option`.
    pub(crate) fn new(options: &Options, option: &str) -> Result<Self, Problem> {
        let base = options.get(option).trim_end_matches('/');
        let usable = Url::parse(base).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        if !usable {
            let problem = format!("the option {option} is no http:// or https:// URL");
            return Err(Problem(problem));
        }
        Ok(Self {
            client: client()?,
            base: base.to_owned(),
            options: options.clone(),
        })
    }

    /// A POST request to `path` below the service's URL.
    pub(crate) fn post(&self, path: &str) -> RequestBuilder {
        self.client.post(format!("{}/{path}", self.base))
    }

    /// The options.
    pub(crate) fn options(&self) -> &Options {
        &self.options
    }

    /// Sends `request`; the answer's body if its status is a success.
    pub(crate) async fn send(
        &self,
        request: RequestBuilder,
        place: &Place,
    ) -> Result<Vec<u8>, DnsError> {
        let unavailable =
            |error: reqwest::Error| Fault::Unavailable.at(&self.options, place, chain(&error));
        let response = request.send().await.map_err(unavailable)?;
        let status = response.status();
        let body = bounded(response).await.map_err(unavailable)?;
        if status.is_success() {
            return Ok(body);
        }
        let words: String = String::from_utf8_lossy(&body)
            .trim()
            .chars()
            .take(SNIPPET)
            .collect();
        let problem = format!("HTTP {status}: {words}");
        Err(Fault::of_status(status.as_u16()).at(
            &self.options,
            place,
            problem.trim_end_matches(": "),
        ))
    }
}

/// A client for HTTP and HTTPS. Making one fails on a host without root certificates.
pub(crate) fn client() -> Result<Client, Problem> {
    let mut client = Client::builder()
        .user_agent(USER_AGENT)
        .redirect(Policy::none());
    if let Some(limit) = REQUEST {
        client = client.timeout(limit);
    }
    client.build().map_err(|error| {
        let problem = chain(&error);
        let cure = "are root certificates (the package ca-certificates) installed?";
        Problem(format!("no HTTPS client can be made: {problem}; {cure}"))
    })
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("base", &self.base)
            .finish_non_exhaustive()
    }
}

async fn bounded(mut response: Response) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        let room = LARGEST_BODY - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if body.len() == LARGEST_BODY {
            break;
        }
    }
    Ok(body)
}

/// An error with its causes: reqwest's own text leaves out what went wrong.
fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
