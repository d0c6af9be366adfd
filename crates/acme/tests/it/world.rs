//! A real CA, answers that it can reach in every way, and a progress that remembers.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use certfleet_acme::{
    Acme, AcmeConfig, AcmeIssuer, BoxError, ChallengeAnswers, Credentials, IssueError, Key, Limits,
    Order, Progress, Step,
};
use certfleet_core::{Answer, Bundle, ChallengeKind, KeyType, NameSet};
use certfleet_testkit::pebble::{Pebble, PebbleOptions};
use rustls::{
    RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::aws_lc_rs,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject};

use crate::board::Board;

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
        let mut options = PebbleOptions::new(board.serve_http().await.port());
        options.tls_port = Some(board.serve_tls().await.port());
        change(&mut options);
        Self {
            pebble: Pebble::start(options).await.unwrap(),
            board,
            steps: Steps::default(),
        }
    }

    /// The CA with its endpoint's root trusted.
    pub(crate) fn acme(&self) -> Acme {
        self.acme_with(|_| {})
    }

    /// The same, configured as the test wants it.
    pub(crate) fn acme_with(&self, change: impl FnOnce(&mut AcmeConfig)) -> Acme {
        let directory = self.pebble.directory_url().parse().unwrap();
        let mut config = AcmeConfig {
            ca_file: Some(self.pebble.ca_file()),
            contact: vec!["ops@example.com".into()],
            ..AcmeConfig::new(directory)
        };
        change(&mut config);
        Acme::new(config).unwrap()
    }

    /// The same with limits of the test's own.
    pub(crate) fn acme_within(&self, limits: Limits) -> Acme {
        self.acme_with(|config| config.limits = limits)
    }

    /// A new account, signed in.
    pub(crate) async fn issuer(&self) -> AcmeIssuer {
        let acme = self.acme();
        let credentials = open_account(&acme).await.unwrap();
        acme.sign_in(&credentials).await.unwrap()
    }

    /// A plain order, of which the answers can be reached in every way.
    pub(crate) fn order<'a>(&'a self, names: &'a NameSet) -> Order<'a> {
        order(names, self, &self.steps)
    }

    /// What verifies only under the CA's root.
    pub(crate) async fn verify(&self, bundle: &Bundle, names: &NameSet) {
        let root = self.pebble.issuing_root_pem().await.unwrap();
        verify(bundle, names, &root).unwrap();
    }
}

/// The board, and the DNS for what belongs there.
#[async_trait]
impl ChallengeAnswers for World {
    async fn present(&self, answer: &Answer) -> Result<(), BoxError> {
        self.board.present(answer).await?;
        if answer.kind == ChallengeKind::Dns01 {
            let name = format!("_acme-challenge.{}", answer.domain());
            self.pebble.add_txt(&name, &answer.record()).await?;
        }
        Ok(())
    }

    async fn confirm(&self, answers: &[Answer]) -> Result<(), BoxError> {
        self.board.confirm(answers).await
    }

    async fn withdraw(&self, answer: &Answer) {
        self.board.withdraw(answer).await;
        if answer.kind == ChallengeKind::Dns01 {
            let name = format!("_acme-challenge.{}", answer.domain());
            let _ = self.pebble.clear_txt(&name).await;
        }
    }
}

/// A new account.
pub(crate) async fn open_account(acme: &Acme) -> Result<Credentials, IssueError> {
    acme.open_account(&acme.new_key()?).await
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
        let name = ServerName::try_from(name.as_str().replacen('*', "any", 1)).unwrap();
        verifier.verify_server_cert(leaf, rest, &name, &[], UnixTime::now())?;
    }
    Ok(())
}
