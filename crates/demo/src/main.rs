//! The demonstration: a real fleet on loopback, watched in a terminal.
//!
//! Without arguments it shows a fleet at work until Ctrl-C. With `--check` it runs every scenario
//! of `certfleet_testkit` and says which promise holds, with figures; the exit code is 1 if one
//! does not. Everything it has started ends with it, also by SIGTERM.

mod check;
mod narration;
mod screen;
mod show;

use std::process::ExitCode;

use anyhow::{Result, bail};
use tokio::signal::unix::{SignalKind, signal};

use crate::screen::Screen;

#[tokio::main(worker_threads = 2)]
async fn main() -> Result<ExitCode> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let mut screen = Screen::stdout();
    let check = match args.as_slice() {
        [] => false,
        [check] if check == "--check" => true,
        other => bail!("unknown arguments {other:?}; wanted: nothing, or --check"),
    };
    let work = async {
        if check {
            check::run(&mut screen).await
        } else {
            show::run(&mut screen).await
        }
    };
    let done = tokio::select! {
        done = work => Some(done?),
        stopped = stopped() => {
            stopped?;
            None
        }
    };
    // An interrupted check has shown nothing.
    let passed = done.unwrap_or(!check);
    Ok(if passed {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Waits for Ctrl-C or SIGTERM.
async fn stopped() -> Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}
