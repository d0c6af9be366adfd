//! Certificates for names that clients ask for: off unless somebody is named who permits them.

use std::time::Duration;

use url::Url;

use super::{DAY, HOUR, SECOND, rate};
use crate::{
    config::OnDemandConfig,
    settings::{
        SettingsError,
        known::{
            ON_DEMAND_ALLOWED_FOR, ON_DEMAND_DENIED_FOR, ON_DEMAND_NAMES,
            ON_DEMAND_PERMISSION_TIMEOUT, ON_DEMAND_PERMISSION_URL, ON_DEMAND_WAIT,
            ON_DEMAND_WAITING,
        },
        section::{Section, found, plain, within},
    },
};

/// What the settings say of them.
pub(super) fn config(flat: &Section<'_>) -> Result<Option<OnDemandConfig>, SettingsError> {
    let Some(permission_url) = flat.optional(&ON_DEMAND_PERMISSION_URL, url)? else {
        return Ok(None);
    };
    let (names, per) = flat.required(&ON_DEMAND_NAMES, rate::rate)?;
    let remembered = || within(SECOND, 30 * DAY);
    Ok(Some(OnDemandConfig {
        permission_url,
        permission_timeout: flat.required(
            &ON_DEMAND_PERMISSION_TIMEOUT,
            within(Duration::from_millis(100), HOUR / 60),
        )?,
        allowed_for: flat.required(&ON_DEMAND_ALLOWED_FOR, remembered())?,
        denied_for: flat.required(&ON_DEMAND_DENIED_FOR, remembered())?,
        wait: flat.required(&ON_DEMAND_WAIT, within(SECOND, 300 * SECOND))?,
        waiting: flat.required(&ON_DEMAND_WAITING, plain)?,
        names,
        per,
    }))
}

fn url(text: &str) -> Result<Url, String> {
    let url: Url = text
        .parse()
        .map_err(|error| format!("{}, which is no URL: {error}", found(text)))?;
    if matches!(url.scheme(), "http" | "https") && url.has_host() {
        Ok(url)
    } else {
        Err(found(text))
    }
}
