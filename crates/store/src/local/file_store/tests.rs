//! The store on disk: what survives a restart, and what each damage to it does.

use std::fs;

use certfleet_core::{
    Wanted,
    budget::{Charge, Limit, LimitKind},
};

use super::*;
use crate::{
    AccountVault, Backend, Budget, ChangeFeed, Revocations, Schedule, Suggestions, SystemClock,
    WantedList,
    budget::Taken,
    contract::sample::{
        RENEW_AT, attempt, commit, lease, names, node, record, revocation, suggestion,
    },
    local::scratch::Scratch,
};

async fn fresh() -> (Scratch, Arc<dyn Backend>) {
    let scratch = Scratch::new();
    let store = open(&scratch).unwrap();
    (scratch, Arc::new(store))
}

mod contract {
    use super::*;
    crate::contract_tests!(fresh());
}

fn open(scratch: &Scratch) -> Result<FileStore, StoreError> {
    FileStore::open(scratch.path().join("data"), Arc::new(SystemClock))
}

fn data(scratch: &Scratch, name: &str) -> PathBuf {
    scratch.path().join("data").join(name)
}

#[tokio::test]
async fn a_restart_finds_everything_again() {
    let scratch = Scratch::new();
    let store = open(&scratch).unwrap();
    let (a, b) = (names("a.example").id(), names("*.b.example").id());
    commit(&store, "a.example", 1).await;
    let of_b = commit(&store, "*.b.example", 4).await;
    let of_a = commit(&store, "a.example", 2).await;
    let held = lease(&store, "a.example").await;
    store
        .postpone(&held, &a, &attempt(2, RENEW_AT))
        .await
        .unwrap();
    let account = of_a.record.sealed.clone();
    let issuer = Resource::Account("https://ca.example/dir".to_owned());
    let for_issuer = store
        .acquire(&issuer, &node("node-a"), Duration::from_secs(60))
        .await;
    let for_issuer = for_issuer.unwrap().unwrap();
    store
        .keep_account(&for_issuer, "https://ca.example/dir", &account)
        .await
        .unwrap();
    let position = store.changes(None).await.unwrap().position;
    drop(store);

    let store = open(&scratch).unwrap();
    assert_eq!(store.load(&a).await.unwrap().as_ref(), Some(&of_a));
    assert_eq!(store.load(&b).await.unwrap().as_ref(), Some(&of_b));
    let changes = store.changes(Some(&position)).await.unwrap();
    assert_eq!((changes.complete, &changes.position), (false, &position));
    let all = store.changes(None).await.unwrap().changed;
    let all: Vec<_> = all.into_iter().map(Result::unwrap).collect();
    assert_eq!(all, [of_b, of_a]);
    assert_eq!(store.attempt(&a).await.unwrap(), Some(attempt(2, RENEW_AT)));
    assert_eq!(
        store.due_at(&a).await.unwrap(),
        Some(attempt(2, RENEW_AT).next)
    );
    assert_eq!(store.due_at(&b).await.unwrap(), Some(RENEW_AT));
    let kept = store.account("https://ca.example/dir").await.unwrap();
    assert_eq!(kept, Some(account));
    let next = lease(&store, "a.example").await;
    assert!(next.fencing > for_issuer.fencing, "no token is given twice");
    let record = record("a.example", 3, &next);
    let stored = store.commit(&next, &record).await.unwrap();
    assert_eq!(stored.epoch, position.epoch.next());
}

#[tokio::test]
async fn a_restart_finds_what_was_asked_for_and_ordered() {
    let scratch = Scratch::new();
    let store = open(&scratch).unwrap();
    let stored = commit(&store, "a.example", 1).await;
    commit(&store, "gone.example", 1).await;
    let (a, gone) = (names("a.example").id(), names("gone.example").id());
    let (now, minute) = (SystemClock.now(), Duration::from_secs(60));
    let wanted = Wanted::new(names("b.example"));
    store.want(&wanted).await.unwrap();
    let suggested = suggestion(1, RENEW_AT.after(minute));
    let again = now.after(minute * 2);
    assert!(store.suggest(&a, &suggested, again).await.unwrap());
    let request = revocation(&stored);
    store.revoke(&request).await.unwrap();
    let limit = Limit {
        capacity: 1,
        refill: minute,
    };
    let charge = Charge {
        kind: LimitKind::NewOrders,
        subject: String::new(),
        reserve: 0,
    };
    let debit = [(charge.clone(), limit)];
    let taken = store.take("ca", &debit, now).await.unwrap();
    assert_eq!(taken, Taken::All);
    store.pause("other", again).await.unwrap();
    let seen = store.changes(None).await.unwrap().position;
    let held = lease(&store, "gone.example").await;
    store.remove(&held, &gone).await.unwrap();
    drop(store);
    assert!(!data(&scratch, "certificates/gone.example.json").exists());

    let store = open(&scratch).unwrap();
    let b = wanted.names.id();
    assert_eq!(store.wanted_one(&b).await.unwrap(), Some(wanted));
    assert_eq!(
        store.due(SystemClock.now(), 9).await.unwrap(),
        [b, a.clone()]
    );
    assert_eq!(store.suggestion(&a).await.unwrap(), Some(suggested));
    for (at, questions) in [(now, vec![]), (again, vec![a.clone()])] {
        let claimed = store.claim_questions(at, 9, minute).await.unwrap();
        assert_eq!(claimed, questions);
    }
    assert_eq!(store.revocations(&a).await.unwrap(), [request]);
    let until = now.after(minute);
    let short = store.take("ca", &debit, now).await.unwrap();
    assert_eq!(short, Taken::Short { charge, until });
    let pauses = store.pauses(now).await.unwrap();
    assert_eq!(pauses, [("other".to_owned(), again)]);
    assert_eq!(store.ids().await.unwrap(), [a]);
    let changes = store.changes(Some(&seen)).await.unwrap();
    assert_eq!((changes.complete, changes.removed), (false, vec![gone]));
}

