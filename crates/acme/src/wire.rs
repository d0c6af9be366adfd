//! Requests of our own to a CA, for what instant-acme cannot ask: accounts for a key that was
//! stored first, new keys for accounts, orders with a validity or `replaces`, alternate chains,
//! revocation by the certificate's key, and renewal information.
//!
//! They go over the same [`Transport`], within the same bounds, and are tried again by the same
//! rules. A nonce that is refused is replaced by the one that came with the refusal (RFC 8555
//! section 6.5).

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, header};
use instant_acme::BodyWrapper;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{
    Directory, IssueError,
    jws::Signer,
    resources::Resources,
    retry::{Repeat, Tries},
    transport::{Fault, Transport},
};

const NONCE: &str = "replay-nonce";
/// How often one request is signed, as instant-acme does.
const SIGNATURES: u32 = 3;

/// The way to a CA whose directory was read. Clones share their connections.
#[derive(Clone)]
pub(crate) struct Wire {
    ca: Arc<str>,
    transport: Transport,
    resources: Arc<Resources>,
}

/// By what the CA is to know whose request it is (RFC 8555 section 6.2).
#[derive(Clone, Copy)]
pub(crate) enum By<'a> {
    /// The public key itself.
    Key,
    /// The account's URL.
    Account(&'a str),
}

impl Wire {
    /// Reads the directory.
    pub(crate) async fn open(
        directory: &Directory,
        transport: &Transport,
    ) -> Result<Self, IssueError> {
        const OPERATION: &str = "read the directory";
        let ca: Arc<str> = directory.name().into();
        let answer = get(&ca, transport, OPERATION, directory.url()).await?;
        let resources = answer.json()?;
        Ok(Self {
            resources: Arc::new(resources),
            transport: transport.clone(),
            ca,
        })
    }

    pub(crate) fn ca(&self) -> &str {
        &self.ca
    }

    pub(crate) fn resources(&self) -> &Resources {
        &self.resources
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.transport
    }

    /// Gets `url` without a signature.
    pub(crate) async fn get(
        &self,
        operation: &'static str,
        url: &str,
    ) -> Result<Answer, IssueError> {
        get(&self.ca, &self.transport, operation, url).await
    }

    /// Posts `payload` to `url`, or reads it (POST-as-GET, RFC 8555 section 6.3) if that is `None`.
    pub(crate) async fn post(
        &self,
        request: Post<'_>,
        payload: Option<&Value>,
    ) -> Result<Answer, IssueError> {
        let payload = payload.map(Value::to_string).unwrap_or_default();
        let mut tries = Tries::new(request.repeat);
        loop {
            match self.post_once(&request, payload.as_bytes()).await {
                Ok(response) => return Ok(Answer::new(&self.ca, request.operation, response)),
                Err(error) => tries.pause(error).await?,
            }
        }
    }

    async fn post_once(
        &self,
        request: &Post<'_>,
        payload: &[u8],
    ) -> Result<Response<Bytes>, IssueError> {
        let fault = |fault: Fault| fault.into_error(self.ca.to_string(), request.operation);
        let mut nonce = None;
        let mut signatures = 0;
        loop {
            let fresh = match nonce.take() {
                Some(nonce) => nonce,
                None => self.nonce(request.operation).await?,
            };
            let mut header = json!({"nonce": fresh, "url": request.url});
            match request.by {
                By::Key => header["jwk"] = request.signer.jwk(),
                By::Account(url) => header["kid"] = url.into(),
            }
            let body = request
                .signer
                .sign(header, payload)
                .map_err(|_| unsigned("sign a request"))?;
            let post = Request::post(request.url)
                .header(header::CONTENT_TYPE, "application/jose+json")
                .body(BodyWrapper::from(body.to_string().into_bytes()))
                .map_err(|error| self.nonsense(request.operation, &error))?;
            signatures += 1;
            match self.transport.send(post).await {
                Ok(response) if response.status().is_success() => return Ok(response),
                // The only refusal that the transport lets through is that of a nonce.
                Ok(response) if signatures < SIGNATURES => nonce = text(response.headers(), NONCE),
                Ok(response) => return Err(fault(Fault::refused(&response))),
                Err(error) => return Err(fault(error)),
            }
        }
    }

    async fn nonce(&self, operation: &'static str) -> Result<String, IssueError> {
        let request = Request::builder()
            .method(Method::HEAD)
            .uri(&self.resources.new_nonce)
            .body(BodyWrapper::default())
            .map_err(|error| self.nonsense(operation, &error))?;
        let response = self.transport.send(request).await;
        let response =
            response.map_err(|fault| fault.into_error(self.ca.to_string(), operation))?;
        text(response.headers(), NONCE).ok_or_else(|| IssueError::Answer {
            ca: self.ca.to_string(),
            operation,
            problem: "there is no nonce in it".into(),
        })
    }

    fn nonsense(&self, operation: &'static str, error: &http::Error) -> IssueError {
        nonsense(&self.ca, operation, error)
    }
}

/// A signed request.
pub(crate) struct Post<'a> {
    pub(crate) operation: &'static str,
    pub(crate) url: &'a str,
    pub(crate) signer: &'a Signer,
    pub(crate) by: By<'a>,
    pub(crate) repeat: Repeat,
}

/// A good answer.
pub(crate) struct Answer {
    ca: String,
    operation: &'static str,
    response: Response<Bytes>,
}

impl Answer {
    fn new(ca: &str, operation: &'static str, response: Response<Bytes>) -> Self {
        Self {
            ca: ca.to_owned(),
            operation,
            response,
        }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.response.status()
    }

    pub(crate) fn headers(&self) -> &HeaderMap {
        self.response.headers()
    }

    pub(crate) fn body(&self) -> &[u8] {
        self.response.body()
    }

    /// The body as a JSON object.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, IssueError> {
        serde_json::from_slice(self.body()).map_err(|error| self.nonsense(error.to_string()))
    }

    /// The URL of what was made or found.
    pub(crate) fn location(&self) -> Result<String, IssueError> {
        text(self.headers(), header::LOCATION.as_str())
            .ok_or_else(|| self.nonsense("it does not say where what it made is".into()))
    }

    /// An error that says what is wrong with the answer.
    pub(crate) fn nonsense(&self, problem: String) -> IssueError {
        IssueError::Answer {
            ca: self.ca.clone(),
            operation: self.operation,
            problem,
        }
    }
}

async fn get(
    ca: &str,
    transport: &Transport,
    operation: &'static str,
    url: &str,
) -> Result<Answer, IssueError> {
    let mut tries = Tries::new(Repeat::Safe);
    loop {
        let request = Request::get(url)
            .body(BodyWrapper::default())
            .map_err(|error| nonsense(ca, operation, &error))?;
        match transport.send(request).await {
            Ok(response) => return Ok(Answer::new(ca, operation, response)),
            Err(fault) => {
                let error = fault.into_error(ca.to_owned(), operation);
                tries.pause(error).await?;
            }
        }
    }
}

/// A URL that the CA gave cannot be asked.
fn nonsense(ca: &str, operation: &'static str, error: &http::Error) -> IssueError {
    IssueError::Answer {
        ca: ca.to_owned(),
        operation,
        problem: format!("a URL in it is none: {error}"),
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(ToOwned::to_owned)
}

/// The library would not sign.
pub(crate) fn unsigned(operation: &'static str) -> IssueError {
    IssueError::Crypto {
        operation,
        problem: "the library gives no reason".into(),
    }
}
