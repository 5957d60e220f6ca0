//! The safe door to DPDK: ownership makes double free, use after transmit and writing into a shared buffer impossible
//! to write. All `unsafe` of the switch is behind it.
#![allow(unsafe_code)]

pub mod eal;
pub mod ethdev;
pub mod lcore;
pub mod mbuf;
pub mod mempool;
pub mod ring;
pub mod vhost;
mod vhost_fds;

/// DPDK's text for an errno.
fn strerror(errno: i32) -> String {
    // SAFETY: rte_strerror returns a NUL-terminated string that lives as long as the thread.
    let text = unsafe { std::ffi::CStr::from_ptr(dpdk_sys::rte_strerror(errno.abs())) };
    text.to_string_lossy().into_owned()
}

/// This thread's last DPDK error.
fn last_error() -> String {
    // SAFETY: reads a thread-local integer.
    strerror(unsafe { dpdk_sys::ds_errno() })
}
