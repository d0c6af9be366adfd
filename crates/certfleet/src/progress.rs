//! How far a node has come, as its tasks tell one another.
//!
//! The follower writes it; the renewer, the heart-beat and health read it and are woken by it.
//! It is in memory alone: what the fleet knows of a node is in its heart-beat.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use certfleet_core::Epoch;
use tokio::sync::Notify;

/// How far this node has come, for everyone else to see.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    epoch: AtomicU64,
    connected: AtomicBool,
    refilled: AtomicBool,
    /// Wakes the renewer: something is due, or the store is back.
    pub(crate) due: Notify,
    /// Wakes the heart-beat: what is served has changed.
    pub(crate) changed: Notify,
}

impl Progress {
    /// The epoch up to which everything is served.
    pub(crate) fn epoch(&self) -> Epoch {
        Epoch::new(self.epoch.load(Ordering::Acquire))
    }

    /// Whether the store was there when last asked.
    pub(crate) fn connected(&self) -> bool {
        self.connected.load(Ordering::Acquire)
    }

    /// Says that everything up to `epoch` is served.
    pub(crate) fn advance(&self, epoch: Epoch) {
        self.epoch.store(epoch.value(), Ordering::Release);
        self.changed.notify_one();
    }

    /// Says whether the store is there; `true` if that is news.
    pub(crate) fn set_connected(&self, connected: bool) -> bool {
        self.connected.swap(connected, Ordering::AcqRel) != connected
    }

    /// Says that the store was met for the first time, or anew after it lost its data.
    pub(crate) fn refilled(&self) {
        self.refilled.store(true, Ordering::Release);
    }

    /// Whether that was said since it was last asked.
    pub(crate) fn take_refilled(&self) -> bool {
        self.refilled.swap(false, Ordering::AcqRel)
    }
}
