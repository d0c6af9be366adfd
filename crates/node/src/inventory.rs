//! Every certificate the fleet wants or has, as its store and this configuration say.
//!
//! What was added at run time goes before the configuration, as it does on the nodes. A value that
//! cannot be read is told and hides no other.

use std::collections::BTreeMap;

use certfleet::Config;
use certfleet_core::{CertificateId, Timestamp, Wanted, retry::Attempt};
use certfleet_store::{Backend, StoreError, Stored, registry::Heartbeat};
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::certificate::{Certificate, Fleet};

/// How many questions the store is asked at a time.
const AT_ONCE: usize = 64;

/// What the fleet has.
#[derive(Debug)]
pub(crate) struct Inventory {
    /// In order of id.
    pub(crate) certificates: Vec<Certificate>,
    /// Those alive.
    pub(crate) nodes: Vec<Heartbeat>,
    /// What cannot be read, by what is wrong with each.
    pub(crate) unreadable: Vec<String>,
}

impl Inventory {
    /// Reads it.
    pub(crate) async fn read(
        config: &Config,
        store: &dyn Backend,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let mut wanted: BTreeMap<CertificateId, Wanted> = BTreeMap::new();
        let mut stored: BTreeMap<CertificateId, Stored> = BTreeMap::new();
        let mut unreadable = Vec::new();
        for record in store.changes(None).await?.changed {
            match record {
                Ok(record) => {
                    let id = record.record.id();
                    wanted.insert(id.clone(), Wanted::new(record.record.names.clone()));
                    stored.insert(id, record);
                }
                Err(error) => unreadable.push(error.to_string()),
            }
        }
        for one in &config.certificates {
            wanted.insert(one.names.id(), one.clone());
        }
        for one in store.wanted().await? {
            match one {
                Ok(one) => drop(wanted.insert(one.names.id(), one)),
                Err(error) => unreadable.push(error.to_string()),
            }
        }
        let mut attempts: BTreeMap<CertificateId, Attempt> = stream::iter(wanted.keys())
            .map(|id| async move { Ok::<_, StoreError>((id.clone(), store.attempt(id).await?)) })
            .buffer_unordered(AT_ONCE)
            .try_filter_map(|(id, attempt)| async { Ok(attempt.map(|attempt| (id, attempt))) })
            .try_collect()
            .await?;
        let nodes = store.nodes().await?;
        let holders = store.holders().await?;
        let fleet = Fleet {
            nodes: &nodes,
            holders: &holders,
            retry: &config.retry,
            now,
        };
        let certificates = wanted
            .into_iter()
            .map(|(id, wanted)| {
                Certificate::new(wanted, stored.get(&id), attempts.remove(&id), &fleet)
            })
            .collect();
        Ok(Self {
            certificates,
            nodes,
            unreadable,
        })
    }
}
