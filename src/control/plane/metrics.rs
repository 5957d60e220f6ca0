//! Figures of the control plane for Prometheus.

use prometheus::proto::MetricFamily;
use prometheus::{IntGauge, Registry};

use super::control::Control;

impl Control {
    /// The store, revisions and numbers of objects, as they are now.
    #[must_use]
    pub fn metrics(&self) -> Vec<MetricFamily> {
        let figures = {
            let state = self.lock();
            let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
            let revision = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
            [
                ("vswitch_store_up", "The store can be written: 1 or 0.", i64::from(state.store.is_ok())),
                ("vswitch_desired_revision", "Revision of the store.", revision(state.desired.revision)),
                ("vswitch_applied_revision", "Revision that all workers have.", revision(state.applied)),
                ("vswitch_accounts", "Accounts.", count(state.desired.world.accounts().count())),
                ("vswitch_mirror_filters", "Traffic mirror filters.", count(state.desired.filters.len())),
                (
                    "vswitch_mirror_sessions",
                    "Traffic mirror sessions, of all hosts.",
                    count(state.desired.sessions.len()),
                ),
            ]
        };
        let registry = Registry::new();
        for (name, help, value) in figures {
            // The names are valid and new.
            if let Ok(gauge) = IntGauge::new(name, help) {
                gauge.set(value);
                let _ = registry.register(Box::new(gauge));
            }
        }
        registry.gather()
    }
}
