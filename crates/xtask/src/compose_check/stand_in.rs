//! Stand-ins for the base images, under the same names, where no image registry answers.
//!
//! All of them are one small Debian 13 with the packages in question, made by debootstrap from the
//! package source of this machine; that for Rust has this machine's toolchain added, and the one
//! the program runs on has only the few packages that distroless has. What differs from the real
//! images is said in a line each.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail, ensure};

use super::engine::Engine;
use crate::{
    cargo::{Run, program},
    packages,
};

/// Marks an image as made here.
const LABEL: &str = "certfleet.stand-in";

/// The image that the others are made of.
const DEBIAN: &str = "certfleet-stand-in/debian:trixie";

/// What is in it beyond the essential packages.
const PACKAGES: &str = "ca-certificates,docker-buildx,docker-compose,gcc,haproxy,libc6-dev,\
                        libgcc-s1,libstdc++6,netbase,openssl,pebble,redis-server,tzdata";

/// What the image that the program runs on holds.
const RUNTIME_PACKAGES: [&str; 6] = [
    "base-files",
    "libc6",
    "libgcc-s1",
    "libstdc++6",
    "netbase",
    "tzdata",
];

/// Where Debian keeps docker's plugins.
const PLUGINS: &str = "/usr/libexec/docker/cli-plugins";

/// Makes sure of every image that the compose file and the Dockerfile name, and of the compose plugin.
pub(super) fn ensure(engine: &mut Engine, root: &Path) -> Result<()> {
    let work = root.join("target/compose-check");
    fs::create_dir_all(&work)?;
    let plugins = work.join("docker");
    if !engine.has_compose() && !engine.use_plugins(&plugins) {
        debian(engine, &work)?;
        engine.take_plugins(DEBIAN, PLUGINS, &plugins)?;
        eprintln!(
            "xtask: docker has no compose plugin; Debian 13's is used. In a shell: export DOCKER_CONFIG={}",
            plugins.display()
        );
    }
    let mut registry = true;
    for image in images(engine, root)? {
        if !engine.docker(["image", "inspect", &image]).succeeds() {
            registry = registry && engine.docker(["pull", "--quiet", &image]).succeeds();
            if !registry {
                make(engine, &image, &work)?;
            }
        }
        let format = format!("{{{{index .Config.Labels {LABEL:?}}}}}");
        let what = engine
            .docker(["image", "inspect", "--format", &format, &image])
            .output()?;
        match what.trim() {
            "" => {}
            what => eprintln!("xtask: STAND-IN: {image} is not that image, but {what}"),
        }
    }
    Ok(())
}

/// The images the compose file runs and those the Dockerfile starts from.
fn images(engine: &Engine, root: &Path) -> Result<Vec<String>> {
    let compose = root.join("docker-compose.yml");
    let named = engine
        .docker([
            "compose",
            "--profile",
            "*",
            "--file",
            &compose.to_string_lossy(),
        ])
        .args(["config", "--images"])
        .output()?;
    let dockerfile = fs::read_to_string(root.join("deploy/docker/Dockerfile"))?;
    let mut images: Vec<_> = named
        .lines()
        .filter(|image| !image.starts_with("certfleet:"))
        .chain(arguments(&dockerfile))
        .map(str::to_owned)
        .collect();
    images.sort();
    images.dedup();
    Ok(images)
}

/// The defaults of a Dockerfile's arguments that name an image.
fn arguments(dockerfile: &str) -> impl Iterator<Item = &str> {
    dockerfile
        .lines()
        .filter_map(|line| line.strip_prefix("ARG ")?.split_once("_IMAGE="))
        .map(|(_, image)| image)
}

