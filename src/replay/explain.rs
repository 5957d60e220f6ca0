//! `vswitchctl explain`: a made-up packet through a private copy of the configuration. No counter of the running
//! switch moves.

use serde_json::{Value, json};

use super::env::HeapEnv;
use super::verdicts::judgement;
use super::{find, pass};
use crate::control::compile::compile;
use crate::control::model::Model;
use crate::control::operations::ExplainQuery;
use crate::control::registry::Registry;
use crate::datapath::Verdict;
use crate::mirror::snapshot::{Eni, Snapshot};
use crate::packet::{Burst, Direction, Reason};
use crate::wire::{Mac, checksum, ethernet, ipv4};

/// Judges a packet as if all guests were connected.
///
/// # Errors
/// One plain sentence: what about the question makes no sense.
pub fn explain(model: &Model, query: &ExplainQuery) -> Result<Value, String> {
    let mut registry = Registry::new(1);
    let snapshot = compile(model, &mut registry, 1).map_err(|e| e.to_string())?;
    let eni = find(&snapshot, &query.eni)?;
    let direction = match &*query.direction {
        "out" => Direction::Outbound,
        "in" => Direction::Inbound,
        other => return Err(format!("direction = {other}: in or out")),
    };
    let frame = frame(&snapshot, eni, direction, query)?;
    let (mut env, mut burst) = (HeapEnv::default(), Burst::default());
    pass(&mut env, &snapshot, eni, direction, frame, &mut burst);
    // Null until the datapath says what it was.
    let mut service = json!({ "verdict": null });
    for (_, verdict) in &env.verdicts {
        let ended = |word, reason: &Reason| json!({ "verdict": word, "reason": reason.label(), "why": reason.help() });
        match verdict {
            Verdict::Dropped(reason) => service = ended("dropped", reason),
            Verdict::Consumed(reason) => service = ended("consumed", reason),
            Verdict::Delivered => service = json!({ "verdict": "delivered" }),
            _ => {}
        }
    }
    let mirror: Vec<Value> = env.verdicts.iter().filter_map(|(_, v)| judgement(&snapshot, &env.verdicts, v)).collect();
    let note = "a copy keeps at most PacketLength bytes of the IPv4 packet (default 1500, also to a jumbo target)";
    Ok(json!({ "service": service, "mirror": mirror, "note": note }))
}

fn frame(snapshot: &Snapshot, eni: &Eni, direction: Direction, query: &ExplainQuery) -> Result<Vec<u8>, String> {
    let protocol = match &*query.protocol.to_ascii_lowercase() {
        "icmp" => ipv4::protocol::ICMP,
        "tcp" => ipv4::protocol::TCP,
        "udp" => ipv4::protocol::UDP,
        number => number.parse().map_err(|_| format!("protocol = {number}: tcp, udp, icmp or a number below 256"))?,
    };
    let header = match protocol {
        ipv4::protocol::TCP => 20,
        ipv4::protocol::UDP | ipv4::protocol::ICMP => 8,
        _ => 0,
    };
    let least = (ipv4::MIN_HEADER + header) as u16;
    if query.length < least {
        return Err(format!("length = {}: such a packet has at least {least} bytes", query.length));
    }
    let router = snapshot.subnets.get(eni.subnet).map_or(Mac::default(), |s| s.router_mac);
    let peer = match direction {
        Direction::Outbound => query.destination,
        Direction::Inbound => query.source,
    };
    let peer = snapshot.local(eni.vpc, peer.to_bits());
    let peer_mac = peer.filter(|p| p.subnet == eni.subnet).map_or(router, |p| p.mac);
    let (to, from) = match direction {
        Direction::Outbound => (peer_mac, eni.mac),
        Direction::Inbound => (eni.mac, peer_mac),
    };
    let mut frame = vec![0u8; ethernet::HEADER + usize::from(query.length)];
    ethernet::set_addresses(&mut frame, to, from);
    frame[12..14].copy_from_slice(&ethernet::ethertype::IPV4.to_be_bytes());
    let (_, packet) = frame.split_at_mut(ethernet::HEADER);
    packet[0] = 0x45;
    packet[2..4].copy_from_slice(&query.length.to_be_bytes());
    packet[8] = 64;
    packet[9] = protocol;
    packet[12..16].copy_from_slice(&query.source.octets());
    packet[16..20].copy_from_slice(&query.destination.octets());
    let sum = checksum::finish(checksum::sum(&packet[..20]));
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    if protocol == ipv4::protocol::TCP || protocol == ipv4::protocol::UDP {
        packet[20..22].copy_from_slice(&query.source_port.to_be_bytes());
        packet[22..24].copy_from_slice(&query.destination_port.to_be_bytes());
    }
    match protocol {
        ipv4::protocol::TCP => packet[32] = 0x50,
        ipv4::protocol::UDP => packet[24..26].copy_from_slice(&(query.length - 20).to_be_bytes()),
        ipv4::protocol::ICMP => packet[20] = 8,
        _ => {}
    }
    Ok(frame)
}
