//! A hash as it was read: fields of text that people can read and machines must check.

use std::{collections::BTreeMap, fmt, str::FromStr};

use certfleet_core::{Epoch, Record};
use certfleet_store::{StoreError, Stored};

/// The fields at one key.
pub(crate) struct Hash {
    /// The key, or the channel of the message they came in.
    at: String,
    fields: BTreeMap<String, String>,
}

impl Hash {
    pub(crate) fn new(at: String, fields: BTreeMap<String, String>) -> Self {
        Self { at, fields }
    }

    /// Redis has no empty hashes: without a field, there is none.
    pub(crate) fn unless_empty(at: String, fields: BTreeMap<String, String>) -> Option<Self> {
        (!fields.is_empty()).then(|| Self::new(at, fields))
    }

    /// One field.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], naming key and field, if it is missing or makes no sense.
    pub(crate) fn field<T: FromStr<Err: fmt::Display>>(
        &self,
        name: &'static str,
    ) -> Result<T, StoreError> {
        let text = self
            .fields
            .get(name)
            .ok_or_else(|| self.corrupt(format_args!("the field {name:?} is missing")))?;
        text.parse().map_err(|problem| {
            self.corrupt(format_args!("the field {name:?} cannot be read: {problem}"))
        })
    }

    /// The record these fields are.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], naming key and field.
    pub(crate) fn stored(&self) -> Result<Stored, StoreError> {
        Ok(Stored {
            epoch: Epoch::new(self.field("epoch")?),
            committed_at: self.field("committed_at")?,
            record: Record::from_fields(&self.fields).map_err(|problem| self.corrupt(problem))?,
        })
    }

    pub(crate) fn corrupt(&self, problem: impl fmt::Display) -> StoreError {
        StoreError::corrupt(&self.at, problem)
    }
}
