//! The connections that are shared: each is asked whether it is alive after it has rested.
//!
//! One that was in use a moment ago is lent unasked, or every command would cost another and the
//! wait for it. Whoever finds it dead does not give it back, so one outage costs an error for
//! each connection at the most.

use std::time::Duration;

use deadpool::managed::{self, Metrics, RecycleResult};
use deadpool_redis::Manager;
use redis::{RedisError, aio::MultiplexedConnection};

/// How long a connection may have rested to be lent unasked.
const RESTED: Duration = Duration::from_secs(1);

/// Lends connections.
pub(crate) type Pool = managed::Pool<Connections>;

/// A connection on loan; dropping it gives it back, [`managed::Object::take`] keeps it out.
pub(crate) type Connection = managed::Object<Connections>;

/// Makes connections, and asks those that have rested.
#[derive(Debug)]
pub(crate) struct Connections(Manager);

impl Connections {
    /// Makes them by `manager`.
    pub(crate) fn new(manager: Manager) -> Self {
        Self(manager)
    }
}

impl managed::Manager for Connections {
    type Type = MultiplexedConnection;
    type Error = RedisError;

    async fn create(&self) -> Result<MultiplexedConnection, RedisError> {
        self.0.create().await
    }

    async fn recycle(
        &self,
        connection: &mut MultiplexedConnection,
        metrics: &Metrics,
    ) -> RecycleResult<RedisError> {
        if metrics.last_used() < RESTED {
            return Ok(());
        }
        redis::cmd("PING").query_async::<()>(connection).await?;
        Ok(())
    }
}
