//! Workers: the loop of an lcore, and which ENIs it owns.

pub mod clock;
pub mod crossed;
#[cfg(feature = "dpdk")]
pub mod env;
#[cfg(feature = "dpdk")]
pub mod fabric;
#[cfg(feature = "dpdk")]
pub mod housekeeping;
pub mod load;
pub mod placement;
#[cfg(feature = "dpdk")]
mod ports;
#[cfg(feature = "dpdk")]
pub mod run;
#[cfg(feature = "dpdk")]
pub mod set;
pub mod stats;
