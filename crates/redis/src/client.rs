//! Asking Redis: a pool of connections, and a bound on every wait.

use std::{collections::BTreeMap, fmt, sync::Arc};

use certfleet_store::StoreError;
use deadpool::managed::{Object, PoolError};
use deadpool_redis::Manager;
use redis::{
    AsyncConnectionConfig, Client, Cmd, FromRedisValue, Pipeline, RedisResult, ScriptInvocation,
    Value, from_redis_value,
};
use tokio::time::timeout;

use crate::{
    config::{Config, ConfigError},
    error::{store_error, unavailable},
    hash::Hash,
    keys::Keys,
    pool::{Connection, Connections, Pool},
};

/// How many commands are sent at once; a reply of so many records is some two megabytes.
const AT_ONCE: usize = 250;

/// All seams of certfleet, kept in Redis. A clone shares the connections.
#[derive(Clone)]
pub struct Redis(Arc<Inner>);

struct Inner {
    /// `Redis at HOST:PORT`, for errors.
    store: String,
    config: Config,
    /// Makes the connections of subscriptions, which the pool cannot lend.
    client: Client,
    pool: Pool,
    keys: Keys,
}

impl Redis {
    /// Takes the settings, without asking Redis yet: a node starts with Redis down, too.
    ///
    /// # Errors
    /// [`ConfigError`], if the URL or another setting makes no sense.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        let client = config.client()?;
        let info = client.get_connection_info();
        let connection = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(config.connect_timeout))
            .set_response_timeout(Some(config.response_timeout));
        let manager = Manager::new_with_config(info.clone(), connection)?;
        let pool = Pool::builder(Connections::new(manager))
            .max_size(config.pool_size)
            .build()?;
        Ok(Self(Arc::new(Inner {
            store: format!("Redis at {}", info.addr()),
            keys: Keys::new(&config.fleet),
            client,
            config,
            pool,
        })))
    }

    /// Whether Redis answers now.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if it does not, [`StoreError::Refused`] if it does not let us in.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.run("ping", "PING", &redis::cmd("PING")).await
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.0.keys
    }

    pub(crate) fn config(&self) -> &Config {
        &self.0.config
    }

    pub(crate) fn client(&self) -> &Client {
        &self.0.client
    }

    pub(crate) fn store(&self) -> &str {
        &self.0.store
    }

    /// Sends one command; `at` is its key.
    pub(crate) async fn run<T: FromRedisValue>(
        &self,
        operation: &'static str,
        at: &str,
        command: &Cmd,
    ) -> Result<T, StoreError> {
        let mut connection = self.connection(operation).await?;
        let reply = command.query_async(&mut *connection).await;
        self.answered(operation, at, connection, reply)
    }

    /// Calls a script, and loads it first if the server does not have it; `at` is its main key.
    pub(crate) async fn call<T: FromRedisValue>(
        &self,
        operation: &'static str,
        at: &str,
        script: &ScriptInvocation<'_>,
    ) -> Result<T, StoreError> {
        let mut connection = self.connection(operation).await?;
        let reply = script.invoke_async(&mut *connection).await;
        self.answered(operation, at, connection, reply)
    }

    /// Sends the same command for each of `keys`, some at once. What is wrong with one key is an
    /// error in its place.
    pub(crate) async fn each<T: FromRedisValue>(
        &self,
        operation: &'static str,
        command: &str,
        keys: &[String],
    ) -> Result<Vec<Result<T, StoreError>>, StoreError> {
        let mut all = Vec::with_capacity(keys.len());
        for keys in keys.chunks(AT_ONCE) {
            let mut pipeline = Pipeline::with_capacity(keys.len());
            pipeline.ignore_errors();
            for key in keys {
                pipeline.cmd(command).arg(key);
            }
            let mut connection = self.connection(operation).await?;
            let replies = pipeline.query_async(&mut *connection).await;
            let replies: Vec<RedisResult<Value>> =
                self.answered(operation, &keys[0], connection, replies)?;
            all.extend(keys.iter().zip(replies).map(|(key, reply)| {
                reply
                    .and_then(|value| Ok(from_redis_value(value)?))
                    .map_err(|error| store_error(self.store(), operation, key, error))
            }));
        }
        Ok(all)
    }

    /// The hash at `key`, if there is one.
    pub(crate) async fn hash(
        &self,
        operation: &'static str,
        key: String,
    ) -> Result<Option<Hash>, StoreError> {
        let fields = self
            .run(operation, &key, redis::cmd("HGETALL").arg(&key))
            .await?;
        Ok(Hash::unless_empty(key, fields))
    }

    /// The hashes at `keys`, in their order.
    pub(crate) async fn hashes(
        &self,
        operation: &'static str,
        keys: Vec<String>,
    ) -> Result<Vec<Result<Option<Hash>, StoreError>>, StoreError> {
        let all = self
            .each::<BTreeMap<String, String>>(operation, "HGETALL", &keys)
            .await?;
        let hashes = keys
            .into_iter()
            .zip(all)
            .map(|(key, fields)| fields.map(|fields| Hash::unless_empty(key, fields)));
        Ok(hashes.collect())
    }

    /// What was answered over `connection`, which is good for more unless it failed.
    fn answered<T>(
        &self,
        operation: &'static str,
        at: &str,
        connection: Connection,
        reply: RedisResult<T>,
    ) -> Result<T, StoreError> {
        reply.map_err(|error| {
            let error = store_error(self.store(), operation, at, error);
            if error.is_unavailable() {
                drop(Object::take(connection));
            }
            error
        })
    }

    async fn connection(&self, operation: &'static str) -> Result<Connection, StoreError> {
        // One bound over waiting, checking and connecting: after a hang every pooled connection
        // may have to be found dead in turn.
        match timeout(self.config().connect_timeout, self.0.pool.get()).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(PoolError::Backend(error))) => {
                Err(store_error(self.store(), operation, self.store(), error))
            }
            Ok(Err(error)) => Err(unavailable(self.store(), operation, error)),
            Err(elapsed) => Err(unavailable(self.store(), operation, elapsed)),
        }
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis")
            .field("store", &self.0.store)
            .field("fleet", &self.0.config.fleet)
            .finish_non_exhaustive()
    }
}
