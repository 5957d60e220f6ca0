//! A small VPC to run bursts in: a source, a receiver, a collector, and sessions of 20 rules each.

use std::sync::Arc;

use serde_json::{Value, json};
use vswitch::control::compile::compile;
use vswitch::control::config::Config;
use vswitch::control::model_from_json;
use vswitch::control::registry::Registry;
use vswitch::mirror::snapshot::{Eni, Snapshot};

use crate::scenario::rules::{FilterRule, MATCHING, OTHER, mirror_like};

/// Rules of a session's filter: the default quota.
const RULES: usize = 20;
/// Sessions: the default quota.
const SESSIONS: usize = 3;
/// UDP source ports of the frames.
const FLOWS: usize = 1024;

/// What is mirrored of the source's packets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mirrored {
    /// There is no session.
    NoSession,
    /// Three sessions with 60 rules in all, none of which matches.
    None,
    /// The same, and the last rule matches everything.
    All,
}

impl Mirrored {
    pub(super) const ALL: [Mirrored; 3] = [Mirrored::NoSession, Mirrored::None, Mirrored::All];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Mirrored::NoSession => "no session",
            Mirrored::None => "60 rules, no match",
            Mirrored::All => "60 rules, all match",
        }
    }
}

/// A configuration in which packets of `source` go to `receiver`.
pub(super) struct World {
    pub snapshot: Snapshot,
    pub source: Arc<Eni>,
    pub receiver: Arc<Eni>,
}

impl World {
    pub(super) fn new(mirrored: Mirrored) -> Result<World, String> {
        let mirror = match mirrored {
            Mirrored::NoSession => json!({"TrafficMirrorFilters": [], "TrafficMirrorSessions": []}),
            Mirrored::None => sessions(true),
            Mirrored::All => sessions(false),
        };
        let config = Config::default();
        let inventory = inventory(&config.region.id).to_string();
        let model = model_from_json(("the inventory", &inventory), ("the sessions", &mirror.to_string()), &config)
            .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?;
        let snapshot = compile(&model, &mut Registry::new(1), 64).map_err(|e| e.to_string())?;
        let find = |id: &str| {
            let eni = snapshot.enis.iter().flatten().find(|e| *e.id == *id);
            eni.cloned().ok_or_else(|| format!("no {id} in the snapshot"))
        };
        let (source, receiver) = (find("eni-a")?, find("eni-b")?);
        Ok(World { source, receiver, snapshot })
    }

    /// The n-th frame of `size` bytes (at least 42) from the source to the receiver: UDP, of 1,024 flows in turn.
    pub(super) fn frame(&self, n: usize, size: usize) -> Vec<u8> {
        let mut f = vec![0u8; size];
        f[..6].copy_from_slice(&self.receiver.mac.0);
        f[6..12].copy_from_slice(&self.source.mac.0);
        f[12..16].copy_from_slice(&[8, 0, 0x45, 0]);
        f[16..18].copy_from_slice(&((size - 14) as u16).to_be_bytes());
        f[22..24].copy_from_slice(&[64, 17]);
        f[26..30].copy_from_slice(&self.source.primary.to_be_bytes());
        f[30..34].copy_from_slice(&self.receiver.primary.to_be_bytes());
        let flow = n % FLOWS;
        f[34..36].copy_from_slice(&(1024 + flow as u16).to_be_bytes());
        f[36..38].copy_from_slice(&(MATCHING.start() + flow as u16 % 256).to_be_bytes());
        f[38..40].copy_from_slice(&((size - 34) as u16).to_be_bytes());
        let sum = vswitch::wire::checksum::finish(vswitch::wire::checksum::sum(&f[14..34]));
        f[24..26].copy_from_slice(&sum.to_be_bytes());
        f
    }
}

fn inventory(region: &str) -> Value {
    let eni = |id: &str, n: u8| {
        json!({"NetworkInterfaceId": id, "VSwitchId": "vsw-1", "MacAddress": format!("02:00:00:00:00:{n:02x}"),
               "PrivateIpAddress": format!("10.0.1.{n}")})
    };
    json!({
        "RegionId": region,
        "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}],
        "VSwitches": [{"VSwitchId": "vsw-1", "VpcId": "vpc-1", "CidrBlock": "10.0.1.0/24"}],
        "NetworkInterfaces": [eni("eni-a", 10), eni("eni-b", 20), eni("eni-c", 30)],
    })
}

fn sessions(none: bool) -> Value {
    let rules = mirror_like(RULES * SESSIONS, none);
    let mut all: Vec<Value> = rules.iter().enumerate().map(|(n, rule)| rule_json(n, rule)).collect();
    if none && let Some(last) = all.last_mut() {
        // As wide as the rule that matches, but for the other ports: the same work with another outcome.
        *last = rule_json(
            rules.len(),
            &FilterRule {
                accept: true,
                protocol: Some(17),
                source: (0, 0),
                destination: (0, 0),
                source_ports: None,
                destination_ports: Some(OTHER),
            },
        );
    }
    let filters: Vec<Value> = all
        .chunks(RULES)
        .enumerate()
        .map(|(n, rules)| json!({"TrafficMirrorFilterId": format!("f-{n}"), "EgressRules": rules, "IngressRules": []}))
        .collect();
    let sessions: Vec<Value> = (0..filters.len())
        .map(|n| {
            json!({"TrafficMirrorSessionId": format!("s-{n}"), "TrafficMirrorFilterId": format!("f-{n}"),
                   "Enabled": true, "Priority": n + 1, "PacketLength": 1500, "VirtualNetworkId": n + 1,
                   "TrafficMirrorSourceIds": ["eni-a"], "TrafficMirrorTargetId": "eni-c",
                   "TrafficMirrorTargetType": "NetworkInterface"})
        })
        .collect();
    json!({"TrafficMirrorFilters": filters, "TrafficMirrorSessions": sessions})
}

fn rule_json(n: usize, rule: &FilterRule) -> Value {
    let net = |(address, length): (u32, u8)| format!("{}/{length}", std::net::Ipv4Addr::from_bits(address));
    let ports = |range: &Option<std::ops::RangeInclusive<u16>>| {
        range.as_ref().map_or_else(|| "-1/-1".to_owned(), |r| format!("{}/{}", r.start(), r.end()))
    };
    let protocol = match rule.protocol {
        None => "ALL",
        Some(1) => "ICMP",
        Some(6) => "TCP",
        Some(_) => "UDP",
    };
    json!({
        "TrafficMirrorFilterRuleId": format!("r-{n}"), "Priority": n + 1, "Protocol": protocol,
        "Action": if rule.accept { "accept" } else { "drop" },
        "SourceCidrBlock": net(rule.source), "DestinationCidrBlock": net(rule.destination),
        "SourcePortRange": ports(&rule.source_ports), "DestinationPortRange": ports(&rule.destination_ports),
    })
}
