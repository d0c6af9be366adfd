//! Asking a CA when to renew a certificate (RFC 9773 section 4).
//!
//! The request is not signed. What comes back is checked to be a window; what to make of it, and
//! when to ask again, is the caller's to decide.

use certfleet_core::{
    Leaf, Timestamp,
    ari::{Window, certificate_id},
};
use rustls_pki_types::CertificateDer;
use serde::Deserialize;

use crate::{IssueError, RenewalInfo, clock, problem::words, retry_after::retry_after, wire::Wire};

const OPERATION: &str = "read the renewal information";
const LONGEST_URL: usize = 400;

/// What the CA suggests for `certificate`.
pub(crate) async fn ask(
    wire: &Wire,
    certificate: &CertificateDer<'_>,
) -> Result<RenewalInfo, IssueError> {
    let base = wire.resources().renewal_info.as_deref();
    let (Some(base), Some(id)) = (base, certificate_id(certificate)) else {
        return Ok(RenewalInfo::Unsupported);
    };
    let url = format!("{}/{id}", base.trim_end_matches('/'));
    let answer = wire.get(OPERATION, &url).await?;
    let not_after = Leaf::parse(certificate).ok().map(|leaf| leaf.not_after);
    let window = window(answer.body(), not_after).map_err(|problem| answer.nonsense(problem))?;
    Ok(RenewalInfo::Suggested {
        window,
        retry_after: retry_after(answer.headers(), clock::now()),
    })
}

/// Reads the window from an answer about a certificate that ends at `not_after`.
fn window(body: &[u8], not_after: Option<Timestamp>) -> Result<Window, String> {
    let body: Body = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let time = |text: &str| {
        text.parse::<Timestamp>()
            .map_err(|_| format!("{:?} is no RFC 3339 time", words(text)))
    };
    let start = time(&body.suggested_window.start)?;
    let end = time(&body.suggested_window.end)?;
    if end <= start {
        return Err(format!(
            "the window ends at {end}, not after its start at {start}"
        ));
    }
    if let Some(not_after) = not_after.filter(|not_after| start >= *not_after) {
        return Err(format!(
            "the window starts at {start}, when the certificate has ended at {not_after}"
        ));
    }
    Ok(Window {
        start,
        end,
        explanation: body.explanation_url.and_then(explanation),
    })
}

/// A page that people may be sent to: over https, on one line, and not long.
fn explanation(url: String) -> Option<String> {
    let fit = url.starts_with("https://")
        && url.len() <= LONGEST_URL
        && url.chars().all(|c| c.is_ascii_graphic());
    fit.then_some(url)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    suggested_window: SuggestedWindow,
    #[serde(rename = "explanationURL")]
    explanation_url: Option<String>,
}

#[derive(Deserialize)]
struct SuggestedWindow {
    start: String,
    end: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(start: &str, end: &str, url: &str) -> Result<Window, String> {
        let body = format!(
            r#"{{"suggestedWindow":{{"start":"{start}","end":"{end}"}},"explanationURL":"{url}"}}"#
        );
        window(body.as_bytes(), "2026-03-01T00:00:00Z".parse().ok())
    }

    #[test]
    fn a_window_is_read() {
        let window = read(
            "2026-01-02T04:00:00Z",
            "2026-01-03T05:00:00+01:00",
            "https://ca.example/why",
        )
        .unwrap();
        assert_eq!(window.start.to_string(), "2026-01-02T04:00:00.000Z");
        assert_eq!(window.end.to_string(), "2026-01-03T04:00:00.000Z");
        assert_eq!(
            window.explanation.as_deref(),
            Some("https://ca.example/why")
        );
        for bad in ["http://ca.example/", "javascript:x", "https://a b", ""] {
            let window = read("2026-01-02T04:00:00Z", "2026-01-03T04:00:00Z", bad);
            assert_eq!(window.unwrap().explanation, None, "{bad}");
        }
    }

    #[test]
    fn what_is_no_window_is_named() {
        for (start, end, problem) in [
            (
                "2026-01-02T04:00:00Z",
                "2026-01-02T04:00:00Z",
                "not after its start",
            ),
            (
                "2026-01-02T04:00:00Z",
                "2025-01-02T04:00:00Z",
                "not after its start",
            ),
            (
                "tomorrow",
                "2026-01-02T04:00:00Z",
                "\"tomorrow\" is no RFC 3339 time",
            ),
            ("2026-03-01T00:00:00Z", "2026-04-01T00:00:00Z", "has ended"),
        ] {
            let error = read(start, end, "").unwrap_err();
            assert!(error.contains(problem), "{error}");
        }
        for junk in ["", "[]", "{}", r#"{"suggestedWindow":null}"#, "<html>"] {
            assert!(window(junk.as_bytes(), None).is_err(), "{junk}");
        }
    }
}
