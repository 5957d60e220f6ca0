//! Module control.