/// What is answered is on the disk: a power cut after it loses nothing.
#[tokio::test]
async fn each_lasting_operation_is_written_before_it_succeeds() {
    let scratch = Scratch::new();
    let store = open(&scratch).unwrap();
    let stored = commit(&store, "a.example", 1).await;
    let (id, now) = (stored.record.id(), SystemClock.now());
    let minute = Duration::from_secs(60);
    let held = lease(&store, "a.example").await;
    let limit = Limit {
        capacity: 9,
        refill: minute,
    };
    let charge = Charge {
        kind: LimitKind::NewOrders,
        subject: String::new(),
        reserve: 0,
    };
    let debit = [(charge, limit)];
    let request = revocation(&stored);
    let mut before = fs::read(data(&scratch, "state.json")).unwrap();
    macro_rules! written {
        ($($operation:ident($($value:expr),*);)+) => {
            $(
                store.$operation($($value),*).await.unwrap();
                let after = fs::read(data(&scratch, "state.json")).unwrap();
                assert_ne!(after, before, stringify!($operation));
                before = after;
            )+
        };
    }
    written! {
        want(&Wanted::new(names("b.example")));
        suggest(&id, &suggestion(1, RENEW_AT.after(minute)), RENEW_AT);
        ask_again(&id, None);
        advance(&id, RENEW_AT);
        take("ca", &debit, now);
        take("ca", &debit, now);
        give_back("ca", &debit, now);
        pause("ca", RENEW_AT);
        postpone(&held, &id, &attempt(1, now));
        hasten(&id);
        revoke(&request);
        revoked(&held, &request);
        acquire(&Resource::Account("ca".to_owned()), &node("node-a"), minute);
        remove(&held, &id);
    }
    assert!(!before.is_empty());
}

#[tokio::test]
async fn a_removal_that_cannot_be_written_did_not_happen() {
    let scratch = Scratch::new();
    let store = open(&scratch).unwrap();
    let stored = commit(&store, "a.example", 1).await;
    let id = stored.record.id();
    let held = lease(&store, "a.example").await;
    // A folder in the file's place cannot be removed as a file.
    let path = data(&scratch, "certificates/a.example.json");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let error = store.remove(&held, &id).await.unwrap_err();
    assert!(error.to_string().contains("a.example.json"), "{error}");
    assert_eq!(store.load(&id).await.unwrap(), Some(stored));
    fs::remove_dir(path).unwrap();
    store.remove(&held, &id).await.unwrap();
    assert_eq!(store.load(&id).await.unwrap(), None);
}

#[tokio::test]
async fn files_are_private_and_readable() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new();
    let store = open(&scratch).unwrap();
    let stored = commit(&store, "a.example", 1).await;
    for (name, mode) in [
        ("", 0o700),
        ("certificates", 0o700),
        ("accounts", 0o700),
        ("lock", 0o600),
        ("state.json", 0o600),
        ("certificates/a.example.json", 0o600),
    ] {
        let found = fs::metadata(data(&scratch, name)).unwrap().permissions();
        assert_eq!(found.mode() & 0o7777, mode, "{name}");
    }
    let text = fs::read(data(&scratch, "certificates/a.example.json")).unwrap();
    let fields: serde_json::Value = serde_json::from_slice(&text).unwrap();
    assert_eq!(fields["epoch"], "1");
    assert_eq!(fields["committed_at"], stored.committed_at.to_string());
    for (name, text) in stored.record.fields() {
        assert_eq!(fields[name], text);
    }
}

#[tokio::test]
async fn a_second_process_is_refused() {
    let scratch = Scratch::new();
    let store = open(&scratch).unwrap();
    let error = open(&scratch).unwrap_err().to_string();
    assert!(
        error.contains("another process uses this folder"),
        "{error}"
    );
    assert!(
        error.contains(&data(&scratch, "").display().to_string()[..5]),
        "{error}"
    );
    drop(store);
    open(&scratch).unwrap();
}

