//! route: the receiver among the VPC's local ENIs, by destination address. Peered VPCs and remote hosts come with their
//! issues. Across subnets the packet passes the router: TTL and MACs change.

use super::env::{Env, drop_packet};
use crate::mirror::snapshot::{Eni, Snapshot};
use crate::packet::{Burst, Direction, PacketBuf, Reason};
use crate::wire::{ethernet, ipv4};

/// Fills the receiver of each live lane, rewrites what a router rewrites, and clears lanes that lead nowhere.
pub(super) fn route<E: Env>(env: &mut E, snapshot: &Snapshot, from: &Eni, burst: &mut Burst<E::Buf>) {
    for lane in burst.live {
        let ip = burst.headers[lane].ip;
        let end = match snapshot.local(from.vpc, ip.destination) {
            None => Some(Reason::NoRoute),
            Some(to) if to.slot == from.slot => Some(Reason::Hairpin),
            Some(to) if to.subnet != from.subnet && ip.ttl <= 1 => Some(Reason::TtlExpired),
            Some(to) => {
                burst.to[lane] = to.slot;
                match burst.bufs[lane].as_mut() {
                    Some(buf) => rewrite(env, snapshot, from, to, buf),
                    None => None,
                }
            }
        };
        if let Some(reason) = end {
            drop_packet(env, from, Direction::Outbound, lane, reason);
            burst.live.remove(lane);
        }
    }
}

/// Inside a subnet a frame that names its receiver stays as it is.
fn rewrite<E: Env>(env: &mut E, snapshot: &Snapshot, from: &Eni, to: &Eni, buf: &mut E::Buf) -> Option<Reason> {
    let crosses = to.subnet != from.subnet;
    if !crosses && ethernet::destination(buf.head()) == Some(to.mac) {
        return None;
    }
    if buf.head_mut().is_none() && env.unshare(buf).is_err() {
        return Some(Reason::NoBuffer);
    }
    let router = snapshot.subnets.get(to.subnet)?.router_mac;
    let frame = buf.head_mut()?;
    ethernet::set_addresses(frame, to.mac, router);
    if crosses {
        ipv4::decrement_ttl(frame.get_mut(ethernet::HEADER..)?);
    }
    None
}
