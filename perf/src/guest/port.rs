//! A port of the guest: memory, queues and the conversation with the switch.

use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use vhost::vhost_user::message::{VhostUserProtocolFeatures, VhostUserVirtioFeatures};
use vhost::vhost_user::{Frontend, VhostUserFrontend};
use vhost::{VhostBackend, VhostUserMemoryRegionInfo, VringConfigData};

use super::queue::{HEADER, Queue};
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
/// Bytes of a receive buffer; longer frames take several.
const RECEIVE_BUFFER: usize = 2048;

/// Who owns the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// We listen and the switch connects: its default.
    Server,
    /// We connect.
    Client,
}

/// What a port is like.
#[derive(Clone, Debug)]
pub struct PortConfig {
    /// The vhost-user socket.
    pub socket: PathBuf,
    /// Who owns it.
    pub role: Role,
    /// Queue pairs, 1 to 8.
    pub queue_pairs: u8,
    /// Packed rings.
    pub packed: bool,
    /// Places of a ring, a power of two.
    pub queue_size: u16,
    /// Largest IP packet.
    pub mtu: u16,
    /// Tell the switch this MTU, as QEMU's `host_mtu=` does.
    pub announce_mtu: Option<u16>,
}

impl PortConfig {
    /// One queue pair of 256 split places, MTU 1500, listening on `socket`.
    #[must_use]
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        PortConfig {
            socket: socket.into(),
            role: Role::Server,
            queue_pairs: 1,
            packed: false,
            queue_size: 256,
            mtu: 1500,
            announce_mtu: None,
        }
    }
}

