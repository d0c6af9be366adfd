//! Accounts at a real CA: Pebble (Debian package `pebble`).

use std::collections::BTreeMap;

use certfleet_acme::{Acme, Credentials, ExternalAccount, IssueError, Issuer, MacAlgorithm};
use certfleet_core::retry::Advice;
use certfleet_testkit::pebble::Endpoint;

use crate::world::{World, names, open_account};

/// That the account these credentials are for can order.
async fn can_order(world: &World, acme: &Acme, credentials: &Credentials) -> String {
    let issuer = acme.sign_in(credentials).await.unwrap();
    let names = names("a.example");
    issuer.issue(world.order(&names)).await.unwrap();
    issuer.account_url().to_owned()
}

#[tokio::test]
async fn a_key_finds_its_account_again() {
    let world = World::new(|_| {}).await;
    let acme = world.acme();
    let key = acme.new_key().unwrap();
    assert!(!key.has_account());
    // Stored, and the process dies before the account is.
    let stored = key.as_bytes().to_vec();
    let first = acme.open_account(&key).await.unwrap();
    let again = acme.open_account(&Credentials::from_bytes(&stored)).await;
    let again = again.unwrap();
    assert!(again.has_account());
    assert_eq!(first, again);
    can_order(&world, &acme, &again).await;
    assert_eq!(world.pebble.accounts(), 1);
}

#[tokio::test]
async fn a_key_without_an_account_is_not_signed_in_with() {
    let world = World::new(|_| {}).await;
    let acme = world.acme();
    let error = acme.sign_in(&acme.new_key().unwrap()).await.unwrap_err();
    assert_eq!(error.kind(), "credentials");
    let text = error.to_string();
    assert!(text.contains("its key has no account yet"), "{text}");
    assert_eq!(world.pebble.requests(), 0);
}

#[tokio::test]
async fn signing_in_costs_one_request() {
    let world = World::new(|options| options.nonce_reject = 0).await;
    let acme = world.acme();
    let credentials = open_account(&acme).await.unwrap();
    let before = world.pebble.requests();
    acme.sign_in(&credentials).await.unwrap();
    assert_eq!(world.pebble.requests() - before, 1);
    assert_eq!(world.pebble.requests_to(Endpoint::Directory), 2);
}

/// A Pebble that wants a binding to `kid-1`, made with this key.
async fn bound(key: &str) -> World {
    let keys = BTreeMap::from([("kid-1".to_owned(), key.to_owned())]);
    World::new(|options| options.external_account_keys = keys).await
}

/// 64 bytes, enough for every hash.
const MAC_KEY: &str =
    "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12Whdh-oEBGp9mjV8nQK2wzWg";

async fn binding(algorithm: MacAlgorithm) -> Result<usize, IssueError> {
    let world = bound(MAC_KEY).await;
    let external = ExternalAccount::new("kid-1", MAC_KEY, algorithm).unwrap();
    let acme = world.acme_with(|config| config.external_account = Some(external));
    let credentials = open_account(&acme).await?;
    can_order(&world, &acme, &credentials).await;
    // Told twice, as after a crash.
    assert_eq!(acme.open_account(&credentials).await?, credentials);
    Ok(world.pebble.bindings())
}

#[tokio::test]
async fn external_account_binding_hs256() {
    assert_eq!(binding(MacAlgorithm::Hs256).await.unwrap(), 1);
}

#[tokio::test]
async fn external_account_binding_hs384() {
    assert_eq!(binding(MacAlgorithm::Hs384).await.unwrap(), 1);
}

#[tokio::test]
async fn external_account_binding_hs512() {
    assert_eq!(binding(MacAlgorithm::Hs512).await.unwrap(), 1);
}

#[tokio::test]
async fn a_binding_that_is_wanted_and_not_configured_is_told_with_the_cure() {
    let world = bound(MAC_KEY).await;
    let error = open_account(&world.acme()).await.unwrap_err();
    assert!(matches!(error, IssueError::ExternalAccountRequired { .. }));
    assert_eq!(error.advice(), Advice::NeedsPerson);
    let text = error.to_string();
    assert!(
        text.contains("configure the key id and the MAC key"),
        "{text}"
    );
    assert_eq!(world.pebble.accounts(), 0);
}

#[tokio::test]
async fn a_binding_with_a_wrong_key_is_refused_in_the_cas_words() {
    let world = bound(MAC_KEY).await;
    let wrong = MAC_KEY.replace('z', "a");
    let external = ExternalAccount::new("kid-1", &wrong, MacAlgorithm::Hs256).unwrap();
    let acme = world.acme_with(|config| config.external_account = Some(external));
    let error = open_account(&acme).await.unwrap_err();
    assert!(matches!(error, IssueError::Refused { .. }), "{error:?}");
    assert!(!error.to_string().contains(&wrong), "{error}");
    assert_eq!(world.pebble.accounts(), 0);
}

#[tokio::test]
async fn a_contact_that_has_changed_is_updated() {
    let world = World::new(|_| {}).await;
    let acme = world.acme();
    let credentials = open_account(&acme).await.unwrap();
    assert!(!acme.contact_differs(&credentials));

    let changed = world.acme_with(|config| config.contact = vec!["new@example.com".into()]);
    assert!(changed.contact_differs(&credentials));
    let issuer = changed.sign_in(&credentials).await.unwrap();
    let updated = issuer.update_contact(&credentials).await.unwrap();
    assert!(!changed.contact_differs(&updated));
    assert!(acme.contact_differs(&updated));
    // What the CA has is what a look-up of the key shows.
    let seen = changed.open_account(&updated).await.unwrap();
    assert_eq!(seen, updated);
}

#[tokio::test]
async fn a_key_is_rolled_over() {
    let world = World::new(|_| {}).await;
    let acme = world.acme();
    let old = open_account(&acme).await.unwrap();
    let both = old.with_next_key().unwrap();
    let new = acme.roll_over(&both).await.unwrap();
    assert!(new.has_account() && !new.is_rolling_over());
    assert_ne!(new, old);
    can_order(&world, &acme, &new).await;
    // The old key is worth nothing.
    let issuer = acme.sign_in(&old).await.unwrap();
    let names = names("a.example");
    let error = issuer.issue(world.order(&names)).await.unwrap_err();
    assert!(matches!(error, IssueError::Refused { .. }), "{error:?}");
    assert_eq!(world.pebble.accounts(), 1);
}

#[tokio::test]
async fn a_roll_over_interrupted_before_the_ca_was_told_keeps_the_old_key() {
    let world = World::new(|_| {}).await;
    let acme = world.acme();
    let old = open_account(&acme).await.unwrap();
    let both = old.with_next_key().unwrap();
    let issuer = acme.sign_in(&both).await.unwrap();
    assert_eq!(*issuer.credentials(), old);
    assert_eq!(acme.settle(&both).await.unwrap(), old);
    can_order(&world, &acme, &both).await;
}

#[tokio::test]
async fn a_roll_over_interrupted_after_the_ca_was_told_has_the_new_key() {
    let world = World::new(|_| {}).await;
    let acme = world.acme();
    let old = open_account(&acme).await.unwrap();
    let both = old.with_next_key().unwrap();
    let new = acme.roll_over(&both).await.unwrap();
    // The answer was lost: `both` is what is stored.
    let issuer = acme.sign_in(&both).await.unwrap();
    assert_eq!(*issuer.credentials(), new);
    assert_eq!(acme.roll_over(&both).await.unwrap(), new);
    can_order(&world, &acme, &both).await;
    assert_eq!(world.pebble.accounts(), 1);
}
