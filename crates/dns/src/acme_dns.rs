//! acme-dns: a DNS server for challenges alone, that `_acme-challenge` names point to by CNAME.
//!
//! An account owns one subdomain and its two newest values; an update pushes the oldest out, and
//! there is no way to remove one, so [`DnsProvider::remove`] does nothing. One account serves the
//! names whose `_acme-challenge` points at its subdomain.

use async_trait::async_trait;
use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use crate::{
    DnsError, DnsProvider, TxtRecord,
    call::{Turns, place},
    http::Service,
    options::{Options, Problem},
    record::normal,
};

/// An account at an acme-dns server.
#[derive(Debug)]
pub(crate) struct AcmeDns {
    service: Service,
    headers: HeaderMap,
    subdomain: String,
    turns: Turns,
}

impl AcmeDns {
    pub(crate) fn new(options: &Options) -> Result<Self, Problem> {
        let mut headers = HeaderMap::new();
        for (header, option) in [("x-api-user", "username"), ("x-api-key", "password")] {
            let mut value = HeaderValue::from_str(options.get(option))
                .map_err(|_| Problem(format!("the option {option} cannot stand in a header")))?;
            value.set_sensitive(true);
            headers.insert(header, value);
        }
        Ok(Self {
            service: Service::new(options, "server")?,
            headers,
            subdomain: normal(options.get("subdomain")),
            turns: Turns::default(),
        })
    }
}

#[async_trait]
impl DnsProvider for AcmeDns {
    fn name(&self) -> &str {
        self.service.options().kind().name
    }

    async fn set(&self, record: &TxtRecord) -> Result<(), DnsError> {
        let place = place(self.service.options(), record);
        let label = record.name.split('.').next();
        if label != Some(&self.subdomain) {
            return Err(DnsError::Rejected {
                place,
                problem: format!(
                    "it is not the account's subdomain {}; point the CNAME of _acme-challenge there",
                    self.subdomain
                ),
            });
        }
        let request = self
            .service
            .post("update")
            .headers(self.headers.clone())
            .json(&json!({"subdomain": self.subdomain, "txt": record.value}));
        let call = async {
            let body = self.service.send(request, &place).await?;
            let answer: Option<Value> = serde_json::from_slice(&body).ok();
            if answer.is_some_and(|answer| answer["txt"] == record.value) {
                return Ok(());
            }
            Err(DnsError::Unavailable {
                place: place.clone(),
                problem: "the answer does not repeat the value; is this an acme-dns server?".into(),
            })
        };
        self.turns.take(&place, call).await
    }

    async fn remove(&self, _record: &TxtRecord) -> Result<(), DnsError> {
        Ok(())
    }
}
