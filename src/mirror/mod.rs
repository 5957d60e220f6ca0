//! The policy values that workers read: immutable, compiled on the control thread, published as one.

pub mod address_map;
pub mod cut;
pub mod publish;
pub mod session;
pub mod snapshot;
