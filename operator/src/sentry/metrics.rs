//! Our metrics, by the names Dapr gives them.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

/// Counted by the service, shown by the metrics server.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    /// Requests that arrived.
    pub(super) received: Counter,
    /// Requests that were signed.
    pub(super) signed: Counter,
    /// Requests whose signing failed, not those that were refused.
    pub(super) failed: Counter,
    /// Times the issuer files changed while running.
    pub(super) issuer_changed: Counter,
    /// End of the issuer, seconds since the epoch.
    pub(super) issuer_expiry: AtomicI64,
}

#[derive(Debug, Default)]
pub(super) struct Counter(AtomicU64);

impl Counter {
    pub(super) fn increment(&self) {
        self.0.fetch_add(1, Relaxed);
    }
}

impl Metrics {
    /// Prometheus text.
    pub(super) fn render(&self) -> String {
        let Self {
            received,
            signed,
            failed,
            issuer_changed,
            issuer_expiry,
        } = self;
        let mut out = String::with_capacity(4096);
        for (name, help, labels, counter) in [
            (
                "cert_sign_request_received_total",
                "The number of CSRs received.",
                "",
                received,
            ),
            (
                "cert_sign_success_total",
                "The number of certificates issued.",
                "",
                signed,
            ),
            (
                "cert_sign_failure_total",
                "The number of errors that occurred when signing a CSR.",
                "{reason=\"sign\"}",
                failed,
            ),
            (
                "issuercert_changed_total",
                "The number of changes of the issuer certificate or key.",
                "",
                issuer_changed,
            ),
        ] {
            let value = counter.0.load(Relaxed);
            let _ = write!(
                out,
                "# HELP dapr_sentry_{name} {help}\n# TYPE dapr_sentry_{name} counter\ndapr_sentry_{name}{labels} {value}\n",
            );
        }
        let _ = write!(
            out,
            "# HELP dapr_sentry_issuercert_expiry_timestamp The unix time in seconds at which the issuer certificate expires.\n\
             # TYPE dapr_sentry_issuercert_expiry_timestamp gauge\n\
             dapr_sentry_issuercert_expiry_timestamp {}\n",
            issuer_expiry.load(Relaxed)
        );
        telemetry::process::render(&mut out);
        out
    }
}
