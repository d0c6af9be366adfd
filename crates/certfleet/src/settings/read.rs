//! From settings to a configuration: each value read into its type, in the order of the table.

use std::{
    collections::BTreeSet, fmt, net::SocketAddr, num::NonZeroU16, path::Path, str::FromStr,
    time::Duration,
};

use certfleet_acme::{AcmeConfig, ConfigError, Directory};
use certfleet_core::{NameSet, NodeId};
use certfleet_tls::{Networks, NetworksError};

use super::{
    Setting, Settings, SettingsError, duration,
    known::{
        ACME_CA_FILE, ACME_DIRECTORY, ADMIN_ADDR, CHALLENGE_ALLOW, CHALLENGE_BURST, CHALLENGE_RATE,
        DATA_DIR, DOMAINS, DRAIN_PAUSE, DRAIN_TIMEOUT, EMAIL, FLEET, HTTP_ADDR, HTTPS_ADDR,
        LEASE_TTL, NODE_ID, PROXY_PROTOCOL_FROM, PUBLIC_HTTPS_PORT, REDIS_URL, RENEW_BEFORE,
        RENEW_CHECK_INTERVAL, START_PAUSE,
    },
    master_key,
};
use crate::config::{BackendConfig, Config, IssuerConfig, RedisUrl};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

pub(super) fn config(settings: &Settings) -> Result<Config, SettingsError> {
    let fleet = required(settings, &FLEET, plain)?;
    let node = optional(settings, &NODE_ID, plain)?
        .unwrap_or_else(|| node_of_host(settings.host.as_deref()));
    let data_dir = optional(settings, &DATA_DIR, plain)?;
    let backend = backend(settings, data_dir.as_deref())?;
    let certificates = required(settings, &DOMAINS, domains)?;
    let issuer = issuer(settings, &certificates, data_dir.as_deref())?;
    let keys = master_key::ring(settings)?;
    let http_addr = required(settings, &HTTP_ADDR, plain)?;
    let https_addr = required(settings, &HTTPS_ADDR, plain)?;
    let admin_addr = required(settings, &ADMIN_ADDR, plain)?;
    apart(settings, &HTTPS_ADDR, https_addr, &HTTP_ADDR, http_addr)?;
    apart(settings, &ADMIN_ADDR, admin_addr, &HTTP_ADDR, http_addr)?;
    apart(settings, &ADMIN_ADDR, admin_addr, &HTTPS_ADDR, https_addr)?;
    Ok(Config {
        fleet,
        node,
        backend,
        certificates,
        issuer,
        keys,
        http_addr,
        https_addr,
        public_https_port: required(settings, &PUBLIC_HTTPS_PORT, port)?,
        proxy_protocol_from: optional(settings, &PROXY_PROTOCOL_FROM, networks)?
            .unwrap_or_default(),
        challenge_allow: required(settings, &CHALLENGE_ALLOW, networks)?,
        challenge_rate: required(settings, &CHALLENGE_RATE, plain)?,
        challenge_burst: required(settings, &CHALLENGE_BURST, plain)?,
        admin_addr,
        data_dir,
        lease_ttl: required(settings, &LEASE_TTL, within(SECOND, HOUR))?,
        renew_check_interval: required(settings, &RENEW_CHECK_INTERVAL, within(SECOND / 10, DAY))?,
        renew_before: required(settings, &RENEW_BEFORE, within(SECOND, 365 * DAY))?,
        start_pause: required(settings, &START_PAUSE, within(Duration::ZERO, HOUR))?,
        drain_pause: required(settings, &DRAIN_PAUSE, within(Duration::ZERO, HOUR))?,
        drain_timeout: required(settings, &DRAIN_TIMEOUT, within(Duration::ZERO, HOUR))?,
    })
}

