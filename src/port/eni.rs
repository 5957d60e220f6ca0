//! One ENI's port: what the vhost thread knows of the guest, published to the worker that owns the ENI.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use parking_lot::Mutex;

use super::turn::Turn;
use crate::control::model::SocketMode;
use crate::dpdk::vhost::{self, VhostDriver, VhostError, VhostEvents, Vid};

/// No device.
const NONE: i32 = -1;
/// Longest time that a guest's going waits for the worker before it is interrupted.
const PATIENCE: Duration = Duration::from_millis(100);
/// How often that happens before it is said.
const SAID_AFTER: u32 = 50;

/// The last guest's number: no two guests of this process have the same, on whichever port.
static GUESTS: AtomicU64 = AtomicU64::new(0);

/// What a port is made of; a port whose description changes is a new port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortSpec {
    /// The ENI's id.
    pub eni: Arc<str>,
    /// The vhost-user socket.
    pub socket: PathBuf,
    /// Who owns the socket.
    pub mode: SocketMode,
    /// Queue pairs offered, 1 to 8.
    pub queue_pairs: u8,
    /// The ENI's MTU, to be compared with what the VMM announces.
    pub mtu: u16,
}

/// A port as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortState {
    /// A guest is there and at least one queue runs.
    pub connected: bool,
    /// The guest uses packed rings.
    pub packed: bool,
    /// Queue pairs with both queues enabled.
    pub queue_pairs: u32,
    /// Transmit queues with entries from which nothing can be taken.
    pub stuck_queues: u32,
    /// The MTU that the VMM announced.
    pub announced_mtu: Option<u16>,
    /// What is wrong with the port.
    pub fault: Option<String>,
    /// How often a guest came.
    pub connections: u64,
}

/// One ENI's port.
#[derive(Debug)]
pub struct EniPort {
    spec: PortSpec,
    turn: Arc<Turn>,
    vid: AtomicI32,
    /// One bit a virtio queue: even ones receive in the guest, odd ones transmit.
    enabled: AtomicU32,
    features: AtomicU64,
    connections: AtomicU64,
    guest: AtomicU64,
    /// The connection whose refusal was logged.
    refused: AtomicI32,
    announced_mtu: AtomicU32,
    stuck: AtomicU32,
    fault: Mutex<Option<String>>,
    driver: Mutex<Option<VhostDriver>>,
}

impl EniPort {
    /// Opens the socket and waits for guests in the background. `turn` is the turn counter of the owning worker.
    ///
    /// # Errors
    /// [`VhostError`] when the library refuses the socket.
    pub fn open(spec: PortSpec, turn: Arc<Turn>) -> Result<Arc<Self>, VhostError> {
        let port = Arc::new(EniPort {
            turn,
            vid: AtomicI32::new(NONE),
            enabled: AtomicU32::new(0),
            features: AtomicU64::new(0),
            connections: AtomicU64::new(0),
            guest: AtomicU64::new(0),
            refused: AtomicI32::new(NONE),
            announced_mtu: AtomicU32::new(0),
            stuck: AtomicU32::new(0),
            fault: Mutex::new(None),
            driver: Mutex::new(None),
            spec,
        });
        let mode = match port.spec.mode {
            SocketMode::Client => vhost::Mode::Client,
            SocketMode::Server => vhost::Mode::Server,
        };
        let driver = VhostDriver::register(&port.spec.socket, mode, port.spec.queue_pairs, port.clone())?;
        *port.driver.lock() = Some(driver);
        Ok(port)
    }

    /// Closes the socket; on return no worker uses the guest's queues. Control thread only.
    pub fn close(&self) {
        let driver = self.driver.lock().take();
        drop(driver);
    }

    /// What the port is made of.
    #[must_use]
    pub fn spec(&self) -> &PortSpec {
        &self.spec
    }

    /// The device and its enabled queues, for one turn of the owning worker.
    #[inline]
    #[must_use]
    pub fn device(&self) -> Option<(Vid, u32)> {
        let vid = self.vid.load(SeqCst);
        if vid == NONE { None } else { Some((Vid(vid), self.enabled.load(SeqCst))) }
    }

    /// The guest's number in this process: tells one guest's queues from the next one's, on this port or another.
    #[must_use]
    pub fn guest(&self) -> u64 {
        self.guest.load(SeqCst)
    }

