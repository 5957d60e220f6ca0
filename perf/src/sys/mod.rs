//! What needs `unsafe`: guest memory, TAP devices, namespaces, waiting for several files at once,
//! librte_acl, the time-stamp counter.
#![allow(unsafe_code)]

#[cfg(feature = "dpdk")]
pub mod acl;
pub mod cpu;
pub mod memory;
pub mod poll;
pub mod polled;
pub mod process;
pub mod signals;
pub mod tap;
#[cfg(target_arch = "x86_64")]
pub mod tsc;
