//! What to measure, as data: `perf/scenarios/*.toml`.

pub mod rules;
