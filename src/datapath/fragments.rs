//! fragments: what is known of their ports. A first fragment's are remembered in the ENI's table for its direction; a
//! later one has those that the table knows, or none: an orphan. What the ports mean is judged as ever, under the
//! snapshot of the moment.
//!
//! An ENI's way out and its way in are two tables, even when both ends are on one worker: what a receiver is judged by
//! never depends on where its peer runs.

use super::env::Env;
use crate::mirror::snapshot::Eni;
use crate::packet::fragments::FragmentKey;
use crate::packet::{Burst, Direction, Lanes, PacketBuf};
use crate::wire::ipv4::{Fragment, Ipv4, Ports};
use crate::wire::{be16, ethernet};

/// Ports of what a DHCP client sends (RFC 2131, section 4.1).
const DHCP_CLIENT: (u16, u16) = (68, 67);

/// Says what ports the fragments in `lanes` have, seen from `eni`, which belongs to this worker.
#[inline]
pub(super) fn resolve<E: Env>(env: &E, eni: &Eni, direction: Direction, lanes: Lanes, burst: &mut Burst<E::Buf>) {
    let fragments = Lanes(lanes.0 & burst.fragments.0);
    if !fragments.is_empty() {
        look_up(env, eni, direction, fragments, burst);
    }
}

#[cold]
fn look_up<E: Env>(env: &E, eni: &Eni, direction: Direction, lanes: Lanes, burst: &mut Burst<E::Buf>) {
    let (table, now) = (eni.fragments.of(direction), env.now());
    for lane in lanes {
        let Some(head) = burst.bufs.get(lane).and_then(Option::as_ref).map(PacketBuf::head) else {
            continue;
        };
        let ip = &mut burst.headers[lane].ip;
        let Some(key) = key(head, ip) else {
            continue;
        };
        match (ip.fragment, ip.ports()) {
            (Fragment::Whole, _) | (_, Ports::None) => {}
            (Fragment::Later, _) => ip.learn(table.find(key, now)),
            (Fragment::First, Ports::Known(source, destination)) => {
                remember(env, eni, direction, key, (source, destination));
            }
            // Too short for its ports: nobody shall have those of an older datagram with the same number.
            (Fragment::First, Ports::Unknown) => table.forget(key),
        }
    }
}

/// Is this UDP packet, or the datagram that it is a fragment of, a DHCP client's? Admission asks it of packets without
/// a source address. The first fragment is remembered at once: the next ones may be in the same burst.
#[cold]
pub(super) fn is_dhcp_client<E: Env>(env: &E, from: &Eni, frame: &[u8], ip: &Ipv4) -> bool {
    let ports = match (ip.fragment, ip.ports()) {
        (Fragment::Later, _) => {
            key(frame, ip).and_then(|key| from.fragments.of(Direction::Outbound).find(key, env.now()))
        }
        (_, Ports::Known(source, destination)) => Some((source, destination)),
        _ => None,
    };
    if ports != Some(DHCP_CLIENT) {
        return false;
    }
    if let (Fragment::First, Some(key)) = (ip.fragment, key(frame, ip)) {
        remember(env, from, Direction::Outbound, key, DHCP_CLIENT);
    }
    true
}

fn key(frame: &[u8], ip: &Ipv4) -> Option<FragmentKey> {
    let id = be16(frame, ethernet::HEADER + 4)?;
    Some(FragmentKey { source: ip.source, destination: ip.destination, protocol: ip.protocol, id })
}

fn remember<E: Env>(env: &E, eni: &Eni, direction: Direction, key: FragmentKey, ports: (u16, u16)) {
    if eni.fragments.of(direction).store(key, ports, env.now()) {
        eni.counters.of(env.worker()).fragment_evictions.add(1);
    }
}
