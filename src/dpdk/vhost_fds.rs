//! Descriptors that a frontend hands over, and those it is reached by: none of them may make the switch wait for it.

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixDatagram;
use std::path::Path;

/// What an eventfd's link under /proc says.
const EVENTFD: &str = "anon_inode:[eventfd]";
/// Longest time that the library's one thread waits for the rest of a message, or for room for an answer.
static WAIT: libc::timeval = libc::timeval { tv_sec: 1, tv_usec: 0 };

/// Makes a call descriptor harmless: the library writes to it on a worker. An eventfd becomes non-blocking; anything
/// else is replaced by an eventfd of ours, under the same number, and refused.
///
/// # Errors
/// One plain sentence.
pub(super) fn tame(fd: c_int) -> Result<(), String> {
    let link = std::fs::read_link(format!("/proc/self/fd/{fd}")).map_err(|e| format!("its call descriptor: {e}"))?;
    if link.as_os_str() == EVENTFD {
        // SAFETY: the descriptor is open; only its flags change.
        let flags = unsafe { libc::fcntl(fd, libc::F_GETFL) };
        // SAFETY: as above.
        if flags >= 0 && unsafe { libc::fcntl(fd, libc::F_SETFL, flags | libc::O_NONBLOCK) } == 0 {
            return Ok(());
        }
    }
    // SAFETY: makes a descriptor; the result is checked.
    let ours = unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) };
    if ours >= 0 {
        // SAFETY: `ours` is fresh and nobody else's.
        let ours = unsafe { OwnedFd::from_raw_fd(ours) };
        // SAFETY: both are open. The library owns `fd`, holds the locks of the queues that use it, and will close it.
        unsafe { libc::dup3(ours.as_raw_fd(), fd, libc::O_CLOEXEC) };
    }
    Err(format!("its call descriptor is {}, not an eventfd", link.display()))
}

/// Bounds the library's reads from and writes to the frontend connected at `path`. The library does not tell which
/// descriptor a connection has; it is the one that bears the socket's name and does not listen.
pub(super) fn limit_waits(path: &Path) {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else {
        return;
    };
    let fds = entries.flatten().filter_map(|e| e.file_name().to_str()?.parse::<c_int>().ok());
    for fd in fds.filter(|fd| is_connection(*fd, path)) {
        for option in [libc::SO_RCVTIMEO, libc::SO_SNDTIMEO] {
            // SAFETY: the value is a timeval of the length given; a descriptor that is no socket any more is an error.
            unsafe {
                let length = size_of::<libc::timeval>() as libc::socklen_t;
                libc::setsockopt(fd, libc::SOL_SOCKET, option, (&raw const WAIT).cast(), length);
            }
        }
    }
}

/// Is this a connected socket one end of which is called `path`? A listening socket has a name and no peer.
fn is_connection(fd: c_int, path: &Path) -> bool {
    let is_path = |name: &Vec<u8>| *name == path.as_os_str().as_bytes();
    name_of(fd, libc::getpeername)
        .is_some_and(|peer| is_path(&peer) || name_of(fd, libc::getsockname).is_some_and(|own| is_path(&own)))
}

/// A Unix socket's name, or its peer's; empty when it has none.
fn name_of(
    fd: c_int,
    ask: unsafe extern "C" fn(c_int, *mut libc::sockaddr, *mut libc::socklen_t) -> c_int,
) -> Option<Vec<u8>> {
    let mut address = libc::sockaddr_un { sun_family: 0, sun_path: [0; 108] };
    let mut length = size_of::<libc::sockaddr_un>() as libc::socklen_t;
    // SAFETY: the buffer has the length given; the kernel writes at most that much, and fails on anything but a socket.
    let result = unsafe { ask(fd, (&raw mut address).cast(), &raw mut length) };
    let name = address.sun_path.iter().take_while(|b| **b != 0).map(|b| b.cast_unsigned()).collect();
    (result == 0 && c_int::from(address.sun_family) == libc::AF_UNIX).then_some(name)
}

