//! What a town needs: ENIs and sessions in the platform's words, frames that say what they are, and
//! a ring from each worker to each other one.

use std::collections::VecDeque;

use arrayvec::ArrayVec;
use serde_json::{Value, json};

use super::world::{ROUTER, raw_frame, udp};
use crate::control::compile::compile;
use crate::control::config::Config;
use crate::control::model_from_json;
use crate::control::registry::Registry;
use crate::datapath::{Delivery, Env};
use crate::mirror::snapshot::{Eni, Snapshot};
use crate::packet::{BURST, Direction, Exhausted, Headers, HeapBuf, Lanes};
use crate::replay::env::HeapEnv;
use crate::wire::Mac;
use crate::wire::vxlan::OUTER;

/// Flows between any two ENIs, by destination port.
pub const FLOWS: usize = 4;
const FIRST_PORT: u16 = 2000;

/// A session.
#[derive(Clone, Debug)]
pub struct Mirror {
    pub on: bool,
    pub sources: Vec<usize>,
    pub target: usize,
    /// Accepted flows, first and last.
    pub flows: (usize, usize),
    /// Other flows end here instead of going to the next session.
    pub drops_rest: bool,
}

/// ENIs and sessions.
#[derive(Clone, Debug)]
pub struct Plan {
    /// By ENI: the instance, or `None` while it is not there.
    pub enis: Vec<Option<usize>>,
    pub mirrors: Vec<Mirror>,
}

impl Plan {
    /// Sessions and sources that there are counters for.
    pub fn pairs(&self) -> Vec<(usize, usize)> {
        let all = self.mirrors.iter().enumerate().flat_map(|(n, m)| m.sources.iter().map(move |s| (n, *s)));
        all.filter(|(n, source)| self.enis[*source].is_some() && self.runs(&self.mirrors[*n], *source)).collect()
    }

    /// The plan as workers read it.
    pub fn compiled(&self, registry: &mut Registry, credit: u32) -> Snapshot {
        let (inventory, mirror) = (self.inventory().to_string(), self.mirror().to_string());
        let model = model_from_json(("i", &inventory), ("m", &mirror), &Config::default());
        compile(&model.unwrap_or_else(|p| panic!("{p:?}")), registry, credit).unwrap()
    }

    /// The `number`th frame of an ENI. It asks the router for who is not there.
    pub fn frame(&self, from: usize, to: usize, flow: usize, number: u64) -> Vec<u8> {
        let mac = |n: usize| Mac([2, 0, 0, 0, 0, 10 + n as u8]);
        let ip = |n: usize| 0x0a00_010a + n as u32;
        let to_mac = self.enis[to].map_or(ROUTER, |_| mac(to));
        let mut frame = raw_frame((to_mac, mac(from)), (ip(from), ip(to)), 17, &udp(1, port(flow), 8));
        frame[42..50].copy_from_slice(&number.to_be_bytes());
        frame
    }

    /// Is this a session that runs, and is this ENI one of its sources?
    fn runs(&self, mirror: &Mirror, source: usize) -> bool {
        mirror.on && self.enis[mirror.target].is_some() && mirror.sources.contains(&source)
    }

    /// The session that mirrors a flow of this ENI, by the words of the specification.
    pub fn decide(&self, source: usize, flow: usize) -> Option<usize> {
        for (at, mirror) in self.mirrors.iter().enumerate().filter(|(_, m)| self.runs(m, source)) {
            if mirror.flows.0 <= flow && flow <= mirror.flows.1 {
                return Some(at);
            }
            if mirror.drops_rest {
                return None;
            }
        }
        None
    }

    fn inventory(&self) -> Value {
        let there = self.enis.iter().enumerate().filter_map(|(n, home)| Some((n, (*home)?)));
        let enis = there.map(|(n, home)| {
            json!({"NetworkInterfaceId": id(n), "VSwitchId": "vsw-1", "InstanceId": format!("i-{home}"),
                "MacAddress": format!("02:00:00:00:00:{:02x}", 10 + n), "PrivateIpAddress": format!("10.0.1.{}", 10 + n)})
        });
        json!({"RegionId": "local", "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}],
            "VSwitches": [{"VSwitchId": "vsw-1", "VpcId": "vpc-1", "CidrBlock": "10.0.1.0/24"}],
            "NetworkInterfaces": enis.collect::<Value>()})
    }

