//! What the fleet keeps of a certificate: the sealed bundle, and plain fields for people.
//!
//! Machines trust `sealed` alone. The plain fields are written from it at commit and serve
//! `redis-cli`, listings and schedules; the seal binds the id and the generation, so those two
//! cannot be changed either without [`Record::open`] noticing.
//!
//! [`Record::fields`] is the one storage form: a Redis hash, a JSON file and a pub/sub message all
//! carry exactly these fields.

use std::collections::BTreeMap;

use crate::{
    Bundle, CertificateId, FencingToken, FleetName, Generation, KeyRing, NameSet, NodeId,
    Timestamp,
    bundle::BundleError,
    leaf::Leaf,
    names::NamesError,
    seal::{Context, SealError, Sealed},
};

/// One generation of one certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The names it was asked for.
    pub names: NameSet,
    /// Which generation this is; the first is 1.
    pub generation: Generation,
    /// The token of the lease it was committed under.
    pub fencing: FencingToken,
    /// The node that got it.
    pub issued_by: NodeId,
    /// When it is to be renewed.
    pub renew_at: Timestamp,
    /// The start of its validity.
    pub not_before: Timestamp,
    /// The end of its validity.
    pub not_after: Timestamp,
    /// The issuer it was ordered from, by its name: `acme-v02.api.letsencrypt.org/directory`;
    /// empty if that is not known.
    pub ca: String,
    /// The issuer's distinguished name.
    pub issuer: String,
    /// The serial number, hexadecimal.
    pub serial: String,
    /// SHA-256 of the leaf, hexadecimal.
    pub fingerprint: String,
    /// The chain as PEM, leaf first.
    pub chain: String,
    /// Chain and key, sealed.
    pub sealed: Sealed,
}

/// What a new record is made from, beside the bundle.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The names the bundle was asked for.
    pub names: NameSet,
    /// The generation it is to have.
    pub generation: Generation,
    /// The token of the lease it will be committed under.
    pub fencing: FencingToken,
    /// The node that got it.
    pub issued_by: NodeId,
    /// When it is to be renewed.
    pub renew_at: Timestamp,
    /// The issuer it was ordered from, by its name.
    pub ca: String,
}

impl Record {
    /// Seals `bundle` and writes the plain fields from `leaf`, what [`Bundle::check`] gave for it.
    #[must_use]
    pub fn seal(
        draft: Draft,
        bundle: &Bundle,
        leaf: Leaf,
        fleet: &FleetName,
        ring: &KeyRing,
    ) -> Self {
        let id = draft.names.id();
        let sealed = ring.seal(&context(fleet, &id, draft.generation), &bundle.encode());
        Self {
            names: draft.names,
            generation: draft.generation,
            fencing: draft.fencing,
            issued_by: draft.issued_by,
            renew_at: draft.renew_at,
            not_before: leaf.not_before,
            not_after: leaf.not_after,
            ca: draft.ca,
            issuer: leaf.issuer,
            serial: leaf.serial,
            fingerprint: leaf.fingerprint,
            chain: bundle.chain_pem(),
            sealed,
        }
    }

    /// The id of the certificate, which its names decide.
    #[must_use]
    pub fn id(&self) -> CertificateId {
        self.names.id()
    }

    /// Opens the sealed bundle as the given generation of the given certificate.
    ///
    /// # Errors
    /// [`OpenError`], if it does not open or what was sealed is no bundle.
    pub fn open(&self, fleet: &FleetName, ring: &KeyRing) -> Result<Bundle, OpenError> {
        let bytes = ring.open(&context(fleet, &self.id(), self.generation), &self.sealed)?;
        Ok(Bundle::decode(&bytes)?)
    }

    /// The storage form: field names and texts, the same in every store.
    #[must_use]
    pub fn fields(&self) -> Vec<(&'static str, String)> {
        vec![
            (
                "names",
                self.names
                    .iter()
                    .map(|n| n.as_str())
                    .collect::<Vec<_>>()
                    .join(" "),
            ),
            ("ca", self.ca.clone()),
            ("issuer", self.issuer.clone()),
            ("serial", self.serial.clone()),
            ("fingerprint", self.fingerprint.clone()),
            ("not_before", self.not_before.to_string()),
            ("not_after", self.not_after.to_string()),
            ("renew_at", self.renew_at.to_string()),
            ("generation", self.generation.to_string()),
            ("fencing", self.fencing.to_string()),
            ("issued_by", self.issued_by.to_string()),
            ("key_id", self.sealed.key_id().to_string()),
            ("chain", self.chain.clone()),
            ("sealed", self.sealed.as_str().to_owned()),
        ]
    }

