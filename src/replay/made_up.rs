//! A frame for a packet of which only some fields were given.

use crate::control::packet_text::PacketText;
use crate::mirror::snapshot::{Eni, Snapshot};
use crate::packet::Direction;
use crate::wire::{Mac, checksum, ethernet, ipv4};

/// The frame that `eni` would send or get; every byte that nobody named is zero, lengths and the IP checksum are right.
pub(super) fn frame(snapshot: &Snapshot, eni: &Eni, direction: Direction, packet: &PacketText) -> Vec<u8> {
    let router = snapshot.subnets.get(eni.subnet).map_or(Mac::default(), |s| s.router_mac);
    let peer = match direction {
        Direction::Outbound => packet.destination,
        Direction::Inbound => packet.source,
    };
    let peer = snapshot.local(eni.vpc, peer.to_bits());
    let peer_mac = peer.filter(|p| p.subnet == eni.subnet).map_or(router, |p| p.mac);
    let (to, from) = match direction {
        Direction::Outbound => (peer_mac, eni.mac),
        Direction::Inbound => (eni.mac, peer_mac),
    };
    // What was asked may be shorter than its headers; the frame is not.
    let length = packet.length.max(ipv4::MIN_HEADER as u16 + packet.transport());
    let mut frame = vec![0u8; ethernet::HEADER + usize::from(length)];
    ethernet::set_addresses(&mut frame, to, from);
    frame[12..14].copy_from_slice(&ethernet::ethertype::IPV4.to_be_bytes());
    let (_, ip) = frame.split_at_mut(ethernet::HEADER);
    ip[0] = 0x45;
    ip[2..4].copy_from_slice(&length.to_be_bytes());
    ip[8] = 64;
    ip[9] = packet.protocol;
    ip[12..16].copy_from_slice(&packet.source.octets());
    ip[16..20].copy_from_slice(&packet.destination.octets());
    let sum = checksum::finish(checksum::sum(&ip[..20]));
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    if packet.protocol == ipv4::protocol::TCP || packet.protocol == ipv4::protocol::UDP {
        ip[20..22].copy_from_slice(&packet.source_port.to_be_bytes());
        ip[22..24].copy_from_slice(&packet.destination_port.to_be_bytes());
    }
    match packet.protocol {
        ipv4::protocol::TCP => ip[32] = 0x50,
        ipv4::protocol::UDP => ip[24..26].copy_from_slice(&(length - 20).to_be_bytes()),
        ipv4::protocol::ICMP => ip[20] = 8,
        _ => {}
    }
    frame
}