#[tokio::test]
async fn a_corrupt_certificate_is_named_and_hides_nothing() {
    let scratch = Scratch::new();
    let store = open(&scratch).unwrap();
    let of_a = commit(&store, "a.example", 1).await;
    commit(&store, "b.example", 1).await;
    commit(&store, "c.example", 1).await;
    drop(store);
    let broken = data(&scratch, "certificates/b.example.json");
    fs::write(&broken, "{\"names\": \"b.exa").unwrap();
    // A file under another certificate's name is as bad.
    let swapped = data(&scratch, "certificates/c.example.json");
    fs::copy(data(&scratch, "certificates/a.example.json"), &swapped).unwrap();
    fs::write(data(&scratch, "certificates/notes.txt"), "mine").unwrap();

    let store = open(&scratch).unwrap();
    let ids = store.ids().await.unwrap();
    let ids: Vec<_> = ids.iter().map(CertificateId::as_str).collect();
    assert_eq!(ids, ["a.example", "b.example", "c.example"]);
    for (name, path) in [("b.example", &broken), ("c.example", &swapped)] {
        let error = store.load(&names(name).id()).await.unwrap_err();
        let StoreError::Corrupt { at, .. } = error else {
            panic!("{error}");
        };
        assert_eq!(at, path.display().to_string());
    }
    let changes = store.changes(None).await.unwrap().changed;
    let (good, bad): (Vec<_>, Vec<_>) = changes.into_iter().partition(Result::is_ok);
    let good: Vec<_> = good.into_iter().map(Result::unwrap).collect();
    assert_eq!((good, bad.len()), (vec![of_a], 2));

    let healed = commit(&store, "b.example", 2).await;
    let id = names("b.example").id();
    assert_eq!(store.load(&id).await.unwrap(), Some(healed));
}

#[tokio::test]
async fn a_commit_cut_off_before_the_state_is_completed() {
    let scratch = Scratch::new();
    let store = open(&scratch).unwrap();
    commit(&store, "a.example", 1).await;
    let id = names("a.example").id();
    store.hasten(&id).await.unwrap();
    let before = fs::read(data(&scratch, "state.json")).unwrap();
    let of_a = commit(&store, "a.example", 2).await;
    let of_b = commit(&store, "b.example", 1).await;
    drop(store);
    fs::write(data(&scratch, "state.json"), before).unwrap();

    let store = open(&scratch).unwrap();
    assert_eq!(store.due_at(&id).await.unwrap(), Some(RENEW_AT));
    assert_eq!(
        store.due_at(&of_b.record.id()).await.unwrap(),
        Some(RENEW_AT)
    );
    let next = commit(&store, "a.example", 3).await;
    assert_eq!(next.epoch, of_b.epoch.next());
    assert!(next.record.fencing > of_b.record.fencing.max(of_a.record.fencing));
}

#[tokio::test]
async fn a_lost_state_is_made_again_as_another_incarnation() {
    let scratch = Scratch::new();
    let store = open(&scratch).unwrap();
    let stored = commit(&store, "a.example", 1).await;
    let before = store.changes(None).await.unwrap().position;
    drop(store);
    fs::write(data(&scratch, "state.json"), "{").unwrap();
    let error = open(&scratch).unwrap_err().to_string();
    assert!(error.contains("state.json"), "{error}");

    fs::remove_file(data(&scratch, "state.json")).unwrap();
    let store = open(&scratch).unwrap();
    let after = store.changes(None).await.unwrap().position;
    assert_eq!(after.epoch, before.epoch);
    assert_ne!(after.incarnation, before.incarnation);
    let next = lease(&store, "a.example").await;
    assert!(next.fencing > stored.record.fencing);
}

/// A folder in the place of the temporary file makes every write of the file fail, even root's.
fn block(scratch: &Scratch, name: &str) -> PathBuf {
    let path = data(scratch, name);
    fs::create_dir(&path).unwrap();
    path
}

#[tokio::test]
async fn a_commit_that_cannot_be_written_did_not_happen() {
    let scratch = Scratch::new();
    let store = open(&scratch).unwrap();
    let standing = commit(&store, "a.example", 1).await;
    let held = lease(&store, "a.example").await;
    let offer = record("a.example", 2, &held);
    let obstacle = block(&scratch, "certificates/.a.example.json.tmp");
    let error = store.commit(&held, &offer).await.unwrap_err();
    assert!(error.to_string().contains("a.example.json"), "{error}");
    let id = names("a.example").id();
    assert_eq!(store.load(&id).await.unwrap(), Some(standing));
    fs::remove_dir(obstacle).unwrap();
    let stored = store.commit(&held, &offer).await.unwrap();
    assert_eq!(store.load(&id).await.unwrap(), Some(stored));
}

#[tokio::test]
async fn a_lease_whose_token_cannot_be_written_is_not_given() {
    let scratch = Scratch::new();
    let store = open(&scratch).unwrap();
    let obstacle = block(&scratch, ".state.json.tmp");
    let resource = Resource::Certificate(names("a.example").id());
    let ttl = Duration::from_secs(60);
    let result = store.acquire(&resource, &node("node-a"), ttl).await;
    assert!(matches!(result, Err(StoreError::File { .. })), "{result:?}");
    assert_eq!(store.holders().await.unwrap(), []);
    fs::remove_dir(obstacle).unwrap();
    lease(&store, "a.example").await;
}
