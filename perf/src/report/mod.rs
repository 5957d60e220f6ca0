//! What came out: samples, medians, ratios, and how they are shown.

pub mod anchors;
pub mod chart;
pub mod json;
pub mod labels;
pub mod machine;
pub mod progress;
pub mod stats;
pub mod steal;
pub mod table;

use std::collections::BTreeMap;

use serde::Serialize;

/// One figure of one contender at one point, a value a round; rounds of all contenders are interleaved, so the n-th
/// values belong together.
#[derive(Clone, Debug, Serialize)]
pub struct Series {
    /// Whose: `vswitch`, `ovs-mirror`, …
    pub contender: String,
    /// What: `service`, `copies`, `latency_p99`, …
    pub metric: String,
    /// Its unit: `Mpps`, `cycles/packet`, `us`, …
    pub unit: String,
    /// A value a round.
    pub samples: Vec<f64>,
    /// The generator was the bottleneck: at least this much.
    pub lower_bound: bool,
}

/// One combination of a scenario's parameters.
#[derive(Clone, Debug, Serialize)]
pub struct Point {
    /// The scenario's name.
    pub scenario: String,
    /// The parameters, `size` → `64`.
    pub labels: BTreeMap<String, String>,
    /// The figures.
    pub series: Vec<Series>,
    /// Packets that were checked, and the wrong ones' descriptions.
    pub verified: u64,
    /// What was wrong: a fast wrong result is a failure.
    pub wrong: Vec<String>,
    /// Why the row does not count, if it does not: a peer below its anchor, steal, drift.
    pub void: Option<String>,
    /// Remarks.
    pub notes: Vec<String>,
}
