//! ENI ports over librte_vhost: a guest comes, brings its queues up, resets, goes, at any time.
//!
//! Uplinks over ethdev will stand beside [`eni`].

pub mod eni;
pub mod turn;

pub use eni::{EniPort, PortSpec, PortState};
pub use turn::Turn;
