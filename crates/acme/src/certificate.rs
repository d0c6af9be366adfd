//! The certificate itself: a fresh key, the request for it, and the check of what came back.

use std::{sync::Arc, time::Duration};

use certfleet_core::{Bundle, KeyType, Leaf, NameSet, Timestamp};
use rcgen::{
    CertificateParams, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384,
    PKCS_RSA_SHA256, RsaKeySize,
};
use rustls::{
    RootCertStore,
    client::{WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::aws_lc_rs,
    sign::CertifiedKey,
};
use rustls_pki_types::{
    CertificateDer, CertificateSigningRequestDer, PrivatePkcs8KeyDer, ServerName, UnixTime,
};
use x509_parser::parse_x509_certificate;
use zeroize::Zeroizing;

use crate::{IssueError, Key};

const MAKE_KEY: &str = "make a key";

/// How far in the future a new certificate may begin: as much as clocks may differ.
pub(crate) const SKEW: Duration = Duration::from_secs(3600);
/// No one means a certificate to be valid for longer.
const LONGEST: Duration = Duration::from_secs(20 * 366 * 86_400);

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

/// What a new certificate is compared with.
pub(crate) struct Expected<'a> {
    /// The names it was ordered for.
    pub(crate) names: &'a NameSet,
    /// The certificate it is to replace.
    pub(crate) replaces: Option<&'a CertificateDer<'a>>,
}

/// Makes sure that `bundle` is what was ordered and can serve at `now`; what is wrong otherwise.
///
/// The chain is followed from the leaf to its last certificate. Whether that is trusted, or its
/// issuer, is for the clients to know: a private CA is as good here as a public one.
pub(crate) fn check(
    bundle: &Bundle,
    expected: &Expected<'_>,
    now: Timestamp,
) -> Result<Leaf, String> {
    let leaf = bundle
        .check(expected.names, now)
        .map_err(|error| error.to_string())?;
    check_names(&bundle.chain()[0], &leaf, expected.names)?;
    if leaf.not_before > now.after(SKEW) {
        return Err(format!("it begins only at {}", leaf.not_before));
    }
    if leaf.not_after > now.after(LONGEST) {
        return Err(format!("it ends only at {}", leaf.not_after));
    }
    if let Some(old) = expected.replaces.and_then(|old| Leaf::parse(old).ok())
        && (old.serial == leaf.serial && old.issuer == leaf.issuer)
    {
        return Err(format!("it is the one it is to replace: {}", leaf.serial));
    }
    // This compares the public keys as well.
    CertifiedKey::from_der(
        bundle.chain().to_vec(),
        bundle.key(),
        &Arc::new(aws_lc_rs::default_provider()),
    )
    .map_err(|error| format!("it is not for the key it was requested with: {error}"))?;
    check_chain(bundle.chain(), &leaf, now.max(leaf.not_before))?;
    Ok(leaf)
}

/// Makes sure that the certificate is for no one else.
fn check_names(der: &CertificateDer<'_>, leaf: &Leaf, names: &NameSet) -> Result<(), String> {
    let all = parse_x509_certificate(der)
        .ok()
        .and_then(|(_, certificate)| {
            let san = certificate.subject_alternative_name().ok()??;
            Some(san.value.general_names.len())
        })
        .unwrap_or_default();
    let other = leaf
        .names
        .iter()
        .find(|name| !names.iter().any(|n| n == *name));
    match other {
        Some(name) => Err(format!("it is for {name} as well, which was not ordered")),
        None if all != leaf.names.len() => {
            Err("it is for something that is neither a DNS name nor an address as well".into())
        }
        None => match names.iter().find(|name| !leaf.names.contains(name)) {
            Some(name) => Err(format!("it does not name {name}")),
            None => Ok(()),
        },
    }
}

