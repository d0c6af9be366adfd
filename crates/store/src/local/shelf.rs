//! A shelf: a folder with one readable JSON file for each certificate, named `ID.json`.
//!
//! A file is a flat object of texts: `epoch`, `committed_at`, and then the record's own fields.
//! `jq -r .chain ID.json | openssl x509 -text` shows the certificate; the key is in `sealed` only.
//!
//! A file that cannot be read is an error of that one certificate. Which record may replace which
//! is not decided here.

use std::collections::BTreeMap;

use certfleet_core::{CertificateId, Epoch, Record, Timestamp};
use serde::{Serialize, Serializer};

use super::files::Folder;
use crate::{StoreError, Stored};

const EXTENSION: &str = ".json";

/// What was found of a certificate.
pub(crate) type Found = (CertificateId, Result<Stored, StoreError>);

/// A folder of certificates.
#[derive(Debug)]
pub(crate) struct Shelf {
    folder: Folder,
}

impl Shelf {
    pub(crate) const fn new(folder: Folder) -> Self {
        Self { folder }
    }

    pub(crate) const fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Puts a record in the place of what is there of its certificate.
    pub(crate) fn save(&self, stored: &Stored) -> Result<(), StoreError> {
        let text = serde_json::to_vec_pretty(&Form(stored)).expect("texts are always valid JSON");
        self.folder.write(&file_name(&stored.record.id()), &text)
    }

    pub(crate) fn load(&self, id: &CertificateId) -> Result<Option<Stored>, StoreError> {
        let name = file_name(id);
        let Some(bytes) = self.folder.read(&name)? else {
            return Ok(None);
        };
        parse(id, &bytes)
            .map(Some)
            .map_err(|problem| StoreError::corrupt(self.place(id), problem))
    }

    /// Every certificate there is, in order of id.
    pub(crate) fn load_all(&self) -> Result<Vec<Found>, StoreError> {
        let mut found = Vec::new();
        for name in self.folder.names()? {
            let Some(stem) = name.strip_suffix(EXTENSION) else {
                continue;
            };
            match stem.parse() {
                Ok(id) => match self.load(&id).transpose() {
                    Some(stored) => found.push((id, stored)),
                    None => continue,
                },
                Err(error) => tracing::warn!(
                    path = %self.folder.file(&name).display(), %error,
                    "passed over: its name is no certificate's"
                ),
            }
        }
        Ok(found)
    }

    pub(crate) fn remove(&self, id: &CertificateId) -> Result<(), StoreError> {
        self.folder.remove(&file_name(id))
    }

    /// The path of a certificate's file, for people.
    pub(crate) fn place(&self, id: &CertificateId) -> String {
        self.folder.file(&file_name(id)).display().to_string()
    }
}

fn file_name(id: &CertificateId) -> String {
    format!("{id}{EXTENSION}")
}

fn parse(id: &CertificateId, bytes: &[u8]) -> Result<Stored, Box<dyn std::error::Error>> {
    let fields: BTreeMap<String, String> = serde_json::from_slice(bytes)?;
    let field = |name: &str| {
        let text = fields.get(name);
        text.ok_or_else(|| format!("the field {name:?} is missing"))
    };
    let stored = Stored {
        epoch: Epoch::new(field("epoch")?.parse()?),
        committed_at: field("committed_at")?.parse::<Timestamp>()?,
        record: Record::from_fields(&fields)?,
    };
    if stored.record.id() == *id {
        Ok(stored)
    } else {
        Err(format!("it holds the certificate {}", stored.record.id()).into())
    }
}

/// A stored record as it is written.
struct Form<'a>(&'a Stored);

impl Serialize for Form<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Stored {
            epoch,
            committed_at,
            record,
        } = self.0;
        let ours = [
            ("epoch", epoch.to_string()),
            ("committed_at", committed_at.to_string()),
        ];
        serializer.collect_map(ours.into_iter().chain(record.fields()))
    }
}
