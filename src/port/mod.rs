//! Module port.
