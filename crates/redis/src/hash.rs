//! A hash as it was read: fields of text that people can read and machines must check.

use std::{collections::BTreeMap, fmt, str::FromStr};

use certfleet_core::{CertificateId, Epoch, Record};
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

    /// One field that may be missing.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], naming key and field, if it is there and makes no sense.
    pub(crate) fn optional<T: FromStr<Err: fmt::Display>>(
        &self,
        name: &'static str,
    ) -> Result<Option<T>, StoreError> {
        let is_there = self.fields.contains_key(name);
        is_there.then(|| self.field(name)).transpose()
    }

    /// The record in these fields.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], naming key and field.
    pub(crate) fn record(&self) -> Result<Record, StoreError> {
        Record::from_fields(&self.fields).map_err(|problem| self.corrupt(problem))
    }

    /// The record in these fields as it was committed.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], naming key and field.
    pub(crate) fn stored(&self) -> Result<Stored, StoreError> {
        Ok(Stored {
            epoch: Epoch::new(self.field("epoch")?),
            committed_at: self.field("committed_at")?,
            record: self.record()?,
        })
    }

    /// Checks that a record found here is of the certificate `id`.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`], if it is of another.
    pub(crate) fn expect(&self, id: &CertificateId, record: &Record) -> Result<(), StoreError> {
        let held = record.id();
        if held == *id {
            Ok(())
        } else {
            Err(self.corrupt(format_args!("it holds the record of {held}")))
        }
    }

    pub(crate) fn corrupt(&self, problem: impl fmt::Display) -> StoreError {
        StoreError::corrupt(&self.at, problem)
    }
}
