//! Module wire.
