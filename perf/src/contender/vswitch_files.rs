//! The files of a switch under test: configuration, inventory, filters and sessions.

use std::net::Ipv4Addr;
use std::path::Path;

use serde_json::{Value, json};

use super::{Job, JobMirror};
use crate::scenario::Overload;
use crate::scenario::rules::FilterRule;

/// Rules that a filter gets in each direction: half of the largest quota, less one for [`mirror`]'s variation. Longer
/// lists are spread over sessions of the same source, which the switch walks in order.
const RULES: usize = 4_999;
/// The largest priority of a session; they are unique.
const SESSIONS: u32 = 32_766;
/// Sessions that the quotas allow a source.
const SESSIONS_OF_SOURCE: u32 = 64;
/// Session 0 has this many chunks at most.
const CHUNKS: usize = 4;

/// An ENI's id.
pub(crate) fn eni(index: usize) -> String {
    format!("eni-{index}")
}

/// `vswitch.toml`. Quotas are as large as they may be: points go beyond the service's own.
pub(crate) fn configuration(job: &Job, dir: &Path, prefix: &str, metrics: u16) -> Result<String, String> {
    let file = |name: &str| dir.join(name).display().to_string();
    let overload = job.mirror.as_ref().map_or(Overload::Share, |m| m.overload);
    let tree = json!({
        "files": {"inventory": file("inventory.json"), "mirror": file("mirror.json")},
        "worker": {"count": job.worker_cpus.len(), "lcores": job.worker_cpus, "idle": "poll"},
        "dpdk": {"memory_mb": job.memory_mb, "file_prefix": prefix, "control_cpu": job.control_cpu},
        "mirror": {"overload": overload},
        "store": {"path": ""},
        "ops": {"socket": file("ops.sock")},
        "metrics": {"listen": format!("127.0.0.1:{metrics}")},
        "log": {"level": "warn"},
        "quotas": {
            "rules_per_filter": 10_000, "sessions_per_source": SESSIONS_OF_SOURCE, "sources_per_target_eni": 100_000,
            "filters": 100_000, "sessions_per_filter": 1_000_000, "sessions": 1_000_000,
        },
    });
    toml::to_string(&tree).map_err(|e| format!("vswitch.toml: {e}"))
}

/// `inventory.json`: one VPC, one subnet, an ENI a port.
pub(crate) fn inventory(job: &Job) -> Result<Value, String> {
    let (network, gateway) = subnet(&job.ports.iter().map(|p| p.ip).collect::<Vec<_>>())?;
    let enis: Vec<Value> = job
        .ports
        .iter()
        .enumerate()
        .map(|(index, port)| {
            json!({
                "NetworkInterfaceId": eni(index), "VSwitchId": "vsw-1", "MacAddress": super::mac_text(port.mac),
                "PrivateIpAddress": port.ip, "Mtu": port.mtu, "Socket": port.socket, "SocketMode": "client",
            })
        })
        .collect();
    Ok(json!({
        "RegionId": "local", "JumboMirroring": true,
        "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": network}],
        "VSwitches": [{"VSwitchId": "vsw-1", "VpcId": "vpc-1", "CidrBlock": network, "GatewayIp": gateway}],
        "NetworkInterfaces": enis,
    }))
}

/// The smallest network in which all addresses are hosts and one is left for the gateway.
fn subnet(addresses: &[Ipv4Addr]) -> Result<(String, Ipv4Addr), String> {
    let first = addresses.first().ok_or("a run needs ports")?.to_bits();
    for length in (8..=29).rev() {
        let mask = u32::MAX << (32 - length);
        let (low, high) = (first & mask, first | !mask);
        let inside = addresses.iter().all(|a| a.to_bits() > low && a.to_bits() < high);
        let free = (low + 1..high).rev().map(Ipv4Addr::from_bits).find(|a| !addresses.contains(a));
        if let (true, Some(gateway)) = (inside, free) {
            return Ok((format!("{}/{length}", Ipv4Addr::from_bits(low)), gateway));
        }
    }
    Err("the ports' addresses do not fit one network of at most 8 bits prefix".to_owned())
}

