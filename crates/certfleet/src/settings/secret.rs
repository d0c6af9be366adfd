//! A secret, from the setting itself or from the file that another setting names.
//!
//! Of the two one may be set, and the environment wins. What is read is wiped again and is never
//! part of an error.

use std::{fs::File, io::Read, os::unix::fs::MetadataExt, path::Path};

use zeroize::Zeroizing;

use super::{Origin, Setting, SettingsError, Value, section::Section};

/// Longer than any secret; a file that is longer is not what was meant.
const LONGEST_FILE: u64 = 64 * 1024;

/// A setting that holds a secret, and the one that names a file with it.
#[derive(Clone, Copy)]
pub(super) struct Pair {
    pub(super) given: &'static Setting,
    pub(super) file: &'static Setting,
}

impl Pair {
    /// The secret, read; `parse` says what is wrong with it without showing it.
    pub(super) fn read<T>(
        self,
        section: &Section<'_>,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, SettingsError> {
        let Some(value) = self.value(section)? else {
            return Ok(None);
        };
        let read = if value.setting == self.file {
            let text = read_file(Path::new(value.text.as_str()));
            text.and_then(|text| parse(&text))
                .map_err(|problem| in_file(value, &problem))
        } else {
            parse(&value.text).map_err(|problem| format!("the value (not shown): {problem}"))
        };
        read.map(Some).map_err(|found| SettingsError::Invalid {
            place: value.place(),
            found,
            wanted: value.setting.wanted(),
        })
    }

    /// Whichever of the two is set.
    pub(super) fn value<'a>(
        self,
        section: &Section<'a>,
    ) -> Result<Option<&'a Value>, SettingsError> {
        let of = (section.value(self.given), section.value(self.file));
        let (Some(given), Some(file)) = of else {
            return Ok(of.0.or(of.1));
        };
        match (&given.origin, &file.origin) {
            (Origin::Environment, Origin::Environment) => Err(both(given, file)),
            (Origin::Environment, _) => Ok(Some(given)),
            (_, Origin::Environment) => Ok(Some(file)),
            _ => Err(both(given, file)),
        }
    }
}

/// Two settings of which only one may be set.
pub(super) fn both(first: &Value, second: &Value) -> SettingsError {
    SettingsError::Both {
        first: first.place(),
        second: second.place(),
    }
}

/// What is wrong with the file that `value` names.
pub(super) fn in_file(value: &Value, problem: &str) -> String {
    format!("in the file {:?}, {problem}", value.text.as_str())
}

/// The text of a file that holds a secret.
pub(super) fn read_file(path: &Path) -> Result<Zeroizing<String>, String> {
    let file = File::open(path).map_err(|error| format!("which cannot be opened: {error}"))?;
    let mode = file.metadata().map_or(0, |metadata| metadata.mode());
    if mode & 0o004 != 0 {
        tracing::warn!(
            file = %path.display(),
            mode = format_args!("{:03o}", mode & 0o777),
            "this secret can be read by every user of this host; wanted: mode 600"
        );
    }
    let mut text = Zeroizing::new(String::new());
    file.take(LONGEST_FILE)
        .read_to_string(&mut text)
        .map_err(|error| format!("which cannot be read: {error}"))?;
    Ok(text)
}
