//! Module metrics.
