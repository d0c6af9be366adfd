//! A CA over plain HTTP on loopback that says whatever a test has it say, and otherwise does what a
//! CA does, for one name at a time: it believes every challenge.

use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use certfleet_acme::{Acme, AcmeConfig, AcmeIssuer, Limits};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, CertifiedIssuer, IsCa,
    KeyPair,
};
use serde_json::{Value, json};
use time::OffsetDateTime;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

use crate::world::open_account;

/// What it does with a request.
pub(crate) enum Reply {
    /// Answers with a status line, headers (each with its line end), and a body.
    Say(&'static str, String, String),
    /// Cuts the connection.
    Cut,
    /// Never answers.
    Silence,
}

impl Reply {
    /// A body with a status and no headers.
    pub(crate) fn body(status: &'static str, body: impl Into<String>) -> Self {
        Self::Say(status, String::new(), body.into())
    }

    /// A problem document of an ACME type.
    pub(crate) fn problem(status: &'static str, headers: &str, kind: &str) -> Self {
        let body =
            format!(r#"{{"type":"urn:ietf:params:acme:error:{kind}","detail":"so says the CA"}}"#);
        Self::Say(status, headers.into(), body)
    }
}

/// How it makes its certificates.
#[derive(Clone, Copy)]
pub(crate) struct Mint {
    /// What it changes of what was requested.
    pub(crate) change: fn(&mut CertificateParams),
    /// Whether it takes a key of its own instead of the one requested.
    pub(crate) own_key: bool,
}

impl Mint {
    /// As requested, from an hour ago for a week.
    pub(crate) const HONEST: Self = Self {
        change: |_| {},
        own_key: false,
    };
}

/// A request it has got.
struct Got {
    path: String,
    agent: String,
    payload: Value,
}

/// How far its one order has come.
#[derive(Default)]
struct State {
    got: Vec<Got>,
    identifier: Value,
    told: bool,
    chain: Option<String>,
}

/// The false CA. It goes with the test's runtime.
pub(crate) struct FakeCa {
    url: String,
    state: Arc<Mutex<State>>,
}

impl FakeCa {
    /// Starts one that answers the well-behaved way, except where `script` has an answer: it is
    /// given the path, and how often it was asked before. `{url}` in an answer is its address.
    pub(crate) async fn start(
        script: impl Fn(&str, usize) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        Self::minting(Mint::HONEST, script).await
    }

    /// The same with certificates of its own making.
    pub(crate) async fn minting(
        mint: Mint,
        script: impl Fn(&str, usize) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::<Mutex<State>>::default();
        let ca = Arc::new((url.clone(), state.clone(), script));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let ca = ca.clone();
                tokio::spawn(async move {
                    let (url, state, script) = &*ca;
                    serve(stream, url, state, mint, script).await
                });
            }
        });
        Self { url, state }
    }

    /// Where its directory is.
    pub(crate) fn directory(&self) -> String {
        format!("{}/dir", self.url)
    }

    /// How often `path` was asked for.
    pub(crate) fn asked(&self, path: &str) -> usize {
        self.payloads(path).len()
    }

    /// What was asked of `path`.
    pub(crate) fn payloads(&self, path: &str) -> Vec<Value> {
        let state = self.state.lock().unwrap();
        let got = state.got.iter().filter(|got| got.path == path);
        got.map(|got| got.payload.clone()).collect()
    }

    /// The User-Agent of every request.
    pub(crate) fn user_agents(&self) -> Vec<String> {
        let state = self.state.lock().unwrap();
        state.got.iter().map(|got| got.agent.clone()).collect()
    }
}

