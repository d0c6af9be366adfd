//! A private folder whose files are replaced whole: the one place that writes to disk.
//!
//! A write goes to a temporary file beside its target, mode 600 from its creation, which is synced
//! and renamed; then the folder is synced. A reader or a crash sees the old file or the new one.
//! Who writes holds the folder's lock, or a lock above it: a temporary file has one fixed name, so
//! that what a crash leaves behind is taken over by the next write.
//!
//! Everything here blocks; callers are on a thread that may.

use std::{
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, ErrorKind, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use crate::StoreError;

/// No file that belongs here is larger.
const MAX_SIZE: u64 = 64 << 20;

const LOCK: &str = "lock";

/// A folder that only its owner enters.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
}

/// Held as long as this lives, and gone with the process at the latest.
#[derive(Debug)]
pub(crate) struct FolderLock {
    _file: File,
}

impl Folder {
    /// Opens the folder, and makes it and what is missing above it with mode 700.
    pub(crate) fn open(path: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let path = path.into();
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&path)
            .map_err(failed("create the folder", &path))?;
        Ok(Self { path })
    }

    /// A folder in this one.
    pub(crate) fn sub(&self, name: &str) -> Result<Self, StoreError> {
        Self::open(self.file(name))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in it.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Takes the lock, or says that another process has it.
    pub(crate) fn try_lock(&self) -> Result<FolderLock, StoreError> {
        let (path, file) = self.lock_file()?;
        match file.try_lock() {
            Ok(()) => Ok(FolderLock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(StoreError::Refused {
                store: self.path.display().to_string(),
                operation: "open",
                problem: "another process uses this folder; give each node a folder of its own"
                    .to_owned(),
            }),
            Err(TryLockError::Error(error)) => Err(failed("lock", &path)(error)),
        }
    }

    /// Takes the lock, and waits while another process writes.
    pub(crate) fn lock(&self) -> Result<FolderLock, StoreError> {
        let (path, file) = self.lock_file()?;
        file.lock().map_err(failed("lock", &path))?;
        Ok(FolderLock { _file: file })
    }

    fn lock_file(&self) -> Result<(PathBuf, File), StoreError> {
        let path = self.file(LOCK);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed("open", &path))?;
        Ok((path, file))
    }

    /// Replaces a file, or makes it.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.file(name);
        let temporary = self.file(&format!(".{name}.tmp"));
        write_new(&temporary, bytes)
            .and_then(|()| fs::rename(&temporary, &path))
            .and_then(|()| self.sync())
            .map_err(failed("write", &path))
    }

    /// The contents of a file, if there is one.
    pub(crate) fn read(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.file(name);
        let mut bytes = Vec::new();
        match File::open(&path).and_then(|file| file.take(MAX_SIZE + 1).read_to_end(&mut bytes)) {
            Ok(size) if size as u64 > MAX_SIZE => Err(StoreError::corrupt(
                path.display().to_string(),
                format_args!("it is larger than {MAX_SIZE} bytes"),
            )),
            Ok(_) => Ok(Some(bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(failed("read", &path)(error)),
        }
    }

    /// Removes a file; one that is not there is no error.
    pub(crate) fn remove(&self, name: &str) -> Result<(), StoreError> {
        let path = self.file(name);
        match fs::remove_file(&path).and_then(|()| self.sync()) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(failed("remove", &path)(error))
            }
            _ => Ok(()),
        }
    }

    /// The names of all that lies in it, in order.
    pub(crate) fn names(&self) -> Result<Vec<String>, StoreError> {
        let names: io::Result<Vec<_>> = fs::read_dir(&self.path)
            .and_then(|entries| entries.map(|entry| Ok(entry?.file_name())).collect());
        let names = names.map_err(failed("list", &self.path))?;
        let mut names: Vec<_> = names
            .into_iter()
            .filter_map(|name| name.into_string().ok())
            .collect();
        names.sort_unstable();
        Ok(names)
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn failed(operation: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::File {
        path,
        operation,
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::local::scratch::Scratch;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn folders_and_files_are_their_owners_alone() {
        let scratch = Scratch::new();
        let folder = Folder::open(scratch.path().join("deep/er")).unwrap();
        let sub = folder.sub("sub").unwrap();
        let _lock = folder.lock().unwrap();
        sub.write("file", b"text").unwrap();
        for path in [scratch.path().join("deep"), folder.path, sub.path.clone()] {
            assert_eq!(mode(&path), 0o700, "{}", path.display());
        }
        assert_eq!(mode(&sub.file("file")), 0o600);
        assert_eq!(mode(&scratch.path().join("deep/er/lock")), 0o600);
    }

    #[test]
    fn a_write_replaces_whole_and_leaves_nothing_beside() {
        let scratch = Scratch::new();
        let folder = Folder::open(scratch.path()).unwrap();
        assert_eq!(folder.read("file").unwrap(), None);
        // What a crash in the middle of a write leaves, with a mode someone has meddled with.
        fs::write(folder.file(".file.tmp"), "half of something much longer").unwrap();
        fs::set_permissions(folder.file(".file.tmp"), fs::Permissions::from_mode(0o644)).unwrap();
        for text in ["first, longer", "second"] {
            folder.write("file", text.as_bytes()).unwrap();
            assert_eq!(folder.read("file").unwrap(), Some(text.into()));
        }
        assert_eq!(mode(&folder.file("file")), 0o600);
        assert_eq!(folder.names().unwrap(), ["file"]);
        folder.remove("file").unwrap();
        folder.remove("file").unwrap();
        assert_eq!(folder.names().unwrap(), [""; 0]);
    }

    #[test]
    fn a_write_that_fails_leaves_the_old_file_and_names_it() {
        let scratch = Scratch::new();
        let folder = Folder::open(scratch.path()).unwrap();
        folder.write("file", b"old").unwrap();
        // A folder in the temporary file's place cannot be removed as a file, whoever asks.
        fs::create_dir(folder.file(".file.tmp")).unwrap();
        let error = folder.write("file", b"new").unwrap_err().to_string();
        assert!(
            error.contains(&folder.file("file").display().to_string()),
            "{error}"
        );
        assert_eq!(folder.read("file").unwrap(), Some(b"old".into()));
    }
}
