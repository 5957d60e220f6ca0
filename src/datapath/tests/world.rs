//! A small VPC for tests: two subnets, a mirror source, a collector, and frames to send.

use std::sync::Arc;

use arrayvec::ArrayVec;

use crate::control::compile::compile;
use crate::control::config::Config;
use crate::control::model::Model;
use crate::control::model_from_json;
use crate::control::registry::Registry;
use crate::datapath::{Verdict, run_burst, run_crossed};
use crate::metrics::laws;
use crate::metrics::scrape::{EniSample, RowSample, Scrape};
use crate::mirror::publish::Reader;
use crate::mirror::snapshot::{Eni, Snapshot};
use crate::packet::{BURST, Burst, Direction, HeapBuf, Reason};
use crate::replay::env::HeapEnv;
use crate::wire::{Mac, checksum};
use crate::worker::crossed;

/// ENIs: a (source), b, c (collector, jumbo) in one subnet, d (jumbo) and e in another; x in another VPC.
pub const A: &str = "eni-a";
pub const B: &str = "eni-b";
pub const C: &str = "eni-c";
pub const D: &str = "eni-d";
pub const E: &str = "eni-e";
pub const ROUTER: Mac = Mac([0xee, 0xff, 0xff, 0xff, 0xff, 0xff]);

const INVENTORY: &str = r#"{
 "RegionId":"local","PlatformCidrs":["100.64.0.0/10"],
 "Vpcs":[{"VpcId":"vpc-1","CidrBlock":"10.0.0.0/16"},{"VpcId":"vpc-2","CidrBlock":"10.0.0.0/16"}],
 "VSwitches":[
  {"VSwitchId":"vsw-1","VpcId":"vpc-1","CidrBlock":"10.0.1.0/24"},
  {"VSwitchId":"vsw-2","VpcId":"vpc-1","CidrBlock":"10.0.2.0/24"},
  {"VSwitchId":"vsw-3","VpcId":"vpc-2","CidrBlock":"10.0.3.0/24"}],
 "NetworkInterfaces":[
  {"NetworkInterfaceId":"eni-a","VSwitchId":"vsw-1","MacAddress":"02:00:00:00:00:0a","PrivateIpAddress":"10.0.1.10",
   "SecondaryPrivateIpAddresses":["10.0.1.11"],"Mtu":8500},
  {"NetworkInterfaceId":"eni-b","VSwitchId":"vsw-1","MacAddress":"02:00:00:00:00:0b","PrivateIpAddress":"10.0.1.20","Mtu":8500},
  {"NetworkInterfaceId":"eni-c","VSwitchId":"vsw-1","MacAddress":"02:00:00:00:00:0c","PrivateIpAddress":"10.0.1.30"},
  {"NetworkInterfaceId":"eni-d","VSwitchId":"vsw-2","MacAddress":"02:00:00:00:00:0d","PrivateIpAddress":"10.0.2.40","Mtu":8500},
  {"NetworkInterfaceId":"eni-e","VSwitchId":"vsw-2","MacAddress":"02:00:00:00:00:0e","PrivateIpAddress":"10.0.2.50"},
  {"NetworkInterfaceId":"eni-x","VSwitchId":"vsw-3","MacAddress":"02:00:00:00:00:0f","PrivateIpAddress":"10.0.3.60"}]}"#;

/// A rule for both directions: priority, action, protocol, destination ports.
pub fn rule(priority: u32, action: &str, protocol: &str, ports: &str) -> String {
    format!(
        r#"{{"TrafficMirrorFilterRuleId":"r-{priority}","Priority":{priority},"Action":"{action}","Protocol":"{protocol}","DestinationPortRange":"{ports}"}}"#
    )
}

/// A session of source a: its filter's rules, priority, PacketLength and target.
pub fn session(id: &str, priority: u32, length: u16, target: &str) -> String {
    format!(
        r#"{{"TrafficMirrorSessionId":"{id}","TrafficMirrorFilterId":"f-{id}","Enabled":true,"Priority":{priority},
        "PacketLength":{length},"VirtualNetworkId":{priority},"TrafficMirrorSourceIds":["eni-a"],
        "TrafficMirrorTargetId":"{target}","TrafficMirrorTargetType":"NetworkInterface"}}"#
    )
}

