//! The policy values that workers read: immutable, compiled on the control thread, published as one.

pub mod address_map;
pub mod bandwidth;
#[cfg(test)]
mod bandwidth_tests;
pub mod cut;
pub mod overload;
pub mod publish;
#[cfg(test)]
mod publish_tests;
pub mod session;
pub mod snapshot;
mod sync;