/// `mirror.json`. With `variation` each filter starts with one more rule, which matches nothing of the generator's:
/// the switch has something to compile, and its answers stay the same.
pub(crate) fn mirror(job: &Job, variation: Option<u32>) -> Result<Value, String> {
    let Some(mirror) = &job.mirror else {
        return Ok(json!({}));
    };
    let everything = [FilterRule {
        accept: true,
        protocol: None,
        source: (0, 0),
        destination: (0, 0),
        source_ports: None,
        destination_ports: None,
    }];
    let rules: &[FilterRule] = if mirror.plain && mirror.rules.is_empty() { &everything } else { &mirror.rules };
    let chunks: Vec<&[FilterRule]> = if rules.is_empty() { vec![&[]] } else { rules.chunks(RULES).collect() };
    if chunks.len() > CHUNKS {
        return Err(format!("{} rules in a direction are too many for vswitch's quotas", rules.len()));
    }
    let filters: Vec<Value> = chunks
        .iter()
        .enumerate()
        .map(|(n, chunk)| {
            // A rule's id is its own in all filters and directions.
            let ingress = filter_rules(&format!("f-{n}-in"), chunk, variation)?;
            let egress = filter_rules(&format!("f-{n}-out"), chunk, variation)?;
            Ok(json!({"TrafficMirrorFilterId": format!("f-{n}"), "IngressRules": ingress, "EgressRules": egress}))
        })
        .collect::<Result<_, String>>()?;
    Ok(json!({"TrafficMirrorFilters": filters, "TrafficMirrorSessions": sessions(job, mirror, chunks.len())?}))
}

/// The measured session (in chunks), then the local ones, then the stored ones.
fn sessions(job: &Job, mirror: &JobMirror, chunks: usize) -> Result<Vec<Value>, String> {
    let idle: Vec<usize> = (2..job.ports.len()).filter(|p| *p != mirror.target).collect();
    if mirror.target < 2 || mirror.target >= job.ports.len() {
        return Err(format!("port {} cannot be the collector's: ports 0 and 1 talk", mirror.target));
    }
    if mirror.local_sessions as usize > idle.len() * SESSIONS_OF_SOURCE as usize {
        let need = mirror.local_sessions.div_ceil(SESSIONS_OF_SOURCE);
        return Err(format!("{} local sessions need {need} idle ports or more", mirror.local_sessions));
    }
    let all = chunks as u64 + u64::from(mirror.local_sessions) + u64::from(mirror.stored_sessions);
    if all > u64::from(SESSIONS) {
        return Err(format!("{all} sessions: their priorities are unique, and end at {SESSIONS}"));
    }
    let target = eni(mirror.target);
    let mut list = Vec::with_capacity(all as usize);
    let mut add = |id: String, filter: usize, vni: u32, sources: Vec<String>| {
        list.push(json!({
            "TrafficMirrorSessionId": id, "TrafficMirrorFilterId": format!("f-{filter}"), "Enabled": true,
            "Priority": list.len() + 1, "PacketLength": mirror.packet_length, "VirtualNetworkId": vni & 0xff_ffff,
            "TrafficMirrorSourceIds": sources, "TrafficMirrorTargetId": target,
            "TrafficMirrorTargetType": "NetworkInterface",
        }));
    };
    for chunk in 0..chunks {
        add(format!("s-{chunk}"), chunk, mirror.vni, vec![eni(0)]);
    }
    for n in 0..mirror.local_sessions {
        let source = idle[n as usize % idle.len()];
        add(format!("local-{n}"), 0, mirror.vni.wrapping_add(1 + n), vec![eni(source)]);
    }
    // Sources are ENIs of this host's inventory as yet; a session whose sources are elsewhere is one without any here.
    for n in 0..mirror.stored_sessions {
        add(format!("stored-{n}"), 0, mirror.vni.wrapping_add(100_000 + n), Vec::new());
    }
    Ok(list)
}

fn filter_rules(side: &str, rules: &[FilterRule], variation: Option<u32>) -> Result<Vec<Value>, String> {
    let mut list: Vec<Value> = Vec::with_capacity(rules.len() + 1);
    if let Some(n) = variation {
        // TEST-NET-1, of which no port is.
        list.push(json!({
            "TrafficMirrorFilterRuleId": format!("{side}-variation"), "Priority": 1, "Action": "drop", "Protocol": "UDP",
            "SourceCidrBlock": format!("192.0.2.{}/32", n % 256), "DestinationPortRange": "9/9",
        }));
    }
    for (n, rule) in rules.iter().enumerate() {
        list.push(rule_json(side, n, rule)?);
    }
    Ok(list)
}

