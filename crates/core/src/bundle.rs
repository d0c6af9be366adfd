//! A certificate chain with the private key of its leaf.
//!
//! The key is PKCS#8 DER, is wiped when dropped, and shows nothing of itself in `Debug`. The
//! only way to turn a bundle into bytes is [`Bundle::encode`], whose result goes to the sealer.

use std::fmt;

use rustls_pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer,
    pem::{Error as PemError, PemObject},
};
use zeroize::{Zeroize, Zeroizing};

use crate::{
    Identifier, NameSet, Timestamp,
    leaf::{Leaf, LeafError},
};

/// A certificate chain, leaf first, with the leaf's private key.
pub struct Bundle {
    chain: Vec<CertificateDer<'static>>,
    key: PrivatePkcs8KeyDer<'static>,
}

impl Bundle {
    /// Puts a chain (leaf first) and its key together.
    ///
    /// That the key fits the leaf is for the TLS library to say, where the bundle is used.
    ///
    /// # Errors
    /// [`BundleError::NoCertificate`] if the chain is empty.
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: PrivatePkcs8KeyDer<'static>,
    ) -> Result<Self, BundleError> {
        if chain.is_empty() {
            Err(BundleError::NoCertificate)
        } else {
            Ok(Self { chain, key })
        }
    }

    /// Puts a PEM chain, as CAs send it, and a key together.
    ///
    /// # Errors
    /// [`BundleError::Pem`] if the text is no PEM, [`BundleError::NoCertificate`] if it holds none.
    pub fn from_chain_pem(
        chain: &str,
        key: PrivatePkcs8KeyDer<'static>,
    ) -> Result<Self, BundleError> {
        let chain: Result<Vec<_>, PemError> =
            CertificateDer::pem_slice_iter(chain.as_bytes()).collect();
        Self::new(
            chain.map_err(|error| BundleError::Pem(error.to_string()))?,
            key,
        )
    }

    /// The chain, leaf first.
    #[must_use]
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// A copy of the key for a TLS library; it wipes itself when dropped only if the taker does.
    #[must_use]
    pub fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(self.key.clone_key())
    }

    /// The chain as PEM, for people and `openssl x509`.
    #[must_use]
    pub fn chain_pem(&self) -> String {
        let blocks: Vec<_> = self
            .chain
            .iter()
            .map(|der| pem::Pem::new("CERTIFICATE", der.to_vec()))
            .collect();
        let config = pem::EncodeConfig::new().set_line_ending(pem::LineEnding::LF);
        pem::encode_many_config(&blocks, config)
    }

    /// What the leaf says of itself, once it was found fit to serve `names` at `now`.
    ///
    /// # Errors
    /// The first of these that does not hold: the leaf parses, covers every name, is not expired.
    pub fn check(&self, names: &NameSet, now: Timestamp) -> Result<Leaf, BundleError> {
        let leaf = Leaf::parse(&self.chain[0])?;
        let missing = leaf.missing(names);
        if !missing.is_empty() {
            return Err(BundleError::NotCovered(
                missing.into_iter().cloned().collect(),
            ));
        }
        if leaf.not_after <= now {
            return Err(BundleError::Expired {
                not_after: leaf.not_after,
            });
        }
        Ok(leaf)
    }

    /// The bundle as bytes for the sealer: each part behind its length (big-endian `u32`), the key
    /// first, then the chain.
    #[must_use]
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let key = self.key.secret_pkcs8_der();
        let parts = || std::iter::once(key).chain(self.chain.iter().map(AsRef::as_ref));
        let mut out = Zeroizing::new(Vec::with_capacity(parts().map(|part| 4 + part.len()).sum()));
        for part in parts() {
            let length = u32::try_from(part.len()).expect("a certificate is far below 4 GiB");
            out.extend_from_slice(&length.to_be_bytes());
            out.extend_from_slice(part);
        }
        out
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// [`BundleError::Truncated`] or [`BundleError::NoCertificate`] if it did not.
    pub fn decode(bytes: &[u8]) -> Result<Self, BundleError> {
        let (key, mut rest) = split_part(bytes)?;
        let key = PrivatePkcs8KeyDer::from(key.to_vec());
        let mut chain = Vec::new();
        while !rest.is_empty() {
            let (der, after) = split_part(rest)?;
            chain.push(CertificateDer::from(der.to_vec()));
            rest = after;
        }
        Self::new(chain, key)
    }
}

