//! An HTTP endpoint of one's own, in the form that lego's provider `httpreq` calls "default".
//!
//! `POST ENDPOINT/present` and `POST ENDPOINT/cleanup` carry `{"fqdn": "NAME.", "value": "…"}`
//! as JSON, with basic authentication if a username or password is set. Any 2xx status is success.
//! The endpoint must add the value beside others, and must take a cleanup of a value that is gone.

use async_trait::async_trait;
use serde_json::json;

use crate::{
    DnsError, DnsProvider, TxtRecord,
    call::{Turns, place},
    http::Service,
    options::{Options, Problem},
};

/// An endpoint that takes records.
#[derive(Debug)]
pub(crate) struct HttpReq {
    service: Service,
    turns: Turns,
}

impl HttpReq {
    pub(crate) fn new(options: &Options) -> Result<Self, Problem> {
        Ok(Self {
            service: Service::new(options, "endpoint")?,
            turns: Turns::default(),
        })
    }

    async fn send(&self, path: &str, record: &TxtRecord) -> Result<(), DnsError> {
        let options = self.service.options();
        let mut request = self.service.post(path).json(&json!({
            "fqdn": format!("{}.", record.name),
            "value": record.value,
        }));
        let (username, password) = (options.opt("username"), options.opt("password"));
        if username.is_some() || password.is_some() {
            request = request.basic_auth(username.unwrap_or_default(), password);
        }
        let place = place(options, record);
        let call = async { self.service.send(request, &place).await.map(drop) };
        self.turns.take(&place, call).await
    }
}

#[async_trait]
impl DnsProvider for HttpReq {
    fn name(&self) -> &str {
        self.service.options().kind().name
    }

    async fn set(&self, record: &TxtRecord) -> Result<(), DnsError> {
        self.send("present", record).await
    }

    async fn remove(&self, record: &TxtRecord) -> Result<(), DnsError> {
        self.send("cleanup", record).await
    }
}
