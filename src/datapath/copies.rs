//! Copies on their way to the target: handed to its queue on this worker, or across the ring to the worker that owns it.
//!
//! Service goes first: copies are sent when all service packets of their burst are gone, on a ring they leave half of
//! the room, and of what an ENI may have under way they have a share of their own.

use arrayvec::ArrayVec;

use super::env::{Delivery, Env, Verdict};
use super::mirror;
use crate::metrics::counters::RowCounters;
use crate::mirror::cut::{CutCause, Kept};
use crate::mirror::session::MirrorRow;
use crate::mirror::snapshot::{Eni, Snapshot};
use crate::packet::{BURST, Direction, Lanes, Meta, PacketBuf, Reason};
use crate::wire::be16;

/// What a copy was made of, and by what.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    /// Slot of the mirror source.
    pub source: u32,
    /// The source's row.
    pub row: u16,
    /// How much it holds.
    pub kept: Kept,
    /// The packet's lane.
    pub lane: u8,
}

/// Copies of one burst and direction, not yet sent.
pub(super) struct Copies<B> {
    direction: Direction,
    bufs: ArrayVec<Option<B>, BURST>,
    of: ArrayVec<Origin, BURST>,
}

impl<B> Copies<B> {
    /// None so far.
    pub(super) const fn new(direction: Direction) -> Self {
        Copies { direction, bufs: ArrayVec::new_const(), of: ArrayVec::new_const() }
    }

    /// Which way the originals go, seen from their sources.
    pub(super) const fn direction(&self) -> Direction {
        self.direction
    }

    /// Adds a copy. A packet has at most one a direction, so there is room.
    pub(super) fn push(&mut self, copy: B, origin: Origin) {
        if self.bufs.try_push(Some(copy)).is_ok() {
            let _pushed = self.of.try_push(origin);
        }
    }

    /// The copies that are still here.
    fn waiting(&self) -> Lanes {
        let mut waiting = Lanes::NONE;
        for (at, buf) in self.bufs.iter().enumerate() {
            if buf.is_some() {
                waiting.insert(at);
            }
        }
        waiting
    }
}

/// Gives up the copy of the packet in `lane`, which `source` sent: its bytes are needed for service.
#[cold]
pub(super) fn give_up<E: Env>(env: &mut E, source: &Eni, lane: usize, copies: &mut Copies<E::Buf>) {
    let Some(at) = copies.of.iter().position(|of| usize::from(of.lane) == lane) else {
        return;
    };
    copies.bufs[at] = None;
    let row = source.mirror.as_ref().and_then(|m| m.rows.get(usize::from(copies.of[at].row)));
    if let Some(row) = row {
        skip(env, &row.counters, Lanes::one(at), copies, Reason::NoBuffer);
    }
}

/// Sends copies, session by session and source by source.
pub(super) fn send<E: Env>(env: &mut E, snapshot: &Snapshot, copies: &mut Copies<E::Buf>) {
    if copies.bufs.is_empty() {
        return;
    }
    let mut waiting = copies.waiting();
    while let Some(first) = waiting.first() {
        let (slot, index) = (copies.of[first].source, copies.of[first].row);
        let mut lanes = Lanes::NONE;
        for lane in waiting {
            if copies.of[lane].row == index && copies.of[lane].source == slot {
                lanes.insert(lane);
            }
        }
        waiting = waiting.without(lanes);
        let Some(source) = snapshot.eni(slot) else {
            continue;
        };
        let Some(row) = source.mirror.as_ref().and_then(|m| m.rows.get(usize::from(index))) else {
            continue;
        };
        match snapshot.eni_of(row.target, row.target_generation) {
            None => skip(env, &row.counters, lanes, copies, Reason::TargetDown),
            Some(target) if target.worker == env.worker() => give(env, target, &row.counters, lanes, copies),
            Some(target) => cross(env, snapshot, source, (row, target), lanes, copies),
        }
    }
    E::Buf::free_all(&mut copies.bufs);
}

