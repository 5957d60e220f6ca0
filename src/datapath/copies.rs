//! Copies on their way to the target: handed to its queue on this worker, or across the ring to the worker that owns it.

use arrayvec::ArrayVec;

use super::env::{Delivery, Env, Verdict};
use super::mirror;
use crate::metrics::counters::RowCounters;
use crate::mirror::session::MirrorRow;
use crate::mirror::snapshot::{Eni, Snapshot};
use crate::packet::{BURST, Direction, Lanes, Meta, PacketBuf, Reason};
use crate::wire::be16;

/// Copies of one burst and one source, not yet sent.
pub(super) struct Copies<B> {
    bufs: ArrayVec<Option<B>, BURST>,
    row: [u16; BURST],
    kept: [u16; BURST],
    lane: [u8; BURST],
}

impl<B> Default for Copies<B> {
    fn default() -> Self {
        Copies { bufs: ArrayVec::new(), row: [0; BURST], kept: [0; BURST], lane: [0; BURST] }
    }
}

impl<B> Copies<B> {
    /// Adds the copy of the packet in `lane`. There is at most one a lane, so there is room.
    pub(super) fn push(&mut self, copy: B, row: u16, kept: u16, lane: usize) {
        let at = self.bufs.len();
        if self.bufs.try_push(Some(copy)).is_ok() {
            self.row[at] = row;
            self.kept[at] = kept;
            self.lane[at] = lane as u8;
        }
    }
}

/// Sends the copies of `source`'s packets, session by session.
pub(super) fn send<E: Env>(
    env: &mut E,
    snapshot: &Snapshot,
    source: &Eni,
    direction: Direction,
    mut copies: Copies<E::Buf>,
) {
    let Some(mirror) = source.mirror.as_deref() else {
        return;
    };
    let mut waiting = Lanes::first_n(copies.bufs.len());
    while let Some(first) = waiting.first() {
        let index = copies.row[first];
        let mut lanes = Lanes::NONE;
        for lane in waiting {
            if copies.row[lane] == index {
                lanes.insert(lane);
            }
        }
        waiting = waiting.without(lanes);
        let Some(row) = mirror.rows.get(usize::from(index)) else {
            continue;
        };
        match snapshot.eni_of(row.target, row.target_generation) {
            None => skip(env, &row.counters, direction, lanes, &copies, Reason::TargetDown),
            Some(target) if target.worker == env.worker() => {
                give(env, target, &row.counters, direction, lanes, &copies);
            }
            Some(target) => cross(env, snapshot, source, (row, target), direction, lanes, &mut copies),
        }
    }
    E::Buf::free_all(&mut copies.bufs);
}

/// Offers copies to the target's queue on this worker.
fn give<E: Env>(
    env: &mut E,
    target: &Eni,
    counters: &RowCounters,
    direction: Direction,
    lanes: Lanes,
    copies: &Copies<E::Buf>,
) {
    let outcome = offer(env, target, counters, direction, lanes, &copies.bufs, |lane| copies.kept[lane]);
    if let Some((lost, reason)) = outcome {
        for lane in lost {
            env.trace(usize::from(copies.lane[lane]), Verdict::Skipped(direction, reason));
        }
    }
}