fn rule_json(side: &str, n: usize, rule: &FilterRule) -> Result<Value, String> {
    let protocol = match rule.protocol {
        None => "ALL",
        Some(1) => "ICMP",
        Some(6) => "TCP",
        Some(17) => "UDP",
        Some(other) => return Err(format!("rule {n}: vswitch has no protocol {other} in its filters")),
    };
    let net = |(address, length): (u32, u8)| format!("{}/{length}", Ipv4Addr::from_bits(address));
    let ports = |range: &Option<std::ops::RangeInclusive<u16>>| {
        range.as_ref().map_or("-1/-1".to_owned(), |r| format!("{}/{}", r.start(), r.end()))
    };
    Ok(json!({
        "TrafficMirrorFilterRuleId": format!("{side}-{n}"), "Priority": n + 2,
        "Action": if rule.accept { "accept" } else { "drop" }, "Protocol": protocol,
        "SourceCidrBlock": net(rule.source), "DestinationCidrBlock": net(rule.destination),
        "SourcePortRange": ports(&rule.source_ports), "DestinationPortRange": ports(&rule.destination_ports),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contender::JobPort;
    use crate::scenario::rules::mirror_like;

    fn job(rules: usize, ports: u8, local_sessions: u32, stored_sessions: u32) -> Job {
        let port = |n: u8| JobPort {
            socket: format!("/tmp/p{n}").into(),
            mac: [2, 0, 0, 0, 0, n],
            ip: Ipv4Addr::new(10, 0, 0, 10 + n),
            mtu: 1500,
        };
        Job {
            dir: "/tmp".into(),
            ports: (0..ports).map(port).collect(),
            mirror: Some(JobMirror {
                target: 2,
                vni: 7,
                packet_length: 1500,
                overload: Overload::Share,
                rules: mirror_like(rules, false),
                plain: false,
                stored_sessions,
                local_sessions,
            }),
            worker_cpus: vec![1],
            control_cpu: 0,
            memory_mb: 256,
        }
    }

    #[test]
    fn the_network_is_the_smallest_with_room() {
        let ips = |last: &[u8]| last.iter().map(|n| Ipv4Addr::new(10, 0, 0, *n)).collect::<Vec<_>>();
        assert_eq!(subnet(&ips(&[1, 2])), Ok(("10.0.0.0/29".to_owned(), Ipv4Addr::new(10, 0, 0, 6))));
        assert_eq!(subnet(&ips(&[1, 6])), Ok(("10.0.0.0/29".to_owned(), Ipv4Addr::new(10, 0, 0, 5))));
        assert_eq!(subnet(&ips(&[7, 9])), Ok(("10.0.0.0/28".to_owned(), Ipv4Addr::new(10, 0, 0, 14))));
        assert!(subnet(&[Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(192, 168, 0, 1)]).is_err());
    }

    #[test]
    fn many_rules_are_spread_over_sessions_of_the_source() {
        let tree = mirror(&job(10_000, 3, 0, 3), Some(3)).unwrap();
        assert_eq!(tree["TrafficMirrorFilters"].as_array().unwrap().len(), 3);
        let sessions = tree["TrafficMirrorSessions"].as_array().unwrap();
        assert_eq!(sessions.len(), 6);
        let sources = |n: usize| sessions[n]["TrafficMirrorSourceIds"].as_array().unwrap().len();
        assert_eq!((sources(0), sources(2), sources(3), sources(5)), (1, 1, 0, 0));
        let rules = tree["TrafficMirrorFilters"][0]["EgressRules"].as_array().unwrap();
        assert_eq!((rules.len(), &rules[0]["TrafficMirrorFilterRuleId"]), (5_000, &"f-0-out-variation".into()));
    }

    #[test]
    fn what_cannot_be_is_a_sentence() {
        assert!(mirror(&job(20, 3, 1, 0), None).unwrap_err().contains("idle ports"));
        assert!(mirror(&job(20, 4, 64, 0), None).is_ok());
        assert!(mirror(&job(20, 4, 0, 33_000), None).unwrap_err().contains("priorities"));
        assert!(mirror(&job(20_000, 3, 0, 0), None).unwrap_err().contains("quotas"));
    }
}
