//! The program `certfleet`: a node of a fleet, and the commands to look at one.
//!
//! The library `certfleet` does the work. Here is what only a program has: a command line, a
//! configuration file, logs, the admin port, the page served by default, and exit codes: 0, 2 for
//! a configuration that is no good, 1 for everything else.

mod account;
mod add;
mod admin;
mod budget;
mod certificate;
mod cli;
mod dev;
mod failure;
mod file;
mod healthcheck;
mod inventory;
mod key;
mod list;
mod output;
mod page;
mod providers;
mod remove;
mod renew;
mod revoke;
mod run;
mod settings;
mod show;
mod signals;
mod status;
mod store;
mod table;
mod telemetry;
mod trouble;
mod when;

use std::process::ExitCode;

use clap::Parser;

use crate::{
    cli::{Cli, Command, ConfigCommand, KeyCommand},
    failure::Failure,
};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let outcome = tokio::runtime::Runtime::new()
        .map_err(Failure::Runtime)
        .and_then(|runtime| runtime.block_on(carry_out(cli.command)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("certfleet: {}", failure.one_line());
            ExitCode::from(failure.exit_code())
        }
    }
}

async fn carry_out(command: Command) -> Result<(), Failure> {
    match command {
        Command::Run { source } => {
            let settings = file::settings(&source)?;
            telemetry::start(&settings)?;
            run::run(settings.config()?).await
        }
        Command::Dev(options) => dev::dev(options).await,
        Command::Status { source, json } => {
            status::status(&file::settings(&source)?.config()?, json).await
        }
        Command::List { source, json } => {
            list::list(&file::settings(&source)?.config()?, json).await
        }
        Command::Show { source, id, json } => {
            show::show(&file::settings(&source)?.config()?, &id, json).await
        }
        Command::Renew { source, id, all: _ } => {
            renew::renew(&file::settings(&source)?.config()?, id).await
        }
        Command::Add(options) => {
            let config = file::settings(&options.source)?.config()?;
            add::add(&config, options).await
        }
        Command::Remove { source, id, json } => {
            remove::remove(&file::settings(&source)?.config()?, &id, json).await
        }
        Command::Revoke {
            source,
            id,
            reason,
            json,
        } => revoke::revoke(&file::settings(&source)?.config()?, &id, reason, json).await,
        Command::Account(command) => {
            let config = file::settings(&command.of().source)?.config()?;
            account::account(&config, &command).await
        }
        Command::Healthcheck { source, live } => {
            let admin = file::settings(&source)?.config()?.admin_addr;
            healthcheck::healthcheck(admin, live).await
        }
        Command::Key(KeyCommand::Generate) => key::generate(),
        Command::Config(ConfigCommand::DnsProviders { kind }) => {
            providers::providers(kind.as_deref())
        }
        Command::Config(ConfigCommand::Check { source, json }) => {
            let settings = file::settings(&source)?;
            telemetry::start(&settings)?;
            settings::check(&settings, json)
        }
    }
}
