//! A port of the guest: memory, queues and the conversation with the switch.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::conversation::{Conversation, RingAddress, Wishes, listen};
use super::queue::{HEADER, Queue};
use crate::sys::memory::Memory;
use crate::sys::poll;

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

/// A port of the guest.
pub struct GuestPort {
    config: PortConfig,
    pub(super) memory: Memory,
    /// Queue 2n receives, 2n + 1 transmits.
    pub(super) queues: Vec<Queue>,
    listener: Option<UnixListener>,
    pub(super) conversation: Option<Conversation>,
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
        let listener = listen(&config.socket, config.role)?;
        Ok(GuestPort {
            config,
            memory,
            queues,
            listener,
            conversation: None,
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
        self.conversation = None;
        let wishes = Wishes {
            packed: self.config.packed,
            announce_mtu: self.config.announce_mtu,
            queue_pairs: self.config.queue_pairs,
            ignore_queue_limit: self.ignore_queue_limit,
        };
        let deadline = Instant::now() + patience;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let e = match self.bring_up(&wishes, left) {
                Ok(conversation) => {
                    self.conversation = Some(conversation);
                    return Ok(());
                }
                Err(e) => e,
            };
            // A switch that listens turns us away while it still takes our last connection for alive.
            let turned_away = matches!(e, GuestError::Io(_) | GuestError::Vhost(_) | GuestError::Protocol(_));
            if !turned_away || self.listener.is_some() || Instant::now() >= deadline {
                return Err(e);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn bring_up(&mut self, wishes: &Wishes, patience: Duration) -> Result<Conversation, GuestError> {
        let mut conversation = Conversation::open(self.listener.as_ref(), &self.config.socket, wishes, patience)?;
        self.offered = conversation.offered;
        self.start(&mut conversation)?;
        Ok(conversation)
    }

    /// Fresh rings, and all of them enabled.
    fn start(&mut self, conversation: &mut Conversation) -> Result<(), GuestError> {
        for (index, queue) in self.queues.iter_mut().enumerate() {
            queue.reset(&self.memory);
            if index % 2 == 0 {
                queue.post(&self.memory);
            } else {
                queue.interrupts(&self.memory, false);
            }
        }
        let rings: Vec<RingAddress<'_>> = self.queues.iter().map(|q| q.address()).collect();
        conversation.start(&self.memory, &rings)
    }

    /// Stops all rings and starts them anew on the same connection, as a guest does that reloads its driver.
    ///
    /// # Errors
    /// [`GuestError`].
    pub fn reset(&mut self) -> Result<(), GuestError> {
        let Some(mut conversation) = self.conversation.take() else {
            return Ok(());
        };
        conversation.stop(self.queues.len())?;
        self.start(&mut conversation)?;
        self.conversation = Some(conversation);
        Ok(())
    }

    /// Hangs up at once, whatever is under way.
    pub fn disconnect(&mut self) {
        self.conversation = None;
    }

    /// Is the switch there? It is not when it closed the socket.
    pub fn is_connected(&mut self) -> bool {
        if self.conversation.as_ref().is_some_and(Conversation::is_over) {
            self.conversation = None;
        }
        self.conversation.is_some()
    }

    /// Switches one queue on or off.
    ///
    /// # Errors
    /// [`GuestError`].
    pub fn enable(&mut self, queue: usize, on: bool) -> Result<(), GuestError> {
        self.conversation.as_mut().map_or(Ok(()), |c| c.enable(queue, on))
    }

    /// Puts a frame into the first transmit queue; `false` when there is no room. [`GuestPort::kick`] announces it.
    pub fn send(&mut self, frame: &[u8]) -> bool {
        self.send_on(0, frame)
    }

    /// Puts a frame into the transmit queue of a queue pair.
    pub fn send_on(&mut self, pair: usize, frame: &[u8]) -> bool {
        match self.queues.get_mut(2 * pair + 1) {
            Some(queue) if self.conversation.is_some() => queue.send(&self.memory, frame),
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
        self.conversation.as_ref()?;
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
        fds.extend(self.conversation.iter().map(|c| c.fd));
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
