//! mirror: which packets of a source are copied, by which session, and how much of them (design, section 4).
//!
//! Copies are made here, from the bytes as they are now, and sent later by [`super::copies`]: service goes first.

use super::copies::{Copies, Origin};
use super::env::{Env, Verdict};
use crate::classify::{Key, Keys, Verdict as Match};
use crate::mirror::session::{MirrorRow, Outcome};
use crate::mirror::snapshot::{Eni, Snapshot};
use crate::packet::{BURST, Burst, Direction, Headers, Lanes, PacketBuf, Reason};
use crate::wire::ipv4::{Ports, protocol};
use crate::wire::vxlan::OUTER;
use crate::wire::{ethernet, hash};

/// Judges `lanes` as packets that `source` sent or got, and adds their copies to `copies`, which says which of both.
pub(super) fn mirror<E: Env>(
    env: &mut E,
    snapshot: &Snapshot,
    source: &Eni,
    lanes: Lanes,
    burst: &Burst<E::Buf>,
    copies: &mut Copies<E::Buf>,
) {
    let Some(mirror) = source.mirror.as_deref() else {
        return;
    };
    let direction = copies.direction();
    let d = direction.index();
    let mut asked = lanes;
    for lane in lanes {
        if let Some(reason) = never_mirrored(snapshot, direction, &burst.headers[lane]) {
            exclude(env, source, direction, lane, reason);
            asked.remove(lane);
        }
    }
    let mut keys = Keys::default();
    keys.gather(asked.map(|lane| &burst.headers[lane].ip));
    let mut verdicts = [Match::None; BURST];
    mirror.tables[d].classifier.classify(&keys, &mut verdicts);
    // Added up here: a counter that is written for each packet waits for itself.
    let (mut matched, mut unmatched, mut refused, mut orphans) = (0, 0, 0, 0);
    for (verdict, lane) in verdicts.iter().zip(asked) {
        match *verdict {
            Match::None => {
                unmatched += 1;
                env.trace(lane, Verdict::Unmatched(direction));
            }
            Match::Unknown => {
                orphans += 1;
                env.trace(lane, Verdict::Excluded(direction, Reason::FragmentOrphan));
            }
            Match::Match(rule) => match mirror.tables[d].outcomes.get(usize::from(rule)) {
                Some(Outcome::Mirror(index)) => {
                    matched += 1;
                    if let Some(row) = mirror.rows.get(usize::from(*index)) {
                        copy(env, source, (row, *index, rule), lane, burst, copies);
                    }
                }
                _ => {
                    refused += 1;
                    env.trace(lane, Verdict::Refused { source: source.slot, direction, rule });
                }
            },
        }
    }
    let block = source.counters.of(env.worker());
    block.seen[d].add(u64::from(asked.count()));
    block.matched[d].add(matched);
    block.unmatched[d].add(unmatched);
    block.refused[d].add(refused);
    block.excluded[d].add(Reason::FragmentOrphan, orphans);
}

/// Counts a packet of a source that is never mirrored; ENIs without a session count nothing.
pub(super) fn exclude<E: Env>(env: &mut E, source: &Eni, direction: Direction, lane: usize, reason: Reason) {
    if source.mirror.is_some() {
        let block = source.counters.of(env.worker());
        block.seen[direction.index()].add(1);
        block.excluded[direction.index()].add(reason, 1);
        env.trace(lane, Verdict::Excluded(direction, reason));
    }
}

fn never_mirrored(snapshot: &Snapshot, direction: Direction, headers: &Headers) -> Option<Reason> {
    let ip = &headers.ip;
    if ip.protocol == protocol::UDP && matches!(ip.ports(), Ports::Known(67, 68) | Ports::Known(68, 67)) {
        return Some(Reason::Dhcp);
    }
    let remote = match direction {
        Direction::Outbound => ip.destination,
        Direction::Inbound => ip.source,
    };
    snapshot.is_platform(remote).then_some(Reason::Platform)
}

/// What rules see of a packet.
pub(crate) fn key(headers: &Headers) -> Key {
    let ip = &headers.ip;
    Key { src: ip.source, dst: ip.destination, protocol: ip.protocol, ports: ip.ports() }
}

/// Makes the copy of one matched packet.
fn copy<E: Env>(
    env: &mut E,
    source: &Eni,
    (row, index, rule): (&MirrorRow, u16, u16),
    lane: usize,
    burst: &Burst<E::Buf>,
    copies: &mut Copies<E::Buf>,
) {
    let Some(buf) = burst.buf(lane) else {
        return;
    };
    let direction = copies.direction();
    let headers = &burst.headers[lane];
    let block = row.counters.of(env.worker());
    let d = direction.index();
    block.matched[d].add(1);
    let kept = row.limit.keep(headers.ip.total);
    env.trace(lane, Verdict::Matched { source: source.slot, direction, row: index, rule, kept });
    let skip = |env: &mut E, reason| {
        block.skips[d].add(reason, 1);
        env.trace(lane, Verdict::Skipped(direction, reason));
    };
    if let Some(reason) = row.gate {
        return skip(env, reason);
    }
    if burst.over.contains(lane) && env.gives_up() {
        return skip(env, Reason::Overload);
    }
    let inner = ethernet::HEADER + usize::from(kept.bytes);
    if let Some(limit) = &source.limit
        && !limit.affords(env.now(), OUTER + inner)
    {
        return skip(env, Reason::Bandwidth);
    }
    let outer = row.outer.fill(inner, hash::source_port(headers.flow_hash(buf.head())));
    let Ok(copy) = env.copy(buf, &outer, inner) else {
        return skip(env, Reason::NoBuffer);
    };
    copies.push(copy, Origin { source: source.slot, row: index, kept, lane: lane as u8 });
    if let Some(limit) = &source.limit {
        limit.copied(env.now(), OUTER + inner);
    }
}
