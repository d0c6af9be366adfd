//! The command line.
//!
//! Settings have no flags of their own: they come from environment and file, so that there is one
//! place to look. `dev` is the exception, because it takes no settings at all.

mod terms;

use std::{net::SocketAddr, path::PathBuf};

use certfleet_core::{CertificateId, IssuerName, NameSet, RevocationReason};
use clap::{Args, Parser, Subcommand};

use self::terms::TermsOptions;
use crate::settings;

/// TLS certificates for a fleet of nodes behind a load balancer.
#[derive(Debug, Parser)]
#[command(name = "certfleet", version, after_long_help = settings::help())]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a node until SIGTERM or SIGINT
    Run {
        #[command(flatten)]
        source: Source,
    },
    /// Run one node for https://localhost, with no Redis and a CA of its own
    Dev(DevOptions),
    /// Show the fleet on one screen; exit with 0 if all is well, else with 1, for monitors
    Status {
        #[command(flatten)]
        source: Source,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// List the certificates of the fleet, and how many nodes serve each
    List {
        #[command(flatten)]
        source: Source,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one certificate: its record, what has failed, who serves it, what happened to it
    Show {
        #[command(flatten)]
        source: Source,
        /// The certificate's id, as list prints it
        id: CertificateId,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Make a certificate due at once; some node of the fleet then renews it
    Renew {
        #[command(flatten)]
        source: Source,
        /// The certificate's id, as list prints it
        #[arg(required_unless_present = "all")]
        id: Option<CertificateId>,
        /// Renew all of them
        #[arg(long, conflicts_with = "id")]
        all: bool,
    },
    /// Have the fleet get and serve certificates from now on, or change their terms
    Add(AddOptions),
    /// Have the fleet serve and renew a certificate no longer; it is not revoked
    Remove {
        #[command(flatten)]
        source: Source,
        /// The certificate's id, as list prints it
        id: CertificateId,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Have a certificate replaced with a new key, and then revoked
    Revoke {
        #[command(flatten)]
        source: Source,
        /// The certificate's id, as list prints it
        id: CertificateId,
        /// Why: unspecified, keyCompromise, affiliationChanged, superseded, cessationOfOperation
        #[arg(long)]
        reason: RevocationReason,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// The fleet's accounts at its CAs
    #[command(subcommand)]
    Account(AccountCommand),
    /// Ask the node on this host whether it is ready; exit with 0 if so, for container engines
    Healthcheck {
        #[command(flatten)]
        source: Source,
        /// Ask only whether it is alive
        #[arg(long)]
        live: bool,
    },
    /// Master keys
    #[command(subcommand)]
    Key(KeyCommand),
    /// The configuration
    #[command(subcommand)]
    Config(ConfigCommand),
}

/// What to add.
#[derive(Debug, Args)]
pub(crate) struct AddOptions {
    #[command(flatten)]
    pub(crate) source: Source,
    /// The certificates, each as its names joined by +
    #[arg(required = true, value_name = "NAMES")]
    pub(crate) certificates: Vec<NameSet>,
    #[command(flatten)]
    pub(crate) terms: TermsOptions,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// Show the accounts as the CAs know them
    Show {
        #[command(flatten)]
        of: Account,
    },
    /// Tell the CA the contact of the configuration
    Update {
        #[command(flatten)]
        of: Account,
    },
    /// Give the account a new key (RFC 8555 section 7.3.5)
    RotateKey {
        #[command(flatten)]
        of: Account,
    },
}

/// Whose account.
#[derive(Debug, Args)]
pub(crate) struct Account {
    #[command(flatten)]
    pub(crate) source: Source,
    /// The account at this issuer alone; at all of them if not said
    #[arg(long, value_name = "NAME")]
    pub(crate) issuer: Option<IssuerName>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Print a new master key: 32 random bytes in base64
    Generate,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// List the kinds of DNS provider there are, or one of them with its options
    DnsProviders {
        /// The kind, such as cloudflare
        kind: Option<String>,
    },
    /// Check the settings and print where each comes from; start nothing
    Check {
        #[command(flatten)]
        source: Source,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// Where settings come from, beside the environment.
#[derive(Debug, Args)]
pub(crate) struct Source {
    /// Read settings from this TOML file (else from CERTFLEET_CONFIG, if that is set)
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// All that can be said of the node for development.
#[derive(Debug, Args)]
pub(crate) struct DevOptions {
    /// Keep certificates, root and master key in this folder, not in the user's data folder
    #[arg(long, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Serve HTTPS here
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8443")]
    pub(crate) https_addr: SocketAddr,
    /// Redirect HTTP from here
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub(crate) http_addr: SocketAddr,
    /// Serve metrics and health here
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9180")]
    pub(crate) admin_addr: SocketAddr,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_long_help_lists_every_setting() {
        let help = Cli::command().render_long_help().to_string();
        for setting in certfleet::settings::known::ALL {
            assert!(help.contains(&setting.variable()), "{}", setting.key);
        }
    }

    #[test]
    fn add_takes_names_and_terms() {
        for (args, good) in [
            (&["a.example"][..], true),
            (&["a.example+*.a.example", "192.0.2.7"], true),
            (
                &[
                    "*.a.example",
                    "--challenge",
                    "dns-01,http-01",
                    "--dns",
                    "cf",
                ],
                true,
            ),
            (&["a.example", "--key-type", "rsa2048", "--reuse-key"], true),
            (
                &["a.example", "--renew-before", "33%", "--validity", "30d"],
                true,
            ),
            (&[], false),
            (&["a.example", "--challenge", "smtp-01"], false),
            (&["a.example", "--key-type", "dsa"], false),
            (&["a.example", "--validity", "0s"], false),
            (&["a.example", "--issuer", "Not A Name"], false),
        ] {
            let all = ["certfleet", "add"].into_iter().chain(args.iter().copied());
            assert_eq!(Cli::try_parse_from(all).is_ok(), good, "{args:?}");
        }
    }

    #[test]
    fn renew_takes_an_id_or_all() {
        for (args, good) in [
            (&["renew", "a.example"][..], true),
            (&["renew", "--all"], true),
            (&["renew"], false),
            (&["renew", "a.example", "--all"], false),
            (&["renew", "not an id"], false),
        ] {
            let all = std::iter::once("certfleet").chain(args.iter().copied());
            assert_eq!(Cli::try_parse_from(all).is_ok(), good, "{args:?}");
        }
    }
}
