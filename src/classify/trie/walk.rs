//! From the roots to the leaves: all keys of a batch step by step side by side, so that their loads overlap.

use super::super::Verdict;
use super::super::keys::Keys;
use super::leaf::{Block, NONE, RULES};
use crate::packet::BURST;

/// Trees at most.
pub const TREES: usize = 4;
/// Forms of a key: TCP and UDP with ports, TCP and UDP with unknown ports, ICMP, others.
pub const KINDS: usize = 6;
/// Searches of a batch: each key in each tree.
const SEARCHES: usize = TREES * BURST;

/// A reference is to a leaf: first block, and how many follow.
pub const LEAF: u32 = 1 << 31;
/// The leaf without rules.
pub const NOTHING: u32 = LEAF;
/// Where a leaf's number of further blocks begins, see [`more`].
const MORE: u32 = 25;
/// Bits of [`more`].
const FURTHER: u32 = 63 << MORE;
/// Blocks at most.
pub const BLOCKS: usize = 1 << MORE;

/// Up to so many further blocks a leaf says exactly; beyond, in steps with which 63 are enough for all rules that have an
/// index.
const EXACT: usize = 32;
const COARSE: usize = 140;
const _: () = assert!((63 - EXACT) * COARSE + EXACT >= (u16::MAX as usize).div_ceil(RULES) - 1);

/// How many blocks follow the first of a leaf.
#[inline(always)]
pub const fn more(leaf: u32) -> usize {
    let code = (leaf >> MORE & 63) as usize;
    if code < EXACT { code } else { EXACT + (code - EXACT) * COARSE }
}

/// The reference to a leaf of at least so many blocks: [`more`] says how many exactly.
pub const fn leaf(block: usize, blocks: usize) -> u32 {
    let more = blocks.saturating_sub(1);
    let code = if more < EXACT { more } else { EXACT + (more - EXACT).div_ceil(COARSE) };
    LEAF | (code as u32 & 63) << MORE | block as u32 & (BLOCKS as u32 - 1)
}

/// The first block of a leaf.
#[inline(always)]
pub const fn block(leaf: u32) -> usize {
    leaf as usize & (BLOCKS - 1)
}
/// Where a node's nibble begins. Below it the node's place; two bits between them are 0, so that bits 24 to 28 are four
/// times the nibble modulo 8, which is a shift by itself.
pub const NIBBLE: u32 = 26;
/// Nodes at most.
pub const NODES: usize = 1 << 24;

/// A node: the child of each value of its nibble.
pub type Node = [u32; 16];

/// Roots of a tree, one for each form of key: nodes, never leaves.
pub type Roots = [u32; 8];

/// What is searched.
#[derive(Clone, Copy, Debug)]
pub struct Tables<'a> {
    pub roots: &'a [Roots],
    pub nodes: &'a [Node],
    pub blocks: &'a [Block],
    /// A bit for each rule: it asks for ports.
    pub asks: &'a [u64],
}

/// Each key in the first tree.
const FIRST: [u8; BURST] = {
    let mut first = [0; BURST];
    let mut at = 0;
    while at < BURST {
        first[at] = at as u8;
        at += 1;
    }
    first
};

/// The smallest index in a leaf.
#[inline(always)]
fn search_leaf(
    at: u32,
    blocks: &[Block],
    (src, dst, ports): (u32, u32, u32),
    first: &impl Fn(&Block, u32, u32, u32) -> u16,
) -> u16 {
    let mut place = block(at);
    let last = if at & FURTHER == 0 { place } else { place + more(at) };
    // `first` is called at one place: so it is inlined.
    while let Some(block) = blocks.get(place) {
        let index = first(block, src, dst, ports);
        if place == last || index != NONE {
            return index;
        }
        place += 1;
    }
    NONE
}

/// The child of a node, by the words of a key.
#[inline(always)]
fn below(at: u32, word: u32, nodes: &[Node]) -> u32 {
    let value = word.wrapping_shr(at >> 24) & 15;
    nodes.get((at & 0xff_ffff) as usize).map_or(NOTHING, |node| node[value as usize])
}

/// Whether the rule asks for ports.
#[inline(always)]
fn asks(index: u16, asks: &[u64]) -> bool {
    asks.get(usize::from(index) / 64).is_some_and(|bits| bits >> (index % 64) & 1 == 1)
}

/// Batches up to which keys are searched one by one: side by side costs more to prepare than it saves.
pub const FEW: usize = 8;

