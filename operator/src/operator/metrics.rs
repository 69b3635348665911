//! Our metrics, by the names Dapr gives them.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use parking_lot::Mutex;

/// Apps that have a series of their own; all others share [`OTHERS`].
const SERIES: usize = 1000;
const OTHERS: &str = "overflow";
const ROWS: [(&str, &str); 3] = [
    ("created", "The total number of dapr services created."),
    ("updated", "The total number of dapr services updated."),
    ("deleted", "The total number of dapr services deleted."),
];

/// Services written, by app id.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    counts: Mutex<BTreeMap<String, [u64; ROWS.len()]>>,
}

impl Metrics {
    pub(super) fn service_created(&self, app_id: &str) {
        self.add(app_id, 0);
    }

    pub(super) fn service_updated(&self, app_id: &str) {
        self.add(app_id, 1);
    }

    pub(super) fn service_deleted(&self, app_id: &str) {
        self.add(app_id, 2);
    }

    fn add(&self, app_id: &str, row: usize) {
        let mut counts = self.counts.lock();
        let known = counts.len() < SERIES || counts.contains_key(app_id);
        let app_id = if known { app_id } else { OTHERS };
        let row = counts.entry(app_id.to_owned()).or_default().get_mut(row);
        if let Some(count) = row {
            *count += 1;
        }
    }

    /// Prometheus text.
    pub(super) fn render(&self) -> String {
        let mut out = String::with_capacity(4096);
        let counts = self.counts.lock();
        for (row, (name, help)) in ROWS.into_iter().enumerate() {
            let name = format!("dapr_operator_service_{name}_total");
            let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} counter\n");
            for (app_id, counts) in counts.iter() {
                // App ids are DNS labels: nothing to escape.
                if let Some(count) = counts.get(row).filter(|count| **count > 0) {
                    let _ = writeln!(out, "{name}{{app_id=\"{app_id}\"}} {count}");
                }
            }
        }
        drop(counts);
        telemetry::process::render(&mut out);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn apps_beyond_the_limit_share_one_series() {
        let metrics = Metrics::default();
        for app in 0..SERIES + 5 {
            metrics.service_created(&format!("app-{app}"));
        }
        metrics.service_updated("app-0");
        let text = metrics.render();
        assert!(text.contains("dapr_operator_service_created_total{app_id=\"app-0\"} 1\n"));
        assert!(text.contains("dapr_operator_service_created_total{app_id=\"overflow\"} 5\n"));
        assert!(text.contains("dapr_operator_service_updated_total{app_id=\"app-0\"} 1\n"));
        assert!(!text.contains("dapr_operator_service_deleted_total{"));
    }
}
