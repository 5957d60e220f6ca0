//! The packet's way, a burst at a time, under one snapshot:
//!
//! ```text
//! rx → admit → secure(egress) → police → mirror(outbound) → route → [ring to the owner]
//!    → secure(ingress) → police → tx → mirror(inbound)
//! ```
//!
//! Fragments learn their ports where their ENI's side begins: after admit, and before secure(ingress).
//!
//! One stage a file. A stage looks at the lanes that are still live and clears those it ends; buffers are freed in bulk
//! when the burst is over. Everything is generic over [`Env`], so that unit tests and `vswitch replay` run the very same
//! code on heap buffers.

mod admit;
mod arp;
mod copies;
mod env;
mod fragments;
pub mod fuzz;
mod mirror;
mod police;
mod ring;
mod route;
mod secure;
mod tx;

#[cfg(test)]
mod tests;

pub use env::{Delivery, Env, FLAT_COPY, Verdict};
pub(crate) use mirror::key;

use copies::Copies;

use crate::mirror::snapshot::{Eni, Snapshot};
use crate::packet::{Burst, Direction, PacketBuf};

/// Runs a burst that was taken from `from`'s queue: everything up to the receivers on this worker, or the rings to
/// the other workers. `from` belongs to this worker and is part of `snapshot`.
pub fn run_burst<E: Env>(env: &mut E, snapshot: &Snapshot, from: &Eni, burst: &mut Burst<E::Buf>) {
    burst.start();
    if env.is_over(from) {
        burst.over = burst.live;
    }
    received(env, from, burst);
    admit::admit(env, snapshot, from, burst);
    fragments::resolve(env, from, Direction::Outbound, burst.live, burst);
    secure::secure(env, from, Direction::Outbound, burst);
    burst.live = police::police(env, from, Direction::Outbound, burst.live, burst);
    let mut outbound = Copies::new(Direction::Outbound);
    mirror::mirror(env, snapshot, from, burst.live, burst, &mut outbound);
    route::route(env, snapshot, from, burst, &mut outbound);
    ring::cross(env, snapshot, from, burst);
    let mut inbound = Copies::new(Direction::Inbound);
    deliver(env, snapshot, burst, &mut inbound);
    copies::send(env, snapshot, &mut inbound);
    copies::send(env, snapshot, &mut outbound);
    burst.finish();
}

/// Runs a burst that came over a ring from another worker: the rest of the way of its packets and copies. `snapshot`
/// is at least as new as the one that they were sent under; `worker::crossed` says how.
pub fn run_crossed<E: Env>(env: &mut E, snapshot: &Snapshot, burst: &mut Burst<E::Buf>) {
    burst.start();
    let copies = ring::arrive(env, snapshot, burst);
    let mut inbound = Copies::new(Direction::Inbound);
    deliver(env, snapshot, burst, &mut inbound);
    ring::arrive_copies(env, snapshot, copies, burst);
    copies::send(env, snapshot, &mut inbound);
    burst.finish();
}

/// The receivers' side, for each receiver in the burst. `inbound` gets the copies that are made as receivers take their
/// packets: they go when all service packets of the burst have gone.
fn deliver<E: Env>(env: &mut E, snapshot: &Snapshot, burst: &mut Burst<E::Buf>, inbound: &mut Copies<E::Buf>) {
    while let Some(first) = burst.live.first() {
        let slot = burst.to[first];
        let lanes = tx::lanes_to(slot, burst);
        if let Some(to) = snapshot.eni(slot) {
            fragments::resolve(env, to, Direction::Inbound, lanes, burst);
            let admitted = secure::ingress(env, to, lanes, burst);
            let passed = police::police(env, to, Direction::Inbound, admitted, burst);
            let taken = tx::tx(env, to, passed, burst);
            mirror::mirror(env, snapshot, to, taken, burst, inbound);
        }
        burst.live = burst.live.without(lanes);
    }
}

fn received<E: Env>(env: &E, from: &Eni, burst: &Burst<E::Buf>) {
    let block = from.counters.of(env.worker());
    block.rx_packets.add(burst.bufs.len() as u64);
    block.rx_bytes.add(burst.bufs.iter().flatten().map(|b| b.len() as u64).sum());
}
