//! What a frontend says to the switch over vhost-user, in the order in which QEMU says it.

use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::{Duration, Instant};

use vhost::vhost_user::message::{VhostUserProtocolFeatures, VhostUserVirtioFeatures};
use vhost::vhost_user::{Frontend, VhostUserFrontend};
use vhost::{VhostBackend, VhostUserMemoryRegionInfo, VringConfigData};
use vmm_sys_util::eventfd::EventFd;

use super::port::{GuestError, Role};
use crate::sys::memory::Memory;
use crate::sys::poll;

const F_MTU: u64 = 1 << 3;
const F_MRG_RXBUF: u64 = 1 << 15;
const F_VERSION_1: u64 = 1 << 32;
const F_RING_PACKED: u64 = 1 << 34;
/// Protocol feature `VHOST_USER_PROTOCOL_F_NET_MTU`, and its request.
const PROTOCOL_NET_MTU: u64 = 1 << 4;
const REQUEST_SET_MTU: u32 = 20;
const REQUEST_QUEUE_NUM: u32 = 17;
/// Longest wait for an answer of the switch.
const ANSWER: Duration = Duration::from_secs(5);

/// What a frontend asks for.
#[derive(Clone, Copy, Debug)]
pub struct Wishes {
    /// Packed rings.
    pub packed: bool,
    /// Tell the switch this MTU.
    pub announce_mtu: Option<u16>,
    /// Queue pairs that will be used.
    pub queue_pairs: u8,
    /// Do not ask whether the switch has that many.
    pub ignore_queue_limit: bool,
}

/// A ring, as the switch must know it.
pub struct RingAddress<'a> {
    /// Places.
    pub size: u16,
    /// Index to start from.
    pub base: u16,
    /// Offsets in guest memory: descriptors, driver (available), device (used).
    pub areas: [usize; 3],
    /// The switch tells us here.
    pub call: &'a EventFd,
    /// We tell the switch here.
    pub kick: &'a EventFd,
}

/// A conversation under way.
pub struct Conversation {
    frontend: Frontend,
    /// The socket.
    pub fd: RawFd,
    pub(super) control: UnixStream,
    /// Features that the switch offered.
    pub offered: u64,
}

