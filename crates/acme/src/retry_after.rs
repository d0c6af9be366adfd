//! The Retry-After header (RFC 9110 section 10.2.3), in both its forms.

use std::time::Duration;

use certfleet_core::Timestamp;
use http::{
    HeaderMap, HeaderName,
    header::{DATE, RETRY_AFTER},
};

/// No CA means more than this; whatever is longer is taken for this.
const LONGEST: Duration = Duration::from_secs(30 * 86_400);

/// How long the sender of `headers` wants to be left alone, if it says so.
///
/// A date is measured from the answer's own Date, so that a wrong clock on either side does no
/// harm; `now` is for answers that carry none.
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let value = text(headers, RETRY_AFTER)?;
    let wait = match value.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => date(value)?.since(text(headers, DATE).and_then(date).unwrap_or(now)),
    };
    Some(wait.min(LONGEST))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// A date of HTTP, in any of its forms (RFC 9110 section 5.6.7).
pub(crate) fn date(value: &str) -> Option<Timestamp> {
    let at = httpdate::parse_http_date(value).ok()?;
    let since = at.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(Timestamp::UNIX_EPOCH.after(since))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-24T06:00:00Z
    const NOW: Timestamp = Timestamp::from_secs(1_795_500_000);

    fn parse(value: &'static str, date: Option<&'static str>) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, value.parse().unwrap());
        if let Some(date) = date {
            headers.insert(DATE, date.parse().unwrap());
        }
        retry_after(&headers, NOW).map(|wait| wait.as_secs())
    }

    #[test]
    fn both_forms_are_read() {
        let hour = Some("Tue, 24 Nov 2026 05:00:00 GMT");
        for (value, date, want) in [
            ("120", None, Some(120)),
            (" 0 ", None, Some(0)),
            ("Tue, 24 Nov 2026 06:01:00 GMT", None, Some(60)),
            ("Tue, 24 Nov 2026 05:00:30 GMT", hour, Some(30)),
            // RFC 850 and asctime dates are obsolete, and still to be read (RFC 9110 section 5.6.7).
            ("Tuesday, 24-Nov-26 06:01:00 GMT", None, Some(60)),
            ("Tue Nov 24 06:01:00 2026", None, Some(60)),
            ("Tue, 24 Nov 2026 05:00:00 GMT", None, Some(0)),
            ("99999999999", None, Some(30 * 86_400)),
            ("soon", None, None),
            ("-5", None, None),
            ("1.5", None, None),
            ("", None, None),
        ] {
            assert_eq!(parse(value, date), want, "{value:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), NOW), None);
    }
}
