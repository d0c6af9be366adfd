//! Durations as people write them: a whole number and a unit, such as `30s` or `12h`.

use std::time::Duration;

/// Reads a whole number of `ms`, `s`, `m`, `h` or `d`; `None` if the text is anything else.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let at = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(at);
    let number: u64 = number.parse().ok()?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(millis).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_whole_numbers_with_a_unit() {
        for (text, millis) in [
            ("250ms", 250),
            ("30s", 30_000),
            ("5m", 300_000),
            ("12h", 43_200_000),
            ("30d", 2_592_000_000),
            ("0s", 0),
        ] {
            assert_eq!(parse(text), Some(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn refuses_the_rest() {
        for text in [
            "",
            "30",
            "s",
            "-1s",
            "1.5h",
            "30 s",
            "30S",
            "1h30m",
            "1w",
            "99999999999999999d",
            "１s",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
