//! One point in full: ports, addresses, rules, streams, copies.

use std::net::Ipv4Addr;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::contender::{Job, JobMirror, JobPort};
use crate::generator::{Plan, PortSetup, Target};
use crate::scenario::Overload;
use crate::scenario::rules::{FilterRule, mirror_like};
use crate::traffic::{Endpoint, MAX_FRAME, Outer, Sampling, Stream, StreamSpec};

/// VXLAN network identifier of every run.
const VNI: u32 = 10;
/// Index of the collector's port.
const COLLECTOR: usize = 2;
/// Places of the rings of ports that carry traffic, and of idle ones.
const RING: u16 = 1024;
const IDLE_RING: u16 = 256;

/// What of port 0's traffic is mirrored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mirroring {
    /// Nothing: no session.
    None,
    /// Everything, by one accepting rule, or by the contender's own way to mirror a port.
    All,
    /// What so many rules accept; the last one alone can match.
    Rules(usize),
}

/// One point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Setup {
    /// Frame lengths in bytes without FCS, used in turn.
    pub sizes: Vec<usize>,
    /// Flows of each direction, a power of two.
    pub flows: u32,
    /// Of 100 flows, so many match the rules.
    pub match_percent: u32,
    /// What is mirrored.
    pub mirroring: Mirroring,
    /// ENIs in all, the collector and idle ones included; at least 3 where something is mirrored, else 2.
    pub enis: usize,
    /// Sessions stored beside the one that counts.
    pub stored_sessions: u32,
    /// Local sessions beside it.
    pub local_sessions: u32,
    /// How the collector takes copies.
    pub target: Target,
    /// What the switch gives up when its worker is saturated.
    pub overload: Overload,
    /// Packed rings.
    pub packed: bool,
    /// Bytes kept of an IPv4 packet at most.
    pub packet_length: u16,
    /// Largest IP packet of the two that talk, and of the collector: 1500 or 8500.
    pub mtu: u16,
    /// The collector's.
    pub collector_mtu: u16,
}

impl Default for Setup {
    fn default() -> Self {
        Setup {
            sizes: vec![64],
            flows: 1024,
            match_percent: 100,
            mirroring: Mirroring::None,
            enis: 2,
            stored_sessions: 0,
            local_sessions: 0,
            target: Target::Fast,
            overload: Overload::Share,
            packed: false,
            packet_length: 1500,
            mtu: 1500,
            collector_mtu: 1500,
        }
    }
}

impl Setup {
    /// Ports in all: the two that talk, the collector, idle ones.
    #[must_use]
    pub fn port_count(&self) -> usize {
        self.enis.max(if self.mirroring == Mirroring::None { 2 } else { COLLECTOR + 1 })
    }

    fn mtu_of(&self, port: usize) -> u16 {
        if port == COLLECTOR { self.collector_mtu } else { self.mtu }
    }

    /// The ports as a contender finds them, their sockets in `dir`. `set` tells several sets of ports apart.
    #[must_use]
    pub fn ports(&self, dir: &Path, set: usize) -> Vec<JobPort> {
        let port = |index: usize| JobPort {
            socket: dir.join(format!("{set}-{index}.sock")),
            mac: endpoint(set, index).mac,
            ip: endpoint(set, index).ip,
            mtu: self.mtu_of(index),
        };
        (0..self.port_count()).map(port).collect()
    }

    /// The generator's side of the same ports.
    #[must_use]
    pub fn port_setups(&self, ports: &[JobPort], hugepages: bool) -> Vec<PortSetup> {
        let used = if self.mirroring == Mirroring::None { 2 } else { COLLECTOR + 1 };
        let setup = |(index, port): (usize, &JobPort)| PortSetup {
            socket: port.socket.clone(),
            packed: self.packed,
            queue_size: if index < used { RING } else { IDLE_RING },
            frame: if port.mtu > 1500 { MAX_FRAME + 128 } else { 1664 },
            hugepages: hugepages && index < used,
        };
        ports.iter().enumerate().map(setup).collect()
    }

    /// What a contender is to do with them.
    #[must_use]
    pub fn mirror(&self) -> Option<JobMirror> {
        let rules = match self.mirroring {
            Mirroring::None => return None,
            Mirroring::All => vec![everything()],
            Mirroring::Rules(count) => mirror_like(count, false),
        };
        Some(JobMirror {
            target: COLLECTOR,
            vni: VNI,
            packet_length: self.packet_length,
            rules,
            overload: self.overload,
            plain: self.mirroring == Mirroring::All,
            stored_sessions: self.stored_sessions,
            local_sessions: self.local_sessions,
        })
    }

    /// The job of a contender with its own process.
    #[must_use]
    pub fn job(&self, dir: &Path, worker_cpus: Vec<usize>, control_cpu: usize, memory_mb: u32) -> Job {
        Job {
            dir: dir.to_owned(),
            ports: self.ports(dir, 0),
            mirror: self.mirror(),
            worker_cpus,
            control_cpu,
            memory_mb,
        }
    }

    /// What the guests of a set of ports do.
    ///
    /// # Errors
    /// A sentence that names what is out of range.
    pub fn plan(&self, set: usize, sampling: Sampling, stamp_every: u64, our_hash: bool) -> Result<Plan, String> {
        let stream = |from: usize, to: usize| {
            Stream::new(StreamSpec {
                id: (2 * set + from) as u8,
                from: endpoint(set, from),
                to: endpoint(set, to),
                sizes: self.sizes.clone(),
                flows: self.flows,
                match_percent: if self.mirroring == Mirroring::All { 100 } else { self.match_percent },
            })
        };
        let longest = self.sizes.iter().max().copied().unwrap_or_default();
        if longest > usize::from(self.mtu) + 14 {
            return Err(format!("size = {longest}: with MTU {} frames have at most {} bytes", self.mtu, self.mtu + 14));
        }
        let room = usize::from(self.collector_mtu) - 50;
        let outer = Outer {
            mac: endpoint(set, COLLECTOR).mac,
            source: endpoint(set, 0).ip,
            destination: endpoint(set, COLLECTOR).ip,
            vni: VNI,
            keep: room.min(usize::from(self.packet_length)),
            our_hash,
        };
        Ok(Plan {
            streams: [stream(0, 1)?, stream(1, 0)?],
            collector: (self.mirroring != Mirroring::None).then_some((COLLECTOR, outer)),
            sampling,
            stamp_every,
            target: self.target,
        })
    }
}

/// One rule that accepts all.
fn everything() -> FilterRule {
    let (any, ports) = ((0, 0), None);
    FilterRule {
        accept: true,
        protocol: None,
        source: any,
        destination: any,
        source_ports: ports.clone(),
        destination_ports: ports,
    }
}

/// The guest behind a port: 10.0.x.y in 10.0.0.0/16.
fn endpoint(set: usize, port: usize) -> Endpoint {
    let number = (set * 512 + port + 10) as u16;
    let [high, low] = number.to_be_bytes();
    Endpoint { mac: [2, 0, 0, 0, high, low], ip: Ipv4Addr::new(10, 0, high, low) }
}
