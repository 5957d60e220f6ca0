//! A polled port: the conversation of `vswitch-guest`, and rings that nobody is notified of.

use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use vmm_sys_util::eventfd::EventFd;

use crate::guest::conversation::{Conversation, RingAddress, Wishes, listen};
use crate::guest::port::{GuestError, Role};
use crate::sys::memory::Memory;
use crate::sys::polled::{Layout, PolledRx, PolledTx};

/// What a port is like.
#[derive(Clone, Debug)]
pub struct PortSetup {
    /// The vhost-user socket; the port listens there.
    pub socket: PathBuf,
    /// Packed rings.
    pub packed: bool,
    /// Places of a ring, a power of two.
    pub queue_size: u16,
    /// Bytes of the longest frame that one buffer holds; longer ones take several when received.
    pub frame: usize,
    /// Memory in real hugepages.
    pub hugepages: bool,
}

/// A port with one queue pair.
pub struct PolledPort {
    setup: PortSetup,
    memory: Arc<Memory>,
    layout: Layout,
    /// Frames to the guest.
    pub rx: PolledRx,
    /// Frames from the guest.
    pub tx: PolledTx,
    /// Nobody reads or writes them: both sides poll. The protocol wants them.
    events: [EventFd; 4],
    listener: Option<UnixListener>,
    conversation: Option<Conversation>,
}

impl Drop for PolledPort {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.setup.socket);
    }
}

impl PolledPort {
    /// Makes memory and rings, and listens.
    ///
    /// # Errors
    /// The kernel's.
    pub fn listen(setup: PortSetup) -> Result<Self, GuestError> {
        let layout = Layout { packed: setup.packed, size: setup.queue_size, frame: setup.frame };
        let bytes = 2 * layout.bytes();
        let memory = Arc::new(if setup.hugepages { Memory::huge(bytes)? } else { Memory::new(bytes)? });
        let event = || EventFd::new(libc::EFD_NONBLOCK | libc::EFD_CLOEXEC);
        let events = [event()?, event()?, event()?, event()?];
        let listener = listen(&setup.socket, Role::Server)?;
        let rx = PolledRx::new(memory.clone(), 0, layout);
        let tx = PolledTx::new(memory.clone(), layout.bytes(), layout);
        Ok(PolledPort { setup, memory, layout, rx, tx, events, listener, conversation: None })
    }

    /// Waits for the contender and brings fresh rings up. Transmit buffers hold `pattern`.
    ///
    /// # Errors
    /// [`GuestError`].
    pub fn connect(&mut self, pattern: &[u8], patience: Duration) -> Result<(), GuestError> {
        self.conversation = None;
        let wishes =
            Wishes { packed: self.setup.packed, announce_mtu: None, queue_pairs: 1, ignore_queue_limit: false };
        let mut conversation = Conversation::open(self.listener.as_ref(), &self.setup.socket, &wishes, patience)?;
        self.rx.reset();
        self.tx.reset(pattern);
        let ring = |offset, call, kick| RingAddress {
            size: self.setup.queue_size,
            base: self.layout.base(),
            areas: self.layout.areas(offset),
            call,
            kick,
        };
        let [rx_call, rx_kick, tx_call, tx_kick] = &self.events;
        conversation.start(&self.memory, &[ring(0, rx_call, rx_kick), ring(self.layout.bytes(), tx_call, tx_kick)])?;
        self.conversation = Some(conversation);
        Ok(())
    }

    /// Did the contender come, and hang up since?
    #[must_use]
    pub fn was_left(&self) -> bool {
        self.conversation.as_ref().is_some_and(Conversation::is_over)
    }

    /// Stops the rings and hangs up.
    pub fn disconnect(&mut self) {
        if let Some(mut conversation) = self.conversation.take() {
            // The contender may be gone already.
            let _ = conversation.stop(2);
        }
    }

    /// The socket.
    #[must_use]
    pub fn setup(&self) -> &PortSetup {
        &self.setup
    }

    /// Fresh rings and devices in the same memory, for tests: what takes frames from the guest, and what gives it some.
    #[cfg(test)]
    pub fn without_contender(
        &mut self,
        stream: &crate::traffic::Stream,
    ) -> (crate::sys::polled::device::Device, crate::sys::polled::device::Device) {
        use crate::sys::polled::device::Device;
        self.rx.reset();
        self.tx.reset(stream.pattern());
        let tx = Device::new(&self.memory, self.layout, self.layout.bytes());
        (tx, Device::new(&self.memory, self.layout, 0))
    }
}
