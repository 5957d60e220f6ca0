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
use crate::wire::ipv4::{Fragment, Ports};
use crate::wire::{be16, ethernet};

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
        let Some(id) = burst.buf(lane).and_then(|buf| be16(buf.head(), ethernet::HEADER + 4)) else {
            continue;
        };
        let ip = &mut burst.headers[lane].ip;
        let key = FragmentKey { source: ip.source, destination: ip.destination, protocol: ip.protocol, id };
        match (ip.fragment, ip.ports()) {
            (Fragment::Whole, _) | (_, Ports::None) => {}
            (Fragment::Later, _) => ip.learn(table.find(key, now)),
            (Fragment::First, Ports::Known(source, destination)) => {
                if table.store(key, (source, destination), now) {
                    eni.counters.of(env.worker()).fragment_evictions.add(1);
                }
            }
            // Too short for its ports: nobody shall have those of an older datagram with the same number.
            (Fragment::First, Ports::Unknown) => table.forget(key),
        }
    }
}
