//! Module worker.
