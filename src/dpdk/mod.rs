//! Module dpdk.
