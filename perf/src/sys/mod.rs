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

/// Makes an open file blocking, whoever else has it.
///
/// # Errors
/// The kernel's.
pub fn blocking(fd: std::os::fd::RawFd) -> std::io::Result<()> {
    // SAFETY: only the flags of an open file change; a closed descriptor is an error.
    let result = unsafe { libc::fcntl(fd, libc::F_SETFL, 0) };
    if result == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}
