//! The fleet's store, opened for a command.
//!
//! A store in files belongs to one process, so while a node runs on it, commands cannot look into
//! it; they say where to look instead.

use std::sync::Arc;

use certfleet::{Config, FleetError, backend, config::BackendConfig};
use certfleet_store::{Backend, StoreError, SystemClock};

use crate::failure::Failure;

/// Opens the store that the configuration names.
pub(crate) async fn open(config: &Config) -> Result<Arc<dyn Backend>, Failure> {
    let opened = backend::open(config, Arc::new(SystemClock)).await;
    opened.map_err(|error| match (error, &config.backend) {
        (FleetError::Store(StoreError::Refused { .. }), BackendConfig::Local { data_dir }) => {
            Failure::InUse {
                path: data_dir.clone(),
                admin: config.admin_addr,
            }
        }
        (error, _) => error.into(),
    })
}
