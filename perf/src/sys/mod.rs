//! What needs `unsafe`: guest memory, TAP devices, namespaces, waiting for several files at once.
#![allow(unsafe_code)]

pub mod memory;
pub mod poll;
pub mod process;
pub mod signals;
pub mod tap;
