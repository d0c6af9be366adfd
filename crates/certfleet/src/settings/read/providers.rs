//! The accounts at DNS providers: the one called `main` from the flat settings, and the tables
//! `[dns.NAME]`; and how the DNS is asked.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    path::Path,
    time::Duration,
};

use certfleet_core::ProviderName;
use certfleet_dns::{ConfigError, LookupConfig, Propagation, ProviderConfig, Secret};

use super::{HOUR, MAIN, SECOND, port};
use crate::settings::{
    Settings, SettingsError, Value,
    known::{
        DNS_AUTHORITATIVE_PORT, DNS_OPTIONS, DNS_OPTIONS_FILE, DNS_PROPAGATION,
        DNS_PROPAGATION_TIMEOUT, DNS_PROVIDER, DNS_RESOLVERS,
        tables::{DNS_OPTION, PROVIDER},
    },
    secret::{Pair, both, in_file, read_file},
    section::{Section, found, within},
};

/// What a key ends with whose value is the path of a file that holds the option.
const FILE: &str = "_file";
/// The port that resolvers answer on.
const PORT: u16 = 53;

const OPTIONS: Pair = Pair {
    given: &DNS_OPTIONS,
    file: &DNS_OPTIONS_FILE,
};

type Options = BTreeMap<String, Secret>;

/// All of them.
pub(super) fn all(
    settings: &Settings,
) -> Result<BTreeMap<ProviderName, ProviderConfig>, SettingsError> {
    let flat = Section::flat(settings);
    let mut providers = BTreeMap::new();
    let options = OPTIONS.read(&flat, flat_options)?;
    if let Some(kind) = flat.value(&DNS_PROVIDER) {
        let provider = ProviderConfig::new(&kind.text, options.unwrap_or_default());
        let provider = provider.map_err(|error| {
            let about = match (&error, OPTIONS.value(&flat)) {
                (ConfigError::UnknownKind { .. }, _) | (_, Err(_) | Ok(None)) => kind,
                (_, Ok(Some(options))) => options,
            };
            unfit(about, &error)
        })?;
        let main = MAIN.parse().expect("it has 1 to 63 of the characters a-z");
        providers.insert(main, provider);
    } else if let Some(options) = OPTIONS.value(&flat)? {
        return Err(SettingsError::Invalid {
            place: options.place(),
            found: "there is no provider they are for".to_owned(),
            wanted: format!("{} as well", DNS_PROVIDER.key),
        });
    }
    for name in Section::names(settings, &PROVIDER) {
        let table = Section::table(settings, &PROVIDER, name);
        let provider = provider(&table)?;
        let name: ProviderName = name.parse().expect("a table's name was checked when set");
        if providers.insert(name, provider).is_some() {
            return Err(SettingsError::Both {
                first: flat.place(&DNS_PROVIDER),
                second: table.place(&DNS_PROVIDER),
            });
        }
    }
    Ok(providers)
}

/// How the DNS is asked.
pub(super) fn lookup(flat: &Section<'_>) -> Result<LookupConfig, SettingsError> {
    Ok(LookupConfig {
        nameservers: flat
            .optional(&DNS_RESOLVERS, resolvers)?
            .unwrap_or_default(),
        authoritative_port: flat.required(&DNS_AUTHORITATIVE_PORT, port)?,
        propagation: flat.required(&DNS_PROPAGATION, |text| match text {
            "authoritative" => Ok(Propagation::Authoritative),
            other => within(SECOND, HOUR)(other).map(Propagation::Wait),
        })?,
        ..LookupConfig::default()
    })
}

/// How long a record may take to be published.
pub(super) fn propagation_timeout(flat: &Section<'_>) -> Result<Duration, SettingsError> {
    flat.required(&DNS_PROPAGATION_TIMEOUT, within(SECOND, HOUR))
}

fn provider(table: &Section<'_>) -> Result<ProviderConfig, SettingsError> {
    let kind = table.required(&DNS_PROVIDER, |text| Ok(text.to_owned()))?;
    let mut options: BTreeMap<String, (Secret, &Value)> = BTreeMap::new();
    for (key, value) in table.others() {
        let (option, secret) = option(&kind, key, value)?;
        if let Some((_, first)) = options.insert(option, (secret, value)) {
            return Err(both(first, value));
        }
    }
    let given = options
        .iter()
        .map(|(option, (secret, _))| (option.clone(), secret.clone()))
        .collect();
    ProviderConfig::new(&kind, given).map_err(|error| {
        let kind = table.value(&DNS_PROVIDER);
        let about = match &error {
            ConfigError::UnknownOption { option, .. } => options.get(option).map(|(_, at)| *at),
            _ => None,
        };
        let about = about.or(kind).expect("the kind was just read");
        unfit(about, &error)
    })
}

/// An option and its value, which may be in a file.
fn option(kind: &str, key: &str, value: &Value) -> Result<(String, Secret), SettingsError> {
    let given = || (key.to_owned(), Secret::from(value.text.as_str()));
    // Some kinds have options of their own that end so.
    let is_option = certfleet_dns::kinds()
        .iter()
        .find(|known| known.name == kind)
        .is_some_and(|kind| kind.all_options().any(|option| option.name == key));
    let Some(option) = key.strip_suffix(FILE).filter(|_| !is_option) else {
        return Ok(given());
    };
    match read_file(Path::new(value.text.as_str())) {
        Ok(text) => Ok((option.to_owned(), Secret::from(text.trim()))),
        Err(problem) => Err(SettingsError::Invalid {
            place: value.place(),
            found: in_file(value, &problem),
            wanted: format!("the path of a file that holds {option}"),
        }),
    }
}

fn unfit(about: &Value, error: &ConfigError) -> SettingsError {
    SettingsError::Invalid {
        place: about.place(),
        found: error.to_string(),
        wanted: if about.setting == &DNS_OPTION {
            "an option of the provider".to_owned()
        } else {
            about.setting.wanted()
        },
    }
}

/// `KEY=VALUE`, on lines of their own or separated by commas.
fn flat_options(text: &str) -> Result<Options, String> {
    let separator = if text.contains('\n') { '\n' } else { ',' };
    let mut options = Options::new();
    let parts = text.split(separator).map(str::trim);
    for (i, part) in parts.filter(|part| !part.is_empty()).enumerate() {
        let option = part.split_once('=');
        let (key, value) = option.ok_or_else(|| format!("part {} has no =", i + 1))?;
        let (key, value) = (key.trim(), value.trim());
        if options
            .insert(key.to_owned(), Secret::from(value))
            .is_some()
        {
            return Err(format!("{key:?} stands there twice"));
        }
    }
    Ok(options)
}

fn resolvers(text: &str) -> Result<Vec<SocketAddr>, String> {
    let resolver = |text: &str| {
        let address = text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, PORT));
        address.or_else(|_| text.parse()).map_err(|_| found(text))
    };
    text.split(',').map(str::trim).map(resolver).collect()
}
