//! The rings between workers: a packet for another worker's ENI goes over one before the receiver's side begins.

use arrayvec::ArrayVec;

use super::copies;
use super::env::{Env, Verdict, drop_packet};
use crate::mirror::snapshot::{Eni, Snapshot};
use crate::packet::headers::{Kind, parse};
use crate::packet::{BURST, Burst, Direction, Lanes, Meta, PacketBuf, Reason};
use crate::wire::ipv4::Fragment;

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

/// Unpacks a burst that came over a ring: service packets stay live, with their receiver; the copies' lanes are returned.
pub(super) fn arrive<E: Env>(env: &mut E, snapshot: &Snapshot, burst: &mut Burst<E::Buf>) -> Lanes {
    let mut copies = Lanes::NONE;
    let mut waiting = burst.live;
    while let Some(first) = waiting.first() {
        let (meta, lanes) = neighbours(first, waiting, burst);
        waiting = waiting.without(lanes);
        if meta.copy == 1 {
            copies = Lanes(copies.0 | lanes.0);
            burst.live = burst.live.without(lanes);
            continue;
        }
        let from = snapshot.counters_of(meta.from, meta.from_generation);
        from.of(env.worker()).crossed_in.add(u64::from(lanes.count()));
        if env.is_over_on_ring(|| from.in_flight(), snapshot.credit) {
            burst.over = Lanes(burst.over.0 | lanes.0);
        }
        receive(env, snapshot, lanes, &meta, burst);
    }
    copies
}

/// Sends the copies of a burst that came over a ring to their targets.
pub(super) fn arrive_copies<E: Env>(env: &mut E, snapshot: &Snapshot, copies: Lanes, burst: &Burst<E::Buf>) {
    let mut waiting = copies;
    while let Some(first) = waiting.first() {
        let (meta, mut lanes) = neighbours(first, waiting, burst);
        waiting = waiting.without(lanes);
        let from = snapshot.counters_of(meta.from, meta.from_generation);
        from.of(env.worker()).copies_in.add(u64::from(lanes.count()));
        if env.is_over_on_ring(|| from.copies_in_flight(), snapshot.copy_credit()) {
            lanes = copies::shed(env, snapshot, lanes, &meta);
        }
        copies::arrive(env, snapshot, lanes, &burst.bufs, &meta);
    }
}

/// The lanes of `waiting` from `first` on that may go together with it, and what they have in common.
fn neighbours<B: PacketBuf>(first: usize, waiting: Lanes, burst: &Burst<B>) -> (Meta, Lanes) {
    let common = |lane| Meta { kept: 0, cut: 0, ..burst.buf(lane).map_or_else(Meta::default, PacketBuf::meta) };
    let meta = common(first);
    let mut lanes = Lanes::one(first);
    for lane in waiting {
        if common(lane) != meta {
            break;
        }
        lanes.insert(lane);
    }
    (meta, lanes)
}

/// Service packets for one receiver: headers are read again, since the bytes have been rewritten.
fn receive<E: Env>(env: &mut E, snapshot: &Snapshot, lanes: Lanes, meta: &Meta, burst: &mut Burst<E::Buf>) {
    // The receiver may have left, or have moved to another worker, while the packet was on the ring.
    let known = snapshot.eni_of(meta.to, meta.to_generation).is_some_and(|to| to.worker == env.worker());
    for lane in lanes {
        let buf = burst.bufs.get(lane).and_then(Option::as_ref);
        let parsed = buf.map_or(Err(Reason::ShortFrame), |b| parse(b.head(), &mut burst.headers[lane]));
        let reason = match parsed {
            Ok(Kind::Ipv4) if known => {
                burst.to[lane] = meta.to;
                if burst.headers[lane].ip.fragment != Fragment::Whole {
                    burst.fragments.insert(lane);
                }
                continue;
            }
            Ok(_) => Reason::NoRoute,
            // Admission lets no such frame through: only a replay brings one here.
            Err(reason) => reason,
        };
        let from = snapshot.counters_of(meta.from, meta.from_generation);
        from.of(env.worker()).drops[Direction::Outbound.index()].add(reason, 1);
        env.trace(lane, Verdict::Dropped(reason));
        burst.live.remove(lane);
    }
}
