//! What can go wrong with a store, by who must act.

use std::{fmt, path::PathBuf};

/// An operation on a store that failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store does not answer; it may answer later. Nothing is known of the operation's effect.
    #[error("{store} is unavailable for {operation}: {source}")]
    Unavailable {
        /// Which store, with its address (never with its password).
        store: String,
        /// What was asked of it.
        operation: &'static str,
        /// Its own words.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The store answered, and refused: rights, read-only, out of memory. An operator must act.
    #[error("{store} refused {operation}: {problem}")]
    Refused {
        /// Which store.
        store: String,
        /// What was asked of it.
        operation: &'static str,
        /// Its own words.
        problem: String,
    },
    /// A stored value makes no sense; the key or file named holds it.
    #[error("the value at {at} cannot be read: {problem}")]
    Corrupt {
        /// The key or the file.
        at: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A file operation failed.
    #[error("cannot {operation} {path}: {source}", path = path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What was to be done with it.
        operation: &'static str,
        /// The system's own words.
        source: std::io::Error,
    },
}

impl StoreError {
    /// A value at `at` that cannot be read.
    pub fn corrupt(at: impl Into<String>, problem: impl fmt::Display) -> Self {
        Self::Corrupt {
            at: at.into(),
            problem: problem.to_string(),
        }
    }

    /// Whether the store may simply be away for a while.
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable { .. })
    }
}
