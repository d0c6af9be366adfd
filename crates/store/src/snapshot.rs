//! The snapshot: a node's own copy of what the fleet has committed, to start from while the shared
//! store is away.
//!
//! Records lie in it sealed, as they came. Invariant: what is kept of a certificate is never
//! replaced by an older generation of it, whatever order records arrive in and however many
//! processes (an old and a new one during a hand-over) share the folder. It grants no leases and
//! counts no epochs: nothing is ever decided by it.

use std::{path::PathBuf, sync::Arc};

use certfleet_core::CertificateId;
use tokio::task::spawn_blocking;

use crate::{
    StoreError, Stored,
    local::{files::Folder, shelf::Shelf},
};

/// A folder of sealed records.
#[derive(Clone, Debug)]
pub struct Snapshot {
    shelf: Arc<Shelf>,
}

impl Snapshot {
    /// Opens the folder, and makes it if it is missing, for this user alone.
    ///
    /// # Errors
    /// [`StoreError::File`] if the system refuses.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let shelf = Shelf::new(Folder::open(path)?);
        Ok(Self {
            shelf: Arc::new(shelf),
        })
    }

    /// Keeps a record, unless a newer generation is kept already; says whether it was written.
    /// A kept one that cannot be read gives way.
    ///
    /// # Errors
    /// [`StoreError::File`] if the system refuses; what was kept before is still there.
    pub async fn save(&self, stored: &Stored) -> Result<bool, StoreError> {
        let stored = stored.clone();
        self.blocking("save", move |shelf| {
            let _lock = shelf.folder().lock()?;
            if let Ok(Some(kept)) = shelf.load(&stored.record.id())
                && (kept.record.generation > stored.record.generation || kept == stored)
            {
                return Ok(false);
            }
            shelf.save(&stored).map(|()| true)
        })
        .await
    }

    /// Everything kept, in order of id. What cannot be read is an error in its place, and does
    /// not hide the others; a folder that cannot be listed is one error.
    pub async fn load_all(&self) -> Vec<Result<Stored, StoreError>> {
        let all = self.blocking("load_all", Shelf::load_all).await;
        match all {
            Ok(all) => all.into_iter().map(|(_, found)| found).collect(),
            Err(error) => vec![Err(error)],
        }
    }

    /// Forgets a certificate; one that is not kept is no error.
    ///
    /// # Errors
    /// [`StoreError::File`] if the system refuses.
    pub async fn remove(&self, id: &CertificateId) -> Result<(), StoreError> {
        let id = id.clone();
        self.blocking("remove", move |shelf| {
            let _lock = shelf.folder().lock()?;
            shelf.remove(&id)
        })
        .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Shelf) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let shelf = Arc::clone(&self.shelf);
        let task = spawn_blocking(move || work(&shelf));
        task.await.unwrap_or_else(|error| {
            Err(StoreError::Unavailable {
                store: format!("the snapshot in {}", self.shelf.folder().path().display()),
                operation,
                source: error.into(),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;
    use crate::{
        SystemClock,
        contract::sample::{commit, names},
        local::{Memory, scratch::Scratch},
    };

    async fn readable(snapshot: &Snapshot) -> Vec<Stored> {
        let all = snapshot.load_all().await;
        all.into_iter().map(Result::unwrap).collect()
    }

    #[tokio::test]
    async fn keeps_the_newest_generation_across_openings() {
        let scratch = Scratch::new();
        let store = Memory::new(Arc::new(SystemClock));
        let old = commit(&store, "a.example", 1).await;
        let new = commit(&store, "a.example", 2).await;
        let other = commit(&store, "b.example", 1).await;

        let snapshot = Snapshot::open(scratch.path().join("snapshot")).unwrap();
        assert_eq!(readable(&snapshot).await, []);
        assert!(snapshot.save(&new).await.unwrap());
        assert!(!snapshot.save(&old).await.unwrap(), "older");
        assert!(!snapshot.save(&new).await.unwrap(), "the very same");
        assert!(snapshot.save(&other).await.unwrap());
        let second = Snapshot::open(scratch.path().join("snapshot")).unwrap();
        assert!(!second.save(&old).await.unwrap(), "older, by another");
        assert_eq!(readable(&second).await, [new, other.clone()]);

        second.remove(&names("a.example").id()).await.unwrap();
        second.remove(&names("a.example").id()).await.unwrap();
        assert_eq!(readable(&snapshot).await, [other]);
    }

    #[tokio::test]
    async fn a_broken_file_hides_nothing_and_is_replaced() {
        let scratch = Scratch::new();
        let store = Memory::new(Arc::new(SystemClock));
        let snapshot = Snapshot::open(scratch.path()).unwrap();
        let a = commit(&store, "a.example", 1).await;
        let b = commit(&store, "b.example", 1).await;
        for stored in [&a, &b] {
            snapshot.save(stored).await.unwrap();
        }
        let path = scratch.path().join("a.example.json");
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("certfleet.v1.", "")).unwrap();

        let all = snapshot.load_all().await;
        let error = all[0].as_ref().unwrap_err().to_string();
        assert!(error.contains("a.example.json"), "{error}");
        assert!(error.contains("plaintext is always refused"), "{error}");
        assert_eq!(all[1].as_ref().unwrap(), &b);
        assert!(snapshot.save(&a).await.unwrap());
        assert_eq!(readable(&snapshot).await, [a, b]);
    }
}
