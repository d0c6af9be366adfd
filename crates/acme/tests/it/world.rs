//! A challenge board in memory, a tiny responder that serves it, and a progress that remembers.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use certfleet_acme::{
    Acme, AcmeConfig, AcmeIssuer, BoxError, ChallengeAnswers, Key, Limits, Order, Progress, Step,
};
use certfleet_core::{Answer, Bundle, ChallengeKind, KeyType, NameSet};
use certfleet_testkit::pebble::{Pebble, PebbleOptions};
use rustls::{
    RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::aws_lc_rs,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
};

/// Answers by their kind and key, as all nodes of a fleet would share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Board {
    answers: Arc<Mutex<HashMap<(ChallengeKind, String), Answer>>>,
    seen: Arc<Mutex<Vec<Answer>>>,
    confirmed: Arc<Mutex<Vec<usize>>>,
}

impl Board {
    /// How many answers are up.
    pub(crate) fn len(&self) -> usize {
        self.answers.lock().unwrap().len()
    }

    /// How many answers were ever put up.
    pub(crate) fn presented(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    /// How many answers each confirmation was about.
    pub(crate) fn confirmed(&self) -> Vec<usize> {
        self.confirmed.lock().unwrap().clone()
    }

    fn find(&self, kind: ChallengeKind, key: &str) -> Option<Answer> {
        let answers = self.answers.lock().unwrap();
        answers.get(&(kind, key.to_owned())).cloned()
    }

    /// Serves the board on a free loopback port until the test ends.
    pub(crate) async fn serve(&self) -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let board = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let board = board.clone();
                tokio::spawn(async move { board.respond(stream).await });
            }
        });
        address
    }

    async fn respond(&self, mut stream: TcpStream) -> Option<()> {
        let mut lines = BufReader::new(&mut stream).lines();
        let first = lines.next_line().await.ok()??;
        while !lines.next_line().await.ok()??.is_empty() {}
        let path = first.split(' ').nth(1)?;
        let answer = path
            .strip_prefix("/.well-known/acme-challenge/")
            .and_then(|token| self.find(ChallengeKind::Http01, token));
        let (status, body) = match answer {
            Some(answer) => ("200 OK", answer.key_authorization),
            None => ("404 Not Found", "no such token".into()),
        };
        let length = body.len();
        let text = format!(
            "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        );
        stream.write_all(text.as_bytes()).await.ok()
    }
}

#[async_trait]
impl ChallengeAnswers for Board {
    async fn present(&self, answer: &Answer) -> Result<(), BoxError> {
        self.seen.lock().unwrap().push(answer.clone());
        let mut answers = self.answers.lock().unwrap();
        answers.insert((answer.kind, answer.key()), answer.clone());
        Ok(())
    }

    async fn confirm(&self, answers: &[Answer]) -> Result<(), BoxError> {
        self.confirmed.lock().unwrap().push(answers.len());
        Ok(())
    }

    async fn withdraw(&self, answer: &Answer) {
        let mut answers = self.answers.lock().unwrap();
        answers.remove(&(answer.kind, answer.key()));
    }
}

/// Remembers every step, and tells a channel of it.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    seen: Mutex<Vec<Step>>,
    changed: tokio::sync::Notify,
}

impl Steps {
    /// All steps so far.
    pub(crate) fn all(&self) -> Vec<Step> {
        self.seen.lock().unwrap().clone()
    }

    /// How many steps so far are such.
    pub(crate) fn count(&self, such: fn(&Step) -> bool) -> usize {
        self.all().iter().filter(|step| such(step)).count()
    }

    /// Waits for the first step that is such.
    pub(crate) async fn first(&self, such: fn(&Step) -> bool) {
        while self.count(such) == 0 {
            self.changed.notified().await;
        }
    }
}

impl Progress for Steps {
    fn step(&self, step: Step) {
        self.seen.lock().unwrap().push(step);
        self.changed.notify_one();
    }
}

/// A CA, a board that it can reach, and a place for steps.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) pebble: Pebble,
    pub(crate) board: Board,
    pub(crate) steps: Steps,
}

impl World {
    pub(crate) async fn new(change: impl FnOnce(&mut PebbleOptions)) -> Self {
        let board = Board::default();
        let mut options = PebbleOptions::new(board.serve().await.port());
        change(&mut options);
        Self {
            pebble: Pebble::start(options).await.unwrap(),
            board,
            steps: Steps::default(),
        }
    }

    /// The CA with its endpoint's root trusted.
    pub(crate) fn acme(&self) -> Acme {
        self.acme_within(Limits::default())
    }

    /// The same with limits of the test's own.
    pub(crate) fn acme_within(&self, limits: Limits) -> Acme {
        let directory = self.pebble.directory_url().parse().unwrap();
        Acme::new(AcmeConfig {
            ca_file: Some(self.pebble.ca_file()),
            contact: vec!["ops@example.com".into()],
            limits,
            ..AcmeConfig::new(directory)
        })
        .unwrap()
    }

    /// A new account, signed in.
    pub(crate) async fn issuer(&self) -> AcmeIssuer {
        let acme = self.acme();
        let credentials = acme.create_account().await.unwrap();
        acme.sign_in(&credentials).await.unwrap()
    }

    pub(crate) fn order<'a>(&'a self, names: &'a NameSet) -> Order<'a> {
        order(names, &self.board, &self.steps)
    }
}

/// A plain order: a fresh P-256 key, HTTP-01, and no wishes.
pub(crate) fn order<'a>(
    names: &'a NameSet,
    answers: &'a dyn ChallengeAnswers,
    progress: &'a dyn Progress,
) -> Order<'a> {
    Order {
        names,
        key: Key::Fresh(KeyType::P256),
        profile: None,
        chain: None,
        validity: None,
        replaces: None,
        challenges: &[ChallengeKind::Http01],
        failed_challenges: &[],
        answers,
        progress,
    }
}

/// A set of names written with `+`.
pub(crate) fn names(text: &str) -> NameSet {
    text.parse().unwrap()
}

/// Lets a TLS client that trusts `root_pem` alone look at the chain, for every name.
pub(crate) fn verify(
    bundle: &Bundle,
    names: &NameSet,
    root_pem: &str,
) -> Result<(), rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(root_pem.as_bytes()).unwrap())?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .unwrap();
    let (leaf, rest) = bundle.chain().split_first().unwrap();
    for name in names {
        let name = ServerName::try_from(name.as_str()).unwrap();
        verifier.verify_server_cert(leaf, rest, &name, &[], UnixTime::now())?;
    }
    Ok(())
}
