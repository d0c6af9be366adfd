//! All kinds of provider there are, in one table: name, options, and how to make one.
//!
//! What the crate dns-update brings is all here, in the two halves of the table by alphabet; the
//! few that it lacks are implemented in this crate. A test makes every kind from its options.

mod a_to_h;
mod i_to_z;
mod own;

use std::{fmt, sync::Arc};

use dns_update::DnsUpdater;

use crate::{
    ConfigError, DnsProvider, Lookup, http,
    options::{Options, Problem, closest},
    updater::Updater,
};

/// A kind of provider.
pub struct Kind {
    /// Its name in configuration, such as `cloudflare`.
    pub name: &'static str,
    /// The service's own name.
    pub title: &'static str,
    /// The options of this kind alone; see [`Self::all_options`].
    pub options: &'static [OptionSpec],
    make: Make,
}

/// An option that a kind of provider takes.
#[derive(Clone, Copy, Debug)]
pub struct OptionSpec {
    /// Its name in configuration.
    pub name: &'static str,
    /// What it is.
    pub help: &'static str,
    /// Whether a provider cannot be made without it.
    pub required: bool,
    /// Whether its value must never be shown.
    pub secret: bool,
}

/// How a provider is made of its options.
enum Make {
    /// By dns-update, which adds to and takes from record sets; with the TTL of new records.
    Update(u32, MakeClient),
    /// By dns-update for a service that holds one TXT value a name, which replaces what stood.
    Single(MakeClient),
    /// By this crate, for a service that takes records by zone.
    Zoned(fn(&Options, &Lookup) -> Made),
    /// By this crate, for a service that finds the zone itself.
    Plain(fn(&Options) -> Made),
}

type MakeClient = fn(&Options) -> Result<DnsUpdater, Problem>;
type Made = Result<Arc<dyn DnsProvider>, Problem>;

/// The TTL of new records, in seconds, where the service has no other lower bound.
const TTL: u32 = 120;

const ZONE: OptionSpec = optional(
    "zone",
    "the zone of the records; found by its SOA if absent",
);
const LIFETIME: OptionSpec = optional("ttl", "the TTL of new records, in seconds");

impl Kind {
    /// Its options, with those that several kinds share.
    pub fn all_options(&self) -> impl Iterator<Item = &'static OptionSpec> + use<> {
        let common: &[OptionSpec] = match self.make {
            Make::Update(..) | Make::Zoned(_) => &[ZONE, LIFETIME],
            Make::Single(_) => &[ZONE],
            Make::Plain(_) => &[],
        };
        self.options.iter().chain(common)
    }

    /// Its options in words: the required ones, then the others in brackets.
    pub(crate) fn wanted(&self) -> String {
        let (required, others): (Vec<&OptionSpec>, Vec<&OptionSpec>) =
            self.all_options().partition(|option| option.required);
        let required = required.iter().map(|o| o.name.to_owned());
        let others = others.iter().map(|o| format!("[{}]", o.name));
        required.chain(others).collect::<Vec<_>>().join(", ")
    }

    /// The options that make its credentials, in words.
    pub(crate) fn credentials(&self) -> String {
        let mut options: Vec<_> = self.options.iter().collect();
        options.retain(|option| option.required || option.secret);
        let names: Vec<_> = options.iter().map(|option| option.name).collect();
        names.join(", ")
    }

    pub(crate) fn build(
        &self,
        options: &Options,
        lookup: &Lookup,
    ) -> Result<Arc<dyn DnsProvider>, ConfigError> {
        self.make
            .call(options, lookup)
            .map_err(|problem| options.invalid(&problem))
    }
}

impl Make {
    fn call(&self, options: &Options, lookup: &Lookup) -> Made {
        if matches!(self, Self::Update(..) | Self::Single(_)) {
            // dns-update panics where none can be made.
            http::client()?;
        }
        Ok(match self {
            Self::Update(ttl, make) => {
                Arc::new(Updater::adding(make(options)?, options, lookup, *ttl)?)
            }
            Self::Single(make) => Arc::new(Updater::replacing(make(options)?, options, lookup)),
            Self::Zoned(make) => make(options, lookup)?,
            Self::Plain(make) => make(options)?,
        })
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kind")
            .field("name", &self.name)
            .field("options", &self.wanted())
            .finish_non_exhaustive()
    }
}

/// Every kind of provider, by name.
#[must_use]
pub fn kinds() -> Vec<&'static Kind> {
    let mut all: Vec<_> = a_to_h::KINDS
        .iter()
        .chain(i_to_z::KINDS)
        .chain(own::KINDS)
        .collect();
    all.sort_by_key(|kind| kind.name);
    all
}

/// The kind called `name`.
pub(crate) fn find(name: &str) -> Result<&'static Kind, ConfigError> {
    let kinds = kinds();
    let names = || kinds.iter().map(|kind| kind.name);
    kinds
        .iter()
        .find(|kind| kind.name == name)
        .copied()
        .ok_or_else(|| ConfigError::UnknownKind {
            kind: name.to_owned(),
            closest: closest(name, names()),
            known: names().collect::<Vec<_>>().join(", "),
        })
}

const fn required(name: &'static str, help: &'static str) -> OptionSpec {
    OptionSpec {
        name,
        help,
        required: true,
        secret: false,
    }
}

const fn optional(name: &'static str, help: &'static str) -> OptionSpec {
    OptionSpec {
        required: false,
        ..required(name, help)
    }
}

const fn secret(name: &'static str, help: &'static str) -> OptionSpec {
    OptionSpec {
        secret: true,
        ..required(name, help)
    }
}

const fn optional_secret(name: &'static str, help: &'static str) -> OptionSpec {
    OptionSpec {
        required: false,
        ..secret(name, help)
    }
}

/// A kind that dns-update adds records for.
const fn update(
    name: &'static str,
    title: &'static str,
    options: &'static [OptionSpec],
    ttl: u32,
    make: MakeClient,
) -> Kind {
    Kind {
        name,
        title,
        options,
        make: Make::Update(ttl, make),
    }
}

/// A kind that dns-update replaces a name's only record for.
const fn single(
    name: &'static str,
    title: &'static str,
    options: &'static [OptionSpec],
    make: MakeClient,
) -> Kind {
    Kind {
        name,
        title,
        options,
        make: Make::Single(make),
    }
}