    /// Does the guest use packed rings?
    #[must_use]
    pub fn is_packed(&self) -> bool {
        vhost::is_packed(self.features.load(SeqCst))
    }

    /// The owning worker says which queues have entries that it cannot take, one bit a queue.
    pub fn set_stuck(&self, queues: u32) {
        if self.stuck.load(SeqCst) != queues {
            self.stuck.store(queues, SeqCst);
        }
    }

    /// The port as operators see it.
    #[must_use]
    pub fn state(&self) -> PortState {
        let connected = self.vid.load(SeqCst) != NONE;
        let enabled = self.enabled.load(SeqCst);
        let announced = self.announced_mtu.load(SeqCst);
        PortState {
            connected,
            packed: self.is_packed(),
            stuck_queues: self.stuck.load(SeqCst).count_ones(),
            queue_pairs: (enabled & enabled >> 1 & 0x5555_5555).count_ones(),
            announced_mtu: u16::try_from(announced).ok().filter(|m| *m != 0),
            fault: self.fault.lock().clone(),
            connections: self.connections.load(SeqCst),
        }
    }

    fn compare_mtu(&self, vid: Vid) {
        let announced = vhost::mtu(vid);
        self.announced_mtu.store(announced.map_or(0, u32::from), SeqCst);
        if let Some(mtu) = announced
            && mtu != self.spec.mtu
        {
            let fault = format!(
                "the VMM announces MTU {mtu}, the inventory says {}: start the guest with host_mtu={}",
                self.spec.mtu, self.spec.mtu
            );
            tracing::warn!(eni = %self.spec.eni, "{fault}");
            *self.fault.lock() = Some(fault);
        }
    }
}

impl VhostEvents for EniPort {
    fn connected(&self, _vid: Vid) {
        self.enabled.store(0, SeqCst);
        self.refused.store(NONE, SeqCst);
    }

    fn new_device(&self, vid: Vid) {
        *self.fault.lock() = None;
        self.features.store(vhost::features(vid), SeqCst);
        self.connections.fetch_add(1, SeqCst);
        self.guest.store(GUESTS.fetch_add(1, SeqCst) + 1, SeqCst);
        self.compare_mtu(vid);
        vhost::silence_transmit_kicks(vid, self.spec.queue_pairs);
        self.vid.store(vid.0, SeqCst);
        tracing::info!(eni = %self.spec.eni, vid = vid.0, "guest connected");
    }

    /// Blocks until the worker has left the guest's queues, whoever is there now: the library frees them afterwards.
    fn destroy_device(&self, vid: Vid) {
        let _ = self.vid.compare_exchange(vid.0, NONE, SeqCst, SeqCst);
        let mut interrupted = 0u32;
        while !self.turn.wait_for_next(PATIENCE) {
            self.turn.interrupt();
            interrupted += 1;
            if interrupted.is_multiple_of(SAID_AFTER) {
                tracing::error!(eni = %self.spec.eni, "a worker does not finish its turn; the guest's end waits for it");
            }
        }
        tracing::info!(eni = %self.spec.eni, vid = vid.0, "guest gone");
    }

    /// The library protects the queue itself, and holds its lock here: only the bit is set, nobody is waited for.
    fn vring_state_changed(&self, _vid: Vid, queue: u16, enable: bool) {
        let bit = 1u32.checked_shl(u32::from(queue)).unwrap_or(0);
        if enable {
            self.enabled.fetch_or(bit, SeqCst);
        } else {
            self.enabled.fetch_and(!bit, SeqCst);
        }
    }

    /// Said once a connection: a frontend may go on asking.
    fn refused(&self, vid: Vid, why: &str) {
        if self.refused.swap(vid.0, SeqCst) != vid.0 {
            tracing::warn!(eni = %self.spec.eni, "frontend refused: {why}");
        }
        *self.fault.lock() = Some(why.to_owned());
    }
}

/// A path that exists and is not a socket cannot become one.
///
/// # Errors
/// One plain sentence.
pub fn check_socket_path(path: &Path) -> Result<(), String> {
    use std::os::unix::fs::FileTypeExt;
    match std::fs::symlink_metadata(path) {
        Ok(meta) if !meta.file_type().is_socket() => {
            Err(format!("{} exists and is not a socket; remove it or choose another path", path.display()))
        }
        _ => Ok(()),
    }
}
