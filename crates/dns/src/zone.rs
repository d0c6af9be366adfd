//! The zone a provider's record belongs to: told by the option `zone`, else found by its SOA.

use crate::{
    DnsError, Lookup, Place,
    record::{normal, within},
};

/// How a provider finds the zone of a record.
#[derive(Clone, Debug)]
pub(crate) struct ZoneFinder {
    told: Option<String>,
    lookup: Lookup,
}

impl ZoneFinder {
    pub(crate) fn new(told: Option<&str>, lookup: &Lookup) -> Self {
        Self {
            told: told.map(normal),
            lookup: lookup.clone(),
        }
    }

    /// The zone of the record at `place`.
    pub(crate) async fn find(&self, place: &Place) -> Result<String, DnsError> {
        match &self.told {
            None => self.lookup.zone(&place.record).await,
            Some(zone) if within(&place.record, zone) => Ok(zone.clone()),
            Some(zone) => Err(DnsError::NoZone {
                place: place.clone(),
                problem: format!("the record lies outside the option zone, {zone}"),
            }),
        }
    }
}
