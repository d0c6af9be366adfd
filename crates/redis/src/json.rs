//! Values kept as JSON: what is one thing for people, but has parts.

use certfleet_store::StoreError;
use serde::{Serialize, de::DeserializeOwned};

/// The value as it is kept; the same value gives the same text.
pub(crate) fn write(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("structs of texts and numbers are always valid JSON")
}

/// The value in `text`, which was found at `at`.
pub(crate) fn read<T: DeserializeOwned>(at: &str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|problem| StoreError::corrupt(at, problem))
}
