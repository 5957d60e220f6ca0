//! Module mirror.
