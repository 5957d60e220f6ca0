//! The layout for up to 64 rules: a field's value becomes its rank among the bounds of the rules' ranges, a rank a map
//! of the rules whose range holds it, a bit each, and the lowest bit that is in the maps of all fields is the first
//! match. (Protocols are in the maps of source ports.)
//!
//! Nothing depends on how many rules match, nor where the first one is. Ranks come from a search tree per field in
//! Eytzinger order (the children of place k are 2k and 2k + 1), which scalar code walks one key at a time and AVX-512
//! sixteen or thirty-two, with the tree's top in registers.

use arrayvec::ArrayVec;

use super::Verdict;
use super::keys::{Keys, Kind};
use super::rule::{PortRange, Rule};
use super::simd::{self, Level};
use crate::packet::BURST;

/// Rules at most: one bit each.
pub(super) const RULES: usize = 64;
/// Bits of a rule's number.
const RULE_BITS: u32 = RULES.trailing_zeros();
/// Levels of a tree at most.
const LEVELS: usize = 7;
/// Bounds of a field at most.
pub(super) const BOUNDS: usize = (1 << LEVELS) - 1;
/// Kinds of keys that maps by kind have room for. The map of a kind and a rank is at kind + KINDS × rank.
pub(super) const KINDS: usize = 8;

/// A cache line of a tree, so that it never lies across two.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub(super) struct Line<T, const N: usize>(pub(super) [T; N]);

/// One field: a tree of bounds, and a map for each rank.
#[derive(Clone, Debug)]
pub(super) struct Field<T, const N: usize> {
    /// Levels of the tree.
    pub(super) levels: usize,
    /// Places of it: 2^levels.
    pub(super) places: usize,
    /// Places of its top: as many as a line holds, or all.
    pub(super) top: usize,
    /// The tree in Eytzinger order from place 1; places without a bound hold the largest value.
    pub(super) tree: Box<[Line<T, N>]>,
    /// 2^levels maps, by rank; one more where a key may have no value, and many more by kind.
    pub(super) maps: Box<[u64]>,
}

pub(super) type Addresses = Field<u32, 16>;
pub(super) type PortsField = Field<u16, 32>;

/// Compiled rules.
#[derive(Clone, Debug)]
pub(super) struct Ranks {
    pub(super) src: Addresses,
    pub(super) dst: Addresses,
    /// Of rules that also suit the kind: its maps are by kind and rank, see [`KINDS`].
    pub(super) src_port: PortsField,
    pub(super) dst_port: PortsField,
    /// Rules that ask for ports.
    pub(super) asks: u64,
    level: Level,
}

impl Ranks {
    /// Compiles rules in search order; `None` where there are too many, or too many different bounds.
    pub(super) fn new(rules: &[Rule], level: Level) -> Option<Self> {
        if rules.len() > RULES {
            return None;
        }
        let net = |net: ipnet::Ipv4Net| Some((net.network().to_bits(), net.broadcast().to_bits()));
        let span = |ports: Option<PortRange>| match ports {
            None => Some((0, u16::MAX)),
            // Upside down: no port is inside.
            Some(PortRange { first, last }) => (first <= last).then_some((first, last)),
        };
        let mut src_port = Field::new(rules.iter().map(|r| span(r.src_ports)), u16::MAX, |b| b + 1, 0)?;
        let asks = |rule: &Rule| rule.src_ports.is_some() || rule.dst_ports.is_some();
        let asks = rules.iter().enumerate().fold(0, |map, (n, rule)| map | u64::from(asks(rule)) << n);
        src_port.maps = by_kind(rules, asks, &src_port.maps);
        Some(Ranks {
            src: Field::new(rules.iter().map(|r| net(r.src)), u32::MAX, |b| b + 1, 0)?,
            dst: Field::new(rules.iter().map(|r| net(r.dst)), u32::MAX, |b| b + 1, 0)?,
            src_port,
            dst_port: Field::new(rules.iter().map(|r| span(r.dst_ports)), u16::MAX, |b| b + 1, 1)?,
            asks,
            level,
        })
    }

    /// Judges each key of a batch; verdicts behind the last key are left alone.
    #[inline]
    pub(super) fn classify(&self, keys: &Keys, verdicts: &mut [Verdict; BURST]) {
        simd::ranks(self.level, self, keys, verdicts);
        // Where the ports are unknown, a match of a rule that asks for them is *unknown*.
        let mut unknown = keys.unknown();
        while unknown != 0 {
            let lane = unknown.trailing_zeros() as usize;
            unknown &= unknown - 1;
            if let Verdict::Match(rule) = verdicts[lane]
                && self.asks >> rule & 1 == 1
            {
                verdicts[lane] = Verdict::Unknown;
            }
        }
    }

