//! The issuers a node can turn to, each signed in to with the fleet's account there.
//!
//! An issuer is signed in to anew when the account in the vault is another than it was: a peer, or an
//! operator, may have changed its key. Each answer of a CA also tells how far this machine's clock
//! is off; past a bound this node orders nothing.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use certfleet_acme::{Acme, Issuer};
use certfleet_core::{IssuerName, budget::Limits, seal::Sealed};
use certfleet_store::{Backend, event::EventKind};
use tokio::sync::Mutex;

use crate::{
    account::{AccountError, Done, Keeper},
    node::Node,
};

/// How far a clock may be off before its node orders nothing: what it makes of a certificate's
/// validity would be wrong.
const LARGEST_SKEW: Duration = Duration::from_secs(3600);
/// How far it may be off before that is told.
const TOLD_SKEW: Duration = Duration::from_secs(60);

/// Where certificates come from.
#[derive(Clone)]
pub(crate) enum Source {
    /// An issuer that needs no account.
    Direct(Arc<dyn Issuer>),
    /// An ACME CA, where the fleet has an account.
    Acme(Arc<Acme>),
}

impl Source {
    /// The issuer's name in records, accounts and budgets.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Direct(issuer) => issuer.name(),
            Self::Acme(acme) => acme.name(),
        }
    }
}

/// The issuers by their names in configuration.
pub(crate) struct Issuers {
    node: Arc<Node>,
    keeper: Keeper,
    entries: BTreeMap<IssuerName, Entry>,
}

/// One issuer.
pub(crate) struct Entry {
    pub(crate) source: Source,
    pub(crate) limits: Limits,
    signed_in: Mutex<Option<SignedIn>>,
    /// Whether its clock and ours were apart when last looked at.
    apart: std::sync::atomic::AtomicBool,
}

struct SignedIn {
    account: Option<Sealed>,
    issuer: Arc<dyn Issuer>,
}

/// Why an issuer cannot be turned to.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IssuerError {
    #[error("no issuer is called {0} in this node's configuration")]
    Unknown(IssuerName),
    #[error(transparent)]
    Account(#[from] AccountError),
    #[error(
        "this machine's clock is {} by {issuer}'s; set it right (an NTP service keeps it so), \
         until then this node orders nothing", Skew(*skew)
    )]
    Clock { issuer: String, skew: i64 },
}

impl Entry {
    /// An issuer not yet signed in to.
    pub(crate) fn new(source: Source, limits: Limits) -> Self {
        Self {
            source,
            limits,
            signed_in: Mutex::default(),
            apart: std::sync::atomic::AtomicBool::new(false),
        }
    }
}

impl Issuers {
    /// The `entries`, with accounts kept by `keeper`.
    pub(crate) fn new(
        node: Arc<Node>,
        keeper: Keeper,
        entries: BTreeMap<IssuerName, Entry>,
    ) -> Self {
        Self {
            node,
            keeper,
            entries,
        }
    }

    /// One of them.
    pub(crate) fn entry(&self, name: &IssuerName) -> Result<&Entry, IssuerError> {
        self.entries
            .get(name)
            .ok_or_else(|| IssuerError::Unknown(name.clone()))
    }

    /// The one that a record names as its `ca`.
    pub(crate) fn by_ca(&self, ca: &str) -> Option<&Entry> {
        self.entries.values().find(|entry| entry.source.name() == ca)
    }

    /// All of them.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    /// The issuer, signed in to.
    pub(crate) async fn open(&self, entry: &Entry) -> Result<Arc<dyn Issuer>, IssuerError> {
        let issuer = self.sign_in(entry).await?;
        self.check_clock(entry, &*issuer)?;
        Ok(issuer)
    }

    async fn sign_in(&self, entry: &Entry) -> Result<Arc<dyn Issuer>, AccountError> {
        let acme = match &entry.source {
            Source::Direct(issuer) => return Ok(Arc::clone(issuer)),
            Source::Acme(acme) => acme,
        };
        let mut signed_in = entry.signed_in.lock().await;
        let account = self.keeper.backend.account(acme.name()).await?;
        if let Some(known) = &*signed_in
            && known.account == account
            && account.is_some()
        {
            return Ok(Arc::clone(&known.issuer));
        }
        let (credentials, done) = self.keeper.open(acme).await?;
        match done {
            Done::Nothing => {}
            Done::Created => self.node.note(EventKind::AccountCreated, acme.name(), ""),
            Done::Changed => self.node.note(EventKind::AccountChanged, acme.name(), ""),
        }
        let issuer: Arc<dyn Issuer> = Arc::new(acme.sign_in(&credentials).await?);
        *signed_in = Some(SignedIn {
            account: self.keeper.backend.account(acme.name()).await?,
            issuer: Arc::clone(&issuer),
        });
        Ok(issuer)
    }

    /// Compares this machine's clock with the issuer's, as its last answer told it.
    pub(crate) fn check_clock(
        &self,
        entry: &Entry,
        issuer: &dyn Issuer,
    ) -> Result<(), IssuerError> {
        use std::sync::atomic::Ordering;
        let Some(skew) = issuer.clock_skew() else {
            return Ok(());
        };
        let name = issuer.name();
        self.node.metrics.clock_skew.with_label_values(&[name]).set(skew);
        let off = Duration::from_secs(skew.unsigned_abs());
        let apart = off > TOLD_SKEW;
        if apart && !entry.apart.swap(apart, Ordering::Relaxed) {
            self.node
                .note(EventKind::ClockSkew, name, format!("this clock is {}", Skew(skew)));
        }
        entry.apart.store(apart, Ordering::Relaxed);
        if off > LARGEST_SKEW {
            return Err(IssuerError::Clock {
                issuer: name.to_owned(),
                skew,
            });
        }
        Ok(())
    }
}

/// How far a clock is off, in words.
struct Skew(i64);

impl fmt::Display for Skew {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let side = if self.0 > 0 { "behind" } else { "ahead" };
        write!(f, "{} s {side}", self.0.unsigned_abs())
    }
}
