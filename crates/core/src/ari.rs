//! ACME renewal information (RFC 9773): when the CA suggests that a certificate be renewed.
//!
//! The time within the window is drawn once and then shared by the fleet: drawn anew by every node
//! that asks, it would be the earliest of many.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use rustls_pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use x509_parser::{extensions::ParsedExtension, parse_x509_certificate};

use crate::{Generation, Timestamp};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// How long to wait where the CA's answer is refused or makes no sense (RFC 9773 section 4.3.3).
pub const LONG_TERM: Duration = Duration::from_secs(6 * 3600);

/// What the CA suggests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The start of it.
    pub start: Timestamp,
    /// The end of it, later than its start.
    pub end: Timestamp,
    /// Where people can read why it is what it is.
    pub explanation: Option<String>,
}

/// What the fleet has made of it, for one generation of a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suggestion {
    /// The generation it is about.
    pub generation: Generation,
    /// What the CA said.
    pub window: Window,
    /// The time drawn in the window.
    pub selected: Timestamp,
    /// When the CA was asked.
    pub asked_at: Timestamp,
}

impl Suggestion {
    /// Draws a time in `window`, `share` in 0 to 1 of the way; what was drawn `before` from the same
    /// window for the same generation stays.
    #[must_use]
    pub fn draw(
        before: Option<&Self>,
        generation: Generation,
        window: Window,
        share: f64,
        now: Timestamp,
    ) -> Self {
        let same = before.filter(|before| {
            before.generation == generation
                && (before.window.start, before.window.end) == (window.start, window.end)
        });
        let width = window.end.since(window.start);
        let drawn = window.start.after(width.mul_f64(share.clamp(0.0, 1.0)));
        Self {
            generation,
            selected: same.map_or(drawn, |before| before.selected),
            window,
            asked_at: now,
        }
    }

    /// Whether the CA wants the certificate replaced at once: the whole window is over, as it is
    /// for one that was, or is to be, revoked.
    #[must_use]
    pub fn is_urgent(&self, now: Timestamp) -> bool {
        self.window.end <= now
    }
}

/// How long to wait before the CA is asked again, by its Retry-After: at least a minute, and at most
/// half a day, since it is to be asked at least twice a day.
#[must_use]
pub fn ask_again(retry_after: Option<Duration>) -> Duration {
    retry_after.map_or(LONG_TERM, |wait| wait.clamp(MINUTE, DAY / 2))
}

/// How long to wait after `failures` (at least one) passing errors in a row.
#[must_use]
pub fn ask_again_after_failures(failures: u32) -> Duration {
    (MINUTE * 2_u32.saturating_pow(failures.saturating_sub(1).min(10))).min(HOUR * 6)
}

/// The identifier of a certificate: of its issuer's key and its serial number (RFC 9773 section
/// 4.1). `None` if it has no authority key identifier.
#[must_use]
pub fn certificate_id(leaf: &CertificateDer<'_>) -> Option<String> {
    let (_, certificate) = parse_x509_certificate(leaf).ok()?;
    let issuer =
        certificate
            .iter_extensions()
            .find_map(|extension| match extension.parsed_extension() {
                ParsedExtension::AuthorityKeyIdentifier(id) => id.key_identifier.as_ref(),
                _ => None,
            })?;
    let serial = certificate.tbs_certificate.raw_serial();
    Some(format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(issuer.0),
        URL_SAFE_NO_PAD.encode(serial)
    ))
}

#[cfg(test)]
mod tests {
    use rustls_pki_types::pem::PemObject;

    use super::*;

    /// The example certificate of RFC 9773 appendix A.
    const EXAMPLE: &str = "-----BEGIN CERTIFICATE-----
MIIBQzCB66ADAgECAgUAh2VDITAKBggqhkjOPQQDAjAVMRMwEQYDVQQDEwpFeGFt
cGxlIENBMCIYDzAwMDEwMTAxMDAwMDAwWhgPMDAwMTAxMDEwMDAwMDBaMBYxFDAS
BgNVBAMTC2V4YW1wbGUuY29tMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEeBZu
7cbpAYNXZLbbh8rNIzuOoqOOtmxA1v7cRm//AwyMwWxyHz4zfwmBhcSrf47NUAFf
qzLQ2PPQxdTXREYEnKMjMCEwHwYDVR0jBBgwFoAUaYhba4dGQEHhs3uEe6CuLN4B
yNQwCgYIKoZIzj0EAwIDRwAwRAIge09+S5TZAlw5tgtiVvuERV6cT4mfutXIlwTb
+FYN/8oCIClDsqBklhB9KAelFiYt9+6FDj3z4KGVelYM5MdsO3pK
-----END CERTIFICATE-----
";

    const NOW: Timestamp = Timestamp::from_secs(1_000_000);

    fn window(start: u64, end: u64) -> Window {
        Window {
            start: NOW.after(Duration::from_secs(start)),
            end: NOW.after(Duration::from_secs(end)),
            explanation: None,
        }
    }

    #[test]
    fn a_certificate_is_identified_as_the_rfc_shows() {
        let leaf = CertificateDer::from_pem_slice(EXAMPLE.as_bytes()).unwrap();
        assert_eq!(
            certificate_id(&leaf).unwrap(),
            "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"
        );
    }

    #[test]
    fn the_drawn_time_stays_while_the_window_does() {
        let draw = |before, generation, window, share| {
            Suggestion::draw(before, Generation::new(generation), window, share, NOW)
        };
        let first = draw(None, 1, window(0, 100), 0.25);
        assert_eq!(first.selected, NOW.after(Duration::from_secs(25)));
        let again = draw(Some(&first), 1, window(0, 100), 0.75);
        assert_eq!(again.selected, first.selected);
        let moved = draw(Some(&first), 1, window(0, 200), 0.75);
        assert_eq!(moved.selected, NOW.after(Duration::from_secs(150)));
        let renewed = draw(Some(&first), 2, window(0, 100), 0.75);
        assert_eq!(renewed.selected, NOW.after(Duration::from_secs(75)));
        assert!(!first.is_urgent(NOW));
        assert!(first.is_urgent(NOW.after(Duration::from_secs(100))));
    }

    #[test]
    fn the_ca_is_asked_within_bounds() {
        let secs = Duration::from_secs;
        assert_eq!(ask_again(Some(secs(1))), secs(60));
        assert_eq!(ask_again(Some(secs(21_600))), secs(21_600));
        assert_eq!(ask_again(Some(secs(9_999_999))), secs(43_200));
        assert_eq!(ask_again(None), LONG_TERM);
        assert_eq!(ask_again_after_failures(1), secs(60));
        assert_eq!(ask_again_after_failures(3), secs(240));
        assert_eq!(ask_again_after_failures(u32::MAX), secs(6 * 3600));
    }
}
