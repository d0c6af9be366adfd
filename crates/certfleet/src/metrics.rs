//! What Prometheus is told, in its naming conventions. Times are in seconds.
//!
//! Counters and histograms are kept by the tasks; gauges are set from the node's status as they
//! are read, so that they are never older than the scrape.

use certfleet_core::{CertificateId, Timestamp};
use certfleet_tls::Stats;
use prometheus::{
    Encoder, Gauge, GaugeVec, Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder, core::Collector,
};

use crate::status::Status;

/// The metrics of one node.
pub(crate) struct Metrics {
    registry: Registry,
    expiry: GaugeVec,
    generation: IntGaugeVec,
    epoch: IntGauge,
    store_up: IntGauge,
    ready: IntGauge,
    lease_held: IntGauge,
    handshakes: IntCounterVec,
    http_connections: IntCounterVec,
    on_demand: IntCounterVec,
    update_failures: IntCounterVec,
    alarms: IntGaugeVec,
    permissions: IntCounterVec,
    /// Tokens left in the emptiest bucket, by issuer and limit.
    pub(crate) budget_left: IntGaugeVec,
    /// Seconds by which this clock is behind the issuer's.
    pub(crate) clock_skew: IntGaugeVec,
    /// Orders by result: `issued`, or what kind of error.
    pub(crate) orders: IntCounterVec,
    /// Seconds from commit to live on this node.
    pub(crate) propagation: Histogram,
    /// Records that did not open or were not fit to serve.
    pub(crate) refused: IntCounter,
    /// Changes that the timer found and no message told.
    pub(crate) feed_missed: IntCounter,
    /// Tasks that died.
    pub(crate) task_deaths: IntCounter,
}

impl Metrics {
    /// All metrics at zero, the failures of each `wanted` certificate among them: a counter that
    /// first appears at 1 is an increase that no rule sees.
    pub(crate) fn new(wanted: &[CertificateId]) -> Self {
        let build = Gauge::with_opts(
            Opts::new(
                "certfleet_build_info",
                "Always 1; the version is in the label",
            )
            .const_label("version", env!("CARGO_PKG_VERSION")),
        )
        .expect("the name is valid");
        build.set(1.0);
        let metrics = Self {
            registry: Registry::new(),
            expiry: vec(
                GaugeVec::new,
                "certificate_expiry_seconds",
                "Seconds until the served certificate expires; negative once it has",
                "certificate",
            ),
            generation: vec(
                IntGaugeVec::new,
                "certfleet_certificate_generation",
                "Generation of the served certificate",
                "certificate",
            ),
            epoch: gauge(
                "certfleet_epoch",
                "Fleet-wide commits up to which this node serves everything",
            ),
            store_up: gauge(
                "certfleet_store_up",
                "1 if the fleet's store answered when last asked",
            ),
            ready: gauge("certfleet_ready", "1 if this node takes traffic"),
            lease_held: gauge("certfleet_lease_held", "Leases this node holds"),
            handshakes: vec(
                IntCounterVec::new,
                "certfleet_tls_handshakes_total",
                "TLS handshakes by result since the start",
                "result",
            ),
            http_connections: vec(
                IntCounterVec::new,
                "certfleet_http_connections_total",
                "Connections to the HTTP port by result (plain is success) since the start",
                "result",
            ),
            update_failures: vec(
                IntCounterVec::new,
                "certificate_update_failures_total",
                "Failed attempts to renew on this node",
                "certificate",
            ),
            on_demand: vec(
                IntCounterVec::new,
                "certfleet_on_demand_handshakes_total",
                "Handshakes for unknown names that asked for a certificate, by result",
                "result",
            ),
            alarms: vec(
                IntGaugeVec::new,
                "certificate_update_alarm",
                "1 while a run of attempts to renew has failed and this node made the last",
                "certificate",
            ),
            permissions: vec(
                IntCounterVec::new,
                "certfleet_on_demand_permissions_total",
                "Answers of the permission service to this node",
                "answer",
            ),
            budget_left: IntGaugeVec::new(
                Opts::new(
                    "certfleet_budget_left",
                    "Tokens left in the emptiest bucket of the issuer's rate limit",
                ),
                &["issuer", "limit"],
            )
            .expect("the name is valid"),
            clock_skew: vec(
                IntGaugeVec::new,
                "certfleet_clock_skew_seconds",
                "Seconds by which this node's clock is behind the issuer's",
                "issuer",
            ),
            orders: vec(
                IntCounterVec::new,
                "certfleet_orders_total",
                "Orders at the CA by result",
                "result",
            ),
            propagation: Histogram::with_opts(
                HistogramOpts::new(
                    "certfleet_propagation_seconds",
                    "Seconds from commit to live on this node, where a message told of it",
                )
                .buckets(vec![
                    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0, 30.0,
                ]),
            )
            .expect("the name is valid"),
            refused: counter(
                "certfleet_records_refused_total",
                "Stored records that did not open or were not fit to serve",
            ),
            feed_missed: counter(
                "certfleet_feed_missed_total",
                "Changes found by the timer that no message told",
            ),
            task_deaths: counter(
                "certfleet_task_deaths_total",
                "Tasks that died; each is a fault in certfleet",
            ),
        };
        for collector in metrics
            .collectors()
            .into_iter()
            .chain([Box::new(build) as Box<dyn Collector>])
        {
            metrics
                .registry
                .register(collector)
                .expect("each name is registered once");
        }
        for id in wanted {
            metrics.want(id);
        }
        metrics
    }

