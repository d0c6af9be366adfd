//! A program of one's own, run in the form of lego's provider `exec`.
//!
//! `PROGRAM present NAME. VALUE` and `PROGRAM cleanup NAME. VALUE`, without a shell, with the
//! node's own environment; exit status 0 is success. The program must add the value beside others,
//! and must take a cleanup of a value that is gone. It is killed when its time is over.

use std::{pin::pin, process::Stdio, time::Duration};

use async_trait::async_trait;
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::Command,
    time::timeout,
};

use crate::{
    DnsError, DnsProvider, Place, TxtRecord,
    call::{Turns, place},
    options::Options,
};

/// How much of its last words goes into an error, in octets.
const WORDS: usize = 1024;

/// How long its last words are awaited after its end.
const GRACE: Duration = Duration::from_millis(200);

/// A program that sets records.
#[derive(Debug)]
pub(crate) struct Exec {
    options: Options,
    turns: Turns,
}

impl Exec {
    pub(crate) fn new(options: &Options) -> Self {
        Self {
            options: options.clone(),
            turns: Turns::default(),
        }
    }

    async fn run(&self, action: &str, record: &TxtRecord) -> Result<(), DnsError> {
        let place = place(&self.options, record);
        let call = self.run_to_end(action, record, &place);
        self.turns.take(&place, call).await
    }

    async fn run_to_end(
        &self,
        action: &str,
        record: &TxtRecord,
        place: &Place,
    ) -> Result<(), DnsError> {
        let program = self.options.get("program");
        let rejected = |problem: String| DnsError::Rejected {
            place: place.clone(),
            problem,
        };
        let mut child = Command::new(program)
            .args([action, &format!("{}.", record.name), &record.value])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| rejected(format!("cannot run {program}: {error}")))?;
        let mut words = Vec::new();
        let status = match child.stderr.take() {
            Some(stderr) => {
                let mut reading = pin!(last_words(stderr, &mut words));
                tokio::select! {
                    () = &mut reading => child.wait().await,
                    status = child.wait() => {
                        // What it started may hold the pipe open after its own end.
                        let _ = timeout(GRACE, reading).await;
                        status
                    }
                }
            }
            None => child.wait().await,
        };
        let status =
            status.map_err(|error| rejected(format!("cannot wait for {program}: {error}")))?;
        if status.success() {
            return Ok(());
        }
        Err(DnsError::Unavailable {
            place: place.clone(),
            problem: format!(
                "{program} {action}: {status}: {}",
                String::from_utf8_lossy(&words).trim()
            ),
        })
    }
}

#[async_trait]
impl DnsProvider for Exec {
    fn name(&self) -> &str {
        self.options.kind().name
    }

    async fn set(&self, record: &TxtRecord) -> Result<(), DnsError> {
        self.run("present", record).await
    }

    async fn remove(&self, record: &TxtRecord) -> Result<(), DnsError> {
        self.run("cleanup", record).await
    }
}

/// Reads `stderr` to its end and keeps its last part in `kept`.
async fn last_words(mut stderr: impl AsyncRead + Unpin, kept: &mut Vec<u8>) {
    let mut part = [0; WORDS];
    while let Ok(read @ 1..) = stderr.read(&mut part).await {
        kept.extend_from_slice(&part[..read]);
        let surplus = kept.len().saturating_sub(WORDS);
        kept.drain(..surplus);
    }
}
