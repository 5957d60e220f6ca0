//! ARP is answered by the switch: an ENI of the same subnet has its own MAC, the gateway has the router's, and about
//! everything else there is silence.

use arrayvec::ArrayVec;

use super::env::{Delivery, Env, Verdict, drop_packet};
use super::mirror;
use crate::mirror::snapshot::{Eni, Snapshot, Subnet};
use crate::packet::{Direction, Lanes, PacketBuf, Reason};
use crate::wire::arp::{Arp, PACKET, parse, reply};
use crate::wire::{Mac, ethernet};

/// Bytes of an ARP frame that are looked at.
pub(super) const LOOKED_AT: usize = ethernet::HEADER + PACKET;

/// Consumes an ARP frame of `from` and answers it if it asks for something the switch knows.
pub(super) fn answer<E: Env>(
    env: &mut E,
    snapshot: &Snapshot,
    subnet: &Subnet,
    from: &Eni,
    lane: usize,
    frame: &[u8; LOOKED_AT],
) {
    let Some(arp) = parse(frame) else {
        return drop_packet(env, from, Direction::Outbound, lane, Reason::BadArp);
    };
    if arp.sender_mac != from.mac {
        return drop_packet(env, from, Direction::Outbound, lane, Reason::SpoofedMac);
    }
    if arp.sender_ip != 0 && !from.has_address(arp.sender_ip) {
        return drop_packet(env, from, Direction::Outbound, lane, Reason::SpoofedIp);
    }
    let answer = owner(snapshot, subnet, from, &arp);
    let reason = if answer.is_some() { Reason::ArpAnswered } else { Reason::ArpSilent };
    from.counters.of(env.worker()).consumed.add(reason, 1);
    env.trace(lane, Verdict::Consumed(reason));
    mirror::exclude(env, from, Direction::Outbound, lane, Reason::Arp);
    if let Some(mac) = answer {
        give(env, from, lane, &reply(&arp, mac));
    }
}

fn owner(snapshot: &Snapshot, subnet: &Subnet, from: &Eni, arp: &Arp) -> Option<Mac> {
    if arp.operation != 1 {
        return None;
    }
    if arp.target_ip == subnet.gateway {
        return Some(subnet.router_mac);
    }
    let eni = snapshot.local(from.vpc, arp.target_ip)?;
    (eni.subnet == from.subnet && eni.slot != from.slot).then_some(eni.mac)
}

/// Sends a frame that the switch made to `to`.
fn give<E: Env>(env: &mut E, to: &Eni, lane: usize, frame: &[u8]) {
    let block = to.counters.of(env.worker());
    block.generated.add(1);
    let Ok(buf) = env.generate(frame) else {
        block.drops[Direction::Inbound.index()].add(Reason::NoBuffer, 1);
        return;
    };
    let mut bufs: ArrayVec<Option<E::Buf>, 64> = ArrayVec::new();
    bufs.push(Some(buf));
    match env.deliver(to, &bufs, Lanes::one(0), |_| 0) {
        Delivery::Taken(lanes) if !lanes.is_empty() => {
            block.tx_packets.add(1);
            block.tx_bytes.add(frame.len() as u64);
            mirror::exclude(env, to, Direction::Inbound, lane, Reason::Arp);
        }
        Delivery::Taken(_) => block.drops[Direction::Inbound.index()].add(Reason::GuestFull, 1),
        Delivery::Down => block.drops[Direction::Inbound.index()].add(Reason::GuestDown, 1),
    }
    PacketBuf::free_all(&mut bufs);
}
