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
async fn main() -> ExitCode {
    match run().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("certfleet-demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Shows or checks until it is over or stopped; `false` if not every promise was shown to hold.
async fn run() -> Result<bool> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let check = match args.as_slice() {
        [] => false,
        [check] if check == "--check" => true,
        other => bail!("unknown arguments {other:?}; wanted: nothing, or --check"),
    };
    let mut screen = Screen::stdout();
    let work = async {
        if check {
            check::run(&mut screen).await
        } else {
            show::run(&mut screen).await
        }
    };
    tokio::select! {
        // Ctrl-C reaches the servers too, and what they say as they end is no failure.
        biased;
        stopped = stopped() => stopped.map(|()| !check),
        done = work => done,
    }
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