fn split_part(bytes: &[u8]) -> Result<(&[u8], &[u8]), BundleError> {
    let (length, rest) = bytes
        .split_first_chunk::<4>()
        .ok_or(BundleError::Truncated)?;
    let length = u32::from_be_bytes(*length) as usize;
    rest.split_at_checked(length).ok_or(BundleError::Truncated)
}

impl Drop for Bundle {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

impl fmt::Debug for Bundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bundle")
            .field("chain", &self.chain.len())
            .finish_non_exhaustive()
    }
}

/// Why a bundle cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// The chain is empty.
    #[error("the chain holds no certificate")]
    NoCertificate,
    /// The chain is no PEM.
    #[error("the chain is not PEM: {0}")]
    Pem(String),
    /// The bytes end too early.
    #[error("the bundle is cut short")]
    Truncated,
    /// The leaf does not parse.
    #[error(transparent)]
    Leaf(#[from] LeafError),
    /// Some wanted names are not in the leaf.
    #[error("the certificate does not cover {}", list(.0))]
    NotCovered(Vec<Identifier>),
    /// The leaf is past its end.
    #[error("the certificate expired at {not_after}")]
    Expired {
        /// The end of its validity.
        not_after: Timestamp,
    },
}

fn list(names: &[Identifier]) -> String {
    names
        .iter()
        .map(Identifier::as_str)
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
pub(crate) mod tests {
    use std::time::Duration;

    use super::*;

    /// A self-signed bundle for `names`, valid from 2026-01-01 for 90 days.
    pub(crate) fn bundle(names: &[&str]) -> Bundle {
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        let mut params = rcgen::CertificateParams::new(names).unwrap();
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(2026, 4, 1);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Bundle::new(vec![certificate.der().clone()], key.serialize_der().into()).unwrap()
    }

    fn february() -> Timestamp {
        "2026-02-01T00:00:00Z".parse().unwrap()
    }

    #[test]
    fn decodes_what_it_encodes() {
        let bundle = bundle(&["a.example"]);
        let bytes = bundle.encode();
        let back = Bundle::decode(&bytes).unwrap();
        assert_eq!(back.chain(), bundle.chain());
        assert_eq!(back.key(), bundle.key());
        for cut in [0, 3, 5, bytes.len() - 1] {
            assert!(Bundle::decode(&bytes[..cut]).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn checks_names_and_validity() {
        let bundle = bundle(&["a.example", "*.b.example"]);
        let check = |names: &str, now| bundle.check(&names.parse().unwrap(), now);
        let leaf = check("a.example+x.b.example", february()).unwrap();
        assert_eq!(
            leaf.not_after.since(leaf.not_before),
            Duration::from_secs(90 * 86400)
        );
        assert_eq!(
            check("a.example+c.example", february())
                .unwrap_err()
                .to_string(),
            "the certificate does not cover c.example"
        );
        assert!(matches!(
            check("a.example", "2026-04-02T00:00:00Z".parse().unwrap()),
            Err(BundleError::Expired { .. })
        ));
    }

    #[test]
    fn debug_shows_no_key() {
        let text = format!("{:?}", bundle(&["a.example"]));
        assert_eq!(text, "Bundle { chain: 1, .. }");
    }

    #[test]
    fn chain_pem_reads_back() {
        let bundle = bundle(&["a.example"]);
        let key = PrivatePkcs8KeyDer::from(bundle.key().secret_der().to_vec());
        let back = Bundle::from_chain_pem(&bundle.chain_pem(), key).unwrap();
        assert_eq!(back.chain(), bundle.chain());
    }
}