/// Searches keys one by one.
#[inline(always)]
pub fn few(
    keys: &Keys,
    tables: Tables<'_>,
    first: impl Fn(&Block, u32, u32, u32) -> u16,
    verdicts: &mut [Verdict; BURST],
) {
    let unknown = keys.unknown();
    for (key, verdict) in verdicts.iter_mut().enumerate().take(keys.len()) {
        let (src, dst, ports) = (keys.src[key], keys.dst[key], keys.ports[key]);
        let words = [src, dst, ports, 0];
        let kind = usize::from(keys.kind[key]) & 7;
        let mut found = NONE;
        for roots in tables.roots {
            let mut at = roots[kind];
            while at & LEAF == 0 {
                at = below(at, words[(at >> 29 & 3) as usize], tables.nodes);
            }
            if at != NOTHING {
                found = found.min(search_leaf(at, tables.blocks, (src, dst, ports), &first));
            }
        }
        let unknown = unknown >> key & 1 == 1;
        *verdict = match found {
            NONE => Verdict::None,
            index if unknown && asks(index, tables.asks) => Verdict::Unknown,
            index => Verdict::Match(index),
        };
    }
}

/// The searches of a batch.
struct Walk {
    len: usize,
    /// Source, destination, ports: a node's nibble is one load and one shift away.
    words: [[u32; BURST]; 4],
    /// Keys whose ports are not known.
    unknown: u64,
    /// Where each search is.
    at: [u32; SEARCHES],
    /// The searches that go on: those not in a leaf, then those in a leaf with rules.
    live: [u8; SEARCHES],
    count: usize,
}

impl Walk {
    /// Takes the keys, and goes down to the leaves.
    #[inline(always)]
    fn new(keys: &Keys, roots: &[Roots], nodes: &[Node]) -> Self {
        let words = [keys.src, keys.dst, keys.ports, [0; BURST]];
        let len = keys.len().min(BURST);
        let mut walk =
            Walk { len, words, unknown: keys.unknown(), at: [NOTHING; SEARCHES], live: [0; SEARCHES], count: 0 };
        let mut live = 0;
        for (tree, roots) in roots.iter().enumerate().take(TREES) {
            for (key, kind) in keys.kind.iter().enumerate().take(len) {
                let root = roots[usize::from(*kind) & 7];
                live = walk.step(tree * BURST + key, root, nodes, live);
            }
        }
        while live > 0 {
            let mut still = 0;
            for turn in 0..live.min(SEARCHES) {
                let search = usize::from(walk.live[turn]);
                still = walk.step(search, walk.at[search], nodes, still);
            }
            live = still;
        }
        if let [_] = roots {
            // The leaf without rules is rare here, and cheaper to search than to avoid.
            walk.live[..BURST].copy_from_slice(&FIRST);
            walk.count = len;
            return walk;
        }
        for tree in 0..roots.len().min(TREES) {
            for key in 0..len {
                let search = tree * BURST + key;
                walk.live[live % SEARCHES] = search as u8;
                live += usize::from(walk.at[search] != NOTHING);
            }
        }
        walk.count = live;
        walk
    }

    /// One search goes one step down from `at`, and is appended to the live ones if it is not in a leaf.
    #[inline(always)]
    fn step(&mut self, search: usize, at: u32, nodes: &[Node], live: usize) -> usize {
        let child = below(at, self.words[(at >> 29 & 3) as usize][search % BURST], nodes);
        self.at[search] = child;
        self.live[live % SEARCHES] = search as u8;
        live + (child >> 31 ^ 1) as usize
    }

    /// Searches the leaves with `first`, and keeps the smallest index of each key.
    #[inline(always)]
    fn leaves(&self, blocks: &[Block], first: impl Fn(&Block, u32, u32, u32) -> u16) -> [u16; BURST] {
        let mut found = [NONE; BURST];
        for search in &self.live[..self.count.min(SEARCHES)] {
            let (at, key) = (self.at[usize::from(*search)], usize::from(*search) % BURST);
            let (src, dst, ports) = (self.words[0][key], self.words[1][key], self.words[2][key]);
            let index = search_leaf(at, blocks, (src, dst, ports), &first);
            found[key] = found[key].min(index);
        }
        found
    }

    /// Indices to verdicts; `asks` has a bit for each rule that asks for ports.
    #[inline(always)]
    fn verdicts(&self, found: &[u16; BURST], asks: &[u64], verdicts: &mut [Verdict; BURST]) {
        for (verdict, index) in verdicts.iter_mut().zip(found).take(self.len) {
            *verdict = if *index == NONE { Verdict::None } else { Verdict::Match(*index) };
        }
        let mut unknown = self.unknown;
        while unknown != 0 {
            let key = unknown.trailing_zeros() as usize % BURST;
            unknown &= unknown - 1;
            let index = found[key];
            if self::asks(index, asks) {
                verdicts[key] = Verdict::Unknown;
            }
        }
    }
}

/// Searches keys side by side; `first` searches a block of a leaf.
#[inline(always)]
pub fn search(
    keys: &Keys,
    tables: Tables<'_>,
    first: impl Fn(&Block, u32, u32, u32) -> u16,
    verdicts: &mut [Verdict; BURST],
) {
    let walk = Walk::new(keys, tables.roots, tables.nodes);
    let found = walk.leaves(tables.blocks, first);
    walk.verdicts(&found, tables.asks, verdicts);
}
