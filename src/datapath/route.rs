//! route: the receiver among the VPC's local ENIs, by destination address. Peered VPCs and remote hosts come with their
//! issues. Across subnets the packet passes the router: TTL and MACs change.

use super::copies::{self, Copies};
use super::env::{Env, drop_packet};
use crate::mirror::snapshot::{Eni, Snapshot};
use crate::packet::{Burst, Direction, PacketBuf, Reason};
use crate::wire::{ethernet, ipv4};

/// Fills the receiver of each live lane, rewrites what a router rewrites, and clears lanes that lead nowhere. A packet
/// that shares its bytes with its copy gets bytes of its own for that, and where there are none the copy goes.
pub(super) fn route<E: Env>(
    env: &mut E,
    snapshot: &Snapshot,
    from: &Eni,
    burst: &mut Burst<E::Buf>,
    copies: &mut Copies<E::Buf>,
) {
    for lane in burst.live {
        let ip = burst.headers[lane].ip;
        let end = match snapshot.local(from.vpc, ip.destination) {
            None => Some(Reason::NoRoute),
            Some(to) if to.slot == from.slot => Some(Reason::Hairpin),
            Some(to) if to.subnet != from.subnet && ip.ttl <= 1 => Some(Reason::TtlExpired),
            Some(to) => {
                burst.to[lane] = to.slot;
                match burst.bufs[lane].as_mut() {
                    Some(buf) if is_rewritten(from, to, buf) => {
                        if buf.head_mut().is_none() && env.unshare(buf).is_err() {
                            copies::give_up(env, from, lane, copies);
                        }
                        rewrite(snapshot, from, to, buf)
                    }
                    _ => None,
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
#[inline]
fn is_rewritten<B: PacketBuf>(from: &Eni, to: &Eni, buf: &B) -> bool {
    to.subnet != from.subnet || ethernet::destination(buf.head()) != Some(to.mac)
}

fn rewrite<B: PacketBuf>(snapshot: &Snapshot, from: &Eni, to: &Eni, buf: &mut B) -> Option<Reason> {
    // Nothing but its copy shares a packet's bytes, so they are its own by now; if not, it may not leave as it is.
    let (Some(frame), Some(subnet)) = (buf.head_mut(), snapshot.subnets.get(to.subnet)) else {
        return Some(Reason::NoBuffer);
    };
    ethernet::set_addresses(frame, to.mac, subnet.router_mac);
    if to.subnet != from.subnet
        && let Some(packet) = frame.get_mut(ethernet::HEADER..)
    {
        ipv4::decrement_ttl(packet);
    }
    None
}
