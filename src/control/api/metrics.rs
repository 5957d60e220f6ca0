//! What the API counts: requests by action and code, and how long they took.

use std::collections::HashSet;
use std::time::Duration;

use parking_lot::Mutex;
use prometheus::proto::MetricFamily;
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, Opts, Registry};

use super::Action;

/// Codes that become labels of their own; there are fewer. More would be a mistake that must not fill a database.
const CODES: usize = 128;
/// Bounds of the histogram, seconds.
const BUCKETS: [f64; 12] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0];

/// Counters of an API; clones of the collectors inside share their values.
pub struct ApiMetrics {
    registry: Registry,
    requests: IntCounterVec,
    duration: HistogramVec,
    codes: Mutex<HashSet<String>>,
}

impl ApiMetrics {
    /// Zeros.
    ///
    /// # Errors
    /// Never: the names are valid and new.
    pub fn new() -> Result<Self, prometheus::Error> {
        let opts = Opts::new("vswitch_api_requests_total", "Requests to the tenant API, by action and code.");
        let requests = IntCounterVec::new(opts, &["action", "code"])?;
        let help = "Seconds from a request's last byte to its answer, by action.";
        let opts = HistogramOpts::new("vswitch_api_request_duration_seconds", help).buckets(BUCKETS.to_vec());
        let duration = HistogramVec::new(opts, &["action"])?;
        let registry = Registry::new();
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(duration.clone()))?;
        Ok(ApiMetrics { registry, requests, duration, codes: Mutex::default() })
    }

    /// All of it, for a page of metrics.
    #[must_use]
    pub fn gather(&self) -> Vec<MetricFamily> {
        self.registry.gather()
    }

    /// Counts an answer: `OK`, or the error's code.
    pub(super) fn count(&self, action: Option<Action>, code: &str, took: Duration) {
        let action = action.map_or("unknown", Action::name);
        self.requests.with_label_values(&[action, self.label(code)]).inc();
        self.duration.with_label_values(&[action]).observe(took.as_secs_f64());
    }

    /// Codes that hold a parameter's name count as one: clients choose names.
    fn label<'a>(&self, code: &'a str) -> &'a str {
        let label = match code {
            _ if code.starts_with("InvalidParameter") => "InvalidParameter",
            _ if code.starts_with("Missing") => "MissingParameter",
            other => other,
        };
        let mut codes = self.codes.lock();
        if codes.contains(label) {
            return label;
        }
        if codes.len() == CODES {
            return "other";
        }
        codes.insert(label.to_owned());
        label
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use prometheus::TextEncoder;

    use super::*;

    #[test]
    fn requests_are_counted_and_labels_are_few() {
        let metrics = ApiMetrics::new().unwrap();
        let took = Duration::from_millis(3);
        metrics.count(Some(Action::TagResources), "OK", took);
        metrics.count(Some(Action::TagResources), "InvalidParameter.Tag", took);
        metrics.count(Some(Action::TagResources), "InvalidParameter.ResourceId", took);
        metrics.count(None, "MissingAction", took);
        (0..300).for_each(|n| metrics.count(None, &format!("C{n}"), took));
        let text = TextEncoder::new().encode_to_string(&metrics.gather()).unwrap();
        for line in [
            r#"vswitch_api_requests_total{action="TagResources",code="OK"} 1"#,
            r#"vswitch_api_requests_total{action="TagResources",code="InvalidParameter"} 2"#,
            r#"vswitch_api_requests_total{action="unknown",code="MissingParameter"} 1"#,
            r#"vswitch_api_requests_total{action="unknown",code="other"} 175"#,
            r#"vswitch_api_request_duration_seconds_bucket{action="TagResources",le="0.002"} 0"#,
            r#"vswitch_api_request_duration_seconds_bucket{action="TagResources",le="0.005"} 3"#,
        ] {
            assert!(text.lines().any(|l| l == line), "{line} is not in {text}");
        }
    }
}
