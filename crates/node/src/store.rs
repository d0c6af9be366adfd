//! The fleet's store, opened for a command.
//!
//! A store in files belongs to one process, so while a node runs on it, commands cannot look into
//! it; they say where to look instead.

use std::{collections::BTreeSet, sync::Arc};

use certfleet::{Config, FleetError, Operator, backend, config::BackendConfig};
use certfleet_core::CertificateId;
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

/// Opens the store for who changes what the fleet wants.
pub(crate) async fn operator(config: &Config) -> Result<Operator, Failure> {
    let (fleet, node) = (config.fleet.clone(), config.node.clone());
    let store = open(config).await?;
    Ok(Operator::new(fleet, node, store, Arc::new(SystemClock)))
}

/// The certificates that there are: configured, added at run time, or issued.
pub(crate) async fn ids(
    config: &Config,
    store: &dyn Backend,
) -> Result<BTreeSet<CertificateId>, StoreError> {
    let mut ids: BTreeSet<_> = store.ids().await?.into_iter().collect();
    ids.extend(config.certificates.iter().map(|one| one.names.id()));
    // What cannot be read has no id to be told by; certfleet list shows it.
    let added = store.wanted().await?.into_iter().flatten();
    ids.extend(added.map(|one| one.names.id()));
    Ok(ids)
}
