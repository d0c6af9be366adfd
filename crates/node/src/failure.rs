//! Why a command failed, and the exit code that says whose fault it was.

use std::{io, net::SocketAddr, path::PathBuf};

use certfleet::{
    AccountError, FleetError, OperatorError, config::WantedError, settings::SettingsError,
};
use certfleet_core::{CertificateId, FleetName};
use certfleet_store::StoreError;

/// The configuration must be changed.
const CONFIGURATION: u8 = 2;
/// Anything else.
const OTHER: u8 = 1;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error("cannot read the configuration file {}: {source}", path.display())]
    ConfigFile { path: PathBuf, source: io::Error },
    #[error("{file}, line {line}: {problem}; wanted: TOML, such as fleet = \"prod-eu\"")]
    Toml {
        file: String,
        line: usize,
        problem: String,
    },
    #[error(
        "there is no folder for user data (neither XDG_DATA_HOME nor HOME is set); give one with --data-dir"
    )]
    NoDataFolder,
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error(
        "the store in {} belongs to a node that runs; ask that node (curl http://{admin}/readyz), \
         or stop it first", path.display()
    )]
    InUse { path: PathBuf, admin: SocketAddr },
    #[error("the fleet {fleet} has no certificate {id}; certfleet list shows those it has")]
    NoCertificate { fleet: FleetName, id: CertificateId },
    #[error(transparent)]
    Wanted(#[from] WantedError),
    #[error(transparent)]
    Operator(#[from] OperatorError),
    #[error(transparent)]
    Account(#[from] AccountError),
    #[error("no issuer of this configuration speaks ACME, so the fleet has no accounts")]
    NoAccounts,
    #[error(
        "there is no DNS provider of the kind {0:?}; certfleet config dns-providers lists them"
    )]
    NoProvider(String),
    #[error("a person should look at the fleet: {first}{}", further(*.more))]
    Alarm {
        first: String,
        /// How many more things there are to look at.
        more: usize,
    },
    #[error(transparent)]
    Fleet(#[from] FleetError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("not {wanted}: {url}: {problem}")]
    Unhealthy {
        wanted: &'static str,
        url: String,
        problem: String,
    },
    #[error("the admin port is gone: {0}")]
    Admin(io::Error),
    #[error("cannot print: {0}")]
    Print(io::Error),
    #[error("the program cannot start its threads: {0}")]
    Runtime(io::Error),
}

impl Failure {
    /// The code to exit with.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Settings(_) | Self::ConfigFile { .. } | Self::Toml { .. } => CONFIGURATION,
            Self::Fleet(error) if error.is_configuration() => CONFIGURATION,
            _ => OTHER,
        }
    }

    /// What happened, on one line whatever others put into it.
    pub(crate) fn one_line(&self) -> String {
        let text = self.to_string();
        text.split(['\n', '\r'])
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(" ")
    }
}

fn further(count: usize) -> String {
    match count {
        0 => String::new(),
        count => format!("; and {count} more"),
    }
}