    fn mirror(&self) -> Value {
        let (mut filters, mut sessions) = (Vec::new(), Vec::new());
        for (n, mirror) in self.mirrors.iter().enumerate() {
            let sources: Vec<String> =
                mirror.sources.iter().filter(|s| self.enis[**s].is_some()).map(|s| id(*s)).collect();
            if self.enis[mirror.target].is_none() || sources.is_empty() {
                continue;
            }
            let ports = format!("{}/{}", port(mirror.flows.0), port(mirror.flows.1));
            let rules = |side: &str| {
                let mut rules = vec![json!({"TrafficMirrorFilterRuleId": format!("{side}-{n}-1"), "Priority": 1,
                    "Action": "accept", "Protocol": "UDP", "DestinationPortRange": ports})];
                if mirror.drops_rest {
                    rules.push(json!({"TrafficMirrorFilterRuleId": format!("{side}-{n}-2"), "Priority": 2,
                        "Action": "drop", "Protocol": "ALL"}));
                }
                rules
            };
            filters.push(json!({"TrafficMirrorFilterId": format!("f-{n}"),
                "IngressRules": rules("in"), "EgressRules": rules("out")}));
            sessions.push(
                json!({"TrafficMirrorSessionId": format!("s-{n}"), "TrafficMirrorFilterId": format!("f-{n}"),
                "Enabled": mirror.on, "Priority": n + 1, "PacketLength": 1500, "VirtualNetworkId": n,
                "TrafficMirrorSourceIds": sources, "TrafficMirrorTargetId": id(mirror.target),
                "TrafficMirrorTargetType": "NetworkInterface"}),
            );
        }
        json!({"TrafficMirrorFilters": filters, "TrafficMirrorSessions": sessions})
    }
}

/// The id of an ENI.
pub fn id(n: usize) -> String {
    format!("eni-{n}")
}

fn port(flow: usize) -> u16 {
    FIRST_PORT + flow as u16
}

/// The world of several workers: queues on the heap, and a ring from each worker to each other one.
pub struct Rings {
    pub heap: HeapEnv,
    /// By sender and receiver.
    pub rings: Vec<Vec<VecDeque<HeapBuf>>>,
    /// Packets that each holds.
    pub size: usize,
}

impl Env for Rings {
    type Buf = HeapBuf;

    fn worker(&self) -> usize {
        self.heap.worker()
    }

    fn now(&self) -> u64 {
        self.heap.now()
    }

    fn deliver(&mut self, to: &Eni, bufs: &[Option<HeapBuf>], lanes: Lanes, hash: impl Fn(usize) -> u64) -> Delivery {
        assert_eq!(to.worker, self.heap.worker, "an ENI's queue has one worker");
        self.heap.deliver(to, bufs, lanes, hash)
    }

    fn copy(&mut self, source: &HeapBuf, outer: &[u8; OUTER], keep: usize) -> Result<HeapBuf, Exhausted> {
        self.heap.copy(source, outer, keep)
    }

    fn generate(&mut self, frame: &[u8]) -> Result<HeapBuf, Exhausted> {
        self.heap.generate(frame)
    }

    fn unshare(&mut self, buf: &mut HeapBuf) -> Result<(), Exhausted> {
        self.heap.unshare(buf)
    }

    fn room_for_copies(&self, worker: usize) -> usize {
        let room = self.size - self.rings[self.heap.worker][worker].len();
        room.saturating_sub(self.size / 2)
    }

    fn cross(&mut self, worker: usize, batch: &mut ArrayVec<HeapBuf, BURST>) {
        assert_ne!(worker, self.heap.worker, "no ring to oneself");
        let ring = &mut self.rings[self.heap.worker][worker];
        let room = (self.size - ring.len()).min(batch.len());
        ring.extend(batch.drain(..room));
    }

    fn is_over(&self, sender: &Eni) -> bool {
        self.heap.is_over(sender)
    }

    fn is_over_on_ring(&mut self, under_way: impl FnOnce() -> u64, credit: u64) -> bool {
        self.heap.is_over_on_ring(under_way, credit)
    }

    fn gives_up(&mut self) -> bool {
        self.heap.gives_up()
    }

    fn admits(&mut self, eni: &Eni, direction: Direction, headers: &Headers) -> bool {
        self.heap.admits(eni, direction, headers)
    }
}

/// Sender, receiver, flow and number of a frame.
pub fn parts(frame: &[u8]) -> (usize, usize, usize, u64) {
    let to_port = u16::from_be_bytes([frame[36], frame[37]]);
    let number = u64::from_be_bytes(frame[42..50].try_into().unwrap());
    (usize::from(frame[29]) - 10, usize::from(frame[33]) - 10, usize::from(to_port - FIRST_PORT), number)
}

/// Is this a VXLAN copy?
pub fn is_copy(frame: &[u8]) -> bool {
    frame[36..38] == 4789u16.to_be_bytes()
}

/// ENIs that a frame has to do with.
pub fn concerns(frame: &[u8]) -> Vec<usize> {
    let ends = |f: &[u8]| [usize::from(f[29]) - 10, usize::from(f[33]) - 10];
    if is_copy(frame) { [ends(frame), ends(&frame[50..])].concat() } else { ends(frame).to_vec() }
}
