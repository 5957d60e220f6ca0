//! What needs `unsafe`: guest memory, TAP devices, namespaces, waiting for several files at once.
#![allow(unsafe_code)]

pub mod cpu;
pub mod memory;
pub mod poll;
pub mod polled;
pub mod signals;
pub mod tap;