    /// Begins to count for a certificate.
    pub(crate) fn want(&self, id: &CertificateId) {
        self.update_failures.with_label_values(&[id.as_str()]);
    }

    /// An attempt has failed on this node.
    pub(crate) fn failed(&self, id: &CertificateId) {
        self.update_failures.with_label_values(&[id.as_str()]).inc();
    }

    /// A run of attempts has failed, the last of them on this node.
    pub(crate) fn alarm(&self, id: &CertificateId) {
        self.alarms.with_label_values(&[id.as_str()]).set(1);
    }

    /// A certificate is as it should be again, whoever got it.
    pub(crate) fn settled(&self, id: &CertificateId) {
        // An error says that there is no alarm, which is fine.
        let _ = self.alarms.remove_label_values(&[id.as_str()]);
    }

    /// A certificate is not served any more.
    pub(crate) fn forget(&self, id: &CertificateId) {
        self.settled(id);
        let _ = self.update_failures.remove_label_values(&[id.as_str()]);
    }

    /// The permission service has answered.
    pub(crate) fn permissions(&self, allowed: bool) {
        let answer = if allowed { "allowed" } else { "denied" };
        self.permissions.with_label_values(&[answer]).inc();
    }

    fn collectors(&self) -> Vec<Box<dyn Collector>> {
        vec![
            Box::new(self.expiry.clone()),
            Box::new(self.generation.clone()),
            Box::new(self.epoch.clone()),
            Box::new(self.store_up.clone()),
            Box::new(self.ready.clone()),
            Box::new(self.lease_held.clone()),
            Box::new(self.handshakes.clone()),
            Box::new(self.http_connections.clone()),
            Box::new(self.update_failures.clone()),
            Box::new(self.on_demand.clone()),
            Box::new(self.alarms.clone()),
            Box::new(self.permissions.clone()),
            Box::new(self.budget_left.clone()),
            Box::new(self.clock_skew.clone()),
            Box::new(self.orders.clone()),
            Box::new(self.propagation.clone()),
            Box::new(self.refused.clone()),
            Box::new(self.feed_missed.clone()),
            Box::new(self.task_deaths.clone()),
        ]
    }

    /// Counts a lease as held until the guard is dropped.
    pub(crate) fn hold_lease(&self) -> HeldLease {
        self.lease_held.inc();
        HeldLease(self.lease_held.clone())
    }

    /// The exposition text (version 0.0.4) at `now`.
    pub(crate) fn text(
        &self,
        status: &Status,
        https: &Stats,
        http: &Stats,
        now: Timestamp,
    ) -> String {
        self.epoch.set(signed(status.epoch.value()));
        self.store_up.set(i64::from(status.store_up));
        self.ready.set(i64::from(status.ready));
        self.expiry.reset();
        self.generation.reset();
        for certificate in &status.certificates {
            let label = &[certificate.id.as_str()];
            let left = (certificate.not_after.as_millis() - now.as_millis()) as f64 / 1000.0;
            self.expiry.with_label_values(label).set(left);
            self.generation
                .with_label_values(label)
                .set(signed(certificate.generation.value()));
        }
        set(&self.handshakes, https.counts());
        set(&self.on_demand, https.demand_counts());
        let plain = ("plain", http.plain());
        set(&self.http_connections, http.failed().chain([plain]));
        let mut text = Vec::new();
        TextEncoder::new()
            .encode(&self.registry.gather(), &mut text)
            .expect("writing to memory does not fail");
        String::from_utf8(text).expect("the exposition format is UTF-8")
    }
}

/// A lease counted as held.
pub(crate) struct HeldLease(IntGauge);

impl Drop for HeldLease {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Carries over what was counted elsewhere.
fn set(counters: &IntCounterVec, counts: impl Iterator<Item = (&'static str, u64)>) {
    for (result, count) in counts {
        let counter = counters.with_label_values(&[result]);
        counter.reset();
        counter.inc_by(count);
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn vec<T>(
    new: impl FnOnce(Opts, &[&str]) -> prometheus::Result<T>,
    name: &str,
    help: &str,
    label: &str,
) -> T {
    new(Opts::new(name, help), &[label]).expect("the name is valid")
}

fn gauge(name: &str, help: &str) -> IntGauge {
    IntGauge::new(name, help).expect("the name is valid")
}

fn counter(name: &str, help: &str) -> IntCounter {
    IntCounter::new(name, help).expect("the name is valid")
}