async fn serve(
    stream: TcpStream,
    url: &str,
    state: &Mutex<State>,
    mint: Mint,
    script: &(impl Fn(&str, usize) -> Option<Reply> + Sync),
) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let mut line = String::new();
    stream.read_line(&mut line).await.ok()?;
    let path = line.split(' ').nth(1)?.to_owned();
    let (mut length, mut agent) = (0, String::new());
    loop {
        line.clear();
        stream.read_line(&mut line).await.ok()?;
        let Some((name, value)) = line.trim().split_once(": ") else {
            break;
        };
        match name {
            "content-length" => length = value.parse().ok()?,
            "user-agent" => agent = value.to_owned(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    let payload = payload(&body).unwrap_or_default();
    let before = {
        let mut state = state.lock().unwrap();
        let before = state.got.iter().filter(|got| got.path == path).count();
        state.got.push(Got {
            path: path.clone(),
            agent,
            payload: payload.clone(),
        });
        before
    };
    let (status, headers, body) = match script(&path, before) {
        Some(Reply::Say(status, headers, body)) => (status, headers, body),
        Some(Reply::Cut) => return None,
        Some(Reply::Silence) => std::future::pending().await,
        None => well_behaved(&mut state.lock().unwrap(), mint, &path, &payload),
    };
    let (headers, body) = (headers.replace("{url}", url), body.replace("{url}", url));
    let length = body.len();
    let text = format!(
        "HTTP/1.1 {status}\r\nReplay-Nonce: bm9uY2U\r\nConnection: close\r\n{headers}\
         Content-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(text.as_bytes()).await.ok()
}

/// What a JWS holds.
fn payload(body: &[u8]) -> Option<Value> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let payload = URL_SAFE_NO_PAD.decode(body["payload"].as_str()?).ok()?;
    serde_json::from_slice(&payload).ok()
}

fn well_behaved(
    state: &mut State,
    mint: Mint,
    path: &str,
    payload: &Value,
) -> (&'static str, String, String) {
    let found = |body: Value| ("200 OK", String::new(), body.to_string());
    match path {
        "/dir" => found(json!({
            "newNonce": "{url}/nonce",
            "newAccount": "{url}/account",
            "newOrder": "{url}/order",
            "revokeCert": "{url}/revoke",
            "keyChange": "{url}/key-change",
            "renewalInfo": "{url}/ari",
            "meta": {"profiles": {"classic": "the usual", "short": "six days"}},
        })),
        "/nonce" | "/revoke" => found(Value::Null),
        "/account" => {
            let location = "Location: {url}/account/1\r\n".into();
            ("201 Created", location, r#"{"status":"valid"}"#.into())
        }
        "/order" => {
            state.identifier = payload["identifiers"][0].clone();
            (state.told, state.chain) = (false, None);
            let location = "Location: {url}/order/1\r\n".into();
            ("201 Created", location, order(state).to_string())
        }
        "/order/1" => found(order(state)),
        "/authz/1" => found(json!({
            "status": if state.told { "valid" } else { "pending" },
            "identifier": state.identifier,
            "challenges": [challenge(state)],
        })),
        "/challenge/1" => {
            state.told = true;
            found(challenge(state))
        }
        "/finalize/1" => {
            state.chain = sign(mint, payload["csr"].as_str().unwrap_or_default());
            found(order(state))
        }
        "/cert/1" => (
            "200 OK",
            String::new(),
            state.chain.clone().unwrap_or_default(),
        ),
        _ => ("404 Not Found", String::new(), String::new()),
    }
}

fn order(state: &State) -> Value {
    let mut order = json!({
        "status": match (state.told, &state.chain) {
            (_, Some(_)) => "valid",
            (true, None) => "ready",
            (false, None) => "pending",
        },
        "identifiers": [state.identifier],
        "authorizations": ["{url}/authz/1"],
        "finalize": "{url}/finalize/1",
    });
    if state.chain.is_some() {
        order["certificate"] = "{url}/cert/1".into();
    }
    order
}

fn challenge(state: &State) -> Value {
    json!({
        "type": "http-01",
        "url": "{url}/challenge/1",
        "status": if state.told { "valid" } else { "pending" },
        "token": "dG9rZW4",
    })
}

/// A chain of two for a request.
fn sign(mint: Mint, request: &str) -> Option<String> {
    let request = URL_SAFE_NO_PAD.decode(request).ok()?;
    let mut request = CertificateSigningRequestParams::from_der(&request.into()).ok()?;
    let mut root = CertificateParams::default();
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = CertifiedIssuer::self_signed(root, KeyPair::generate().ok()?).ok()?;
    let now = OffsetDateTime::now_utc();
    request.params.not_before = now - time::Duration::HOUR;
    request.params.not_after = now + time::Duration::WEEK;
    request.params.use_authority_key_identifier_extension = true;
    (mint.change)(&mut request.params);
    let leaf = if mint.own_key {
        let key = KeyPair::generate().ok()?;
        request.params.signed_by(&key, &root).ok()?
    } else {
        request.signed_by(&root).ok()?
    };
    Some(leaf.pem() + &root.pem())
}

/// Limits in which a test can wait for all of them.
pub(crate) const LIMITS: Limits = Limits {
    request: Duration::from_millis(300),
    order: Duration::from_secs(2),
};

/// A new account at a false CA, signed in, within [`LIMITS`].
pub(crate) async fn issuer(ca: &FakeCa) -> AcmeIssuer {
    let acme = Acme::new(AcmeConfig {
        limits: LIMITS,
        ..AcmeConfig::new(ca.directory().parse().unwrap())
    })
    .unwrap();
    let credentials = open_account(&acme).await.unwrap();
    acme.sign_in(&credentials).await.unwrap()
}