impl Conversation {
    /// Waits for the switch at `socket` and agrees on features.
    ///
    /// # Errors
    /// [`GuestError`].
    pub fn open(
        listener: Option<&UnixListener>,
        socket: &Path,
        wishes: &Wishes,
        patience: Duration,
    ) -> Result<Self, GuestError> {
        let deadline = Instant::now() + patience;
        let stream = loop {
            if let Some(stream) = reach(listener, socket, deadline)? {
                break stream;
            }
            if Instant::now() >= deadline {
                return Err(GuestError::Timeout(patience));
            }
        };
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(ANSWER))?;
        stream.set_write_timeout(Some(ANSWER))?;
        let (fd, control) = (stream.as_raw_fd(), stream.try_clone()?);
        let frontend = Frontend::from_stream(stream, 2 * u64::from(wishes.queue_pairs));
        let mut conversation = Conversation { frontend, fd, control, offered: 0 };
        conversation.negotiate(wishes)?;
        Ok(conversation)
    }

    fn negotiate(&mut self, wishes: &Wishes) -> Result<(), GuestError> {
        let frontend = &mut self.frontend;
        let mut wanted = F_VERSION_1 | F_MRG_RXBUF | VhostUserVirtioFeatures::PROTOCOL_FEATURES.bits();
        if wishes.packed {
            wanted |= F_RING_PACKED;
        }
        if wishes.announce_mtu.is_some() {
            wanted |= F_MTU;
        }
        let offered = frontend.get_features()?;
        self.offered = offered;
        if offered & wanted != wanted {
            return Err(GuestError::Missing("VERSION_1, MRG_RXBUF, or the kind of ring that was asked for"));
        }
        let protocol = frontend.get_protocol_features()?;
        let mut protocol_wanted = VhostUserProtocolFeatures::MQ;
        if wishes.announce_mtu.is_some() {
            protocol_wanted |= VhostUserProtocolFeatures::from_bits_retain(PROTOCOL_NET_MTU);
        }
        frontend.set_protocol_features(protocol & protocol_wanted)?;
        if !wishes.ignore_queue_limit
            && protocol.contains(VhostUserProtocolFeatures::MQ)
            && queue_pairs(&mut self.control)? < u64::from(wishes.queue_pairs)
        {
            return Err(GuestError::Missing("that many queue pairs"));
        }
        frontend.set_owner()?;
        frontend.set_features(wanted)?;
        if let Some(mtu) = wishes.announce_mtu {
            self.control.write_all(&message(&[REQUEST_SET_MTU, 1, 8, u32::from(mtu), 0]))?;
        }
        Ok(())
    }

    /// Hands over memory and rings, and enables all of them.
    ///
    /// # Errors
    /// [`GuestError`].
    pub fn start(&mut self, memory: &Memory, rings: &[RingAddress<'_>]) -> Result<(), GuestError> {
        let frontend = &mut self.frontend;
        frontend.set_mem_table(&[VhostUserMemoryRegionInfo {
            guest_phys_addr: memory.address(),
            memory_size: memory.len() as u64,
            userspace_addr: memory.address(),
            mmap_offset: 0,
            mmap_handle: memory.fd(),
        }])?;
        for (index, ring) in rings.iter().enumerate() {
            let [descriptors, available, used] = ring.areas.map(|a| memory.address() + a as u64);
            frontend.set_vring_num(index, ring.size)?;
            frontend.set_vring_base(index, ring.base)?;
            let addresses = VringConfigData {
                queue_max_size: ring.size,
                queue_size: ring.size,
                flags: 0,
                desc_table_addr: descriptors,
                used_ring_addr: used,
                avail_ring_addr: available,
                log_addr: None,
            };
            frontend.set_vring_addr(index, &addresses)?;
            frontend.set_vring_call(index, ring.call)?;
            frontend.set_vring_kick(index, ring.kick)?;
        }
        for index in 0..rings.len() {
            frontend.set_vring_enable(index, true)?;
        }
        Ok(())
    }

    /// Stops the first `queues` rings: on return the switch uses none of them.
    ///
    /// # Errors
    /// [`GuestError`].
    pub fn stop(&mut self, queues: usize) -> Result<(), GuestError> {
        for index in 0..queues {
            self.frontend.get_vring_base(index)?;
        }
        Ok(())
    }

    /// Switches one queue on or off.
    ///
    /// # Errors
    /// [`GuestError`].
    pub fn enable(&mut self, queue: usize, on: bool) -> Result<(), GuestError> {
        Ok(self.frontend.set_vring_enable(queue, on)?)
    }

    /// Did the switch hang up? It never speaks unasked: a readable socket is a closed one.
    #[must_use]
    pub fn is_over(&self) -> bool {
        !poll::wait(&[self.fd], Some(Duration::ZERO)).is_ok_and(|r| r.first() != Some(&true))
    }
}

/// Listens at `socket`, without blocking.
///
/// # Errors
/// The kernel's.
pub fn listen(socket: &Path, role: Role) -> io::Result<Option<UnixListener>> {
    if role == Role::Client {
        return Ok(None);
    }
    let listener = UnixListener::bind(socket)?;
    listener.set_nonblocking(true)?;
    Ok(Some(listener))
}

fn reach(listener: Option<&UnixListener>, socket: &Path, deadline: Instant) -> Result<Option<UnixStream>, GuestError> {
    let left = deadline.saturating_duration_since(Instant::now());
    match listener {
        Some(listener) => {
            poll::wait(&[listener.as_raw_fd()], Some(left))?;
            match listener.accept() {
                Ok((stream, _)) => Ok(Some(stream)),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(None),
                Err(e) => Err(e.into()),
            }
        }
        None => {
            let stream = UnixStream::connect(socket).ok();
            if stream.is_none() {
                std::thread::sleep(left.min(Duration::from_millis(20)));
            }
            Ok(stream)
        }
    }
}

/// Asks for the number of queue pairs. The crate takes the answer for a number of queues, and refuses the others then.
fn queue_pairs(control: &mut UnixStream) -> io::Result<u64> {
    control.write_all(&message(&[REQUEST_QUEUE_NUM, 1, 0]))?;
    let mut answer = [0u8; 20];
    control.read_exact(&mut answer)?;
    let [.., a, b, c, d, e, f, g, h] = answer;
    Ok(u64::from_ne_bytes([a, b, c, d, e, f, g, h]))
}

pub(super) fn message(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|w| w.to_ne_bytes()).collect()
}
