//! Ethernet devices.
