//! TAP devices in network namespaces: a Linux network stack becomes the guest.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;

/// A TAP device; it disappears when this is dropped.
#[derive(Debug)]
pub struct Tap {
    file: File,
}

impl Tap {
    /// Creates `name` in the network namespace `netns` (as `ip netns` names them; none: the current one), gives it a
    /// MAC and an MTU and switches it on. Frames carry no extra header, and the kernel finishes their checksums.
    ///
    /// # Errors
    /// The kernel's, or a name that is too long.
    pub fn open(netns: Option<&str>, name: &str, mac: [u8; 6], mtu: u16) -> io::Result<Self> {
        let (netns, name) = (netns.map(str::to_owned), name.to_owned());
        // A thread of its own enters the namespace, and ends there.
        let made = std::thread::spawn(move || {
            if let Some(netns) = netns {
                enter(&netns)?;
            }
            create(&name, mac, mtu)
        });
        made.join().map_err(|_| io::Error::other("the thread that makes the TAP ended"))?
    }

    /// The next frame; `None` when there is none now.
    ///
    /// # Errors
    /// The kernel's.
    pub fn read(&mut self, frame: &mut [u8]) -> io::Result<Option<usize>> {
        match self.file.read(frame) {
            Ok(n) => Ok(Some(n)),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Hands a frame to the kernel; `false` when it does not take it.
    pub fn write(&mut self, frame: &[u8]) -> bool {
        self.file.write(frame).is_ok_and(|n| n == frame.len())
    }

    /// The device's file.
    #[must_use]
    pub fn fd(&self) -> RawFd {
        self.file.as_raw_fd()
    }
}

fn enter(netns: &str) -> io::Result<()> {
    let namespace = File::open(format!("/run/netns/{netns}"))?;
    // SAFETY: a valid descriptor; only the calling thread changes its namespace.
    if unsafe { libc::setns(namespace.as_raw_fd(), libc::CLONE_NEWNET) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn request(name: &str) -> io::Result<libc::ifreq> {
    if name.is_empty() || name.len() >= libc::IFNAMSIZ {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "a device's name has 1 to 15 bytes"));
    }
    // SAFETY: ifreq is plain data; all zero is a valid value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *to = from as libc::c_char;
    }
    Ok(request)
}

fn create(name: &str, mac: [u8; 6], mtu: u16) -> io::Result<Tap> {
    let file = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open("/dev/net/tun")?;
    let mut tap = request(name)?;
    tap.ifr_ifru.ifru_flags = (libc::IFF_TAP | libc::IFF_NO_PI) as libc::c_short;
    control(file.as_raw_fd(), libc::TUNSETIFF, &mut tap)?;
    // SAFETY: a datagram socket for interface requests; the result is checked.
    let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if socket < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is fresh and nobody else's.
    let socket: File = unsafe { std::os::fd::FromRawFd::from_raw_fd(socket) };
    let mut address = request(name)?;
    let mut data = [0 as libc::c_char; 14];
    for (to, from) in data.iter_mut().zip(mac) {
        *to = from as libc::c_char;
    }
    address.ifr_ifru.ifru_hwaddr = libc::sockaddr { sa_family: libc::ARPHRD_ETHER, sa_data: data };
    control(socket.as_raw_fd(), libc::SIOCSIFHWADDR, &mut address)?;
    let mut size = request(name)?;
    size.ifr_ifru.ifru_mtu = i32::from(mtu);
    control(socket.as_raw_fd(), libc::SIOCSIFMTU, &mut size)?;
    let mut up = request(name)?;
    up.ifr_ifru.ifru_flags = libc::IFF_UP as libc::c_short;
    control(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &mut up)?;
    Ok(Tap { file })
}

fn control(fd: RawFd, what: libc::c_ulong, request: &mut libc::ifreq) -> io::Result<()> {
    // SAFETY: every request used here reads, and some write, one ifreq.
    if unsafe { libc::ioctl(fd, what, std::ptr::from_mut(request)) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
