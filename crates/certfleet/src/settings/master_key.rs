//! The key ring, from the setting itself or from the file it names.
//!
//! What is read is wiped again and is never part of an error. The file is the one thing beside the
//! settings that a configuration depends on.

use std::{fs::File, io::Read, os::unix::fs::MetadataExt, path::Path, sync::Arc};

use certfleet_core::{KeyRing, seal::MasterKey};
use zeroize::Zeroizing;

use super::{
    Origin, Settings, SettingsError, Value,
    known::{MASTER_KEY, MASTER_KEY_FILE},
};

/// More than a thousand keys; a file that is longer is not what was meant.
const LONGEST_FILE: u64 = 64 * 1024;

/// The keys the settings give.
pub(super) fn ring(settings: &Settings) -> Result<Arc<KeyRing>, SettingsError> {
    let given = settings.values.get(MASTER_KEY.key);
    let file = settings.values.get(MASTER_KEY_FILE.key);
    let value = match (given, file) {
        (Some(given), Some(file)) => match (&given.origin, &file.origin) {
            (Origin::Environment, Origin::Environment) => return Err(both(given, file)),
            (Origin::Environment, _) => given,
            (_, Origin::Environment) => file,
            _ => return Err(both(given, file)),
        },
        (Some(value), None) | (None, Some(value)) => value,
        (None, None) => {
            return Err(SettingsError::Missing {
                setting: &MASTER_KEY,
                wanted: format!("{}; or {}", MASTER_KEY.wanted(), MASTER_KEY_FILE.variable()),
            });
        }
    };
    let ring = if value.setting == &MASTER_KEY_FILE {
        read(Path::new(value.text.as_str()))
            .and_then(|text| parse(&text))
            .map_err(|problem| format!("in the file {:?}, {problem}", value.text.as_str()))
    } else {
        parse(&value.text).map_err(|problem| format!("the value (not shown): {problem}"))
    };
    ring.map(Arc::new).map_err(|found| SettingsError::Invalid {
        place: value.place(),
        found,
        wanted: value.setting.wanted(),
    })
}

fn both(given: &Value, file: &Value) -> SettingsError {
    SettingsError::Both {
        first: given.place(),
        second: file.place(),
    }
}

fn read(path: &Path) -> Result<Zeroizing<String>, String> {
    let file = File::open(path).map_err(|error| format!("which cannot be opened: {error}"))?;
    let mode = file.metadata().map_or(0, |metadata| metadata.mode());
    if mode & 0o004 != 0 {
        tracing::warn!(
            file = %path.display(),
            mode = format_args!("{:03o}", mode & 0o777),
            "the master key can be read by every user of this host; wanted: mode 600"
        );
    }
    let mut text = Zeroizing::new(String::new());
    file.take(LONGEST_FILE)
        .read_to_string(&mut text)
        .map_err(|error| format!("which cannot be read: {error}"))?;
    Ok(text)
}

/// Keys separated by commas or on lines of their own; the first seals.
fn parse(text: &str) -> Result<KeyRing, String> {
    let mut keys = text
        .split([',', '\n'])
        .map(str::trim)
        .filter(|key| !key.is_empty())
        .enumerate()
        .map(|(i, key)| {
            MasterKey::from_base64(key).map_err(|error| format!("key {}: {error}", i + 1))
        });
    let first = keys.next().ok_or("there is no key")??;
    Ok(KeyRing::new(first, keys.collect::<Result<_, _>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> String {
        // 32 equal bytes in base64, without a second encoder in the test.
        match byte {
            0 => format!("{}=", "A".repeat(43)),
            255 => format!("{}8=", "/".repeat(42)),
            other => panic!("no key of bytes {other} here"),
        }
    }

    #[test]
    fn the_first_key_seals() {
        let first = MasterKey::from_bytes(&[0; 32]).id();
        for text in [
            key(0),
            format!("{},{}", key(0), key(255)),
            format!(" {}\n{}\n\n", key(0), key(255)),
        ] {
            assert_eq!(parse(&text).unwrap().sealing_key(), first, "{text}");
        }
    }

    #[test]
    fn the_bad_key_is_counted_and_not_shown() {
        for (text, problem) in [
            (
                "hunter2".to_owned(),
                "key 1: it is not base64 (RFC 4648 section 4)",
            ),
            (
                format!("{},aGk=", key(0)),
                "key 2: it holds 2 bytes of base64 instead of 32",
            ),
            (" ,\n".to_owned(), "there is no key"),
        ] {
            assert_eq!(parse(&text).unwrap_err(), problem);
        }
    }
}
