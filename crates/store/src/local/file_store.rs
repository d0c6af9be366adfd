//! All seams for one node that keeps its state in a folder.
//!
//! ```text
//! lock                    held while the process lives
//! state.json              the counters, the schedule, what was asked for, the budget
//! certificates/ID.json    one record each, see `shelf`
//! accounts/ISSUER.json    one sealed account each
//! ```
//!
//! What a restart must find again is on disk before an operation succeeds. Leases, challenge
//! answers, permissions, heart-beats and events are in memory only: they are between tasks of one
//! process. Entries on the schedule and claimed questions are written with the next change: who
//! wants a certificate enters it again at each start, and a claim ends with the process.
//!
//! A durable operation is one blocking task that holds the disk from beginning to end. Once begun
//! it ends, even if whoever asked for it is dropped, so memory and disk do not part. The
//! certificate's file decides whether a commit happened; `state.json` follows it, and an opening
//! completes a commit that was cut off between the two. `state.json` is written whole at each
//! change, which suits the thousands of certificates one node has, not millions.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use certfleet_core::{CertificateId, NodeId, Record, Timestamp};
use tokio::task::spawn_blocking;

use super::{
    Memory,
    agenda::Agenda,
    files::{Folder, FolderLock},
    ledger::{Ledger, Unreadable, Verdict},
    shelf::Shelf,
    state::State,
};
use crate::{
    CertificateStore, Clock, CommitError, Lease, Leases, StoreError, Stored,
    lease::{Grant, Holder, Resource},
};

mod account;
mod lasting;
mod volatile;

const STATE: &str = "state.json";

/// A store in a folder, for one process at a time.
#[derive(Clone, Debug)]
pub struct FileStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// What is read, always.
    memory: Memory,
    /// Where changes go first. Whoever has it may make one.
    disk: Mutex<Disk>,
}

#[derive(Debug)]
struct Disk {
    root: Folder,
    certificates: Shelf,
    accounts: Folder,
    _lock: FolderLock,
}

impl FileStore {
    /// Opens the folder, and makes what is missing of it, readable by this user alone.
    ///
    /// It reads every file and so blocks: call it before there is traffic.
    ///
    /// # Errors
    /// [`StoreError::Refused`] if another process uses the folder, [`StoreError::Corrupt`] if
    /// `state.json` cannot be read (remove it, and it is made again from the certificates),
    /// [`StoreError::File`] if the system refuses. A certificate that cannot be read is an error
    /// of [`load`](CertificateStore::load) for that one alone.
    pub fn open(path: impl Into<PathBuf>, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let root = Folder::open(path)?;
        let lock = root.try_lock()?;
        let disk = Disk {
            certificates: Shelf::new(root.sub("certificates")?),
            accounts: root.sub("accounts")?,
            root,
            _lock: lock,
        };
        let ledger = disk.ledger()?;
        disk.save(&ledger.agenda)?;
        Ok(Self {
            inner: Arc::new(Inner {
                memory: Memory::with_ledger(ledger, clock),
                disk: Mutex::new(disk),
            }),
        })
    }

    /// Does one durable operation, on a thread that may block.
    async fn durably<T, E>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Memory, &Disk) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        let task = spawn_blocking(move || {
            let disk = inner
                .disk
                .lock()
                .expect("nothing panics while it holds the disk");
            work(&inner.memory, &disk)
        });
        task.await.unwrap_or_else(|error| {
            Err(E::from(StoreError::Unavailable {
                store: "the file store".to_owned(),
                operation,
                source: error.into(),
            }))
        })
    }

    /// Changes the agenda, in memory and then on disk. If the disk fails the change stands in
    /// memory all the same, and reaches the disk with the next one.
    async fn amend<T, E>(
        &self,
        operation: &'static str,
        change: impl FnOnce(&mut State, Timestamp) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + Send + 'static,
    {
        self.durably(operation, move |memory, disk| {
            let made = change(&mut *memory.state(operation)?, memory.now())?;
            disk.save_of(memory)?;
            Ok(made)
        })
        .await
    }
}

