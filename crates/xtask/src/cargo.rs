//! A command that says what it runs and fails when it fails.

use std::{
    ffi::OsStr,
    io::Write,
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, Output, Stdio},
};

use anyhow::{Context, Result, bail};

/// One run of a program, with this process's own terminal.
pub(crate) struct Run(Command);

/// A run of the cargo that runs this task.
#[expect(
    clippy::disallowed_methods,
    reason = "cargo tells by CARGO which cargo it is"
)]
pub(crate) fn cargo<const N: usize>(args: [&str; N]) -> Run {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    program(cargo).args(args)
}

/// A run of `name`, found on the path unless it is one.
pub(crate) fn program(name: impl AsRef<OsStr>) -> Run {
    Run(Command::new(name))
}

impl Run {
    /// With further arguments.
    pub(crate) fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.0.args(args);
        self
    }

    /// In that folder.
    pub(crate) fn dir(mut self, dir: &Path) -> Self {
        self.0.current_dir(dir);
        self
    }

    /// With an environment variable.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.0.env(name, value);
        self
    }

    /// Runs it, after a line that says so; an error if it does not succeed.
    pub(crate) fn run(mut self) -> Result<()> {
        let line = self.line();
        eprintln!("xtask: {line}");
        let status = self
            .0
            .status()
            .with_context(|| format!("cannot run {line}"))?;
        if !status.success() {
            bail!("{line}: {status}");
        }
        Ok(())
    }

    /// With its standard input from there.
    pub(crate) fn stdin(mut self, stdin: impl Into<Stdio>) -> Self {
        self.0.stdin(stdin);
        self
    }

    /// Runs it with this as its standard input; what it printed. An error, with what it printed as
    /// one, if it does not succeed.
    pub(crate) fn feed(mut self, input: &str) -> Result<String> {
        let line = self.line();
        self.0.stdin(Stdio::piped());
        self.0.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self
            .0
            .spawn()
            .with_context(|| format!("cannot run {line}"))?;
        let mut stdin = child.stdin.take().context("its input is piped")?;
        stdin.write_all(input.as_bytes())?;
        drop(stdin);
        success(&line, &child.wait_with_output()?)
    }

    /// Runs it; what it printed. An error, with what it printed as one, if it does not succeed.
    pub(crate) fn output(mut self) -> Result<String> {
        let line = self.line();
        let output = self
            .0
            .output()
            .with_context(|| format!("cannot run {line}"))?;
        success(&line, &output)
    }

    /// Runs it in place of this process, so that Ctrl-C is its alone.
    pub(crate) fn replace_self(mut self) -> Result<()> {
        let error = self.0.exec();
        Err(error).with_context(|| format!("cannot run {}", self.line()))
    }

    /// Whether it succeeds; what it prints goes nowhere.
    pub(crate) fn succeeds(mut self) -> bool {
        self.0.output().is_ok_and(|output| output.status.success())
    }

    fn line(&self) -> String {
        let program = Path::new(self.0.get_program());
        let name = program.file_name().unwrap_or(program.as_os_str());
        let words = std::iter::once(name).chain(self.0.get_args());
        words
            .map(OsStr::to_string_lossy)
            .collect::<Vec<_>>()
            .join(" ")
    }
}

fn success(line: &str, output: &Output) -> Result<String> {
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{line}: {}: {}", output.status, said.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
