//! A program of one's own, in lego's form.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use certfleet_dns::{DnsError, TxtRecord};
use certfleet_testkit::process::TestDir;

use super::provider;

fn program(dir: &TestDir, script: &str) -> PathBuf {
    let path = dir.path().join("hook");
    fs::write(
        &path,
        format!("#!/bin/sh\ncd '{}'\n{script}\n", dir.path().display()),
    )
    .and_then(|()| fs::set_permissions(&path, PermissionsExt::from_mode(0o755)))
    .expect("the folder can be written");
    path
}

fn record() -> TxtRecord {
    TxtRecord::new("_acme-challenge.example.test", "$(touch broken) -v")
}

#[tokio::test]
async fn is_run_with_lego_s_arguments_and_no_shell() {
    let dir = TestDir::new("exec").unwrap();
    let path = program(&dir, "printf '%s|' \"$@\" >>calls; echo >>calls");
    let exec = provider("exec", &[("program", path.to_str().unwrap())]).unwrap();
    exec.set(&record()).await.unwrap();
    exec.remove(&record()).await.unwrap();
    let calls = fs::read_to_string(dir.path().join("calls")).unwrap();
    let rest = "_acme-challenge.example.test.|$(touch broken) -v|";
    assert_eq!(calls, format!("present|{rest}\ncleanup|{rest}\n"));
    assert!(!dir.path().join("broken").exists());
}

#[tokio::test]
async fn its_last_words_are_in_the_error() {
    let dir = TestDir::new("exec").unwrap();
    let path = program(
        &dir,
        "seq 5000 >&2; echo 'the registry is closed' >&2; exit 3",
    );
    let exec = provider("exec", &[("program", path.to_str().unwrap())]).unwrap();
    let error = exec.set(&record()).await.unwrap_err();
    assert!(matches!(error, DnsError::Unavailable { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.contains("hook present: exit status: 3"), "{text}");
    assert!(text.ends_with("the registry is closed"), "{text}");
    assert!(text.len() < 2000, "{}", text.len());
}

#[tokio::test]
async fn what_it_leaves_running_is_not_waited_for() {
    let dir = TestDir::new("exec").unwrap();
    let path = program(&dir, "sleep 30 & echo $! >child");
    let exec = provider("exec", &[("program", path.to_str().unwrap())]).unwrap();
    let began = std::time::Instant::now();
    exec.set(&record()).await.unwrap();
    assert!(began.elapsed().as_secs() < 20);
    let child = fs::read_to_string(dir.path().join("child")).unwrap();
    std::process::Command::new("kill")
        .arg(child.trim())
        .status()
        .unwrap();
}

#[tokio::test]
async fn a_program_that_is_not_there_needs_a_person() {
    let exec = provider("exec", &[("program", "/nowhere/hook")]).unwrap();
    let error = exec.set(&record()).await.unwrap_err();
    assert!(matches!(error, DnsError::Rejected { .. }), "{error:?}");
    assert!(
        error.to_string().contains("cannot run /nowhere/hook"),
        "{error}"
    );
}