/// The mirror file of these sessions, each with its rules.
pub fn mirror(sessions: &[(String, &[String])]) -> String {
    let (mut filters, mut list) = (Vec::new(), Vec::new());
    for (session, rules) in sessions {
        let id = session.split('"').nth(3).unwrap();
        // Rule ids are unique: r-1 is s1-in-1 and s1-out-1.
        let named = |side: &str| rules.join(",").replace("\"r-", &format!("\"{id}-{side}-"));
        let (ingress, egress) = (named("in"), named("out"));
        filters.push(format!(
            r#"{{"TrafficMirrorFilterId":"f-{id}","IngressRules":[{ingress}],"EgressRules":[{egress}]}}"#
        ));
        list.push(session.clone());
    }
    format!(r#"{{"TrafficMirrorFilters":[{}],"TrafficMirrorSessions":[{}]}}"#, filters.join(","), list.join(","))
}

/// One session of a, which mirrors all TCP and UDP to c.
pub fn everything() -> String {
    let rules = [rule(1, "accept", "TCP", "-1/-1"), rule(2, "accept", "UDP", "-1/-1")];
    mirror(&[(session("s1", 1, 8500, C), &rules)])
}

/// A world in which packets move.
pub struct World {
    pub model: Model,
    pub registry: Registry,
    pub snapshot: Snapshot,
    pub env: HeapEnv,
    burst: Burst<HeapBuf>,
}

impl World {
    pub fn new(mirror: &str) -> Self {
        World::with_workers(mirror, 1)
    }

    pub fn with_workers(mirror: &str, workers: usize) -> Self {
        let mut config = Config::default();
        config.quotas.sources_per_session = 10;
        let model = model_from_json(("i", INVENTORY), ("m", mirror), &config).unwrap_or_else(|p| panic!("{p:?}"));
        World::from_model(model, workers)
    }

    pub fn from_model(model: Model, workers: usize) -> Self {
        let mut registry = Registry::new(workers);
        let snapshot = compile(&model, &mut registry, 64).unwrap();
        World { model, registry, snapshot, env: HeapEnv::default(), burst: Burst::default() }
    }

    /// Compiles the model again, after a change.
    pub fn recompile(&mut self) {
        self.snapshot = self.compiled();
    }

    /// A snapshot of the model as it is now.
    pub fn compiled(&mut self) -> Snapshot {
        compile(&self.model, &mut self.registry, 64).unwrap()
    }

    pub fn eni(&self, id: &str) -> Arc<Eni> {
        self.snapshot.enis.iter().flatten().find(|e| *e.id == *id).unwrap().clone()
    }

    /// Sends frames as one burst; returns what each ENI got: id and frame.
    pub fn send(&mut self, from: &str, frames: &[Vec<u8>]) -> Vec<(String, Vec<u8>)> {
        let from = self.eni(from);
        self.env.worker = from.worker;
        for frame in frames {
            self.burst.bufs.push(Some(HeapBuf::new(frame.clone())));
        }
        run_burst(&mut self.env, &self.snapshot, &from, &mut self.burst);
        self.taken()
    }

    /// Lets everything that is on rings arrive.
    pub fn arrive(&mut self) -> Vec<(String, Vec<u8>)> {
        for (worker, buf) in std::mem::take(&mut self.env.crossed) {
            self.env.worker = worker;
            self.burst.bufs.push(Some(buf));
            run_crossed(&mut self.env, &self.snapshot, &mut self.burst);
        }
        self.taken()
    }

    /// The same for one worker, as its loop does it; returns the version it judged by.
    pub fn arrive_at(&mut self, worker: &mut Reader<Snapshot>) -> u64 {
        let crossed = std::mem::take(&mut self.env.crossed);
        self.env.worker = crossed[0].0;
        let receive = |bufs: &mut ArrayVec<Option<HeapBuf>, BURST>| {
            bufs.extend(crossed.into_iter().map(|(_, buf)| Some(buf)));
            bufs.len()
        };
        let (_, snapshot) = crossed::take(&mut self.burst.bufs, receive, worker).unwrap();
        run_crossed(&mut self.env, snapshot, &mut self.burst);
        snapshot.version
    }

    pub fn taken(&mut self) -> Vec<(String, Vec<u8>)> {
        let enis = &self.snapshot.enis;
        let name = |slot: u32| enis[slot as usize].as_ref().unwrap().id.to_string();
        self.env.queued.drain(..).map(|(slot, buf)| (name(slot), buf.into_bytes())).collect()
    }

    pub fn verdicts(&mut self) -> Vec<Verdict> {
        self.env.verdicts.drain(..).map(|(_, v)| v).collect()
    }

    pub fn drops(&self, eni: &str, direction: Direction, reason: Reason) -> u64 {
        self.eni(eni).counters.drops(direction, reason)
    }

    pub fn excluded(&self, eni: &str, direction: Direction, reason: Reason) -> u64 {
        self.eni(eni).counters.sum(|b| b.excluded[direction.index()].get(reason))
    }

    pub fn skips(&self, reason: Reason) -> u64 {
        let rows = self.registry.rows.iter().map(|(_, slot)| &*slot.counters);
        let rows = rows.chain([&*self.registry.departed_rows]);
        rows.map(|c| (0..2).map(|d| c.sum(|b| b.skips[d].get(reason))).sum::<u64>()).sum()
    }

    pub fn scrape(&self) -> Scrape {
        scrape(&self.registry)
    }

    /// Nothing is missing and nothing is there twice.
    pub fn assert_conserved(&self) {
        assert_eq!(laws::violations(&self.scrape()), Vec::<String>::new());
    }
}

impl Drop for World {
    /// Every test ends with the laws, unless it failed before.
    fn drop(&mut self) {
        if !std::thread::panicking() && self.env.crossed.is_empty() {
            self.assert_conserved();
        }
    }
}

/// What a registry's counters say.
pub fn scrape(registry: &Registry) -> Scrape {
    let mut departed = registry.leaving.clone();
    departed.push(registry.departed.clone());
    Scrape {
        enis: registry
            .enis
            .iter()
            .map(|(id, s)| EniSample { id: id.clone(), up: true, counters: s.counters.clone() })
            .collect(),
        rows: registry
            .rows
            .iter()
            .map(|((session, eni), s)| RowSample {
                session: session.clone(),
                eni: eni.clone(),
                counters: s.counters.clone(),
            })
            .collect(),
        departed,
        gone: registry.gone,
        workers: Vec::new(),
    }
}

/// An IPv4 frame: MACs and addresses of two ENIs, a protocol, its transport bytes, and a TTL of 64.
pub fn ip_frame(from: &Eni, to: &Eni, protocol: u8, transport: &[u8]) -> Vec<u8> {
    raw_frame((to.mac, from.mac), (from.primary, to.primary), protocol, transport)
}

/// The same with everything named.
pub fn raw_frame(macs: (Mac, Mac), ips: (u32, u32), protocol: u8, transport: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    frame.extend(macs.0.0);
    frame.extend(macs.1.0);
    frame.extend([8, 0, 0x45, 0]);
    frame.extend(((20 + transport.len()) as u16).to_be_bytes());
    frame.extend([0, 1, 0x40, 0, 64, protocol, 0, 0]);
    frame.extend(ips.0.to_be_bytes());
    frame.extend(ips.1.to_be_bytes());
    let sum = checksum::finish(checksum::sum(&frame[14..34]));
    frame[24..26].copy_from_slice(&sum.to_be_bytes());
    frame.extend(transport);
    frame
}

/// UDP from and to a port with so many bytes of payload.
pub fn udp(source: u16, destination: u16, payload: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in [source, destination, (8 + payload) as u16, 0] {
        bytes.extend(word.to_be_bytes());
    }
    bytes.extend((0..payload).map(|n| n as u8));
    bytes
}

/// A TCP segment without payload.
pub fn tcp(source: u16, destination: u16) -> Vec<u8> {
    let mut bytes = vec![0u8; 20];
    bytes[..2].copy_from_slice(&source.to_be_bytes());
    bytes[2..4].copy_from_slice(&destination.to_be_bytes());
    bytes[12] = 0x50;
    bytes
}

/// An ARP frame.
pub fn arp(operation: u16, sender: (Mac, u32), target: u32) -> Vec<u8> {
    let mut frame = Vec::new();
    frame.extend(Mac::BROADCAST.0);
    frame.extend(sender.0.0);
    frame.extend([8, 6, 0, 1, 8, 0, 6, 4]);
    frame.extend(operation.to_be_bytes());
    frame.extend(sender.0.0);
    frame.extend(sender.1.to_be_bytes());
    frame.extend([0; 6]);
    frame.extend(target.to_be_bytes());
    frame
}
