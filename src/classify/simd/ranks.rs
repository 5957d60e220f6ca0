//! Ranks by scalar code, and what all levels do with them.

use crate::classify::Verdict;
use crate::classify::keys::{Keys, Kind};
use crate::classify::ranks::{Field, KINDS, Line, Ranks};
use crate::packet::BURST;

/// Ranks of a batch, by field.
pub(super) struct Found {
    pub(super) src: [u8; BURST],
    pub(super) dst: [u8; BURST],
    /// Kind and rank.
    pub(super) src_port: [u16; BURST],
    pub(super) dst_port: [u8; BURST],
}

impl Found {
    pub(super) const NONE: Found =
        Found { src: [0; BURST], dst: [0; BURST], src_port: [0; BURST], dst_port: [0; BURST] };
}

/// The rank of a value: how many bounds are not above it.
#[inline(always)]
fn rank<T: Copy + Ord, const N: usize>(field: &Field<T, N>, value: T) -> usize {
    let mut place = 1;
    for _ in 0..field.levels {
        place = down(field, value, place);
    }
    place - field.places
}

/// One level down from a place.
#[inline(always)]
pub(super) fn down<T: Copy + Ord, const N: usize>(field: &Field<T, N>, value: T, place: usize) -> usize {
    debug_assert!(place < field.places);
    // SAFETY: before the last step of a way down all levels a place is below 2^levels, and so many the tree has.
    let bound = unsafe { *places(&field.tree).add(place) };
    2 * place + usize::from(bound <= value)
}

/// The map of a rank that some search found.
#[inline(always)]
fn map<T, const N: usize>(field: &Field<T, N>, rank: usize) -> u64 {
    debug_assert!(rank < field.maps.len());
    // SAFETY: searches give ranks below 2^levels; for destination ports also 2^levels, for source ports KINDS times the
    // rank and a kind below KINDS. There are as many maps.
    unsafe { *field.maps.get_unchecked(rank) }
}

/// The first match from ranks.
#[inline(always)]
pub(super) fn first(table: &Ranks, src: usize, dst: usize, src_port: usize, dst_port: usize) -> Verdict {
    let addresses = map(&table.src, src) & map(&table.dst, dst);
    let rules = addresses & map(&table.src_port, src_port) & map(&table.dst_port, dst_port);
    if rules == 0 { Verdict::None } else { Verdict::Match(rules.trailing_zeros() as u16) }
}

/// First matches of a batch from its ranks. Not inlined, so that it has no wide registers: with them the compiler gathers
/// the maps, which takes longer than loading them one by one.
///
/// # Safety
/// The CPU has BMI1.
#[cfg(target_arch = "x86_64")]
#[inline(never)]
#[target_feature(enable = "bmi1")]
pub(super) unsafe fn combine(table: &Ranks, len: usize, found: &Found, verdicts: &mut [Verdict; BURST]) {
    for (at, verdict) in verdicts.iter_mut().enumerate().take(len) {
        let (src, dst) = (found.src[at].into(), found.dst[at].into());
        *verdict = first(table, src, dst, found.src_port[at].into(), found.dst_port[at].into());
    }
}

/// One key after the other.
pub(super) fn classify(table: &Ranks, keys: &Keys, verdicts: &mut [Verdict; BURST]) {
    for (at, verdict) in verdicts.iter_mut().enumerate().take(keys.len) {
        let (kind, ports) = (usize::from(keys.kind[at]) % KINDS, keys.ports[at]);
        let src_port = kind + KINDS * rank(&table.src_port, (ports >> 16) as u16);
        let known = kind < Kind::TcpUnknown as usize;
        let dst_port = if known { rank(&table.dst_port, ports as u16) } else { table.dst_port.places };
        *verdict = first(table, rank(&table.src, keys.src[at]), rank(&table.dst, keys.dst[at]), src_port, dst_port);
    }
}

/// The places of a tree, flat.
pub(super) fn places<T, const N: usize>(tree: &[Line<T, N>]) -> *const T {
    tree.as_ptr().cast()
}
