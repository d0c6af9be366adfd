//! The tables a file may hold: `[issuer.NAME]`, `[dns.NAME]` and `[[certificates]]`.
//!
//! A table's keys are settings of [`ALL`](super::ALL) under shorter names, so that each is
//! described once; a few stand in tables alone. A path such as `issuer.le.directory` names one
//! value. Only a DNS provider's own options are not listed: the provider knows them.

use certfleet_core::{IssuerName, ProviderName};

use super::{
    ACME_CA_FILE, ACME_DIRECTORY, ACME_EAB_ALGORITHM, ACME_EAB_KEY_ID, ACME_EAB_MAC_KEY,
    ACME_EAB_MAC_KEY_FILE, ALL, CHALLENGES, DNS_PROVIDER, EMAIL, ISSUERS, KEY_TYPE,
    PREFERRED_CHAIN, PROFILE, RATE_LIMITS, RENEW_BEFORE, REUSE_KEY, Setting, VALIDITY,
};

/// A kind of table.
#[derive(Debug)]
pub struct Table {
    /// The first part of its paths.
    pub name: &'static str,
    /// How its header is written.
    pub header: &'static str,
    /// What one of them describes.
    pub about: &'static str,
    /// Its keys, and the setting that each of them is.
    pub fields: &'static [(&'static str, &'static Setting)],
    /// What any further key is, if there may be any.
    pub others: Option<&'static Setting>,
    /// Whether a text is good for the second part of its paths.
    names: fn(&str) -> bool,
}

/// `names` of a certificate.
pub static NAMES: Setting = Setting {
    key: "names",
    about: "the names and addresses of the certificate",
    form: "a list of domain names and IP addresses",
    example: "[\"example.com\", \"*.example.com\"]",
    default: None,
    secret: false,
};

/// `dns` of a certificate.
pub static DNS: Setting = Setting {
    key: "dns",
    about: "the DNS provider for dns-01; the one called main, or the only one, if not set",
    form: "the name of a DNS provider",
    example: "main",
    default: None,
    secret: false,
};

/// An option of a DNS provider.
pub static DNS_OPTION: Setting = Setting {
    key: "option",
    about: "an option of the provider; with _file behind its key, the path of a file that holds it",
    form: "what the provider asks for",
    example: "token_file = \"/run/secrets/dns\"",
    default: None,
    secret: true,
};

/// The issuers, each by its name.
pub static ISSUER: Table = Table {
    name: "issuer",
    header: "[issuer.NAME]",
    about: "an issuer; the flat settings describe the one called main",
    fields: &[
        ("directory", &ACME_DIRECTORY),
        ("ca_file", &ACME_CA_FILE),
        ("email", &EMAIL),
        ("eab_key_id", &ACME_EAB_KEY_ID),
        ("eab_mac_key", &ACME_EAB_MAC_KEY),
        ("eab_mac_key_file", &ACME_EAB_MAC_KEY_FILE),
        ("eab_algorithm", &ACME_EAB_ALGORITHM),
        ("rate_limits", &RATE_LIMITS),
    ],
    others: None,
    names: |name| name.parse::<IssuerName>().is_ok(),
};

/// The DNS providers, each by its name.
pub static PROVIDER: Table = Table {
    name: "dns",
    header: "[dns.NAME]",
    about: "a DNS provider; dns_provider and dns_options describe the one called main",
    fields: &[("provider", &DNS_PROVIDER)],
    others: Some(&DNS_OPTION),
    names: |name| name.parse::<ProviderName>().is_ok(),
};

/// The certificates with terms of their own, counted from 1.
pub static CERTIFICATE: Table = Table {
    name: "certificates",
    header: "[[certificates]]",
    about: "a certificate with terms of its own; what it does not say is as the flat settings say",
    fields: &[
        ("names", &NAMES),
        ("issuers", &ISSUERS),
        ("challenges", &CHALLENGES),
        ("dns", &DNS),
        ("key_type", &KEY_TYPE),
        ("reuse_key", &REUSE_KEY),
        ("profile", &PROFILE),
        ("chain", &PREFERRED_CHAIN),
        ("validity", &VALIDITY),
        ("renew_before", &RENEW_BEFORE),
    ],
    others: None,
    names: |number| number.parse::<u32>().is_ok(),
};

