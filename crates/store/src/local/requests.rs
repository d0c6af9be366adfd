//! The requests to revoke something, until they are carried out.

use std::collections::BTreeMap;

use certfleet_core::{
    CertificateId, Generation, Record, RevocationReason, Timestamp, record::FieldError,
};
use serde::{Deserialize, Serialize};

use crate::revocation::Revocation;

/// Requests by certificate and generation.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(try_from = "Vec<Form>", into = "Vec<Form>")]
pub(super) struct Requests(BTreeMap<(CertificateId, Generation), Revocation>);

/// A request as it is written: the record by its fields.
#[derive(Serialize, Deserialize)]
struct Form {
    reason: RevocationReason,
    asked_at: Timestamp,
    record: BTreeMap<String, String>,
}

impl Requests {
    pub(super) const fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Takes a request, unless there is one already.
    pub(super) fn add(&mut self, revocation: &Revocation) {
        self.0
            .entry(key(revocation))
            .or_insert_with(|| revocation.clone());
    }

    /// Those for one certificate, the oldest generation first.
    pub(super) fn of(&self, id: &CertificateId) -> Vec<Revocation> {
        self.0
            .range((id.clone(), Generation::ZERO)..)
            .take_while(|((other, _), _)| other == id)
            .map(|(_, revocation)| revocation.clone())
            .collect()
    }

    pub(super) fn remove(&mut self, revocation: &Revocation) {
        self.0.remove(&key(revocation));
    }
}

fn key(revocation: &Revocation) -> (CertificateId, Generation) {
    (revocation.record.id(), revocation.record.generation)
}

impl TryFrom<Vec<Form>> for Requests {
    type Error = FieldError;

    fn try_from(forms: Vec<Form>) -> Result<Self, FieldError> {
        let mut requests = Self::new();
        for form in forms {
            requests.add(&Revocation {
                record: Record::from_fields(&form.record)?,
                reason: form.reason,
                asked_at: form.asked_at,
            });
        }
        Ok(requests)
    }
}

impl From<Requests> for Vec<Form> {
    fn from(requests: Requests) -> Self {
        let form = |revocation: Revocation| {
            let fields = revocation.record.fields().into_iter();
            Form {
                reason: revocation.reason,
                asked_at: revocation.asked_at,
                record: fields.map(|(name, text)| (name.to_owned(), text)).collect(),
            }
        };
        requests.0.into_values().map(form).collect()
    }
}
