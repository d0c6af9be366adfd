//! A CA over plain HTTP on loopback that says whatever a test has it say.

use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

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

/// The false CA. It goes with the test's runtime.
pub(crate) struct FakeCa {
    url: String,
    requests: Arc<Mutex<Vec<(String, String)>>>,
}

impl FakeCa {
    /// Starts one that answers the well-behaved way, except where `script` has an answer: it is
    /// given the path, and how often it was asked before.
    pub(crate) async fn start(
        script: impl Fn(&str, usize) -> Option<Reply> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::<Mutex<Vec<_>>>::default();
        let ca = Arc::new((url.clone(), requests.clone(), script));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let ca = ca.clone();
                tokio::spawn(async move {
                    let (url, requests, script) = &*ca;
                    serve(stream, url, requests, script).await
                });
            }
        });
        Self { url, requests }
    }

    /// Where its directory is.
    pub(crate) fn directory(&self) -> String {
        format!("{}/dir", self.url)
    }

    /// How often `path` was asked for.
    pub(crate) fn asked(&self, path: &str) -> usize {
        let requests = self.requests.lock().unwrap();
        requests.iter().filter(|(asked, _)| asked == path).count()
    }

    /// The User-Agent of every request.
    pub(crate) fn user_agents(&self) -> Vec<String> {
        let requests = self.requests.lock().unwrap();
        requests.iter().map(|(_, agent)| agent.clone()).collect()
    }
}

async fn serve(
    stream: TcpStream,
    url: &str,
    requests: &Mutex<Vec<(String, String)>>,
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
    let before = {
        let mut requests = requests.lock().unwrap();
        requests.push((path.clone(), agent));
        requests.iter().filter(|(asked, _)| *asked == path).count() - 1
    };
    let (status, headers, body) = match script(&path, before) {
        Some(Reply::Say(status, headers, body)) => (status, headers, body),
        Some(Reply::Cut) => return None,
        Some(Reply::Silence) => std::future::pending().await,
        None => well_behaved(url, &path),
    };
    let length = body.len();
    let text = format!(
        "HTTP/1.1 {status}\r\nReplay-Nonce: bm9uY2U\r\nConnection: close\r\n{headers}\
         Content-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(text.as_bytes()).await.ok()
}

fn well_behaved(url: &str, path: &str) -> (&'static str, String, String) {
    match path {
        "/dir" => {
            let body = format!(
                r#"{{"newNonce":"{url}/nonce","newAccount":"{url}/account","newOrder":"{url}/order"}}"#
            );
            ("200 OK", String::new(), body)
        }
        "/nonce" => ("200 OK", String::new(), String::new()),
        "/account" => {
            let location = format!("Location: {url}/account/1\r\n");
            ("201 Created", location, r#"{"status":"valid"}"#.into())
        }
        _ => ("404 Not Found", String::new(), String::new()),
    }
}
