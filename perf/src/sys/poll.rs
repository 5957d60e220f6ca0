//! Waiting for several files at once.

use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

/// Waits until one of `fds` can be read or is closed by the other side, at most `timeout`; says which, in order.
///
/// # Errors
/// The kernel's; an interrupted wait is none ready.
pub fn wait(fds: &[RawFd], timeout: Option<Duration>) -> io::Result<Vec<bool>> {
    let mut polled: Vec<libc::pollfd> =
        fds.iter().map(|fd| libc::pollfd { fd: *fd, events: libc::POLLIN, revents: 0 }).collect();
    let ms = timeout.map_or(-1, |t| t.as_millis().min(i32::MAX as u128) as i32);
    // SAFETY: the array is valid for the call and has this many elements.
    let result = unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, ms) };
    if result < 0 {
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    Ok(polled.iter().map(|p| p.revents != 0).collect())
}
