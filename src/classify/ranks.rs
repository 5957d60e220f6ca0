//! The layout for up to 64 rules: a field's value becomes its rank among the bounds of the rules' ranges, a rank a map
//! of the rules whose range holds it, a bit each, and the lowest bit of all five fields' maps is the first match.
//!
//! Nothing depends on how many rules match, nor where the first one is. Ranks come from a search tree per field in
//! Eytzinger order (the children of place k are 2k and 2k + 1), which scalar code walks one key at a time and AVX-512
//! sixteen or thirty-two, with the tree's top in registers.

use super::Verdict;
use super::keys::{Keys, Kind};
use super::rule::{PortRange, Protocol, Rule};
use super::simd::{self, Level};
use crate::packet::BURST;

/// Rules at most: one bit each.
pub(super) const RULES: usize = 64;
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
        src_port.maps = by_kind(rules, &src_port.maps);
        Some(Ranks {
            src: Field::new(rules.iter().map(|r| net(r.src)), u32::MAX, |b| b + 1, 0)?,
            dst: Field::new(rules.iter().map(|r| net(r.dst)), u32::MAX, |b| b + 1, 0)?,
            src_port,
            dst_port: Field::new(rules.iter().map(|r| span(r.dst_ports)), u16::MAX, |b| b + 1, 1)?,
            asks: bits(rules, asks),
            level,
        })
    }

    /// Judges each key of a batch; verdicts behind the last key are left alone.
    #[inline]
    pub(super) fn classify(&self, keys: &Keys, verdicts: &mut [Verdict; BURST]) {
        simd::ranks(self.level, self, keys, verdicts);
        // Where the ports are unknown, a match of a rule that asks for them is none.
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

    /// Bounds of each field.
    pub(super) fn levels(&self) -> [usize; 4] {
        [self.src.levels, self.dst.levels, self.src_port.levels, self.dst_port.levels]
    }
}

/// Rules for which something is true.
fn bits(rules: &[Rule], is: impl Fn(&Rule) -> bool) -> u64 {
    rules.iter().enumerate().fold(0, |map, (n, rule)| map | u64::from(is(rule)) << n)
}

fn asks(rule: &Rule) -> bool {
    rule.src_ports.is_some() || rule.dst_ports.is_some()
}

/// Maps by kind and rank: of the rules that suit the kind those whose source ports hold the rank, where the kind has a
/// known port, and all where it has none.
fn by_kind(rules: &[Rule], maps: &[u64]) -> Box<[u64]> {
    let mut all = vec![0; KINDS * maps.len()];
    for kind in Kind::ALL {
        let suits = bits(rules, |rule| {
            let named = rule.protocol == Protocol::All || rule.protocol.number() == kind.protocol();
            named && !(kind.is_portless() && asks(rule))
        });
        for (rank, map) in maps.iter().enumerate() {
            all[kind as usize + KINDS * rank] = if kind.is_known() { suits & map } else { suits };
        }
    }
    all.into_boxed_slice()
}

impl<T: Copy + Ord + Default, const N: usize> Field<T, N> {
    /// A field of the rules' ranges, both ends included, `None` holding nothing; `extra` maps of everything behind those
    /// of the ranks.
    fn new(
        ranges: impl Iterator<Item = Option<(T, T)>> + Clone,
        max: T,
        next: impl Fn(T) -> T,
        extra: usize,
    ) -> Option<Self> {
        let mut bounds = Vec::with_capacity(2 * RULES);
        for (first, last) in ranges.clone().flatten() {
            if first != T::default() {
                bounds.push(first);
            }
            if last != max {
                bounds.push(next(last));
            }
        }
        bounds.sort_unstable();
        bounds.dedup();
        let levels = (bounds.len() + 1).next_power_of_two().trailing_zeros() as usize;
        if levels > LEVELS {
            return None;
        }
        let places = 1usize << levels;
        let mut tree = vec![Line([max; N]); places.div_ceil(N)].into_boxed_slice();
        let mut sorted = bounds.iter();
        fill(&mut tree, 1, places, &mut sorted);
        // A range's rule is set in the maps from its first rank on, up to the rank behind its last: a toggle at each,
        // and a sum without carry over all.
        let mut maps = vec![0u64; places + 1];
        for (n, range) in ranges.enumerate() {
            if let Some((first, last)) = range {
                let rank = |value: T| bounds.partition_point(|bound| *bound <= value);
                maps[rank(first)] ^= 1 << n;
                maps[rank(last) + 1] ^= 1 << n;
            }
        }
        let mut map = 0;
        for (rank, at) in maps.iter_mut().enumerate() {
            // Ranks behind the last bound have no values but the largest, which those places hold.
            if rank <= bounds.len() {
                map ^= *at;
            }
            *at = map;
        }
        maps.truncate(places);
        maps.extend(std::iter::repeat_n(u64::MAX, extra));
        Some(Field { levels, places, top: places.min(N), tree, maps: maps.into_boxed_slice() })
    }

    fn bytes(&self) -> usize {
        size_of_val(&*self.tree) + size_of_val(&*self.maps)
    }
}

/// Fills a subtree with what is left of the sorted bounds, in order.
fn fill<'a, T: Copy + 'a, const N: usize>(
    tree: &mut [Line<T, N>],
    place: usize,
    places: usize,
    sorted: &mut impl Iterator<Item = &'a T>,
) {
    if place < places {
        fill(tree, 2 * place, places, sorted);
        if let Some(bound) = sorted.next() {
            tree[place / N].0[place % N] = *bound;
        }
        fill(tree, 2 * place + 1, places, sorted);
    }
}