/// Removes a socket that nobody listens on any more: a switch that was killed leaves its own behind.
///
/// # Errors
/// One plain sentence: somebody does listen, or the socket cannot be removed.
pub(super) fn clear_the_way(path: &Path) -> Result<(), String> {
    match std::fs::symlink_metadata(path) {
        Ok(meta) if meta.file_type().is_socket() => {}
        _ => return Ok(()),
    }
    // A datagram socket never connects to a listener and never waits: the kernel says "wrong type" where one is, and
    // "refused" where none is.
    let answer = UnixDatagram::unbound().and_then(|probe| probe.connect(path));
    match answer.map_err(|e| e.kind()) {
        Err(io::ErrorKind::ConnectionRefused) => std::fs::remove_file(path).map_err(|e| format!("left behind: {e}")),
        Err(io::ErrorKind::NotFound) => Ok(()),
        _ => Err("another process listens there".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::path::PathBuf;

    fn socket(name: &str) -> PathBuf {
        let path = std::env::temp_dir().join(format!("vswitch-fds-{}-{name}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        path
    }

    fn receive_timeout(fd: c_int) -> i64 {
        let mut value = libc::timeval { tv_sec: 0, tv_usec: 0 };
        let mut length = size_of::<libc::timeval>() as libc::socklen_t;
        // SAFETY: the buffer has the length given.
        let result = unsafe {
            libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_RCVTIMEO, (&raw mut value).cast(), &raw mut length)
        };
        assert_eq!(result, 0);
        value.tv_sec
    }

    #[test]
    fn a_leftover_socket_goes_and_one_in_use_stays() {
        let path = socket("leftover");
        assert_eq!(clear_the_way(&path), Ok(()), "nothing there");
        let listener = UnixListener::bind(&path).unwrap();
        assert_eq!(clear_the_way(&path), Err("another process listens there".to_owned()));
        drop(listener);
        assert!(path.exists());
        assert_eq!(clear_the_way(&path), Ok(()));
        assert!(!path.exists());
    }

    #[test]
    fn both_ends_of_a_connection_are_found_by_its_name_and_the_listener_is_not() {
        let path = socket("limits");
        let listener = UnixListener::bind(&path).unwrap();
        let near = UnixStream::connect(&path).unwrap();
        let (far, _) = listener.accept().unwrap();
        let (other, _) = UnixStream::pair().unwrap();
        limit_waits(&path);
        let timeouts = [&near.as_raw_fd(), &far.as_raw_fd(), &listener.as_raw_fd(), &other.as_raw_fd()]
            .map(|fd| receive_timeout(*fd));
        assert_eq!(timeouts, [1, 1, 0, 0]);
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn an_eventfd_stops_blocking_and_a_pipe_is_replaced() {
        let nonblocking = |fd: c_int| {
            // SAFETY: reads the flags of an open descriptor.
            unsafe { libc::fcntl(fd, libc::F_GETFL) & libc::O_NONBLOCK != 0 }
        };
        // SAFETY: makes a descriptor that nobody else has.
        let event = unsafe { OwnedFd::from_raw_fd(libc::eventfd(0, 0)) };
        assert!(!nonblocking(event.as_raw_fd()));
        assert_eq!(tame(event.as_raw_fd()), Ok(()));
        assert!(nonblocking(event.as_raw_fd()));
        let (_reader, writer) = io::pipe().unwrap();
        let why = tame(writer.as_raw_fd()).unwrap_err();
        assert!(why.contains("not an eventfd"), "{why}");
        let link = std::fs::read_link(format!("/proc/self/fd/{}", writer.as_raw_fd())).unwrap();
        assert_eq!(link.as_os_str(), EVENTFD);
        assert!(nonblocking(writer.as_raw_fd()));
    }
}
