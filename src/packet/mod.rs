//! Module packet.
