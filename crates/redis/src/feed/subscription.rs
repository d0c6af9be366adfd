//! A subscription that never ends: it finds out by itself when its connection is gone or deaf,
//! and makes a new one.
//!
//! A task of its own reads the channel, on a connection of its own, and hands signals over
//! through a bounded queue. When the follower is slow and the queue full, messages are dropped
//! and `Connected` is said as soon as there is room: the follower catches up, which brings it
//! everything that was dropped. The task ends when the subscription is dropped.

use async_trait::async_trait;
use certfleet_store::{
    StoreError,
    feed::{Signal, Subscription},
};
use futures_util::StreamExt;
use redis::aio::{PubSubSink, PubSubStream};
use tokio::{
    sync::mpsc::{Receiver, Sender, channel, error::TrySendError},
    task::AbortHandle,
    time::{Instant, MissedTickBehavior, interval_at, sleep, timeout},
};

use super::{
    backoff::{Backoff, jitter},
    message::signal,
};
use crate::{
    Redis,
    error::{store_error, unavailable},
};

/// How many signals wait for a slow follower.
const QUEUE: usize = 256;

/// The follower's end.
pub(super) struct Listener {
    signals: Receiver<Signal>,
    task: AbortHandle,
}

impl Listener {
    pub(super) fn new(redis: Redis) -> Self {
        let (sender, signals) = channel(QUEUE);
        let task = tokio::spawn(listen(redis, sender)).abort_handle();
        Self { signals, task }
    }
}

#[async_trait]
impl Subscription for Listener {
    async fn next(&mut self) -> Signal {
        self.signals
            .recv()
            .await
            .expect("the task goes on until this is dropped")
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Connects, reads until the connection fails, waits, and so on.
async fn listen(redis: Redis, sender: Sender<Signal>) {
    let mut backoff = Backoff::default();
    let mut said = false;
    loop {
        let error = match Link::connect(&redis).await {
            Ok(link) => {
                said = false;
                link.read(&redis, &sender, &mut backoff).await
            }
            Err(error) => error,
        };
        if !said {
            said = true;
            if sender.send(Signal::Disconnected(error)).await.is_err() {
                return;
            }
        }
        sleep(backoff.next(jitter())).await;
    }
}

/// One connection that is subscribed to the channel.
struct Link {
    sink: PubSubSink,
    stream: PubSubStream,
}

impl Link {
    async fn connect(redis: &Redis) -> Result<Self, StoreError> {
        let config = redis.config();
        let subscribed = async {
            let (mut sink, stream) = redis.client().get_async_pubsub().await?.split();
            sink.subscribe(&redis.keys().feed).await?;
            Ok(Self { sink, stream })
        };
        timeout(config.connect_timeout + config.response_timeout, subscribed)
            .await
            .map_err(|elapsed| unavailable(redis.store(), "subscribe", elapsed))?
            .map_err(|error| store_error(redis.store(), "subscribe", &redis.keys().feed, error))
    }

    /// Reads until the connection fails, and says why it did.
    async fn read(
        mut self,
        redis: &Redis,
        sender: &Sender<Signal>,
        backoff: &mut Backoff,
    ) -> StoreError {
        let config = redis.config();
        let mut ping = interval_at(Instant::now() + config.ping_interval, config.ping_interval);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Whether the follower has to be told to catch up.
        let mut behind = true;
        loop {
            tokio::select! {
                biased;
                room = sender.reserve(), if behind => {
                    let Ok(room) = room else {
                        return unavailable(redis.store(), "follow", "the subscription was dropped");
                    };
                    room.send(Signal::Connected);
                    behind = false;
                }
                _ = ping.tick() => {
                    let pong = timeout(config.response_timeout, self.sink.ping::<redis::Value>());
                    match pong.await {
                        Ok(Ok(_)) => backoff.reset(),
                        Ok(Err(error)) => {
                            return store_error(redis.store(), "follow", &redis.keys().feed, error);
                        }
                        Err(elapsed) => return unavailable(redis.store(), "follow", elapsed),
                    }
                }
                message = self.stream.next() => {
                    let Some(message) = message else {
                        return unavailable(redis.store(), "follow", "the connection was closed");
                    };
                    // Until the follower is told to catch up, it gains nothing from messages.
                    if !behind {
                        let signal = signal(&redis.keys().feed, message.get_payload_bytes());
                        behind = matches!(sender.try_send(signal), Err(TrySendError::Full(_)));
                    }
                }
            }
        }
    }
}
