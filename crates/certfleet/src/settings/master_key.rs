//! The key ring, from the setting itself or from the file it names.

use std::sync::Arc;

use certfleet_core::{KeyRing, seal::MasterKey};

use super::{
    Settings, SettingsError,
    known::{MASTER_KEY, MASTER_KEY_FILE},
    secret::Pair,
    section::Section,
};

/// The keys the settings give.
pub(super) fn ring(settings: &Settings) -> Result<Arc<KeyRing>, SettingsError> {
    let pair = Pair {
        given: &MASTER_KEY,
        file: &MASTER_KEY_FILE,
    };
    let ring = pair.read(&Section::flat(settings), parse)?;
    ring.map(Arc::new).ok_or_else(|| SettingsError::Missing {
        setting: &MASTER_KEY,
        wanted: format!("{}; or {}", MASTER_KEY.wanted(), MASTER_KEY_FILE.variable()),
    })
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