/// Hands copies to `target`'s queue and counts what became of them; returns the lanes that got nothing, and why.
fn offer<E: Env>(
    env: &mut E,
    target: &Eni,
    counters: &RowCounters,
    direction: Direction,
    lanes: Lanes,
    bufs: &[Option<E::Buf>],
    kept: impl Fn(usize) -> u16,
) -> Option<(Lanes, Reason)> {
    let block = counters.of(env.worker());
    let d = direction.index();
    // The outer source port stands for the flow.
    let port = |lane: usize| {
        let head = bufs.get(lane).and_then(Option::as_ref).map(PacketBuf::head);
        u64::from(head.and_then(|h| be16(h, 34)).unwrap_or_default())
    };
    let (taken, reason) = match env.deliver(target, bufs, lanes, port) {
        Delivery::Taken(taken) => (taken, Reason::TargetFull),
        Delivery::Down => (Lanes::NONE, Reason::TargetDown),
    };
    let (mut bytes, mut inner) = (0u64, 0u64);
    for lane in taken {
        bytes += bufs[lane].as_ref().map_or(0, |b| b.len() as u64);
        inner += u64::from(kept(lane));
        mirror::exclude(env, target, Direction::Inbound, lane, Reason::Copy);
    }
    let count = u64::from(taken.count());
    block.sent[d].add(count);
    block.bytes[d].add(bytes);
    block.inner_bytes[d].add(inner);
    let at_target = target.counters.of(env.worker());
    at_target.tx_packets.add(count);
    at_target.tx_copies.add(count);
    at_target.tx_bytes.add(bytes);
    let lost = lanes.without(taken);
    block.skips[d].add(reason, u64::from(lost.count()));
    (!lost.is_empty()).then_some((lost, reason))
}

/// Sends copies over the ring to the worker that owns the target.
fn cross<E: Env>(
    env: &mut E,
    snapshot: &Snapshot,
    source: &Eni,
    (row, target): (&MirrorRow, &Eni),
    direction: Direction,
    lanes: Lanes,
    copies: &mut Copies<E::Buf>,
) {
    let room = snapshot.credit.saturating_sub(source.counters.in_flight());
    let mut batch = ArrayVec::<E::Buf, BURST>::new();
    let mut tried = ArrayVec::<usize, BURST>::new();
    let mut broke = Lanes::NONE;
    for lane in lanes {
        if batch.len() as u64 >= room {
            broke.insert(lane);
            continue;
        }
        let Some(mut buf) = copies.bufs[lane].take() else {
            continue;
        };
        buf.set_meta(Meta {
            to: target.slot,
            to_generation: target.generation,
            from: source.slot,
            from_generation: source.generation,
            row: row.slot,
            row_generation: row.generation,
            kept: copies.kept[lane],
            copy: 1,
            direction: direction.index() as u8,
        });
        batch.push(buf);
        tried.push(lane);
    }
    let offered = batch.len();
    env.cross(target.worker, &mut batch);
    let sent = offered - batch.len();
    source.counters.of(env.worker()).crossed_out.add(sent as u64);
    let mut lost = Lanes::NONE;
    tried[sent..].iter().for_each(|lane| lost.insert(*lane));
    skip(env, &row.counters, direction, lost, copies, Reason::WorkerRingFull);
    skip(env, &row.counters, direction, broke, copies, Reason::CreditExhausted);
}

fn skip<E: Env>(
    env: &mut E,
    counters: &RowCounters,
    direction: Direction,
    lanes: Lanes,
    copies: &Copies<E::Buf>,
    reason: Reason,
) {
    counters.of(env.worker()).skips[direction.index()].add(reason, u64::from(lanes.count()));
    for lane in lanes {
        env.trace(usize::from(copies.lane[lane]), Verdict::Skipped(direction, reason));
    }
}

/// A copy that came over a ring, in `lane` of `bufs`: the rest of its way.
pub(super) fn arrive<E: Env>(env: &mut E, snapshot: &Snapshot, lanes: Lanes, bufs: &[Option<E::Buf>], meta: &Meta) {
    let direction = Direction::from_index(meta.direction);
    let counters = snapshot.row_counters(meta.row, meta.row_generation);
    match snapshot.eni_of(meta.to, meta.to_generation) {
        Some(target) if target.worker == env.worker() => {
            let kept = |lane: usize| bufs.get(lane).and_then(Option::as_ref).map_or(0, |b| b.meta().kept);
            offer(env, target, counters, direction, lanes, bufs, kept);
        }
        // It left, or moved to another worker, while the copy was on the ring.
        _ => {
            let block = counters.of(env.worker());
            block.skips[direction.index()].add(Reason::TargetDown, u64::from(lanes.count()));
        }
    }
}