fn make(engine: &Engine, image: &str, work: &Path) -> Result<()> {
    debian(engine, work)?;
    let name = image.split([':', '@']).next().unwrap_or(image);
    let lines = match name {
        "rust" => return rust(image, work),
        "gcr.io/distroless/cc-debian13" => return distroless(image, work),
        "redis" => "RUN install -d -o 999 -g 999 /data\nWORKDIR /data\nCMD [\"redis-server\"]",
        "haproxy" => {
            "USER 99:99\nSTOPSIGNAL SIGUSR1\nENTRYPOINT [\"haproxy\", \"-W\", \"-db\"]\n\
             CMD [\"-f\", \"/usr/local/etc/haproxy/haproxy.cfg\"]"
        }
        "ghcr.io/letsencrypt/pebble" => "ENTRYPOINT [\"pebble\"]",
        "ghcr.io/letsencrypt/pebble-challtestsrv" => "ENTRYPOINT [\"pebble-challtestsrv\"]",
        other => bail!(
            "no registry answers, and there is no recipe for a stand-in for {other:?}; add one to {}",
            file!()
        ),
    };
    let package = match name {
        "redis" => "redis-server",
        "haproxy" => "haproxy",
        _ => "pebble",
    };
    let version = version(work, package)?;
    let dockerfile =
        format!("FROM {DEBIAN}\n{lines}\nLABEL {LABEL}=\"Debian's {package} {version}\"\n");
    engine
        .docker(["build", "--quiet", "--tag", image, "-"])
        .feed(&dockerfile)?;
    Ok(())
}

/// Makes the folder and the image that the others are made of, unless they are there.
fn debian(engine: &Engine, work: &Path) -> Result<()> {
    let dir = work.join("debian");
    if !dir.join("complete").exists() {
        packages::ensure(&[("debootstrap", "debootstrap")])?;
        if dir.exists() {
            fs::remove_dir_all(&dir)?;
        }
        fs::create_dir_all(&dir)?;
        program("debootstrap")
            .args([
                "--variant=minbase",
                &format!("--include={PACKAGES}"),
                "trixie",
            ])
            .args([dir.join("root").as_os_str(), mirror()?.as_ref()])
            .run()?;
        fs::write(dir.join("complete"), "")?;
    }
    if engine.docker(["image", "inspect", DEBIAN]).succeeds() {
        return Ok(());
    }
    let root = dir.join("root");
    import(
        &[
            "--exclude=./var/cache/apt/archives/*.deb",
            "--exclude=./usr/share/doc",
            "--directory",
            &root.to_string_lossy(),
            ".",
        ],
        &[],
        "a Debian 13 made by debootstrap",
        DEBIAN,
    )
}

/// This machine's Rust toolchain on the stand-in, and what cargo needs to reach the crates as it does here.
#[expect(
    clippy::disallowed_methods,
    reason = "CARGO_HOME, HOME and SSL_CERT_FILE are other programs' settings"
)]
fn rust(image: &str, work: &Path) -> Result<()> {
    let version = program("rustc").args(["--version"]).output()?;
    let version = version.trim();
    let wanted = image.split([':', '-']).nth(1).unwrap_or_default();
    ensure!(
        version.split(' ').nth(1) == Some(wanted),
        "{image} has Rust {wanted}, and this machine's toolchain is {version}"
    );
    let context = work.join("rust");
    fs::create_dir_all(context.join("cargo"))?;
    let roots = std::env::var("SSL_CERT_FILE")
        .unwrap_or_else(|_| "/etc/ssl/certs/ca-certificates.crt".to_owned());
    fs::copy(&roots, context.join("ca-certificates.crt")).with_context(|| roots.clone())?;
    let cargo = std::env::var("CARGO_HOME")
        .or_else(|_| std::env::var("HOME").map(|home| format!("{home}/.cargo")));
    let config = cargo.map(|cargo| Path::new(&cargo).join("config.toml"));
    let config = config.ok().and_then(|path| fs::read(path).ok());
    fs::write(
        context.join("cargo/config.toml"),
        config.unwrap_or_default(),
    )?;
    fs::write(
        context.join("Dockerfile"),
        format!(
            "FROM {DEBIAN}\nCOPY ca-certificates.crt /etc/ssl/certs/\nCOPY cargo /usr/local/cargo\n\
             COPY toolchain /usr/local\nENV CARGO_HOME=/usr/local/cargo\n\
             LABEL {LABEL}=\"Debian 13 with this machine's {version}\"\n"
        ),
    )?;
    let sysroot = program("rustc").args(["--print", "sysroot"]).output()?;
    let sysroot = Path::new(sysroot.trim());
    let parent = sysroot.parent().context("a toolchain's folder")?;
    let name = sysroot.file_name().context("a toolchain's name")?;
    let name = name.to_string_lossy();
    eprintln!("xtask: making a stand-in for {image}");
    pack(
        &[
            &format!("--transform=s,^{name}/,toolchain/,"),
            "--directory",
            &context.to_string_lossy(),
            "Dockerfile",
            "ca-certificates.crt",
            "cargo",
            "--directory",
            &parent.to_string_lossy(),
            &format!("{name}/bin"),
            &format!("{name}/lib"),
        ],
        program("docker").args(["build", "--quiet", "--tag", image, "-"]),
    )
}

