//! SIGTERM and SIGINT as an event that threads can wait for.

use std::io;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicI32, Ordering};

use vmm_sys_util::eventfd::EventFd;

static STOP: AtomicI32 = AtomicI32::new(-1);

extern "C" fn on_signal(_signal: libc::c_int) {
    let one: u64 = 1;
    // SAFETY: write is async-signal-safe; the descriptor stays open for the life of the process, see `stop_event`.
    unsafe { libc::write(STOP.load(Ordering::Relaxed), (&raw const one).cast(), 8) };
}

/// An event that can be read, for ever, once SIGTERM or SIGINT came. Call it once.
///
/// # Errors
/// The kernel's.
pub fn stop_event() -> io::Result<EventFd> {
    let event = EventFd::new(libc::EFD_NONBLOCK | libc::EFD_CLOEXEC)?;
    // SAFETY: a descriptor of our own to duplicate; the result is checked.
    let own = unsafe { libc::fcntl(event.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 0) };
    if own < 0 {
        return Err(io::Error::last_os_error());
    }
    STOP.store(own, Ordering::Relaxed);
    for signal in [libc::SIGTERM, libc::SIGINT] {
        let handler: extern "C" fn(libc::c_int) = on_signal;
        // SAFETY: the handler only writes to a descriptor.
        if unsafe { libc::signal(signal, handler as libc::sighandler_t) } == libc::SIG_ERR {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(event)
}