impl Disk {
    /// What is on the disk.
    fn ledger(&self) -> Result<Ledger, StoreError> {
        let agenda = match self.root.read(STATE)? {
            Some(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                StoreError::corrupt(self.root.file(STATE).display().to_string(), error)
            })?,
            None => Agenda::new(),
        };
        let mut ledger = Ledger::new(agenda);
        let mut readable = Vec::new();
        for (id, found) in self.certificates.load_all()? {
            match found {
                Ok(stored) => readable.push(stored),
                Err(error) => {
                    tracing::error!(certificate = %id, %error, "the certificate cannot be read");
                    let at = self.certificates.place(&id);
                    ledger.restore_unreadable(id, Unreadable::new(at, error));
                }
            }
        }
        ledger.restore(readable);
        Ok(ledger)
    }

    fn save(&self, agenda: &Agenda) -> Result<(), StoreError> {
        let text = serde_json::to_vec_pretty(agenda).expect("an agenda is always valid JSON");
        self.root.write(STATE, &text)
    }

    fn save_of(&self, memory: &Memory) -> Result<(), StoreError> {
        let agenda = memory.state("save")?.ledger.agenda.clone();
        self.save(&agenda)
    }
}

#[async_trait]
impl CertificateStore for FileStore {
    async fn load(&self, id: &CertificateId) -> Result<Option<Stored>, StoreError> {
        self.inner.memory.load(id).await
    }

    async fn ids(&self) -> Result<Vec<CertificateId>, StoreError> {
        self.inner.memory.ids().await
    }

    async fn commit(&self, lease: &Lease, record: &Record) -> Result<Stored, CommitError> {
        let (lease, record) = (lease.clone(), record.clone());
        self.durably("commit", move |memory, disk| {
            let verdict = memory
                .state("commit")?
                .judge(&lease, &record, memory.now())?;
            match verdict {
                Verdict::Stands(stored) => Ok(stored),
                Verdict::New(stored) => {
                    disk.certificates.save(&stored)?;
                    memory.apply(&mut *memory.state("commit")?, &stored);
                    disk.save_of(memory)?;
                    Ok(stored)
                }
            }
        })
        .await
    }

    /// The certificate's file goes first: what is cut off after that has not succeeded, and is
    /// wanted again at the next opening if it was wanted.
    async fn remove(&self, lease: &Lease, id: &CertificateId) -> Result<(), CommitError> {
        let (lease, id) = (lease.clone(), id.clone());
        self.durably("remove", move |memory, disk| {
            let resource = Resource::Certificate(id.clone());
            memory
                .state("remove")?
                .check_live(&lease, resource, memory.now())?;
            disk.certificates.remove(&id)?;
            memory.take_out(&mut *memory.state("remove")?, &id);
            Ok(disk.save_of(memory)?)
        })
        .await
    }
}

#[async_trait]
impl Leases for FileStore {
    /// The token is on disk before the lease is given away, so that none is given twice.
    async fn acquire_within(
        &self,
        resource: &Resource,
        node: &NodeId,
        ttl: Duration,
        most: u32,
    ) -> Result<Grant, StoreError> {
        let (resource, node) = (resource.clone(), node.clone());
        self.durably("acquire", move |memory, disk| {
            let now = memory.now();
            let grant = memory
                .state("acquire")?
                .acquire(&resource, &node, ttl, most, now);
            if let Grant::Granted(lease) = &grant
                && let Err(error) = disk.save_of(memory)
            {
                memory.state("acquire")?.release(lease, now);
                return Err(error);
            }
            Ok(grant)
        })
        .await
    }

    async fn extend(&self, lease: &Lease) -> Result<bool, StoreError> {
        self.inner.memory.extend(lease).await
    }

    async fn release(&self, lease: &Lease) -> Result<bool, StoreError> {
        self.inner.memory.release(lease).await
    }

    async fn holders(&self) -> Result<Vec<Holder>, StoreError> {
        self.inner.memory.holders().await
    }
}

#[cfg(test)]
mod tests;
