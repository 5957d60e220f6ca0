//! What is measured: the switch and its peers, each a process that forwards between the generator's ports.
//!
//! The generator listens on every socket before a contender starts; contenders connect (vhost-user client mode).

pub mod cloop;
mod http;
pub mod ovs;
mod ovs_flows;
mod ovs_host;
mod running;
pub mod testpmd;
pub mod vswitch;
pub(crate) mod vswitch_files;

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use crate::scenario::Overload;
use crate::scenario::rules::FilterRule;

/// A port of the generator, as a contender finds it.
#[derive(Clone, Debug)]
pub struct JobPort {
    /// The vhost-user socket; the generator listens there.
    pub socket: PathBuf,
    /// The guest's MAC.
    pub mac: [u8; 6],
    /// The guest's address.
    pub ip: Ipv4Addr,
    /// Largest IP packet of the guest: 1500 or 8500.
    pub mtu: u16,
}

/// What is mirrored: port 0, both directions.
#[derive(Clone, Debug)]
pub struct JobMirror {
    /// Index of the collector's port.
    pub target: usize,
    /// VXLAN network identifier.
    pub vni: u32,
    /// Bytes kept of an IPv4 packet.
    pub packet_length: u16,
    /// What a contender that can choose does with copies under overload.
    pub overload: Overload,
    /// Rules of both directions, in priority order.
    pub rules: Vec<FilterRule>,
    /// `None`: plain mirroring of everything where a contender has such a mode (OVS's mirror record).
    pub plain: bool,
    /// Sessions stored beside the one above; none of their sources is local.
    pub stored_sessions: u32,
    /// Local sessions beside the one above, spread over the idle ports.
    pub local_sessions: u32,
}

/// One run of a contender.
#[derive(Clone, Debug)]
pub struct Job {
    /// A folder of this run, for sockets, configuration and logs.
    pub dir: PathBuf,
    /// Ports 0 and 1 talk to each other; a collector follows where something is mirrored; the rest is idle.
    pub ports: Vec<JobPort>,
    /// What is mirrored, if anything.
    pub mirror: Option<JobMirror>,
    /// CPUs of the polling workers.
    pub worker_cpus: Vec<usize>,
    /// CPU of everything else of the contender.
    pub control_cpu: usize,
    /// MiB of hugepages for it.
    pub memory_mb: u32,
}

impl Job {
    /// CPUs of all its threads.
    #[must_use]
    pub fn cpus(&self) -> Vec<usize> {
        let mut cpus = self.worker_cpus.clone();
        if !cpus.contains(&self.control_cpu) {
            cpus.push(self.control_cpu);
        }
        cpus
    }

    /// Ports of a contender that has no others than those that packets use: 0, 1 and the collector's.
    fn busy_ports(&self) -> Vec<usize> {
        [0, 1].into_iter().chain(self.mirror.as_ref().map(|m| m.target)).collect()
    }

    /// Frames of at most this many bytes leave port 0 and port 1.
    fn longest_frame(&self) -> u16 {
        14 + self.ports.iter().take(2).map(|p| p.mtu).max().unwrap_or(1500)
    }
}

impl JobMirror {
    /// Bytes of an inner frame that a copy keeps, at most: the session's limit and the collector's MTU, less what the
    /// encapsulation takes of it.
    fn longest_copy(&self, job: &Job) -> u16 {
        let path = job.ports.get(self.target).map_or(1500, |p| p.mtu) - ::vswitch::wire::vxlan::OVERHEAD;
        14 + self.packet_length.min(path)
    }

    /// An error where a peer has nothing like sessions beside the measured one.
    fn must_be_alone(&self, peer: &str) -> Result<(), String> {
        if self.stored_sessions + self.local_sessions == 0 {
            return Ok(());
        }
        Err(format!("{peer} has no sessions beside the measured one: leave the peer out of this point"))
    }
}

/// `02:00:00:00:00:0a`.
fn mac_text(mac: [u8; 6]) -> String {
    mac.map(|b| format!("{b:02x}")).join(":")
}

/// The bounds of a contender's counters, for the ledger after a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Copies that the contender says it sent.
    pub copies: Option<u64>,
    /// Matched packets that it says it did not copy, by reason.
    pub skipped: Vec<(String, u64)>,
    /// Service packets that it says it dropped, by reason.
    pub dropped: Vec<(String, u64)>,
    /// TSC cycles of its workers in turns that moved packets, and in those that did not.
    pub cycles: Option<(u64, u64)>,
}

/// A contender in one configuration. Dropping it ends its processes and removes all that it made.
pub trait Contender {
    /// What tables call it: `vswitch`, `testpmd`, `ovs-mirror`, `ovs-rules`, `cloop`, …
    fn name(&self) -> String;

    /// Indices of the job's ports that it connects to; the generator need not wait for the others.
    fn ports(&self, job: &Job) -> Vec<usize> {
        (0..job.ports.len()).collect()
    }

    /// Starts it for `job` and returns when it forwards between connected ports, or has reached the point after which
    /// it will by itself as soon as the generator's ports are polled.
    ///
    /// # Errors
    /// One sentence that says what to do, such as the name of a Debian package.
    fn start(&mut self, job: &Job, patience: Duration) -> Result<(), String>;

    /// Its own counters since its start, where it has any.
    ///
    /// # Errors
    /// One sentence, such as that it has ended by itself.
    fn counted(&mut self) -> Result<Counted, String> {
        Ok(Counted::default())
    }

    /// Changes its configuration to another `variation` of the same meaning while packets flow, and says how long it took
    /// until all its workers had it.
    ///
    /// # Errors
    /// One sentence.
    fn reload(&mut self, _variation: u32) -> Result<Duration, String> {
        Err(format!("{} has nothing to reload", self.name()))
    }

    /// Ends it and waits for its end; dropping does the same. It may be started again.
    ///
    /// It also ends, without its files, when the thread that started it does.
    fn stop(&mut self);
}
