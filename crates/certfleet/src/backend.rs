//! The backend a configuration asks for: Redis for a fleet, files for one node alone.

use std::sync::Arc;

use certfleet_redis::Redis;
use certfleet_store::{Backend, Clock, local::FileStore};

use crate::{
    config::{BackendConfig, Config},
    error::FleetError,
};

/// Opens the backend. Redis is not asked for anything yet; files are.
///
/// # Errors
/// If the Redis URL cannot be used, or the data folder cannot.
pub async fn open(config: &Config, clock: Arc<dyn Clock>) -> Result<Arc<dyn Backend>, FleetError> {
    Ok(match &config.backend {
        BackendConfig::Redis { url } => Arc::new(Redis::new(certfleet_redis::Config::new(
            url.secret(),
            config.fleet.clone(),
        ))?),
        BackendConfig::Local { data_dir } => Arc::new(FileStore::open(data_dir, clock)?),
    })
}
