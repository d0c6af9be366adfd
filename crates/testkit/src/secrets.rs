//! A search for private keys where none may be: in files.
//!
//! It looks for the private scalar itself, raw and in the encodings a log or a dump might carry
//! it in, and for the markers of PEM and of ACME credentials. A key that was encrypted is not
//! found, and is not meant to be.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail, ensure};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD},
};

/// The largest file that is read, in bytes.
const LARGEST: u64 = 256 << 20;

/// What to search for: names of patterns, never shown with the patterns themselves.
#[derive(Default)]
pub struct Secrets(Vec<(String, Vec<u8>)>);

impl Secrets {
    /// The markers that any private key in PEM and any stored ACME credential would carry.
    #[must_use]
    pub fn markers() -> Self {
        let markers = ["PRIVATE KEY-----", "key_pkcs8"];
        Self(
            markers
                .map(|m| (format!("the marker {m:?}"), m.into()))
                .into(),
        )
    }

    /// Adds a text that must stay secret as it is.
    pub fn add_text(&mut self, name: &str, text: &str) {
        self.0.push((name.to_owned(), text.into()));
    }

    /// Adds an elliptic-curve private key given as PKCS#8 DER (RFC 5958, RFC 5915).
    ///
    /// # Errors
    /// If it is none.
    pub fn add_key(&mut self, name: &str, pkcs8: &[u8]) -> Result<()> {
        let scalar = scalar(pkcs8).with_context(|| format!("{name} is no EC key in PKCS#8"))?;
        for (form, pattern) in forms(scalar) {
            self.0.push((format!("{name} ({form})"), pattern));
        }
        Ok(())
    }

    /// Searches each of `paths`, a file or all files below a folder; gives how many files and bytes
    /// that was.
    ///
    /// # Errors
    /// The first secret found, by name, with the file it was found in.
    pub fn search(&self, paths: &[&Path]) -> Result<(usize, u64)> {
        let (mut files, mut bytes) = (0, 0);
        for file in files_below(paths)? {
            let length = fs::metadata(&file)?.len();
            ensure!(
                length <= LARGEST,
                "{} is too large to search",
                file.display()
            );
            let content = fs::read(&file)?;
            for (name, pattern) in &self.0 {
                if contains(&content, pattern) {
                    bail!("{name} is in {}", file.display());
                }
            }
            files += 1;
            bytes += length;
        }
        Ok((files, bytes))
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(name, _)| name))
            .finish()
    }
}

/// Whether `content` has `pattern` in it anywhere.
#[must_use]
pub fn contains(content: &[u8], pattern: &[u8]) -> bool {
    content
        .windows(pattern.len())
        .any(|window| window == pattern)
}

/// The private scalar: what follows `INTEGER 1, OCTET STRING` in ECPrivateKey.
fn scalar(pkcs8: &[u8]) -> Option<&[u8]> {
    let head = [0x02, 0x01, 0x01, 0x04];
    let at = pkcs8
        .windows(head.len())
        .position(|window| window == head)?;
    let (length, rest) = pkcs8.get(at + head.len()..)?.split_first()?;
    matches!(length, 32 | 48 | 66).then(|| rest.get(..usize::from(*length)))?
}

fn forms(secret: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let hex = secret.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    let list = format!("{secret:?}");
    let mut forms = vec![
        ("raw", secret.to_vec()),
        ("hexadecimal", hex.to_uppercase().into_bytes()),
        ("hexadecimal", hex.into_bytes()),
        (
            "list of bytes",
            list.trim_matches(['[', ']']).as_bytes().to_vec(),
        ),
        (
            "list of bytes",
            list.trim_matches(['[', ']']).replace(' ', "").into_bytes(),
        ),
    ];
    // Three ways to stand in a longer text; the characters that depend on the neighbours are cut.
    for before in 0..3 {
        let mut bytes = vec![0; before];
        bytes.extend_from_slice(secret);
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            let text = engine.encode(&bytes);
            let whole = bytes.len() / 3 * 4;
            forms.push((
                "base64",
                text.as_bytes()[if before == 0 { 0 } else { 4 }..whole].to_vec(),
            ));
        }
    }
    forms
}

fn files_below(paths: &[&Path]) -> Result<Vec<PathBuf>> {
    let mut left: Vec<_> = paths.iter().map(|path| path.to_path_buf()).collect();
    let mut files = Vec::new();
    while let Some(path) = left.pop() {
        let kind = fs::symlink_metadata(&path).with_context(|| path.display().to_string())?;
        if kind.is_dir() {
            for entry in fs::read_dir(&path)? {
                left.push(entry?.path());
            }
        } else if kind.is_file() {
            files.push(path);
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::TestDir;

    #[test]
    fn finds_a_key_in_every_form_and_nothing_else() {
        let key = rcgen::KeyPair::generate().unwrap();
        let (der, pem) = (key.serialize_der(), key.serialize_pem());
        let mut secrets = Secrets::markers();
        secrets.add_key("the key", &der).unwrap();
        let scalar = scalar(&der).unwrap();
        assert_eq!(scalar.len(), 32);

        let shown = |offset: usize, engine: &dyn Fn(&[u8]) -> String| {
            engine(&[&vec![7; offset], der.as_slice(), b"tail"].concat()).into_bytes()
        };
        let standard = |bytes: &[u8]| STANDARD_NO_PAD.encode(bytes);
        let url = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut leaks = vec![
            der.clone(),
            pem.into_bytes(),
            format!("{der:?}").into_bytes(),
            format!("{der:02x?}").replace(", ", "").into_bytes(),
            serde_json::to_vec(&der).unwrap(),
        ];
        for offset in 0..3 {
            leaks.push(shown(offset, &standard));
            leaks.push(shown(offset, &url));
        }
        for (number, leak) in leaks.iter().enumerate() {
            let dir = TestDir::new("secrets").unwrap();
            fs::create_dir(dir.path().join("deep")).unwrap();
            fs::write(
                dir.path().join("deep/file"),
                [b"before ", leak.as_slice(), b" after"].concat(),
            )
            .unwrap();
            let found = secrets.search(&[dir.path()]);
            assert!(
                found.unwrap_err().to_string().contains("deep/file"),
                "leak {number}"
            );
        }

        let dir = TestDir::new("secrets").unwrap();
        fs::write(dir.path().join("public"), key.public_key_pem()).unwrap();
        let other = rcgen::KeyPair::generate().unwrap().serialize_der();
        fs::write(dir.path().join("other"), &other).unwrap();
        let one = dir.path().join("public");
        assert_eq!(secrets.search(&[&one]).unwrap().0, 1);
        let (files, bytes) = secrets.search(&[dir.path()]).unwrap();
        assert_eq!((files, bytes > 200), (2, true));
    }
}
