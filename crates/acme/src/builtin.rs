//! A CA of one's own, for localhost and closed networks: no challenges, one root to trust.
//!
//! The root's key lies in one file with its certificate, so that the pair is made in one atomic
//! step, and no other account may read that file. `root.pem`, for people and browsers, is a copy.
//! Nothing here revokes, and there is no intermediate.

use std::{
    fmt,
    fs::{self, File, Permissions},
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use certfleet_core::{Bundle, KeyType, Leaf, NameSet, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls_pki_types::{CertificateDer, pem::PemObject};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::{
    IssueError, Issuer, Order, Revocation, Step,
    certificate::{self, Expected},
    clock,
};

const NAME: &str = "built-in";
const KEY_FILE: &str = "root-key.pem";
const ROOT_FILE: &str = "root.pem";
const LEAF_VALIDITY: Duration = Duration::from_secs(7 * 86_400);
const ROOT_VALIDITY: Duration = Duration::from_secs(10 * 365 * 86_400);
/// How far back a certificate begins, for machines whose clock is slow.
const BACKDATED: Duration = Duration::from_secs(3600);

/// A CA whose root lies in a folder, or only in memory.
pub struct BuiltInCa {
    key: Zeroizing<KeyPair>,
    root: CertificateDer<'static>,
    root_pem: String,
    root_end: Timestamp,
    validity: Duration,
}

impl BuiltInCa {
    /// Opens the CA in `dir`, and makes both on first use: `root-key.pem` with mode 600, and
    /// `root.pem` for users to trust. Processes that do so at once get the same root.
    ///
    /// # Errors
    /// [`BuiltInCaError`] with the file and the cure.
    pub fn open(dir: &Path) -> Result<Self, BuiltInCaError> {
        Self::open_at(dir, clock::now())
    }

    fn open_at(dir: &Path, now: Timestamp) -> Result<Self, BuiltInCaError> {
        fs::create_dir_all(dir).map_err(|error| file(dir, "create", error))?;
        let path = dir.join(KEY_FILE);
        if !path.exists() {
            create_whole(&path, Self::create(now)?.key_file().as_bytes(), 0o600)?;
        }
        let ca = Self::read(&path)?;
        let root = dir.join(ROOT_FILE);
        if fs::read_to_string(&root).ok().as_deref() != Some(&ca.root_pem) {
            replace_whole(&root, ca.root_pem.as_bytes(), 0o644)?;
        }
        Ok(ca)
    }

    /// A CA that is forgotten with the process.
    ///
    /// # Errors
    /// If the cryptographic library fails.
    pub fn in_memory() -> Result<Self, BuiltInCaError> {
        Self::create(clock::now())
    }

    /// With certificates valid for `validity` instead of 7 days.
    #[must_use]
    pub fn with_validity(self, validity: Duration) -> Self {
        Self { validity, ..self }
    }

    /// The root certificate as PEM, for whoever is to trust this CA.
    #[must_use]
    pub fn root_pem(&self) -> &str {
        &self.root_pem
    }

    fn create(now: Timestamp) -> Result<Self, BuiltInCaError> {
        let key = certificate::fresh_key(KeyType::P256)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, "certfleet built-in CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.not_before = date(now.before(BACKDATED));
        params.not_after = date(now.after(ROOT_VALIDITY));
        let root = params
            .self_signed(&*key)
            .map_err(|error| certificate::crypto("sign the root certificate", &error))?;
        Ok(Self {
            key,
            root: root.der().clone(),
            root_pem: root.pem(),
            root_end: now.after(ROOT_VALIDITY),
            validity: LEAF_VALIDITY,
        })
    }

    fn key_file(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(4096));
        text.push_str(&Zeroizing::new(self.key.serialize_pem()));
        text.push_str(&self.root_pem);
        text
    }

    fn read(path: &Path) -> Result<Self, BuiltInCaError> {
        let mode = fs::metadata(path)
            .map_err(|error| file(path, "read", error))?
            .permissions()
            .mode();
        if mode & 0o077 != 0 {
            return Err(BuiltInCaError::Exposed {
                path: path.to_owned(),
                mode: mode & 0o777,
            });
        }
        let text = fs::read_to_string(path).map_err(|error| file(path, "read", error))?;
        let text = Zeroizing::new(text);
        let bad = |problem: String| BuiltInCaError::Damaged {
            path: path.to_owned(),
            problem,
        };
        let key = KeyPair::from_pem(&text).map_err(|error| bad(error.to_string()))?;
        let root = CertificateDer::from_pem_slice(text.as_bytes())
            .map_err(|error| bad(error.to_string()))?;
        let facts = Leaf::parse(&root).map_err(|error| bad(error.to_string()))?;
        let begin = text
            .find("-----BEGIN CERTIFICATE-----")
            .ok_or_else(|| bad("it holds no certificate".into()))?;
        Ok(Self {
            key: Zeroizing::new(key),
            root_pem: text[begin..].to_owned(),
            root,
            root_end: facts.not_after,
            validity: LEAF_VALIDITY,
        })
    }

    fn issue_at(
        &self,
        names: &NameSet,
        key: &KeyPair,
        validity: Duration,
        now: Timestamp,
    ) -> Result<Bundle, IssueError> {
        let mut params = certificate::params(names)?;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        params.not_before = date(now.before(BACKDATED));
        params.not_after = date(now.after(validity).min(self.root_end));

        let issuer = rcgen::Issuer::from_ca_cert_der(&self.root, &*self.key)
            .map_err(|error| certificate::crypto("read the root certificate", &error))?;
        let leaf = params
            .signed_by(key, &issuer)
            .map_err(|error| certificate::crypto("sign the certificate", &error))?;
        let unfit = |problem| IssueError::Certificate {
            ca: NAME.to_owned(),
            problem,
        };
        let bundle = Bundle::new(vec![leaf.der().clone()], certificate::pkcs8(key))
            .map_err(|error| unfit(error.to_string()))?;
        let expected = Expected {
            names,
            replaces: None,
        };
        certificate::check(&bundle, &expected, now).map_err(unfit)?;
        Ok(bundle)
    }
}

#[async_trait]
impl Issuer for BuiltInCa {
    fn name(&self) -> &str {
        NAME
    }

    async fn issue(&self, order: Order<'_>) -> Result<Bundle, IssueError> {
        let key = certificate::key(order.key).await?;
        let validity = order.validity.unwrap_or(self.validity);
        let bundle = self.issue_at(order.names, &key, validity, clock::now())?;
        if let Ok(leaf) = Leaf::parse(&bundle.chain()[0]) {
            order.progress.step(Step::Downloaded {
                serial: leaf.serial,
            });
        }
        Ok(bundle)
    }

    /// Always [`IssueError::Unsupported`]: this CA has no list of revoked certificates that anyone
    /// would look at. Its certificates are short-lived instead.
    async fn revoke(&self, _: Revocation<'_>) -> Result<(), IssueError> {
        Err(IssueError::Unsupported {
            ca: NAME.to_owned(),
            what: "revocation: the certificate ends by itself; to end it at once, make a new root and \
                   give that to the users",
        })
    }
}

impl fmt::Debug for BuiltInCa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BuiltInCa")
            .field("root_end", &self.root_end)
            .field("validity", &self.validity)
            .finish_non_exhaustive()
    }
}

