//! The gate in front of service: only what passes here can be published.
//!
//! A [`Verified`] can be made in no other way, so a bundle that does not parse, whose key belongs
//! to another certificate, that lacks a name or has expired never replaces a good one. Whether
//! clients trust the issuer is not asked: that depends on the clients.

use std::{fmt, sync::Arc};

use certfleet_core::{Bundle, Leaf, NameSet, Timestamp, bundle::BundleError, leaf::LeafError};
use rustls::{InconsistentKeys, crypto::aws_lc_rs::sign::any_supported_type, sign::CertifiedKey};
use zeroize::Zeroizing;

/// A bundle found fit to serve, in the form the TLS library serves it.
#[derive(Clone)]
pub struct Verified {
    pub(crate) key: Arc<CertifiedKey>,
    pub(crate) leaf: Arc<Leaf>,
}

impl Verified {
    /// Checks that `bundle` is fit to serve `names` at `now`.
    ///
    /// # Errors
    /// The first of these that does not hold: the leaf parses, covers every name and is not
    /// expired; the rest of the chain parses; the key is of a kind that signs in TLS and belongs
    /// to the leaf.
    pub fn check(bundle: &Bundle, names: &NameSet, now: Timestamp) -> Result<Self, Rejected> {
        let leaf = bundle.check(names, now)?;
        for (position, der) in bundle.chain().iter().enumerate().skip(1) {
            Leaf::parse(der).map_err(|source| Rejected::Issuer { position, source })?;
        }
        let key = Zeroizing::new(bundle.key());
        let key = any_supported_type(&key).map_err(Rejected::Key)?;
        let key = CertifiedKey::new(bundle.chain().to_vec(), key);
        key.keys_match().map_err(|error| match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => Rejected::Mismatch,
            error => Rejected::Tls(error),
        })?;
        Ok(Self {
            key: Arc::new(key),
            leaf: Arc::new(leaf),
        })
    }

    /// What the certificate says of itself.
    #[must_use]
    pub fn leaf(&self) -> &Leaf {
        &self.leaf
    }
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verified")
            .field("leaf", &self.leaf)
            .finish_non_exhaustive()
    }
}

/// Why a bundle is not fit to serve. What was served before goes on.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Rejected {
    /// The leaf does not parse, lacks a name, or has expired.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// A certificate behind the leaf does not parse.
    #[error("certificate {position} of the chain (the leaf is 0) is unusable: {source}")]
    Issuer {
        /// Its place in the chain.
        position: usize,
        /// What is wrong with it.
        source: LeafError,
    },
    /// The key does not parse, or is of a kind that TLS does not use.
    #[error("the private key is not RSA, ECDSA or Ed25519 in PKCS#8: {0}")]
    Key(rustls::Error),
    /// The key belongs to another certificate.
    #[error("the private key does not belong to the leaf certificate")]
    Mismatch,
    /// The TLS library cannot use the leaf.
    #[error("the TLS library refuses the leaf certificate: {0}")]
    Tls(rustls::Error),
}

#[cfg(test)]
pub(crate) mod tests {
    use certfleet_core::leaf::LeafError;
    use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

    use super::*;

    pub(crate) const NAMES: &str = "a.example+*.a.example";

    /// A chain of one self-signed leaf for `names` (joined by `+`), valid in 2026 and 2027.
    pub(crate) fn certificate(
        names: &str,
    ) -> (CertificateDer<'static>, PrivatePkcs8KeyDer<'static>) {
        let names: Vec<_> = names.split('+').map(ToOwned::to_owned).collect();
        let mut params = rcgen::CertificateParams::new(names).unwrap();
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(2028, 1, 1);
        let key = rcgen::KeyPair::generate().unwrap();
        let der = params.self_signed(&key).unwrap().der().clone();
        (der, key.serialize_der().into())
    }

    pub(crate) fn now() -> Timestamp {
        "2026-06-01T00:00:00Z".parse().unwrap()
    }

    /// A bundle for `names`, verified.
    pub(crate) fn verified(names: &str) -> Verified {
        let (leaf, key) = certificate(names);
        let bundle = Bundle::new(vec![leaf], key).unwrap();
        Verified::check(&bundle, &names.parse().unwrap(), now()).unwrap()
    }

    fn check(
        chain: Vec<CertificateDer<'static>>,
        key: PrivatePkcs8KeyDer<'static>,
        names: &str,
        now: Timestamp,
    ) -> Result<Verified, Rejected> {
        let bundle = Bundle::new(chain, key).unwrap();
        Verified::check(&bundle, &names.parse().unwrap(), now)
    }

    #[test]
    fn what_is_fit_passes() {
        let (leaf, key) = certificate(NAMES);
        let (issuer, _) = certificate("ca.example");
        let verified = check(vec![leaf, issuer], key, NAMES, now()).unwrap();
        assert_eq!(verified.leaf().names.len(), 2);
        assert_eq!(verified.key.cert.len(), 2, "the whole chain is served");
    }

    #[test]
    fn an_address_counts_as_a_name() {
        let (leaf, key) = certificate("192.0.2.7+2001:db8::1");
        let check = |names| check(vec![leaf.clone()], key.clone_key(), names, now());
        assert!(check("2001:DB8:0::1+192.0.2.7").is_ok());
        assert!(matches!(
            check("192.0.2.8").unwrap_err(),
            Rejected::Bundle(BundleError::NotCovered(names)) if names[0].as_str() == "192.0.2.8"
        ));
    }

    #[test]
    fn what_is_not_fit_is_rejected_for_its_reason() {
        let (leaf, key) = certificate(NAMES);
        let (_, other_key) = certificate(NAMES);
        let garbage = CertificateDer::from(b"no certificate".to_vec());
        let verdict = |chain, key: &PrivatePkcs8KeyDer<'static>, names, now| {
            check(chain, key.clone_key(), names, now).unwrap_err()
        };

        assert_eq!(
            verdict(vec![leaf.clone()], &other_key, NAMES, now()),
            Rejected::Mismatch
        );
        assert!(matches!(
            verdict(vec![leaf.clone()], &key, "b.example", now()),
            Rejected::Bundle(BundleError::NotCovered(names)) if names[0].as_str() == "b.example"
        ));
        let late = "2028-01-02T00:00:00Z".parse().unwrap();
        assert!(matches!(
            verdict(vec![leaf.clone()], &key, NAMES, late),
            Rejected::Bundle(BundleError::Expired { .. })
        ));
        assert!(matches!(
            verdict(vec![garbage.clone()], &key, NAMES, now()),
            Rejected::Bundle(BundleError::Leaf(LeafError::Der(_)))
        ));
        assert!(matches!(
            verdict(vec![leaf.clone(), garbage], &key, NAMES, now()),
            Rejected::Issuer { position: 1, .. }
        ));
        let no_key = PrivatePkcs8KeyDer::from(b"no key".to_vec());
        assert!(matches!(
            verdict(vec![leaf], &no_key, NAMES, now()),
            Rejected::Key(_)
        ));
    }

    #[test]
    fn debug_shows_no_key() {
        let text = format!("{:?}", verified(NAMES));
        assert!(text.starts_with("Verified { leaf: Leaf {"), "{text}");
        assert!(
            text.ends_with(", .. }") && !text.to_lowercase().contains("key"),
            "{text}"
        );
    }
}
