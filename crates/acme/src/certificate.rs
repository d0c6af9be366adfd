//! The certificate itself: a fresh key, the request for it, and the check of what came back.

use std::{sync::Arc, time::Duration};

use certfleet_core::{Bundle, KeyType, Leaf, NameSet, Timestamp};
use rcgen::{
    CertificateParams, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384,
    PKCS_RSA_SHA256, RsaKeySize,
};
use rustls::{crypto::aws_lc_rs, sign::CertifiedKey};
use rustls_pki_types::{CertificateSigningRequestDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

use crate::{IssueError, Key};

const MAKE_KEY: &str = "make a key";

/// How far in the future a new certificate may begin: as much as clocks may differ.
const SKEW: Duration = Duration::from_secs(3600);

/// The key to a new certificate, wiped when dropped.
///
/// An RSA key takes up to seconds to find, so it is looked for on a thread that may block.
pub(crate) async fn key(wanted: Key<'_>) -> Result<Zeroizing<KeyPair>, IssueError> {
    match wanted {
        Key::Fresh(kind @ (KeyType::Rsa2048 | KeyType::Rsa4096)) => {
            tokio::task::spawn_blocking(move || fresh_key(kind))
                .await
                .map_err(|error| IssueError::Crypto {
                    operation: MAKE_KEY,
                    problem: error.to_string(),
                })?
        }
        Key::Fresh(kind) => fresh_key(kind),
        Key::Given(key) => KeyPair::try_from(key)
            .map(Zeroizing::new)
            .map_err(|error| IssueError::Key(error.to_string())),
    }
}

/// A new key.
pub(crate) fn fresh_key(kind: KeyType) -> Result<Zeroizing<KeyPair>, IssueError> {
    let key = match kind {
        KeyType::P256 => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
        KeyType::P384 => KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384),
        KeyType::Rsa2048 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048),
        KeyType::Rsa4096 => KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_4096),
    };
    key.map(Zeroizing::new)
        .map_err(|error| crypto(MAKE_KEY, &error))
}

/// The key as bundles hold it.
pub(crate) fn pkcs8(key: &KeyPair) -> PrivatePkcs8KeyDer<'static> {
    key.serialize_der().into()
}

/// A certificate that names `names` and no one else.
pub(crate) fn params(names: &NameSet) -> Result<CertificateParams, IssueError> {
    let names: Vec<_> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names)
        .map_err(|error| crypto("write the names into a certificate", &error))?;
    params.distinguished_name = DistinguishedName::new();
    Ok(params)
}

/// The signing request (RFC 2986) for `names`.
pub(crate) fn request(
    names: &NameSet,
    key: &KeyPair,
) -> Result<CertificateSigningRequestDer<'static>, IssueError> {
    params(names)?
        .serialize_request(key)
        .map(|request| request.der().clone())
        .map_err(|error| crypto("sign the certificate request", &error))
}

/// Makes sure that `bundle` can serve `names` at `now`; what is wrong otherwise.
pub(crate) fn check(bundle: &Bundle, names: &NameSet, now: Timestamp) -> Result<Leaf, String> {
    let leaf = bundle
        .check(names, now)
        .map_err(|error| error.to_string())?;
    for (i, certificate) in bundle.chain().iter().enumerate().skip(1) {
        Leaf::parse(certificate)
            .map_err(|error| format!("certificate {} of it: {error}", i + 1))?;
    }
    if leaf.not_before > now.after(SKEW) {
        return Err(format!("it begins only at {}", leaf.not_before));
    }
    // This compares the public keys as well.
    CertifiedKey::from_der(
        bundle.chain().to_vec(),
        bundle.key(),
        &Arc::new(aws_lc_rs::default_provider()),
    )
    .map_err(|error| format!("it is not for the key it was requested with: {error}"))?;
    Ok(leaf)
}

pub(crate) fn crypto(operation: &'static str, error: &rcgen::Error) -> IssueError {
    IssueError::Crypto {
        operation,
        problem: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(names: &str, key: &KeyPair) -> Vec<rustls_pki_types::CertificateDer<'static>> {
        let mut params = params(&names.parse().unwrap()).unwrap();
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(2026, 4, 1);
        vec![params.self_signed(key).unwrap().der().clone()]
    }

    fn problem(bundle: &Bundle, names: &str, now: &str) -> String {
        check(bundle, &names.parse().unwrap(), now.parse().unwrap())
            .map(|leaf| leaf.serial)
            .unwrap_err()
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let key = fresh_key(KeyType::P256).unwrap();
        let chain = signed("a.example", &key);
        let good = Bundle::new(chain.clone(), pkcs8(&key)).unwrap();
        let february = "2026-02-01T00:00:00Z";
        let names = "a.example".parse().unwrap();
        assert!(check(&good, &names, february.parse().unwrap()).is_ok());
        assert!(problem(&good, "b.example", february).contains("does not cover b.example"));
        assert!(problem(&good, "a.example", "2026-05-01T00:00:00Z").contains("expired"));
        assert!(problem(&good, "a.example", "2025-12-31T22:00:00Z").contains("begins only at"));

        let other = fresh_key(KeyType::P256).unwrap();
        let foreign = Bundle::new(chain.clone(), pkcs8(&other)).unwrap();
        assert!(problem(&foreign, "a.example", february).contains("not for the key"));

        let junk = vec![chain[0].clone(), b"junk".to_vec().into()];
        let broken = Bundle::new(junk, pkcs8(&key)).unwrap();
        assert!(problem(&broken, "a.example", february).starts_with("certificate 2 of it"));
    }
}
