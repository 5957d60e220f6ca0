//! admit: headers are parsed once, and whatever is malformed, spoofed or not forwarded ends here with its reason.

use super::env::{Env, Verdict, drop_packet};
use super::{arp, fragments, mirror};
use crate::mirror::snapshot::{Eni, Snapshot, Subnet};
use crate::packet::headers::{Headers, Kind, parse};
use crate::packet::{Burst, Direction, PacketBuf, Reason};
use crate::wire::ipv4::{self, Fragment, icmp_quote, protocol};
use crate::wire::{Mac, ethernet, vxlan};

/// Fills the headers of the lanes that pass and clears the others.
pub(super) fn admit<E: Env>(env: &mut E, snapshot: &Snapshot, from: &Eni, burst: &mut Burst<E::Buf>) {
    let Some(subnet) = snapshot.subnets.get(from.subnet) else {
        return;
    };
    for lane in burst.live {
        let Some(buf) = burst.bufs[lane].as_ref() else {
            continue;
        };
        match judge(env, snapshot, subnet, from, buf.head(), buf.len(), &mut burst.headers[lane]) {
            Judgement::Pass => {
                if burst.headers[lane].ip.fragment != Fragment::Whole {
                    burst.fragments.insert(lane);
                }
                continue;
            }
            Judgement::Drop(reason) => drop_packet(env, from, Direction::Outbound, lane, reason),
            Judgement::Arp => {
                let Some(frame) = buf.head().first_chunk::<{ arp::LOOKED_AT }>().copied() else {
                    drop_packet(env, from, Direction::Outbound, lane, Reason::BadArp);
                    burst.live.remove(lane);
                    continue;
                };
                arp::answer(env, snapshot, subnet, from, lane, &frame);
            }
            Judgement::Consume(reason, excluded) => {
                from.counters.of(env.worker()).consumed.add(reason, 1);
                env.trace(lane, Verdict::Consumed(reason));
                mirror::exclude(env, from, Direction::Outbound, lane, excluded);
            }
        }
        burst.live.remove(lane);
    }
}

enum Judgement {
    Pass,
    Drop(Reason),
    Arp,
    /// Consumed for the first reason, excluded from mirroring for the second.
    Consume(Reason, Reason),
}

#[inline]
fn judge<E: Env>(
    env: &E,
    snapshot: &Snapshot,
    subnet: &Subnet,
    from: &Eni,
    frame: &[u8],
    len: usize,
    headers: &mut Headers,
) -> Judgement {
    let kind = match parse(frame, headers) {
        Ok(kind) => kind,
        Err(reason) => return Judgement::Drop(reason),
    };
    if kind == Kind::Rarp {
        return Judgement::Consume(Reason::Rarp, Reason::NotIpv4);
    }
    if ethernet::source(frame) != Some(from.mac) {
        return Judgement::Drop(Reason::SpoofedMac);
    }
    if kind == Kind::Arp {
        return Judgement::Arp;
    }
    if let Some(reason) = too_long(from, headers, len) {
        return Judgement::Drop(reason);
    }
    if let Some(reason) = spoofed(env, from, frame, headers) {
        return Judgement::Drop(reason);
    }
    if let Some(reason) = no_unicast(subnet, frame, headers) {
        return Judgement::Drop(reason);
    }
    if quotes_a_copy(snapshot, from, frame, headers) {
        return Judgement::Consume(Reason::CopyFeedback, Reason::CopyFeedback);
    }
    Judgement::Pass
}

/// Padding may not be longer than the MTU allows either: it is forwarded.
#[inline]
fn too_long(from: &Eni, headers: &Headers, len: usize) -> Option<Reason> {
    (headers.ip.total > from.mtu.0 || len > from.mtu.frame().0 as usize).then_some(Reason::TooLong)
}

#[inline]
fn spoofed<E: Env>(env: &E, from: &Eni, frame: &[u8], headers: &Headers) -> Option<Reason> {
    let ip = &headers.ip;
    let own = from.has_address(ip.source)
        || (ip.source == 0 && ip.protocol == protocol::UDP && fragments::is_dhcp_client(env, from, frame, ip));
    (!own).then_some(Reason::SpoofedIp)
}

#[inline]
fn no_unicast(subnet: &Subnet, frame: &[u8], headers: &Headers) -> Option<Reason> {
    let to = ethernet::destination(frame).unwrap_or_default();
    let ip = headers.ip.destination;
    if ip == u32::MAX || subnet.is_broadcast(ip) || to == Mac::BROADCAST {
        return Some(Reason::Broadcast);
    }
    if ip >> 28 == 0xe || to.is_group() {
        return Some(Reason::Multicast);
    }
    (to != subnet.router_mac && subnet.macs.get(to.as_u64()).is_none()).then_some(Reason::BadDmac)
}

/// An ICMP error by which a target complains about a copy it got; it is meant for us, not for the source.
#[inline]
fn quotes_a_copy(snapshot: &Snapshot, from: &Eni, frame: &[u8], headers: &Headers) -> bool {
    if headers.ip.protocol != protocol::ICMP {
        return false;
    }
    let (Some(packet), Some(vpc)) = (frame.get(ethernet::HEADER..), snapshot.vpcs.get(from.vpc)) else {
        return false;
    };
    match icmp_quote(packet, &headers.ip) {
        Some((source, destination, ipv4::protocol::UDP, Some((_, vxlan::PORT)))) => {
            vpc.copy_pairs.get(u64::from(source) << 32 | u64::from(destination)) == Some(from.slot)
        }
        _ => false,
    }
}