/// Why the built-in CA could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum BuiltInCaError {
    /// A file operation failed.
    #[error("cannot {operation} {}: {source}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What was to be done with it.
        operation: &'static str,
        /// The system's own words.
        source: io::Error,
    },
    /// Others may read the root's key.
    #[error(
        "{} has mode {mode:o}, so others may read the root's key; if you trust them, chmod 600 it, \
         else delete it and give users the new root", path.display()
    )]
    Exposed {
        /// The key file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The key file does not hold what it should.
    #[error(
        "{} is damaged: {problem}; restore it, or delete it and give users the new root",
        path.display()
    )]
    Damaged {
        /// The key file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// The cryptographic library failed.
    #[error(transparent)]
    Crypto(#[from] IssueError),
}

fn date(at: Timestamp) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(at.as_secs()).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

fn file(path: &Path, operation: &'static str, source: io::Error) -> BuiltInCaError {
    BuiltInCaError::File {
        path: path.to_owned(),
        operation,
        source,
    }
}

/// Creates the file whole, unless someone else has done so meanwhile.
fn create_whole(path: &Path, bytes: &[u8], mode: u32) -> Result<(), BuiltInCaError> {
    let draft = write_draft(path, bytes, mode)?;
    let linked = fs::hard_link(&draft, path);
    let _ = fs::remove_file(&draft);
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            Err(file(path, "create", error))
        }
        _ => Ok(()),
    }
}

/// Replaces the file whole.
fn replace_whole(path: &Path, bytes: &[u8], mode: u32) -> Result<(), BuiltInCaError> {
    let draft = write_draft(path, bytes, mode)?;
    fs::rename(&draft, path).map_err(|error| file(path, "replace", error))
}

fn write_draft(path: &Path, bytes: &[u8], mode: u32) -> Result<PathBuf, BuiltInCaError> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let draft = path.with_extension(format!("{}-{count}.tmp", std::process::id()));
    let write = || {
        let mut out = File::options()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(mode)
            .open(&draft)?;
        out.set_permissions(Permissions::from_mode(mode))?;
        out.write_all(bytes)?;
        out.sync_all()
    };
    write().map_err(|error| file(&draft, "write", error))?;
    Ok(draft)
}
