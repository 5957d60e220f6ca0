//! Ranks by scalar code, and what all levels do with them.

use crate::classify::Verdict;
use crate::classify::keys::Keys;
use crate::classify::ranks::{Field, Line, Ranks};
use crate::packet::BURST;

/// Ranks of a batch, by field.
pub(super) struct Found {
    pub(super) src: [u8; BURST],
    pub(super) dst: [u8; BURST],
    pub(super) src_port: [u8; BURST],
    pub(super) dst_port: [u8; BURST],
}

impl Found {
    pub(super) const NONE: Found =
        Found { src: [0; BURST], dst: [0; BURST], src_port: [0; BURST], dst_port: [0; BURST] };
}

/// The rank of a value: how many bounds are not above it.
#[inline(always)]
fn rank<T: Copy + Ord, const N: usize>(field: &Field<T, N>, value: T) -> u8 {
    let tree: *const T = field.tree.as_ptr().cast();
    let mut place = 1usize;
    for _ in 0..field.levels {
        // SAFETY: a walk of `levels` steps from place 1 stays below 2^levels, and the tree has that many places.
        let bound = unsafe { *tree.add(place) };
        place = 2 * place + usize::from(bound <= value);
    }
    (place - (1 << field.levels)) as u8
}

/// The map of a rank that some search found.
#[inline(always)]
fn map<T, const N: usize>(field: &Field<T, N>, rank: u8) -> u64 {
    debug_assert!(usize::from(rank) < field.maps.len());
    // SAFETY: searches give ranks below 2^levels, and 2^levels for no ports where the field has that map; there are as
    // many maps.
    unsafe { *field.maps.get_unchecked(usize::from(rank)) }
}

/// First matches from ranks.
#[inline(always)]
pub(super) fn combine(table: &Ranks, keys: &Keys, found: &Found, verdicts: &mut [Verdict; BURST]) {
    for at in 0..keys.len.min(BURST) {
        let rules = map(&table.src, found.src[at])
            & map(&table.dst, found.dst[at])
            & map(&table.src_port, found.src_port[at])
            & map(&table.dst_port, found.dst_port[at])
            & table.kinds[usize::from(keys.kind[at] & 7)];
        verdicts[at] = first(rules);
    }
}

#[inline(always)]
pub(super) fn first(rules: u64) -> Verdict {
    if rules == 0 { Verdict::None } else { Verdict::Match(rules.trailing_zeros() as u16) }
}

/// One key after the other.
pub(super) fn classify(table: &Ranks, keys: &Keys, verdicts: &mut [Verdict; BURST]) {
    let (no_src_port, no_dst_port) = (1u8 << table.src_port.levels, 1u8 << table.dst_port.levels);
    for at in 0..keys.len.min(BURST) {
        let known = keys.known >> at & 1 == 1;
        let src_port = if known { rank(&table.src_port, keys.src_port[at]) } else { no_src_port };
        let dst_port = if known { rank(&table.dst_port, keys.dst_port[at]) } else { no_dst_port };
        let rules = map(&table.src, rank(&table.src, keys.src[at]))
            & map(&table.dst, rank(&table.dst, keys.dst[at]))
            & map(&table.src_port, src_port)
            & map(&table.dst_port, dst_port)
            & table.kinds[usize::from(keys.kind[at] & 7)];
        verdicts[at] = first(rules);
    }
}

/// The places of a tree, flat.
pub(super) fn places<T, const N: usize>(tree: &[Line<T, N>]) -> *const T {
    tree.as_ptr().cast()
}
