//! Numbers in a time, such as `300/3h`: the CA's rate limits, and the fleet's own.

use std::{num::NonZeroU32, time::Duration};

use certfleet_core::{
    budget::{Limit, LimitKind, Limits},
    duration,
};

use crate::settings::section::found;

/// The longest time to count in.
const LONGEST: Duration = Duration::from_secs(365 * 86_400);

/// A number from 1, in a time up to a year.
pub(super) fn rate(text: &str) -> Result<(NonZeroU32, Duration), String> {
    let read = || {
        let (number, time) = text.split_once('/')?;
        let number: NonZeroU32 = number.trim().parse().ok()?;
        let time = duration::parse(time.trim())?;
        // A token takes a millisecond at least to come back: the store counts in these.
        let each = time / number.get();
        (time <= LONGEST && each >= Duration::from_millis(1)).then_some((number, time))
    };
    read().ok_or_else(|| {
        format!(
            "{}, which is no number in a time such as 300/3h",
            found(text)
        )
    })
}

/// The rate limits of a CA.
pub(super) fn limits(text: &str) -> Result<Limits, String> {
    match text {
        "none" => return Ok(Limits::default()),
        "letsencrypt" => return Ok(Limits::lets_encrypt()),
        _ => {}
    }
    let mut limits = Limits::default();
    for part in text.split(',') {
        let (name, value) = part.split_once('=').ok_or_else(|| found(part))?;
        let kind = LimitKind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == name.trim())
            .ok_or_else(|| {
                let known = LimitKind::ALL.map(LimitKind::as_str).join(", ");
                format!(
                    "{}, which is no limit; there are {known}",
                    found(name.trim())
                )
            })?;
        let (capacity, time) = rate(value)?;
        let limit = Limit {
            capacity: capacity.get(),
            refill: time / capacity.get(),
        };
        let place = match kind {
            LimitKind::NewOrders => &mut limits.new_orders,
            LimitKind::CertificatesPerDomain => &mut limits.certificates_per_domain,
            LimitKind::DuplicateCertificates => &mut limits.duplicate_certificates,
            LimitKind::FailedAuthorizations => &mut limits.failed_authorizations,
        };
        if place.replace(limit).is_some() {
            return Err(format!("{} stands there twice", kind.as_str()));
        }
    }
    Ok(limits)
}
