//! Pebble from Debian 13 (trixie), unpacked beside the build: Debian 12 has one too old.
//!
//! The system's own packages and lists stay as they are, and no rights are needed. apt runs with
//! folders of its own and one source: the archive that this machine uses, its suite `trixie`,
//! trusted by Debian's keyring alone. Each process fetches into a folder of its own and moves the
//! result into place in one step, so that several may do it at once.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, ensure};

use super::sources::{self, Form};
use crate::{
    cargo::program,
    tools::{self, Tool},
};

const PACKAGE: &str = "pebble";
const DNS: &str = "pebble-challtestsrv";
const SUITE: &str = "trixie";

/// Debian's keyring, by its name up to Debian 12 and from 13.
const KEYRINGS: [&str; 2] = [
    "/usr/share/keyrings/debian-archive-keyring.gpg",
    "/usr/share/keyrings/debian-archive-keyring.pgp",
];

const CURE: &str = "Debian 13 and later have it: sudo apt-get install pebble. Elsewhere put the \
    two programs on the path: go install github.com/letsencrypt/pebble/v2/cmd/pebble@v2.6.0 \
    github.com/letsencrypt/pebble/v2/cmd/pebble-challtestsrv@v2.6.0";

/// Fetches and unpacks Pebble unless one that is new enough is there.
pub(crate) fn pebble() -> Result<()> {
    if complete().is_ok() {
        return Ok(());
    }
    fetch().map_err(|error| {
        anyhow!(
            "Pebble 2.6 or later is missing, and could not be fetched from Debian 13 (trixie): \
             {error:#}. {CURE}"
        )
    })
}

fn complete() -> Result<Tool> {
    tools::find(PACKAGE, DNS)?;
    tools::pebble()
}

fn fetch() -> Result<()> {
    for needed in ["/usr/bin/apt-get", "/usr/bin/dpkg-deb"] {
        ensure!(Path::new(needed).exists(), "{needed} is not there");
    }
    let keyring = KEYRINGS.into_iter().find(|file| Path::new(file).exists());
    let keyring = keyring.context("the package debian-archive-keyring is not installed")?;
    let files = source_files()?;
    let archives = sources::archives(files.iter().map(|(form, text)| (*form, &**text)));
    ensure!(
        !archives.is_empty(),
        "no apt source of this machine has a release's component main"
    );
    let place = tools::unpacked(PACKAGE);
    let mut failures = vec![];
    for archive in archives {
        match fetch_from(&archive, keyring, &place) {
            Ok(()) => return Ok(()),
            Err(error) => failures.push(format!("{error:#}")),
        }
    }
    Err(anyhow!(failures.join("; ")))
}

/// The apt sources of this machine, in apt's order.
fn source_files() -> Result<Vec<(Form, String)>> {
    let mut paths = vec![PathBuf::from("/etc/apt/sources.list")];
    if let Ok(folder) = fs::read_dir("/etc/apt/sources.list.d") {
        let mut parts: Vec<_> = folder
            .map(|entry| Ok(entry?.path()))
            .collect::<Result<_>>()?;
        parts.sort();
        paths.extend(parts);
    }
    let read = |path: PathBuf| {
        let form = Form::of(path.file_name()?.to_str()?)?;
        // One that only root may read is apt's, and none of Debian's.
        Some((form, fs::read_to_string(path).ok()?))
    };
    Ok(paths.into_iter().filter_map(read).collect())
}

fn fetch_from(archive: &str, keyring: &str, place: &Path) -> Result<()> {
    let folder = Folder::beside(place)?;
    let dir = folder.0.as_path();
    for name in ["state/lists/partial", "cache/archives/partial", "unpacked"] {
        fs::create_dir_all(dir.join(name))?;
    }
    fs::write(dir.join("status"), "")?;
    let source = format!("deb [signed-by={keyring} target=Packages] {archive} {SUITE} main\n");
    fs::write(dir.join("sources.list"), source)?;
    let config = dir.join("apt.conf");
    fs::write(&config, configuration(dir))?;

    let apt = |args: [&str; 2]| {
        let config = ["-q".as_ref(), "-c".as_ref(), config.as_os_str()];
        program("apt-get").dir(dir).args(config).args(args).run()
    };
    apt(["update", "--error-on=any"])?;
    apt(["download", PACKAGE])?;
    let package = fs::read_dir(dir)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .context("apt-get has downloaded no package")?;
    let unpacked = dir.join("unpacked");
    program("dpkg-deb")
        .args(["-x".as_ref(), package.as_os_str(), unpacked.as_os_str()])
        .run()?;
    move_to(&unpacked, place, &dir.join("old"))?;
    let Tool { program, version } = complete()?;
    eprintln!("xtask: {} (version {version:?})", program.display());
    Ok(())
}

/// apt's own folders, none of the system's sources, pins and hooks; its proxies stay.
fn configuration(dir: &Path) -> String {
    let dir = dir.display();
    format!(
        "Dir::State \"{dir}/state\";\n\
         Dir::State::status \"{dir}/status\";\n\
         Dir::Cache \"{dir}/cache\";\n\
         Dir::Etc::sourcelist \"{dir}/sources.list\";\n\
         Dir::Etc::sourceparts \"/dev/null\";\n\
         Dir::Etc::preferences \"/dev/null\";\n\
         Dir::Etc::preferencesparts \"/dev/null\";\n\
         #clear APT::Update::Pre-Invoke;\n\
         #clear APT::Update::Post-Invoke;\n\
         #clear APT::Update::Post-Invoke-Success;\n\
         APT::Sandbox::User \"root\";\n\
         Acquire::Retries \"3\";\n\
         Acquire::http::Timeout \"30\";\n\
         Acquire::https::Timeout \"30\";\n"
    )
}

/// Moves a folder into its place, where another process may have put the same just now.
fn move_to(from: &Path, place: &Path, old: &Path) -> Result<()> {
    if fs::rename(from, place).is_ok() || complete().is_ok() {
        return Ok(());
    }
    // What stands there does not do: an earlier version, or one for another machine.
    let _ = fs::rename(place, old);
    match fs::rename(from, place) {
        Ok(()) => Ok(()),
        Err(_) if complete().is_ok() => Ok(()),
        Err(error) => Err(error).with_context(|| format!("move to {}", place.display())),
    }
}

/// A folder of this process's own, removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn beside(place: &Path) -> Result<Self> {
        let name = format!(".{PACKAGE}-{}", std::process::id());
        let folder = place.with_file_name(name);
        fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
