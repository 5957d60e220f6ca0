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
    /// Arguments with which QEMU attaches a guest.
    pub qemu: String,
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
    /// The snapshot it works with.
    pub snapshot_version: u64,
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

    /// Opens an ENI's port for worker `worker`, or leaves it alone when it is open and nothing about it changed.
    ///
    /// # Errors
    /// One plain sentence.
    fn open(&self, eni: &EniSpec, worker: usize) -> Result<(), String>;

    /// Closes an ENI's port; on return no worker uses it.
    fn close(&self, eni: &str);

    /// Publishes a snapshot and waits until every worker uses it.
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

    fn open(&self, _eni: &EniSpec, _worker: usize) -> Result<(), String> {
        Ok(())
    }

    fn close(&self, _eni: &str) {}

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