/// Offers copies to the target's queue on this worker.
fn give<E: Env>(env: &mut E, target: &Eni, counters: &RowCounters, lanes: Lanes, copies: &Copies<E::Buf>) {
    let outcome = offer(env, target, counters, copies.direction, lanes, &copies.bufs, |lane| copies.of[lane].kept);
    if let Some((lost, reason)) = outcome {
        for lane in lost {
            env.trace(usize::from(copies.of[lane].lane), Verdict::Skipped(copies.direction, reason));
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
    kept: impl Fn(usize) -> Kept,
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
        let kept = kept(lane);
        inner += u64::from(kept.bytes);
        match kept.cut {
            Some(CutCause::PacketLength) => block.cut_packet_length[d].add(1),
            Some(CutCause::PathMtu) => block.cut_path_mtu[d].add(1),
            None => {}
        }
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
    lanes: Lanes,
    copies: &mut Copies<E::Buf>,
) {
    let credit = snapshot.copy_credit().saturating_sub(source.counters.copies_in_flight());
    let ring = env.room_for_copies(target.worker);
    let mut batch = ArrayVec::<E::Buf, BURST>::new();
    let mut tried = ArrayVec::<usize, BURST>::new();
    let (mut broke, mut lost) = (Lanes::NONE, Lanes::NONE);
    for lane in lanes {
        if batch.len() as u64 >= credit {
            broke.insert(lane);
            continue;
        }
        if batch.len() >= ring {
            lost.insert(lane);
            continue;
        }
        let Some(mut buf) = copies.bufs[lane].take() else {
            continue;
        };
        let kept = copies.of[lane].kept;
        buf.set_meta(Meta {
            to: target.slot,
            to_generation: target.generation,
            from: source.slot,
            from_generation: source.generation,
            row: row.slot,
            row_generation: row.generation,
            kept: kept.bytes,
            copy: 1,
            direction: copies.direction.index() as u8,
            cut: CutCause::code(kept.cut),
            ..Meta::default()
        });
        batch.push(buf);
        tried.push(lane);
    }
    let offered = batch.len();
    env.cross(target.worker, &mut batch);
    let sent = offered - batch.len();
    source.counters.of(env.worker()).copies_out.add(sent as u64);
    tried[sent..].iter().for_each(|lane| lost.insert(*lane));
    skip(env, &row.counters, lost, copies, Reason::WorkerRingFull);
    skip(env, &row.counters, broke, copies, Reason::CreditExhausted);
}

fn skip<E: Env>(env: &mut E, counters: &RowCounters, lanes: Lanes, copies: &Copies<E::Buf>, reason: Reason) {
    let direction = copies.direction;
    counters.of(env.worker()).skips[direction.index()].add(reason, u64::from(lanes.count()));
    for lane in lanes {
        env.trace(usize::from(copies.of[lane].lane), Verdict::Skipped(direction, reason));
    }
}

/// Of copies that came over a ring, gives up the part that overload asks for; returns the rest.
pub(super) fn shed<E: Env>(env: &mut E, snapshot: &Snapshot, lanes: Lanes, meta: &Meta) -> Lanes {
    let mut rest = lanes;
    for lane in lanes {
        if env.gives_up() {
            rest.remove(lane);
        }
    }
    let block = snapshot.row_counters(meta.row, meta.row_generation).of(env.worker());
    let given_up = lanes.without(rest).count();
    block.skips[usize::from(meta.direction & 1)].add(Reason::Overload, u64::from(given_up));
    rest
}

/// Copies of one row that came over a ring, in `lanes` of `bufs`: the rest of their way.
pub(super) fn arrive<E: Env>(env: &mut E, snapshot: &Snapshot, lanes: Lanes, bufs: &[Option<E::Buf>], meta: &Meta) {
    let direction = Direction::from_index(meta.direction);
    let counters = snapshot.row_counters(meta.row, meta.row_generation);
    // A target that has moved to another worker meanwhile is not this one's to serve.
    match snapshot.eni_of(meta.to, meta.to_generation).filter(|to| to.worker == env.worker()) {
        Some(target) => {
            let kept = |lane: usize| {
                let meta = bufs.get(lane).and_then(Option::as_ref).map_or_else(Meta::default, PacketBuf::meta);
                Kept { bytes: meta.kept, cut: CutCause::from_code(meta.cut) }
            };
            offer(env, target, counters, direction, lanes, bufs, kept);
        }
        // It left, or moved to another worker, while the copy was on the ring.
        _ => {
            let block = counters.of(env.worker());
            block.skips[direction.index()].add(Reason::TargetDown, u64::from(lanes.count()));
        }
    }
}
