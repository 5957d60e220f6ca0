//! The packet side of a live switch: workers and ENI ports behind the control side's [`Fabric`].

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::ports::Ports;
use super::run::{Aside, Published};
use super::set::Workers;
use crate::control::config::Config;
use crate::control::fabric::{Fabric, PortView, Refused, WorkerView};
use crate::control::model::EniSpec;
use crate::dpdk::eal::Eal;
use crate::mirror::publish::Publisher;
use crate::mirror::snapshot::Snapshot;
use crate::port::eni::check_socket_path;

/// Longest time a worker may take to see a new snapshot.
const PATIENCE: Duration = Duration::from_secs(5);

/// Workers and ports.
pub struct LiveFabric {
    publisher: Publisher<Published>,
    workers: Mutex<Workers>,
    ports: Mutex<Ports>,
    count: usize,
}

impl LiveFabric {
    /// Starts the workers on `cpus` with nothing to do.
    ///
    /// # Errors
    /// One plain sentence.
    pub fn start(eal: &'static Eal, config: &Config, cpus: &[usize], empty: Snapshot) -> Result<Self, String> {
        Self::start_beside(eal, config, cpus, empty, Vec::new())
    }

    /// The same for a harness, whose guests live on the workers' own threads: one entry of `asides` a worker.
    ///
    /// # Errors
    /// One plain sentence.
    pub fn start_beside(
        eal: &'static Eal,
        config: &Config,
        cpus: &[usize],
        empty: Snapshot,
        asides: Vec<Aside>,
    ) -> Result<Self, String> {
        let first = Published { snapshot: empty, ports: Box::default(), owned: Box::default() };
        let publisher = Publisher::new(Arc::new(first), cpus.len());
        let workers = Workers::start(eal, config, cpus, &publisher, asides)?;
        Ok(LiveFabric { publisher, workers: Mutex::new(workers), ports: Mutex::default(), count: cpus.len() })
    }
}

impl Fabric for LiveFabric {
    fn workers(&self) -> usize {
        self.count
    }

    fn check(&self, eni: &EniSpec) -> Result<(), String> {
        check_socket_path(&eni.socket).map_err(|e| format!("{}: {e}", eni.id))
    }

    fn open(&self, wanted: &[(&EniSpec, usize)]) -> Result<(), Refused> {
        let turn = |worker| self.workers.lock().turn(worker);
        self.ports.lock().change(wanted, &turn)
    }

    fn publish(&self, snapshot: Snapshot) -> Result<(), String> {
        let open = self.ports.lock();
        let mut ports = vec![None; snapshot.enis.len()];
        let mut owned = vec![Vec::new(); self.count];
        for eni in snapshot.enis.iter().flatten() {
            ports[eni.slot as usize] = open.get(&eni.id).map(|o| o.port.clone());
            if let Some(slots) = owned.get_mut(eni.worker) {
                slots.push(eni.slot);
            }
        }
        drop(open);
        let published = Published {
            snapshot,
            ports: ports.into_boxed_slice(),
            owned: owned.into_iter().map(Vec::into_boxed_slice).collect(),
        };
        let epoch = self.publisher.publish(Arc::new(published));
        let seen = self.publisher.wait_until_seen(epoch, PATIENCE).map_err(|e| e.to_string());
        let unwanted = self.ports.lock().take_unwanted();
        unwanted.iter().for_each(|open| open.port.close());
        seen
    }

    fn port(&self, eni: &str) -> Option<PortView> {
        let ports = self.ports.lock();
        let open = ports.get(eni)?;
        let state = open.port.state();
        Some(PortView {
            connected: state.connected,
            packed: state.packed,
            queue_pairs: state.queue_pairs,
            stuck_queues: state.stuck_queues,
            announced_mtu: state.announced_mtu,
            fault: state.fault,
            connections: state.connections,
        })
    }

    fn worker_views(&self) -> Vec<WorkerView> {
        let versions = self.publisher.epochs();
        let workers = self.workers.lock();
        let views = workers.stats().iter().zip(versions).map(|(stats, epoch)| WorkerView {
            saturated_windows: stats.saturated_windows.get(),
            given_up: stats.given_up.get(),
            busy_cycles: stats.busy_cycles.get(),
            idle_cycles: stats.idle_cycles.get(),
            packets: stats.packets.get(),
            snapshot_version: epoch.unwrap_or(0),
        });
        views.collect()
    }

    /// Ports first: a guest's going waits for a running worker.
    fn stop(&self) {
        let all = self.ports.lock().take_all();
        all.iter().for_each(|open| open.port.close());
        self.workers.lock().stop();
    }
}
