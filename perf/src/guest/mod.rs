//! A guest without a machine: virtio-net driver and vhost-user frontend in one.
//!
//! A [`port::GuestPort`] speaks to the switch; [`bridge`] joins it to a TAP device or to pcap files, event-driven.

pub mod bridge;
pub mod conversation;
mod hostile;
mod packed;
pub mod pcap;
pub mod port;
pub(crate) mod queue;
mod ring;
mod split;
#[cfg(test)]
mod tests;

pub use port::{GuestPort, PortConfig, Role};
