//! vswitch: the virtual switch process of a hypervisor host, in Rust on DPDK, that mirrors VPC traffic.
//!
//! A packet's way is written in [`datapath`]; everything that decides about a packet is pure and builds without DPDK.

pub mod classify;
pub mod cli;
pub mod control;
pub mod ctl;
pub mod datapath;
pub mod metrics;
pub mod mirror;
pub mod packet;
pub mod replay;
pub mod terminal;
pub mod wire;
pub mod worker;

#[cfg(feature = "dpdk")]
pub mod dpdk;
#[cfg(feature = "dpdk")]
pub mod port;

/// The version of this program.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The commit it was built from.
pub const COMMIT: &str = env!("VSWITCH_COMMIT");
/// Both, as `--version` prints them.
pub const VERSION_LINE: &str = concat!(env!("CARGO_PKG_VERSION"), " (", env!("VSWITCH_COMMIT"), ")");