    /// Reads the storage form; fields it does not know are passed over.
    ///
    /// # Errors
    /// [`FieldError`], which names the field that is missing or makes no sense.
    pub fn from_fields(fields: &BTreeMap<String, String>) -> Result<Self, FieldError> {
        Ok(Self {
            names: field(fields, "names", |text| {
                let names: Result<Vec<_>, _> =
                    text.split_ascii_whitespace().map(str::parse).collect();
                NameSet::new(names.map_err(NamesError::from)?)
            })?,
            // Records of the first version do not say.
            ca: fields.get("ca").cloned().unwrap_or_default(),
            issuer: field(fields, "issuer", str::parse)?,
            serial: field(fields, "serial", str::parse)?,
            fingerprint: field(fields, "fingerprint", str::parse)?,
            not_before: field(fields, "not_before", str::parse)?,
            not_after: field(fields, "not_after", str::parse)?,
            renew_at: field(fields, "renew_at", str::parse)?,
            generation: Generation::new(field(fields, "generation", str::parse)?),
            fencing: FencingToken::new(field(fields, "fencing", str::parse)?),
            issued_by: field(fields, "issued_by", str::parse)?,
            chain: field(fields, "chain", str::parse)?,
            sealed: field(fields, "sealed", str::parse)?,
        })
    }
}

fn context<'a>(fleet: &'a FleetName, id: &'a CertificateId, generation: Generation) -> Context<'a> {
    Context {
        fleet,
        kind: "certificate",
        record: id.as_str(),
        generation,
    }
}

fn field<T, E: std::fmt::Display>(
    fields: &BTreeMap<String, String>,
    name: &'static str,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, FieldError> {
    let text = fields.get(name).ok_or(FieldError::Missing(name))?;
    parse(text).map_err(|error| FieldError::Malformed {
        name,
        problem: error.to_string(),
    })
}

/// Why stored fields are no record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// A field is not there.
    #[error("the field {0:?} is missing")]
    Missing(&'static str),
    /// A field's text makes no sense.
    #[error("the field {name:?} cannot be read: {problem}")]
    Malformed {
        /// The field.
        name: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

/// Why a record was not opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The seal does not open.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The seal opened, but what was sealed is no bundle.
    #[error(transparent)]
    Bundle(#[from] BundleError),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{bundle::tests::bundle, seal::MasterKey};

    fn sample() -> (Record, FleetName, KeyRing) {
        let bundle = bundle(&["a.example", "b.example"]);
        let names: NameSet = "a.example+b.example".parse().unwrap();
        let now = "2026-02-01T00:00:00Z".parse().unwrap();
        let leaf = bundle.check(&names, now).unwrap();
        let draft = Draft {
            names,
            generation: Generation::new(3),
            fencing: FencingToken::new(9),
            issued_by: "node-1".parse().unwrap(),
            renew_at: now,
            ca: "ca.example/directory".into(),
        };
        let fleet = "test".parse().unwrap();
        let ring = KeyRing::new(MasterKey::from_bytes(&[7; 32]), vec![]);
        (
            Record::seal(draft, &bundle, leaf, &fleet, &ring),
            fleet,
            ring,
        )
    }

    fn stored(record: &Record) -> BTreeMap<String, String> {
        record
            .fields()
            .into_iter()
            .map(|(name, text)| (name.to_owned(), text))
            .collect()
    }

    #[test]
    fn reads_its_own_fields_and_opens() {
        let (record, fleet, ring) = sample();
        let back = Record::from_fields(&stored(&record)).unwrap();
        assert_eq!(back, record);
        assert_eq!(back.open(&fleet, &ring).unwrap().chain_pem(), record.chain);
    }

    #[test]
    fn a_raised_generation_or_other_names_do_not_open() {
        let (record, fleet, ring) = sample();
        for (name, text) in [("generation", "4"), ("names", "a.example c.example")] {
            let mut fields = stored(&record);
            fields.insert(name.into(), text.into());
            let moved = Record::from_fields(&fields).unwrap();
            let error = moved.open(&fleet, &ring).unwrap_err();
            assert!(
                matches!(error, OpenError::Seal(SealError::Refused(_))),
                "{name}: {error}"
            );
        }
    }

    #[test]
    fn a_bad_field_is_named() {
        let (record, ..) = sample();
        for (name, _) in record.fields() {
            let mut fields = stored(&record);
            fields.remove(name);
            // key_id only repeats what the sealed value's header says.
            if !["key_id", "ca"].contains(&name) {
                assert_eq!(Record::from_fields(&fields), Err(FieldError::Missing(name)));
            }
        }
        let mut fields = stored(&record);
        fields.insert("sealed".into(), "-----BEGIN PRIVATE KEY-----".into());
        let error = Record::from_fields(&fields).unwrap_err().to_string();
        assert!(error.contains("plaintext is always refused"), "{error}");
    }
}