/// What went wrong with a port.
#[derive(Debug, thiserror::Error)]
pub enum GuestError {
    /// The kernel's.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The conversation with the switch.
    #[error("vhost-user: {0}")]
    Vhost(#[from] vhost::Error),
    /// The conversation with the switch.
    #[error("vhost-user: {0}")]
    Protocol(#[from] vhost::vhost_user::Error),
    /// The switch lacks something that the port needs.
    #[error("the switch does not offer {0}")]
    Missing(&'static str),
    /// Nobody came.
    #[error("no switch within {0:?}")]
    Timeout(Duration),
}

pub(super) struct Connection {
    frontend: Frontend,
    fd: RawFd,
    pub(super) control: UnixStream,
}

/// A port of the guest.
pub struct GuestPort {
    config: PortConfig,
    pub(super) memory: Memory,
    /// Queue 2n receives, 2n + 1 transmits.
    pub(super) queues: Vec<Queue>,
    listener: Option<UnixListener>,
    pub(super) connection: Option<Connection>,
    stalled: bool,
    pub(super) ignore_queue_limit: bool,
    pub(super) offered: u64,
}

impl std::fmt::Debug for GuestPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GuestPort").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Drop for GuestPort {
    fn drop(&mut self) {
        if self.listener.is_some() {
            let _ = std::fs::remove_file(&self.config.socket);
        }
    }
}

impl GuestPort {
    /// Makes memory and queues, and listens where that is our role.
    ///
    /// # Errors
    /// The kernel's.
    pub fn open(config: PortConfig) -> Result<Self, GuestError> {
        let send_buffer = (HEADER + 14 + usize::from(config.mtu) + 64).max(2048);
        let queue_count = 2 * usize::from(config.queue_pairs);
        let lens = [RECEIVE_BUFFER, send_buffer];
        let total: usize = (0..queue_count).map(|q| Queue::bytes(config.packed, config.queue_size, lens[q % 2])).sum();
        let memory = Memory::new(total)?;
        let (mut queues, mut offset) = (Vec::new(), 0);
        for q in 0..queue_count {
            queues.push(Queue::new(config.packed, offset, config.queue_size, lens[q % 2])?);
            offset += Queue::bytes(config.packed, config.queue_size, lens[q % 2]);
        }
        let listener = match config.role {
            Role::Server => {
                let listener = UnixListener::bind(&config.socket)?;
                listener.set_nonblocking(true)?;
                Some(listener)
            }
            Role::Client => None,
        };
        Ok(GuestPort {
            config,
            memory,
            queues,
            listener,
            connection: None,
            stalled: false,
            ignore_queue_limit: false,
            offered: 0,
        })
    }

    /// Waits for the switch and brings all queues up, with fresh rings. Who connects tries again when the switch hangs
    /// up: it may still serve the guest before us.
    ///
    /// # Errors
    /// [`GuestError`].
    pub fn connect(&mut self, patience: Duration) -> Result<(), GuestError> {
        self.connection = None;
        let deadline = Instant::now() + patience;
        loop {
            let outcome = match self.reach(deadline)? {
                Some(stream) => self.bring_up(stream),
                None => Err(GuestError::Timeout(patience)),
            };
            match outcome {
                Ok(connection) => {
                    self.connection = Some(connection);
                    return Ok(());
                }
                Err(e) => {
                    let again = match e {
                        GuestError::Timeout(_) => true,
                        GuestError::Missing(_) => false,
                        GuestError::Io(_) | GuestError::Vhost(_) | GuestError::Protocol(_) => self.listener.is_none(),
                    };
                    if !again || Instant::now() >= deadline {
                        return Err(e);
                    }
                    if self.listener.is_none() {
                        std::thread::sleep(Duration::from_millis(20));
                    }
                }
            }
        }
    }

    fn bring_up(&mut self, stream: UnixStream) -> Result<Connection, GuestError> {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(ANSWER))?;
        stream.set_write_timeout(Some(ANSWER))?;
        let (fd, control) = (stream.as_raw_fd(), stream.try_clone()?);
        let frontend = Frontend::from_stream(stream, self.queues.len() as u64);
        let mut connection = Connection { frontend, fd, control };
        self.negotiate(&mut connection)?;
        self.start(&mut connection)?;
        Ok(connection)
    }

    fn reach(&self, deadline: Instant) -> Result<Option<UnixStream>, GuestError> {
        let left = deadline.saturating_duration_since(Instant::now());
        match &self.listener {
            Some(listener) => {
                poll::wait(&[listener.as_raw_fd()], Some(left))?;
                match listener.accept() {
                    Ok((stream, _)) => Ok(Some(stream)),
                    Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(None),
                    Err(e) => Err(e.into()),
                }
            }
            None => Ok(UnixStream::connect(&self.config.socket).ok()),
        }
    }

    fn negotiate(&mut self, connection: &mut Connection) -> Result<(), GuestError> {
        let frontend = &mut connection.frontend;
        let mut wanted = F_VERSION_1 | F_MRG_RXBUF | VhostUserVirtioFeatures::PROTOCOL_FEATURES.bits();
        if self.config.packed {
            wanted |= F_RING_PACKED;
        }
        if self.config.announce_mtu.is_some() {
            wanted |= F_MTU;
        }
        let offered = frontend.get_features()?;
        self.offered = offered;
        if offered & wanted != wanted {
            return Err(GuestError::Missing("VERSION_1, MRG_RXBUF, or the kind of ring that was asked for"));
        }
        let protocol = frontend.get_protocol_features()?;
        let mut protocol_wanted = VhostUserProtocolFeatures::MQ;
        if self.config.announce_mtu.is_some() {
            protocol_wanted |= VhostUserProtocolFeatures::from_bits_retain(PROTOCOL_NET_MTU);
        }
        frontend.set_protocol_features(protocol & protocol_wanted)?;
        if !self.ignore_queue_limit
            && protocol.contains(VhostUserProtocolFeatures::MQ)
            && queue_pairs(&mut connection.control)? < u64::from(self.config.queue_pairs)
        {
            return Err(GuestError::Missing("that many queue pairs"));
        }
        frontend.set_owner()?;
        frontend.set_features(wanted)?;
        if let Some(mtu) = self.config.announce_mtu {
            connection.control.write_all(&message(&[REQUEST_SET_MTU, 1, 8, u32::from(mtu), 0]))?;
        }
        Ok(())
    }

    /// Memory and rings, as QEMU orders them.
    fn start(&mut self, connection: &mut Connection) -> Result<(), GuestError> {
        let frontend = &mut connection.frontend;
        frontend.set_mem_table(&[VhostUserMemoryRegionInfo {
            guest_phys_addr: self.memory.address(),
            memory_size: self.memory.len() as u64,
            userspace_addr: self.memory.address(),
            mmap_offset: 0,
            mmap_handle: self.memory.fd(),
        }])?;
        for (index, queue) in self.queues.iter_mut().enumerate() {
            queue.reset(&self.memory);
            if index % 2 == 0 {
                queue.post(&self.memory);
            } else {
                queue.interrupts(&self.memory, false);
            }
            let [descriptors, available, used] = queue.ring().areas().map(|a| self.memory.address() + a as u64);
            frontend.set_vring_num(index, self.config.queue_size)?;
            frontend.set_vring_base(index, queue.ring().base())?;
            let addresses = VringConfigData {
                queue_max_size: self.config.queue_size,
                queue_size: self.config.queue_size,
                flags: 0,
                desc_table_addr: descriptors,
                used_ring_addr: used,
                avail_ring_addr: available,
                log_addr: None,
            };
            frontend.set_vring_addr(index, &addresses)?;
            frontend.set_vring_call(index, &queue.call)?;
            frontend.set_vring_kick(index, &queue.kick)?;
        }
        for index in 0..self.queues.len() {
            frontend.set_vring_enable(index, true)?;
        }
        Ok(())
    }

    /// Stops all rings and starts them anew on the same connection, as a guest does that reloads its driver.
    ///
    /// # Errors
    /// [`GuestError`].
    pub fn reset(&mut self) -> Result<(), GuestError> {
        let Some(mut connection) = self.connection.take() else {
            return Ok(());
        };
        for index in 0..self.queues.len() {
            connection.frontend.get_vring_base(index)?;
        }
        self.start(&mut connection)?;
        self.connection = Some(connection);
        Ok(())
    }

    /// Hangs up at once, whatever is under way.
    pub fn disconnect(&mut self) {
        self.connection = None;
    }

    /// Is the switch there? It is not when it closed the socket.
    pub fn is_connected(&mut self) -> bool {
        if let Some(connection) = &self.connection {
            let ready = poll::wait(&[connection.fd], Some(Duration::ZERO));
            // The switch never speaks unasked: a readable socket is a closed one.
            if ready.is_ok_and(|r| r.first() != Some(&true)) {
                return true;
            }
            self.connection = None;
        }
        false
    }

    /// Switches one queue on or off.
    ///
    /// # Errors
    /// [`GuestError`].
    pub fn enable(&mut self, queue: usize, on: bool) -> Result<(), GuestError> {
        if let Some(connection) = &mut self.connection {
            connection.frontend.set_vring_enable(queue, on)?;
        }
        Ok(())
    }

    /// Puts a frame into the first transmit queue; `false` when there is no room. [`GuestPort::kick`] announces it.
    pub fn send(&mut self, frame: &[u8]) -> bool {
        self.send_on(0, frame)
    }

    /// Puts a frame into the transmit queue of a queue pair.
    pub fn send_on(&mut self, pair: usize, frame: &[u8]) -> bool {
        match self.queues.get_mut(2 * pair + 1) {
            Some(queue) if self.connection.is_some() => queue.send(&self.memory, frame),
            _ => false,
        }
    }

    /// Tells the switch of new frames, if it wants to know.
    pub fn kick(&self) {
        self.queues.iter().skip(1).step_by(2).for_each(|q| q.kick(&self.memory));
    }

    /// Frames that were sent and not taken yet.
    pub fn outstanding(&mut self) -> usize {
        self.queues.iter_mut().skip(1).step_by(2).map(|q| q.outstanding(&self.memory)).sum()
    }

    /// Gives the switch no more receive buffers, or gives them again.
    pub fn stall(&mut self, stalled: bool) {
        self.stalled = stalled;
        self.repost();
    }

    /// The next frame, if one is there.
    pub fn try_receive(&mut self) -> Option<Vec<u8>> {
        (0..usize::from(self.config.queue_pairs)).find_map(|pair| self.try_receive_on(pair))
    }

    /// The next frame in the receive queue of a queue pair, if one is there.
    pub fn try_receive_on(&mut self, pair: usize) -> Option<Vec<u8>> {
        self.connection.as_ref()?;
        let frame = self.queues.get_mut(2 * pair)?.receive(&self.memory)?;
        self.repost();
        Some(frame)
    }

    fn repost(&mut self) {
        if !self.stalled {
            for queue in self.queues.iter_mut().step_by(2) {
                queue.post(&self.memory);
                queue.kick(&self.memory);
            }
        }
    }

    /// The next frame, within `patience`.
    pub fn receive(&mut self, patience: Duration) -> Option<Vec<u8>> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(frame) = self.try_receive() {
                return Some(frame);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            self.wait(&[], Some(left));
        }
    }

