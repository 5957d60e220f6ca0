//! What the control side asks of the packet side: ports opened and closed, snapshots published, figures read.

use std::sync::Arc;

use super::model::EniSpec;
use crate::mirror::snapshot::Snapshot;

/// A port as operators see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortView {
    /// A guest is there.
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

/// A worker's figures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WorkerView {
    /// TSC cycles of turns that moved packets.
    pub busy_cycles: u64,
    /// TSC cycles of turns that moved none.
    pub idle_cycles: u64,
    /// Packets taken from queues and rings.
    pub packets: u64,
    /// Windows in which it was saturated.
    pub saturated_windows: u64,
    /// Share of the copies given up now, of senders over their share, in 64ths.
    pub given_up: u64,
    /// The snapshot it works with.
    pub snapshot_version: u64,
}

/// Ports that were not opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// One plain sentence.
    pub why: String,
    /// Ports of the running configuration had to be closed for it and were opened again: publish it once more.
    pub reopened: bool,
}

/// The packet side. Called by one thread at a time.
pub trait Fabric: Send + Sync {
    /// Number of workers.
    fn workers(&self) -> usize;

    /// Could this ENI's port be opened?
    ///
    /// # Errors
    /// One plain sentence.
    fn check(&self, eni: &EniSpec) -> Result<(), String>;

    /// Makes these ports, each for a worker, the ones that the next snapshot goes with. Ports that are open and did not
    /// change stay; the others are opened. What is not wanted any more stays open until that snapshot is published,
    /// unless one of the new ports needs its socket.
    ///
    /// # Errors
    /// A port that cannot be opened: all ports are as before then.
    fn open(&self, wanted: &[(&EniSpec, usize)]) -> Result<(), Refused>;

    /// Publishes a snapshot, waits until every worker uses it, and closes the ports that nobody wants any more.
    ///
    /// # Errors
    /// A worker did not take it in time; it will when it can.
    fn publish(&self, snapshot: Snapshot) -> Result<(), String>;

    /// An ENI's port.
    fn port(&self, eni: &str) -> Option<PortView>;

    /// Each worker's figures.
    fn worker_views(&self) -> Vec<WorkerView>;

    /// Ends the workers and closes all ports.
    fn stop(&self);
}

/// No packet side at all: `worker.count = 0`.
#[derive(Debug, Default)]
pub struct NoFabric {
    published: parking_lot::Mutex<Option<Arc<Snapshot>>>,
}

impl Fabric for NoFabric {
    fn workers(&self) -> usize {
        0
    }

    fn check(&self, _eni: &EniSpec) -> Result<(), String> {
        Ok(())
    }

    fn open(&self, _wanted: &[(&EniSpec, usize)]) -> Result<(), Refused> {
        Ok(())
    }

    fn publish(&self, snapshot: Snapshot) -> Result<(), String> {
        *self.published.lock() = Some(Arc::new(snapshot));
        Ok(())
    }

    fn port(&self, _eni: &str) -> Option<PortView> {
        None
    }

    fn worker_views(&self) -> Vec<WorkerView> {
        Vec::new()
    }

    fn stop(&self) {}
}
