//! `certfleet dev`: one node for https://localhost, with no Redis and a CA of its own.
//!
//! It is `run` with settings made here. Of the environment it takes the logging alone, so that it
//! behaves the same in a shell that is set up for a real fleet.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf, absolute},
};

use certfleet::settings::{Settings, user_data_dir};

use crate::{cli::DevOptions, failure::Failure, key, output, run, telemetry};

/// Runs the node for development.
pub(crate) async fn dev(options: DevOptions) -> Result<(), Failure> {
    telemetry::start(&Settings::from_env()?)?;
    let dir = match &options.data_dir {
        Some(dir) => absolute(dir).map_err(|source| Failure::Write {
            path: dir.clone(),
            source,
        })?,
        None => user_data_dir()
            .ok_or(Failure::NoDataFolder)?
            .join("certfleet/dev"),
    };
    let master_key = dir.join("master.key");
    key::ensure_file(&master_key)?;
    let settings = settings(&options, &dir, &master_key)?;
    run::run_then(settings.config()?, || {
        output::text(&welcome(&options, &dir))
    })
    .await
}

fn settings(options: &DevOptions, dir: &Path, master_key: &Path) -> Result<Settings, Failure> {
    let entries = [
        ("fleet", "dev".to_owned()),
        ("domains", "localhost".to_owned()),
        ("acme_directory", "built-in".to_owned()),
        ("data_dir", dir.display().to_string()),
        ("master_key_file", master_key.display().to_string()),
        ("https_addr", options.https_addr.to_string()),
        ("http_addr", options.http_addr.to_string()),
        ("admin_addr", options.admin_addr.to_string()),
        ("public_https_port", options.https_addr.port().to_string()),
    ];
    let entries = entries.map(|(key, value)| (key.to_owned(), value));
    Ok(Settings::default().with_file("certfleet dev", entries)?)
}

fn welcome(options: &DevOptions, dir: &Path) -> String {
    let root: PathBuf = dir.join("ca/root.pem");
    let root = root.display();
    let url =
        |scheme: &str, address: SocketAddr| format!("{scheme}://localhost:{}", address.port());
    let https = url("https", options.https_addr);
    let http = url("http", options.http_addr);
    let admin = format!("http://{}", options.admin_addr);
    format!(
        "certfleet serves {https}, and redirects {http} there.\n\
         Its root, for your browser or system to trust: {root}\n\
         Try:\n  \
           curl --cacert '{root}' {https}/\n  \
           curl -i {http}/\n  \
           curl {admin}/readyz\n  \
           curl {admin}/metrics\n\
         Ctrl-C ends it.\n"
    )
}