    /// Waits until frames may have come, the switch hangs up, or one of `others` can be read; says which of those.
    pub fn wait(&mut self, others: &[RawFd], patience: Option<Duration>) -> Vec<bool> {
        let mut fds: Vec<RawFd> = others.to_vec();
        fds.extend(self.queues.iter().map(|q| q.call.as_raw_fd()));
        fds.extend(self.connection.iter().map(|c| c.fd));
        let mut ready = poll::wait(&fds, patience).unwrap_or_default();
        for queue in &self.queues {
            // Non-blocking: an empty counter is an error that says nothing.
            let _ = queue.call.read();
        }
        ready.truncate(others.len());
        ready
    }

    /// Waits until the switch took a sent frame, at most `patience`.
    pub fn wait_for_room(&mut self, patience: Duration) {
        for queue in self.queues.iter_mut().skip(1).step_by(2) {
            queue.interrupts(&self.memory, true);
        }
        let full = usize::from(self.config.queue_size);
        let memory = &self.memory;
        if self.queues.iter_mut().skip(1).step_by(2).all(|q| q.outstanding(memory) >= full) {
            self.wait(&[], Some(patience));
        }
        for queue in self.queues.iter_mut().skip(1).step_by(2) {
            queue.interrupts(&self.memory, false);
        }
    }

    /// The socket to wait on for a new switch, while none is there.
    #[must_use]
    pub fn listener_fd(&self) -> Option<RawFd> {
        self.listener.as_ref().map(AsRawFd::as_raw_fd)
    }

    /// What the port is like.
    #[must_use]
    pub fn config(&self) -> &PortConfig {
        &self.config
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
