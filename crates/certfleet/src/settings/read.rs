//! From settings to a configuration: each value read into its type.

mod certificates;
mod issuers;
mod on_demand;
mod providers;
mod rate;
mod terms;

use std::{net::SocketAddr, num::NonZeroU16, path::Path, time::Duration};

use certfleet_core::{NodeId, retry::RetrySchedule};
use certfleet_tls::Networks;

use super::{
    MAIN, Setting, Settings, SettingsError,
    known::{
        ADMIN_ADDR, ADMIN_TOKEN, ADMIN_TOKEN_FILE, CHALLENGE_ALLOW, CHALLENGE_BURST,
        CHALLENGE_RATE, DATA_DIR, DRAIN_PAUSE, DRAIN_TIMEOUT, FLEET, HTTP_ADDR, HTTPS_ADDR,
        LEASE_TTL, NODE_ID, ORDERS_PER_FLEET, ORDERS_PER_NODE, PROXY_PROTOCOL_FROM,
        PUBLIC_HTTPS_PORT, REDIS_URL, RENEW_CHECK_INTERVAL, RETRY_FIRST, RETRY_SLOW, RETRY_TRIES,
        START_PAUSE,
    },
    master_key,
    secret::Pair,
    section::{Section, found, plain, told, within},
};
use crate::config::{BackendConfig, Choices, Config, RedisUrl, Secret};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

const TOKEN: Pair = Pair {
    given: &ADMIN_TOKEN,
    file: &ADMIN_TOKEN_FILE,
};

pub(super) fn config(settings: &Settings) -> Result<Config, SettingsError> {
    let flat = Section::flat(settings);
    let fleet = flat.required(&FLEET, plain)?;
    let node = flat
        .optional(&NODE_ID, plain)?
        .unwrap_or_else(|| node_of_host(settings.host.as_deref()));
    let data_dir = flat.optional(&DATA_DIR, plain)?;
    let backend = backend(&flat, data_dir.as_deref())?;
    let issuers = issuers::all(settings, data_dir.as_deref())?;
    let dns = providers::all(settings)?;
    let terms = terms::fleet(&flat, &issuers, &dns)?;
    let choices = Choices {
        terms: &terms,
        issuers: &issuers,
        dns: &dns,
    };
    let certificates = certificates::all(settings, &choices)?;
    let keys = master_key::ring(settings)?;
    let http_addr = flat.required(&HTTP_ADDR, plain)?;
    let https_addr = flat.required(&HTTPS_ADDR, plain)?;
    let admin_addr = flat.required(&ADMIN_ADDR, plain)?;
    apart(&flat, &HTTPS_ADDR, https_addr, &HTTP_ADDR, http_addr)?;
    apart(&flat, &ADMIN_ADDR, admin_addr, &HTTP_ADDR, http_addr)?;
    apart(&flat, &ADMIN_ADDR, admin_addr, &HTTPS_ADDR, https_addr)?;
    let pause = || within(Duration::ZERO, HOUR);
    Ok(Config {
        fleet,
        node,
        backend,
        certificates,
        terms,
        issuers,
        dns,
        dns_lookup: providers::lookup(&flat)?,
        dns_propagation_timeout: providers::propagation_timeout(&flat)?,
        on_demand: on_demand::config(&flat)?,
        retry: retry(&flat)?,
        orders_per_node: flat.required(&ORDERS_PER_NODE, plain)?,
        orders_per_fleet: flat.required(&ORDERS_PER_FLEET, plain)?,
        keys,
        http_addr,
        https_addr,
        public_https_port: flat.required(&PUBLIC_HTTPS_PORT, port)?,
        proxy_protocol_from: flat
            .optional(&PROXY_PROTOCOL_FROM, networks)?
            .unwrap_or_default(),
        challenge_allow: flat.required(&CHALLENGE_ALLOW, networks)?,
        challenge_rate: flat.required(&CHALLENGE_RATE, plain)?,
        challenge_burst: flat.required(&CHALLENGE_BURST, plain)?,
        admin_addr,
        admin_token: TOKEN.read(&flat, token)?,
        data_dir,
        lease_ttl: flat.required(&LEASE_TTL, within(SECOND, HOUR))?,
        renew_check_interval: flat.required(&RENEW_CHECK_INTERVAL, within(SECOND / 10, DAY))?,
        start_pause: flat.required(&START_PAUSE, pause())?,
        drain_pause: flat.required(&DRAIN_PAUSE, pause())?,
        drain_timeout: flat.required(&DRAIN_TIMEOUT, pause())?,
    })
}

fn backend(flat: &Section<'_>, data_dir: Option<&Path>) -> Result<BackendConfig, SettingsError> {
    let url = flat.optional(&REDIS_URL, |text| {
        text.parse::<RedisUrl>()
            .map_err(|problem| format!("the value (not shown, it may hold a password): {problem}"))
    })?;
    match (url, data_dir) {
        (Some(url), _) => Ok(BackendConfig::Redis { url }),
        (None, Some(data_dir)) => Ok(BackendConfig::Local {
            data_dir: data_dir.join("store"),
        }),
        (None, None) => Err(SettingsError::Missing {
            setting: &REDIS_URL,
            wanted: format!(
                "{}; or, for one node with no Redis, {}",
                REDIS_URL.wanted(),
                DATA_DIR.variable()
            ),
        }),
    }
}

fn retry(flat: &Section<'_>) -> Result<RetrySchedule, SettingsError> {
    let tries = flat.required(&RETRY_TRIES, |text| match plain(text)? {
        tries @ 1..=100 => Ok(tries),
        _ => Err(found(text)),
    })?;
    Ok(RetrySchedule {
        first: flat.required(&RETRY_FIRST, within(SECOND, DAY))?,
        tries,
        slow: flat.required(&RETRY_SLOW, within(60 * SECOND, DAY))?,
        ..RetrySchedule::default()
    })
}

/// Enough to be no word, and nothing that a header cannot carry.
fn token(text: &str) -> Result<Secret, String> {
    let text = text.trim();
    if !(16..=256).contains(&text.len()) {
        Err(format!("it has {} characters", text.chars().count()))
    } else if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        Err("it has a space, or a character that is not ASCII".to_owned())
    } else {
        Ok(Secret::new(text))
    }
}

fn port(text: &str) -> Result<u16, String> {
    plain(text).map(NonZeroU16::get)
}

fn networks(text: &str) -> Result<Networks, String> {
    told(text)
}

/// The host's name in a node's characters; `node` if there is none.
fn node_of_host(host: Option<&str>) -> NodeId {
    let clean: String = host
        .unwrap_or_default()
        .chars()
        .take(128)
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') {
                c
            } else {
                '-'
            }
        })
        .collect();
    let name = if clean.is_empty() { "node" } else { &clean };
    name.parse()
        .expect("up to 128 characters that a node's name may have")
}

/// Two listeners cannot have one address; port 0 is another port each time.
fn apart(
    flat: &Section<'_>,
    setting: &'static Setting,
    addr: SocketAddr,
    other: &'static Setting,
    taken: SocketAddr,
) -> Result<(), SettingsError> {
    if addr.port() == 0 || addr != taken {
        return Ok(());
    }
    // Of the two, tell of the one that somebody set.
    let set = if flat.value(setting).is_some() {
        setting
    } else {
        other
    };
    let clash = format!("{addr} is both {} and {}", setting.key, other.key);
    Err(flat.invalid(set, clash))
}

#[cfg(test)]
mod tests;