    /// Bytes of the compiled form.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.src.bytes() + self.dst.bytes() + self.src_port.bytes() + self.dst_port.bytes()
    }

    /// Levels of the tree of each field.
    pub(super) fn levels(&self) -> [usize; 4] {
        [self.src.levels, self.dst.levels, self.src_port.levels, self.dst_port.levels]
    }
}

/// Maps by kind and rank: of the rules that suit the kind those whose source ports hold the rank, where the kind has a
/// known port, and all where it has none.
fn by_kind(rules: &[Rule], asks: u64, maps: &[u64]) -> Box<[u64]> {
    let (mut any, mut named) = (0, [0; 256]);
    for (n, rule) in rules.iter().enumerate() {
        let map = rule.protocol.number().map_or(&mut any, |p| &mut named[usize::from(p)]);
        *map |= 1 << n;
    }
    let suits = Kind::ALL.map(|kind| {
        let suits = any | kind.protocol().map_or(0, |p| named[usize::from(p)]);
        if kind.is_portless() { suits & !asks } else { suits }
    });
    let mut all = vec![0; KINDS * maps.len()];
    for (by_kind, map) in all.chunks_exact_mut(KINDS).zip(maps) {
        for (kind, suits) in Kind::ALL.into_iter().zip(suits) {
            by_kind[kind as usize] = if kind.is_known() { suits & map } else { suits };
        }
    }
    all.into_boxed_slice()
}

impl<T: Copy + Ord + Default + Into<u64> + TryFrom<u64>, const N: usize> Field<T, N> {
    /// A field of the rules' ranges, both ends included, `None` holding nothing; `extra` maps of everything behind those
    /// of the ranks.
    fn new(ranges: impl Iterator<Item = Option<(T, T)>>, max: T, next: impl Fn(T) -> T, extra: usize) -> Option<Self> {
        // A range's rule is in the maps from the rank of its first value up to the rank behind its last: a toggle at
        // each, in the order of values. A toggle is a bound, and the rule's number below it, so that one sort does.
        let (mut map, mut toggles) = (0u64, ArrayVec::<u64, { 2 * RULES }>::new());
        for (n, range) in ranges.enumerate() {
            let Some((first, last)) = range else { continue };
            let mut toggle = |bound: T| toggles.try_push(bound.into() << RULE_BITS | n as u64);
            if first == T::default() {
                map |= 1 << n;
            } else {
                toggle(first).ok()?;
            }
            if last != max {
                toggle(next(last)).ok()?;
            }
        }
        toggles.sort_unstable();
        let (mut bounds, mut maps) = (ArrayVec::<T, { 2 * RULES }>::new(), [0u64; 1 << LEVELS]);
        for toggle in toggles {
            let bound = T::try_from(toggle >> RULE_BITS).ok()?;
            if bounds.last() != Some(&bound) {
                *maps.get_mut(bounds.len())? = map;
                bounds.push(bound);
            }
            map ^= 1 << (toggle % RULES as u64);
        }
        let levels = (bounds.len() + 1).next_power_of_two().trailing_zeros() as usize;
        if levels > LEVELS {
            return None;
        }
        let places = 1usize << levels;
        // Ranks behind the last bound have no values but the largest, which places without a bound hold.
        maps[bounds.len()..places].fill(map);
        let mut tree = vec![Line([max; N]); places.div_ceil(N)].into_boxed_slice();
        for (nth, bound) in (1usize..).zip(bounds) {
            // Of places in the order of values, every second one is of the lowest level, and so on up.
            let above = nth.trailing_zeros() + 1;
            let place = (places >> above) + (nth >> above);
            tree[place / N].0[place % N] = bound;
        }
        let mut all = Vec::with_capacity(places + extra);
        all.extend_from_slice(&maps[..places]);
        all.extend(std::iter::repeat_n(u64::MAX, extra));
        Some(Field { levels, places, top: places.min(N), tree, maps: all.into_boxed_slice() })
    }

    fn bytes(&self) -> usize {
        size_of_val(&*self.tree) + size_of_val(&*self.maps)
    }
}
