//! The change feed: what has changed since a position, and being told when something does.
//!
//! Messages are a hint and may be lost; the position is the truth. Whoever follows the feed
//! catches up on [`Signal::Connected`] and on a timer, and so misses nothing for good.

use async_trait::async_trait;
use certfleet_core::{CertificateId, Epoch};

use crate::{StoreError, Stored};

/// How far a follower has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position {
    /// Which life of the store the epoch counts in; another one after its data was lost.
    pub incarnation: String,
    /// The last epoch seen.
    pub epoch: Epoch,
}

/// What a follower missed.
#[derive(Debug)]
pub struct Changes {
    /// Where the follower stands once it has taken them.
    pub position: Position,
    /// Whether these are all records there are, because the position given could not be continued
    /// (none, an epoch ahead of the store's, or another incarnation).
    pub complete: bool,
    /// The records that changed, oldest epoch first. One that cannot be read is an error in its
    /// place and does not hide the others.
    pub changed: Vec<Result<Stored, StoreError>>,
    /// The certificates that were removed and have not come back, oldest epoch first. After a
    /// complete answer it is what was removed within the last week.
    pub removed: Vec<CertificateId>,
}

/// What a subscription says.
#[derive(Debug)]
pub enum Signal {
    /// The subscription stands, or stands again: catch up, messages may have been lost.
    Connected,
    /// A record was committed; here it is.
    Committed(Box<Stored>),
    /// A certificate was made due at once.
    Due(CertificateId),
    /// A certificate was put on the list of those wanted.
    Wanted(CertificateId),
    /// A certificate was removed.
    Removed(CertificateId),
    /// A message that cannot be read came in: catch up.
    Unreadable(StoreError),
    /// The connection is gone; the subscription goes on trying and says `Connected` in the end.
    Disconnected(StoreError),
}

/// Hears of changes. Dropping it ends the subscription.
#[async_trait]
pub trait Subscription: Send {
    /// The next signal. It never ends: a lost connection is made again by the subscription itself.
    ///
    /// Dropping the future before it is ready loses nothing.
    async fn next(&mut self) -> Signal;
}

/// Tells what has changed, at once and afterwards.
#[async_trait]
pub trait ChangeFeed: Send + Sync {
    /// What changed after `from`; everything if `from` is `None` or cannot be continued.
    async fn changes(&self, from: Option<&Position>) -> Result<Changes, StoreError>;

    /// Begins to listen; the first signal is `Connected`, or `Disconnected` if the store is away.
    async fn subscribe(&self) -> Box<dyn Subscription>;
}