fn backend(settings: &Settings, data_dir: Option<&Path>) -> Result<BackendConfig, SettingsError> {
    let url = optional(settings, &REDIS_URL, |text| {
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

fn issuer(
    settings: &Settings,
    certificates: &[NameSet],
    data_dir: Option<&Path>,
) -> Result<IssuerConfig, SettingsError> {
    let directory = required(settings, &ACME_DIRECTORY, |text| match text {
        "built-in" => Ok(None),
        other => directory(other).map(Some),
    })?;
    let Some(directory) = directory else {
        let data_dir = data_dir.ok_or_else(|| SettingsError::Missing {
            setting: &DATA_DIR,
            wanted: format!(
                "{}, to keep the root of the built-in CA in",
                DATA_DIR.wanted()
            ),
        })?;
        return Ok(IssuerConfig::BuiltIn {
            dir: data_dir.join("ca"),
        });
    };
    let wildcard = certificates
        .iter()
        .flatten()
        .find(|name| name.wildcard_base().is_some());
    if let Some(name) = wildcard {
        return Err(invalid(
            settings,
            &DOMAINS,
            format!("{name} is a wildcard, which no CA issues by HTTP-01 (RFC 8555 section 8.3)"),
        ));
    }
    let mut acme = AcmeConfig::new(directory);
    acme.ca_file = optional(settings, &ACME_CA_FILE, plain)?;
    acme.contact = optional(settings, &EMAIL, mail)?.into_iter().collect();
    Ok(IssuerConfig::Acme(acme))
}

fn directory(text: &str) -> Result<Directory, String> {
    text.parse().map_err(|error| match error {
        ConfigError::Directory { problem, .. } => format!("{}, which {problem}", found(text)),
        other => other.to_string(),
    })
}

fn port(text: &str) -> Result<u16, String> {
    plain(text).map(NonZeroU16::get)
}

fn networks(text: &str) -> Result<Networks, String> {
    text.parse()
        .map_err(|error: NetworksError| error.to_string())
}

fn domains(text: &str) -> Result<Vec<NameSet>, String> {
    let mut seen = BTreeSet::new();
    text.split(',')
        .map(|names| {
            let names: NameSet = names.trim().parse().map_err(|error| format!("{error}"))?;
            if seen.insert(names.id()) {
                Ok(names)
            } else {
                Err(format!("{names} stands there twice"))
            }
        })
        .collect()
}

fn mail(text: &str) -> Result<String, String> {
    let good = text.split_once('@').is_some_and(|(user, host)| {
        !user.is_empty()
            && !user.contains([':', ' '])
            && !host.is_empty()
            && !host.contains(['@', ' '])
    });
    if good {
        Ok(text.to_owned())
    } else {
        Err(found(text))
    }
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
    settings: &Settings,
    setting: &'static Setting,
    addr: SocketAddr,
    other: &'static Setting,
    taken: SocketAddr,
) -> Result<(), SettingsError> {
    if addr.port() == 0 || addr != taken {
        return Ok(());
    }
    // Of the two, tell of the one that somebody set.
    let set = if settings.place(setting).is_some() {
        setting
    } else {
        other
    };
    let clash = format!("{addr} is both {} and {}", setting.key, other.key);
    Err(invalid(settings, set, clash))
}

fn required<T>(
    settings: &Settings,
    setting: &'static Setting,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<T, SettingsError> {
    optional(settings, setting, parse)?.ok_or_else(|| SettingsError::Missing {
        setting,
        wanted: setting.wanted(),
    })
}

fn optional<T>(
    settings: &Settings,
    setting: &'static Setting,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<Option<T>, SettingsError> {
    settings
        .text(setting)
        .map(parse)
        .transpose()
        .map_err(|found| invalid(settings, setting, found))
}

fn invalid(settings: &Settings, setting: &'static Setting, found: String) -> SettingsError {
    let place = settings.place(setting);
    SettingsError::Invalid {
        place: place.expect("a default is good, so what is bad was set"),
        found,
        wanted: setting.wanted(),
    }
}

fn plain<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| found(text))
}

fn within(least: Duration, most: Duration) -> impl FnOnce(&str) -> Result<Duration, String> {
    move |text| {
        duration::parse(text)
            .filter(|duration| (least..=most).contains(duration))
            .ok_or_else(|| found(text))
    }
}

/// What was found, on one line and not endless.
fn found(text: impl fmt::Display) -> String {
    let text = text.to_string();
    let shown: String = text.chars().take(80).collect();
    let more = if shown.len() < text.len() {
        " and more"
    } else {
        ""
    };
    format!("found {shown:?}{more}")
}

#[cfg(test)]
mod tests;
