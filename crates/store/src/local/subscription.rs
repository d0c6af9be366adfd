//! A subscription to a local store.
//!
//! Messages wait in one bounded queue that all subscriptions share; a commit never waits for any
//! of them. Who falls too far behind loses messages and is told so, by `Connected`.

use std::sync::Arc;

use async_trait::async_trait;
use certfleet_core::CertificateId;
use tokio::sync::{
    broadcast::{self, error::RecvError},
    watch,
};

use super::memory::unavailable;
use crate::{
    Stored,
    feed::{Signal, Subscription},
};

/// What is announced.
#[derive(Clone, Debug)]
pub(super) enum Message {
    Committed(Arc<Stored>),
    Due(CertificateId),
    Wanted(CertificateId),
    Removed(CertificateId),
}

pub(super) struct LocalSubscription {
    receiver: broadcast::Receiver<Message>,
    available: watch::Receiver<bool>,
    /// What was last said of the link; nothing at first.
    said: Option<bool>,
    /// Both ends are kept so that waiting never ends.
    _messages: broadcast::Sender<Message>,
    _link: Arc<watch::Sender<bool>>,
}

impl LocalSubscription {
    pub(super) fn new(
        messages: &broadcast::Sender<Message>,
        link: &Arc<watch::Sender<bool>>,
    ) -> Self {
        Self {
            receiver: messages.subscribe(),
            available: link.subscribe(),
            said: None,
            _messages: messages.clone(),
            _link: Arc::clone(link),
        }
    }

    /// What there is to say of the link, if that has changed.
    fn turn(&mut self) -> Option<Signal> {
        let available = *self.available.borrow_and_update();
        if self.said == Some(available) {
            return None;
        }
        if self.said == Some(false) {
            // What was announced while the link was cut never came through.
            self.receiver = self.receiver.resubscribe();
        }
        self.said = Some(available);
        Some(if available {
            Signal::Connected
        } else {
            Signal::Disconnected(unavailable("subscribe"))
        })
    }
}

#[async_trait]
impl Subscription for LocalSubscription {
    async fn next(&mut self) -> Signal {
        loop {
            if let Some(signal) = self.turn() {
                return signal;
            }
            tokio::select! {
                biased;
                changed = self.available.changed() => {
                    changed.expect("the subscription keeps the link's sender itself");
                }
                message = self.receiver.recv(), if self.said == Some(true) => {
                    return match message {
                        Ok(Message::Committed(stored)) => {
                            Signal::Committed(Box::new(Arc::unwrap_or_clone(stored)))
                        }
                        Ok(Message::Due(id)) => Signal::Due(id),
                        Ok(Message::Wanted(id)) => Signal::Wanted(id),
                        Ok(Message::Removed(id)) => Signal::Removed(id),
                        Err(RecvError::Lagged(_) | RecvError::Closed) => Signal::Connected,
                    };
                }
            }
        }
    }
}
