//! The built-in CA: what it issues, and what it leaves in its folder.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    time::Duration,
};

use certfleet_acme::{BuiltInCa, BuiltInCaError, Issuer, Key, Order, RenewalInfo, Revocation};
use certfleet_core::{Bundle, KeyType, Leaf, RevocationReason};
use certfleet_testkit::process::TestDir;
use rustls_pki_types::PrivatePkcs8KeyDer;

use crate::{
    board::Board,
    world::{Steps, names, order, verify},
};

async fn issue(ca: &BuiltInCa, names_text: &str) -> Bundle {
    let names = names(names_text);
    let (board, steps) = (Board::default(), Steps::default());
    ca.issue(order(&names, &board, &steps)).await.unwrap()
}

#[tokio::test]
async fn its_certificates_verify_against_its_root_alone() {
    let ca = BuiltInCa::in_memory().unwrap();
    let bundle = issue(&ca, "localhost+a.test+*.b.test").await;
    verify(&bundle, &names("localhost+a.test+x.b.test"), ca.root_pem()).unwrap();
    let stranger = BuiltInCa::in_memory().unwrap();
    assert!(verify(&bundle, &names("localhost"), stranger.root_pem()).is_err());
    assert!(verify(&bundle, &names("c.test"), ca.root_pem()).is_err());
}

#[tokio::test]
async fn validity_is_a_week_or_what_is_asked_for() {
    let days = |bundle: &Bundle| {
        let leaf = Leaf::parse(&bundle.chain()[0]).unwrap();
        leaf.not_after.since(leaf.not_before).as_secs() / 86_400
    };
    let ca = BuiltInCa::in_memory().unwrap();
    assert_eq!(days(&issue(&ca, "localhost").await), 7);
    let ca = ca.with_validity(Duration::from_secs(2 * 86_400));
    assert_eq!(days(&issue(&ca, "localhost").await), 2);
    // None outlives the root.
    let ca = ca.with_validity(Duration::from_secs(20 * 365 * 86_400));
    assert_eq!(days(&issue(&ca, "localhost").await), 3650);
}

#[tokio::test]
async fn it_issues_for_every_kind_of_key_and_for_addresses() {
    let ca = BuiltInCa::in_memory().unwrap();
    let (board, steps) = (Board::default(), Steps::default());
    let names = names("localhost+127.0.0.1+::1");
    for kind in KeyType::ALL {
        let wanted = Order {
            key: Key::Fresh(kind),
            ..order(&names, &board, &steps)
        };
        let first = ca.issue(wanted).await.unwrap();
        verify(&first, &names, ca.root_pem()).unwrap();
        let der = first.key().secret_der().to_vec();
        let key = PrivatePkcs8KeyDer::from(der.as_slice());
        let again = Order {
            key: Key::Given(&key),
            validity: Some(Duration::from_secs(86_400)),
            ..wanted
        };
        let second = ca.issue(again).await.unwrap();
        assert_eq!(first.key(), second.key(), "{kind}");
        let leaf = Leaf::parse(&second.chain()[0]).unwrap();
        assert_eq!(leaf.not_after.since(leaf.not_before).as_secs(), 25 * 3600);
    }
    assert_eq!(board.presented(), 0);
}

#[tokio::test]
async fn it_has_no_revocation_and_says_so() {
    let ca = BuiltInCa::in_memory().unwrap();
    let bundle = issue(&ca, "localhost").await;
    let revocation = Revocation {
        certificate: &bundle.chain()[0],
        reason: RevocationReason::KeyCompromise,
        key: None,
    };
    let error = ca.revoke(revocation).await.unwrap_err();
    assert_eq!(error.kind(), "unsupported");
    let text = error.to_string();
    assert!(text.starts_with("built-in has no revocation"), "{text}");
    let info = ca.renewal_info(&bundle.chain()[0]).await.unwrap();
    assert_eq!(info, RenewalInfo::Unsupported);
    assert_eq!(ca.clock_skew(), None);
}

#[tokio::test]
async fn a_root_is_made_once_and_found_again() {
    let dir = TestDir::new("built-in").unwrap();
    let dir = dir.path().join("ca");
    let first = BuiltInCa::open(&dir).unwrap();
    let bundle = issue(&first, "localhost").await;

    let mode = |name: &str| fs::metadata(dir.join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("root-key.pem"), mode("root.pem")), (0o600, 0o644));
    let root_pem = fs::read_to_string(dir.join("root.pem")).unwrap();
    assert!(!root_pem.contains("PRIVATE"), "{root_pem}");
    let mut files: Vec<_> = fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    files.sort();
    assert_eq!(files, ["root-key.pem", "root.pem"]);

    fs::remove_file(dir.join("root.pem")).unwrap();
    let again = BuiltInCa::open(&dir).unwrap();
    assert_eq!(again.root_pem(), first.root_pem());
    assert_eq!(fs::read_to_string(dir.join("root.pem")).unwrap(), root_pem);
    verify(&bundle, &names("localhost"), again.root_pem()).unwrap();
    let later = issue(&again, "localhost").await;
    verify(&later, &names("localhost"), &root_pem).unwrap();
}

#[test]
fn all_who_open_it_at_once_get_one_root() {
    let dir = TestDir::new("built-in").unwrap();
    let roots: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| BuiltInCa::open(dir.path()).unwrap().root_pem().to_owned()))
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert!(roots.iter().all(|root| *root == roots[0]));
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let dir = TestDir::new("built-in").unwrap();
    BuiltInCa::open(dir.path()).unwrap();
    let key = dir.path().join("root-key.pem");
    fs::set_permissions(&key, Permissions::from_mode(0o640)).unwrap();
    let error = BuiltInCa::open(dir.path()).unwrap_err();
    assert!(matches!(error, BuiltInCaError::Exposed { mode: 0o640, .. }));
    assert!(error.to_string().contains("chmod 600"), "{error}");
}

#[test]
fn a_damaged_key_file_is_named_and_not_replaced() {
    let dir = TestDir::new("built-in").unwrap();
    BuiltInCa::open(dir.path()).unwrap();
    let key = dir.path().join("root-key.pem");
    fs::write(&key, "-----BEGIN NONSENSE-----").unwrap();
    let error = BuiltInCa::open(dir.path()).unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("{} is damaged: ", key.display())),
        "{error}"
    );
    assert_eq!(
        fs::read_to_string(&key).unwrap(),
        "-----BEGIN NONSENSE-----"
    );
}

#[tokio::test]
async fn debug_shows_no_key() {
    let text = format!("{:?}", BuiltInCa::in_memory().unwrap());
    assert!(
        text.starts_with("BuiltInCa { root_end: ") && text.ends_with(".. }"),
        "{text}"
    );
}