/// The C library, the public roots and the user "nonroot".
fn distroless(image: &str, work: &Path) -> Result<()> {
    let root = work.join("debian/root");
    let listed = chroot(&root, ["dpkg", "--listfiles"])
        .args(RUNTIME_PACKAGES)
        .output()?;
    // Folders come with their files; /etc/passwd is not a package's.
    let extra = work.join("distroless");
    fs::create_dir_all(extra.join("etc"))?;
    fs::write(
        extra.join("etc/passwd"),
        "root:x:0:0:root:/root:/sbin/nologin\nnonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin\n",
    )?;
    fs::write(extra.join("etc/group"), "root:x:0:\nnonroot:x:65532:\n")?;
    let files = listed
        .lines()
        .filter(|path| {
            path.starts_with('/')
                && !path.starts_with("/usr/share/doc")
                && !path.starts_with("/usr/share/man")
        })
        .filter(|path| {
            let path = root.join(&path[1..]);
            path.is_symlink() || path.is_file()
        })
        .map(|path| format!(".{path}\n"))
        .chain([
            "./lib64\n".to_owned(),
            "./lib\n".to_owned(),
            "./etc/ssl/certs/ca-certificates.crt\n".to_owned(),
        ]);
    let list = work.join("distroless.files");
    let mut files: Vec<_> = files.collect();
    files.sort();
    files.dedup();
    fs::write(&list, files.concat())?;
    import(
        &[
            "--no-recursion",
            "--directory",
            &root.to_string_lossy(),
            "--files-from",
            &list.to_string_lossy(),
            "--directory",
            &extra.canonicalize()?.to_string_lossy(),
            "./etc/passwd",
            "./etc/group",
        ],
        &[
            "USER 65532:65532",
            "WORKDIR /",
            "ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt",
        ],
        "the same few packages of Debian 13 unpacked",
        image,
    )
}

/// Makes an image of one layer out of what tar packs.
fn import(tar: &[&str], changes: &[&str], what: &str, image: &str) -> Result<()> {
    eprintln!("xtask: making a stand-in for {image}");
    let label = format!("LABEL {LABEL}={what:?}");
    let changes = changes.iter().copied().chain([label.as_str()]);
    let import = program("docker")
        .args(["import"])
        .args(changes.flat_map(|change| ["--change", change]))
        .args(["-", image]);
    pack(tar, import)
}

/// Gives what tar packs to another program's standard input.
fn pack(tar: &[&str], to: Run) -> Result<()> {
    let mut pack = Command::new("tar")
        .args(["--create", "--numeric-owner"])
        .args(tar)
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot run tar")?;
    let output = pack.stdout.take().context("tar's output is piped")?;
    to.stdin(output).output()?;
    ensure!(pack.wait()?.success(), "tar failed");
    Ok(())
}

fn version(work: &Path, package: &str) -> Result<String> {
    let version = chroot(
        &work.join("debian/root"),
        ["dpkg-query", "--show", "--showformat=${Version}", package],
    );
    version.output()
}

fn chroot<const N: usize>(root: &Path, args: [&str; N]) -> Run {
    program("chroot").args([root]).args(args)
}

/// The package source of this machine, whichever way it is written down.
fn mirror() -> Result<String> {
    let targets = program("apt-get")
        .args([
            "indextargets",
            "--format",
            "$(SITE) $(LABEL) $(ORIGIN) $(COMPONENT) $(RELEASE)",
            "Created-By: Packages",
        ])
        .output()?;
    targets
        .lines()
        .find(|line| line.contains(" Debian Debian main ") && !line.contains("security"))
        .and_then(|line| line.split(' ').next())
        .map(str::to_owned)
        .with_context(|| format!("apt has no package source of Debian's: {targets}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_images_a_dockerfile_starts_from() {
        let text = "ARG RUST_IMAGE=rust:1\n# c\nARG VERSION=1\nARG RUNTIME_IMAGE=a.b/c:d\nFROM ${RUST_IMAGE}\n";
        assert_eq!(arguments(text).collect::<Vec<_>>(), ["rust:1", "a.b/c:d"]);
    }
}