/// Makes sure that each certificate was signed by the next, as a TLS client does.
fn check_chain(
    chain: &[CertificateDer<'static>],
    leaf: &Leaf,
    now: Timestamp,
) -> Result<(), String> {
    for (i, certificate) in chain.iter().enumerate().skip(1) {
        Leaf::parse(certificate)
            .map_err(|error| format!("certificate {} of it: {error}", i + 1))?;
    }
    let [end, middle @ .., last] = chain else {
        return Ok(());
    };
    let broken = |error: &dyn std::fmt::Display| format!("its chain does not hold: {error}");
    let mut roots = RootCertStore::empty();
    roots.add(last.clone()).map_err(|error| broken(&error))?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(roots.into(), provider)
        .build()
        .map_err(|error| broken(&error))?;
    // Any name will do; a wildcard stands for any label.
    let name = leaf.names[0].as_str().replacen('*', "any", 1);
    let name = ServerName::try_from(name).map_err(|error| broken(&error))?;
    let seconds = u64::try_from(now.as_secs()).unwrap_or_default();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
    verifier
        .verify_server_cert(end, middle, &name, &[], now)
        .map(drop)
        .map_err(|error| broken(&error))
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

    fn signed(names: &str, key: &KeyPair) -> Vec<CertificateDer<'static>> {
        let mut params = params(&names.parse().unwrap()).unwrap();
        params.not_before = rcgen::date_time_ymd(2026, 1, 1);
        params.not_after = rcgen::date_time_ymd(2026, 4, 1);
        vec![params.self_signed(key).unwrap().der().clone()]
    }

    fn checked(bundle: &Bundle, names: &str, now: &str) -> Result<Leaf, String> {
        let expected = Expected {
            names: &names.parse().unwrap(),
            replaces: None,
        };
        check(bundle, &expected, now.parse().unwrap())
    }

    const FEBRUARY: &str = "2026-02-01T00:00:00Z";

    #[test]
    fn what_does_not_fit_is_refused() {
        let key = fresh_key(KeyType::P256).unwrap();
        let chain = signed("a.example+b.example", &key);
        let good = Bundle::new(chain.clone(), pkcs8(&key)).unwrap();
        let problem = |bundle: &Bundle, names: &str, now: &str| {
            checked(bundle, names, now)
                .map(|leaf| leaf.serial)
                .unwrap_err()
        };
        let names = "a.example+b.example";
        assert!(checked(&good, names, FEBRUARY).is_ok());
        for (ordered, now, want) in [
            ("c.example", FEBRUARY, "does not cover c.example"),
            ("a.example", FEBRUARY, "it is for b.example as well"),
            (names, "2026-05-01T00:00:00Z", "expired"),
            (names, "2025-12-31T22:00:00Z", "begins only at"),
            (names, "1990-01-01T00:00:00Z", "begins only at"),
        ] {
            let problem = problem(&good, ordered, now);
            assert!(problem.contains(want), "{problem}");
        }
        let other = fresh_key(KeyType::P256).unwrap();
        let foreign = Bundle::new(chain.clone(), pkcs8(&other)).unwrap();
        assert!(problem(&foreign, names, FEBRUARY).contains("not for the key"));

        let junk = vec![chain[0].clone(), b"junk".to_vec().into()];
        let broken = Bundle::new(junk, pkcs8(&key)).unwrap();
        assert!(problem(&broken, names, FEBRUARY).starts_with("certificate 2 of it"));

        let stranger = signed("ca.example", &other);
        let unrelated = vec![chain[0].clone(), stranger[0].clone()];
        let unrelated = Bundle::new(unrelated, pkcs8(&key)).unwrap();
        assert!(problem(&unrelated, names, FEBRUARY).contains("its chain does not hold"));

        let expected = Expected {
            names: &names.parse().unwrap(),
            replaces: Some(&chain[0]),
        };
        let again = check(&good, &expected, FEBRUARY.parse().unwrap()).unwrap_err();
        assert!(again.contains("it is the one it is to replace"), "{again}");
    }

    #[test]
    fn a_wildcard_that_covers_a_name_does_not_stand_for_it() {
        let key = fresh_key(KeyType::P256).unwrap();
        let wild = Bundle::new(signed("*.a.example", &key), pkcs8(&key)).unwrap();
        assert!(checked(&wild, "*.a.example", FEBRUARY).is_ok());
        let problem = checked(&wild, "x.a.example", FEBRUARY).unwrap_err();
        assert!(problem.contains("*.a.example as well"), "{problem}");
    }

    #[test]
    fn names_of_other_kinds_are_refused() {
        let key = fresh_key(KeyType::P256).unwrap();
        let mut params = params(&"a.example".parse().unwrap()).unwrap();
        let mail = rcgen::SanType::Rfc822Name("root@a.example".try_into().unwrap());
        params.subject_alt_names.push(mail);
        let chain = vec![params.self_signed(&*key).unwrap().der().clone()];
        let bundle = Bundle::new(chain, pkcs8(&key)).unwrap();
        let problem = checked(&bundle, "a.example", FEBRUARY).unwrap_err();
        assert!(
            problem.contains("neither a DNS name nor an address"),
            "{problem}"
        );
    }
}
