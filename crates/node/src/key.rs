//! `certfleet key generate`, and the key file that `dev` makes for itself.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use certfleet_core::seal::MasterKey;

use crate::{failure::Failure, output};

/// Prints a new master key.
pub(crate) fn generate() -> Result<(), Failure> {
    output::text(&format!("{}\n", *MasterKey::generate_base64()))
}

/// Makes the file with a new key, for this user alone, unless there is one already.
pub(crate) fn ensure_file(path: &Path) -> Result<(), Failure> {
    let write = || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let created = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path);
        match created {
            Ok(mut file) => {
                file.write_all(MasterKey::generate_base64().as_bytes())?;
                file.write_all(b"\n")?;
                file.sync_all()
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
    };
    write().map_err(|source| Failure::Write {
        path: path.to_owned(),
        source,
    })
}
