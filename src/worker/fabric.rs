//! The packet side of a live switch: workers and ENI ports behind the control side's [`Fabric`].

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::run::{Aside, Published};
use super::set::Workers;
use crate::control::config::Config;
use crate::control::fabric::{Fabric, PortView, WorkerView};
use crate::control::model::EniSpec;
use crate::dpdk::eal::Eal;
use crate::mirror::publish::Publisher;
use crate::mirror::snapshot::Snapshot;
use crate::port::eni::check_socket_path;
use crate::port::{EniPort, PortSpec};
use crate::wire::Mac;

/// Longest time a worker may take to see a new snapshot.
const PATIENCE: Duration = Duration::from_secs(5);

/// An open port and the worker it was opened for.
struct Open {
    port: Arc<EniPort>,
    worker: usize,
    mac: Mac,
}

/// Workers and ports.
pub struct LiveFabric {
    publisher: Publisher<Published>,
    workers: Mutex<Workers>,
    ports: Mutex<HashMap<Arc<str>, Open>>,
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
        Ok(LiveFabric { publisher, workers: Mutex::new(workers), ports: Mutex::new(HashMap::new()), count: cpus.len() })
    }
}

impl Fabric for LiveFabric {
    fn workers(&self) -> usize {
        self.count
    }

    fn check(&self, eni: &EniSpec) -> Result<(), String> {
        check_socket_path(&eni.socket).map_err(|e| format!("{}: {e}", eni.id))
    }

    fn open(&self, eni: &EniSpec, worker: usize) -> Result<(), String> {
        let spec = PortSpec {
            eni: eni.id.clone(),
            socket: eni.socket.clone(),
            mode: eni.mode,
            queue_pairs: eni.queue_pairs,
            mtu: eni.mtu,
        };
        let mut ports = self.ports.lock();
        if let Some(open) = ports.get(&eni.id)
            && open.worker == worker
            && *open.port.spec() == spec
        {
            return Ok(());
        }
        if let Some(old) = ports.remove(&eni.id) {
            old.port.close();
        }
        if let Some(folder) = spec.socket.parent().filter(|p| !p.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|e| format!("{}: {}: {e}", eni.id, folder.display()))?;
        }
        let turn = self.workers.lock().turn(worker);
        let port = EniPort::open(spec, turn).map_err(|e| format!("{}: {e}", eni.id))?;
        ports.insert(eni.id.clone(), Open { port, worker, mac: Mac(eni.mac) });
        Ok(())
    }

    fn close(&self, eni: &str) {
        let gone = self.ports.lock().remove(eni);
        if let Some(open) = gone {
            open.port.close();
        }
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
        self.publisher.wait_until_seen(epoch, PATIENCE).map_err(|e| e.to_string())
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
            qemu: open.port.qemu_line(&open.mac.to_string()),
        })
    }

    fn worker_views(&self) -> Vec<WorkerView> {
        let versions = self.publisher.epochs();
        let workers = self.workers.lock();
        let views = workers.stats().iter().zip(versions).map(|(stats, epoch)| WorkerView {
            busy_cycles: stats.busy_cycles.get(),
            idle_cycles: stats.idle_cycles.get(),
            packets: stats.packets.get(),
            snapshot_version: epoch.unwrap_or(0),
        });
        views.collect()
    }

    /// Ports first: a guest's going waits for a running worker.
    fn stop(&self) {
        let ports: Vec<Open> = self.ports.lock().drain().map(|(_, open)| open).collect();
        for open in &ports {
            open.port.close();
        }
        self.workers.lock().stop();
    }
}
