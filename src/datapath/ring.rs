//! The rings between workers: a packet for another worker's ENI goes over one before the receiver's side begins.

use arrayvec::ArrayVec;

use super::copies;
use super::env::{Env, Verdict, drop_packet};
use crate::mirror::snapshot::{Eni, Snapshot};
use crate::packet::headers::{Kind, parse};
use crate::packet::{BURST, Burst, Direction, Lanes, Meta, PacketBuf, Reason};

/// Takes out of the burst what belongs to other workers and sends it there, a batch a worker.
pub(super) fn cross<E: Env>(env: &mut E, snapshot: &Snapshot, from: &Eni, burst: &mut Burst<E::Buf>) {
    let mut waiting = Lanes::NONE;
    for lane in burst.live {
        if snapshot.eni(burst.to[lane]).is_some_and(|to| to.worker != env.worker()) {
            waiting.insert(lane);
        }
    }
    burst.live = burst.live.without(waiting);
    while let Some(first) = waiting.first() {
        let Some(worker) = snapshot.eni(burst.to[first]).map(|to| to.worker) else {
            return;
        };
        waiting = waiting.without(send(env, snapshot, from, worker, waiting, burst));
    }
}

/// Sends the lanes of `waiting` that go to `worker`; returns them.
fn send<E: Env>(
    env: &mut E,
    snapshot: &Snapshot,
    from: &Eni,
    worker: usize,
    waiting: Lanes,
    burst: &mut Burst<E::Buf>,
) -> Lanes {
    let room = snapshot.credit.saturating_sub(from.counters.in_flight());
    let mut batch = ArrayVec::<E::Buf, BURST>::new();
    let mut tried = ArrayVec::<usize, BURST>::new();
    let mut mine = Lanes::NONE;
    for lane in waiting {
        let Some(to) = snapshot.eni(burst.to[lane]).filter(|to| to.worker == worker) else {
            continue;
        };
        mine.insert(lane);
        if batch.len() as u64 >= room {
            drop_packet(env, from, Direction::Outbound, lane, Reason::CreditExhausted);
            continue;
        }
        let Some(mut buf) = burst.bufs[lane].take() else {
            continue;
        };
        buf.set_meta(Meta {
            to: to.slot,
            to_generation: to.generation,
            from: from.slot,
            from_generation: from.generation,
            ..Meta::default()
        });
        batch.push(buf);
        tried.push(lane);
    }
    let offered = batch.len();
    env.cross(worker, &mut batch);
    let sent = offered - batch.len();
    from.counters.of(env.worker()).crossed_out.add(sent as u64);
    for lane in &tried[..sent] {
        env.trace(*lane, Verdict::Crossed);
    }
    for lane in &tried[sent..] {
        drop_packet(env, from, Direction::Outbound, *lane, Reason::WorkerRingFull);
    }
    mine
}

/// Unpacks a burst that came over a ring: copies go to their targets, service packets stay live with their receiver.
pub(super) fn arrive<E: Env>(env: &mut E, snapshot: &Snapshot, burst: &mut Burst<E::Buf>) {
    let mut waiting = burst.live;
    while let Some(first) = waiting.first() {
        let Some(meta) = burst.buf(first).map(PacketBuf::meta) else {
            return;
        };
        // Neighbours of the same kind go together.
        let mut lanes = Lanes::NONE;
        for lane in waiting {
            match burst.buf(lane).map(PacketBuf::meta) {
                Some(m) if (Meta { kept: 0, ..m }) == (Meta { kept: 0, ..meta }) => lanes.insert(lane),
                _ => break,
            }
        }
        waiting = waiting.without(lanes);
        let from = snapshot.counters_of(meta.from, meta.from_generation);
        from.of(env.worker()).crossed_in.add(u64::from(lanes.count()));
        if meta.copy == 1 {
            copies::arrive(env, snapshot, lanes, &burst.bufs, &meta);
            burst.live = burst.live.without(lanes);
        } else {
            receive(env, snapshot, lanes, &meta, burst);
        }
    }
}

/// Service packets for one receiver: headers are read again, since the bytes have been rewritten.
fn receive<E: Env>(env: &E, snapshot: &Snapshot, lanes: Lanes, meta: &Meta, burst: &mut Burst<E::Buf>) {
    let known = snapshot.eni_of(meta.to, meta.to_generation).is_some_and(|to| to.worker == env.worker());
    for lane in lanes {
        let buf = burst.bufs.get(lane).and_then(Option::as_ref);
        match buf.map(|b| parse(b.head(), &mut burst.headers[lane])) {
            Some(Ok(Kind::Ipv4)) if known => burst.to[lane] = meta.to,
            _ => {
                // The receiver left, or moved to another worker, while the packet was on the ring.
                let from = snapshot.counters_of(meta.from, meta.from_generation);
                from.of(env.worker()).drops[Direction::Outbound.index()].add(Reason::NoRoute, 1);
                burst.live.remove(lane);
            }
        }
    }
}