/// All of them.
pub static TABLES: [&Table; 3] = [&ISSUER, &PROVIDER, &CERTIFICATE];

impl Table {
    /// The key that `setting` has in it.
    #[must_use]
    pub fn key_of(&self, setting: &Setting) -> Option<&'static str> {
        let field = self.fields.iter().find(|(_, field)| *field == setting);
        field.map(|(key, _)| *key)
    }

    fn nearest(&self, key: &str) -> &'static str {
        let fields = self.fields.iter().map(|(field, _)| *field);
        fields
            .min_by_key(|field| strsim::damerau_levenshtein(field, key))
            .expect("every table has fields")
    }
}

/// Why a path leads to no setting.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stray {
    /// There is no such key; the nearest that there is.
    Unknown(String),
    /// It is a table, or its name, and holds a plain value.
    Plain(&'static str),
    /// The table's name cannot be one.
    Name(&'static str),
}

/// The setting at a path that is no flat key.
pub(crate) fn resolve(path: &str) -> Result<&'static Setting, Stray> {
    let mut parts = path.splitn(3, '.');
    let first = parts.next().unwrap_or_default();
    let rest = (parts.next(), parts.next());
    let Some(table) = TABLES.into_iter().find(|table| table.name == first) else {
        return Err(Stray::Unknown(nearest(path, first)));
    };
    match rest {
        (Some(name), _) if !(table.names)(name) => Err(Stray::Name(table.header)),
        (Some(name), Some(key)) => {
            let field = table.fields.iter().find(|(field, _)| *field == key);
            let other = table.others.filter(|_| !key.contains('.'));
            let setting = field.map(|(_, setting)| *setting).or(other);
            let nearest = || format!("{first}.{name}.{}", table.nearest(key));
            setting.ok_or_else(|| Stray::Unknown(nearest()))
        }
        _ => Err(Stray::Plain(table.header)),
    }
}

/// The path most like this one, whose first part is no table.
fn nearest(path: &str, first: &str) -> String {
    let flat = Setting::nearest(path);
    let distance = |known: &str, text: &str| strsim::damerau_levenshtein(known, text);
    let table = TABLES
        .into_iter()
        .min_by_key(|table| distance(table.name, first))
        .filter(|table| distance(table.name, first) < distance(flat.key, path));
    match (table, path.split_once('.')) {
        (Some(table), Some((_, rest))) => format!("{}.{rest}", table.name),
        _ => flat.key.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_to_settings() {
        for (path, setting) in [
            ("issuer.le.directory", &ACME_DIRECTORY),
            ("issuer.le.rate_limits", &RATE_LIMITS),
            ("dns.cf.provider", &DNS_PROVIDER),
            ("dns.cf.token", &DNS_OPTION),
            ("certificates.12.names", &NAMES),
            ("certificates.1.chain", &PREFERRED_CHAIN),
        ] {
            assert_eq!(resolve(path), Ok(setting), "{path}");
        }
    }

    #[test]
    fn strays_find_their_neighbours() {
        let unknown = |nearest: &str| Stray::Unknown(nearest.to_owned());
        for (path, stray) in [
            ("issuer.le.emial", unknown("issuer.le.email")),
            ("issuers.le.directory", unknown("issuer.le.directory")),
            ("redis.url", unknown("redis_url")),
            ("certificate.1.names", unknown("certificates.1.names")),
            ("certificates.1.key", unknown("certificates.1.dns")),
            ("dns.cf.api.token", unknown("dns.cf.provider")),
            ("issuer", Stray::Plain("[issuer.NAME]")),
            ("issuer.le", Stray::Plain("[issuer.NAME]")),
            ("issuer.Le!.directory", Stray::Name("[issuer.NAME]")),
            ("certificates.first.names", Stray::Name("[[certificates]]")),
        ] {
            assert_eq!(resolve(path), Err(stray), "{path}");
        }
    }

    #[test]
    fn every_field_of_a_table_but_its_own_is_a_flat_setting() {
        for table in TABLES {
            for (key, setting) in table.fields {
                let own = [&NAMES, &DNS].contains(setting);
                assert!(own || ALL.contains(setting), "{} {key}", table.name);
            }
        }
    }
}
