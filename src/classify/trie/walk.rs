//! From the roots to the leaves: all keys of a batch step by step side by side, so that their loads overlap.

use super::super::Verdict;
use super::super::keys::{Keys, PortsAre};
use super::leaf::{Block, NONE};
use crate::packet::BURST;
use crate::wire::ipv4::protocol;

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
/// Blocks at most.
pub const BLOCKS: usize = 1 << MORE;

/// How many blocks follow the first of a leaf.
#[inline(always)]
pub const fn more(leaf: u32) -> usize {
    let code = (leaf >> MORE & 63) as usize;
    if code < 32 { code } else { 32 + (code - 32) * 133 }
}

/// The reference to a leaf of at least so many blocks: [`more`] says how many exactly.
pub const fn leaf(block: usize, blocks: usize) -> u32 {
    let more = blocks.saturating_sub(1);
    let code = if more < 32 { more } else { 32 + (more - 32).div_ceil(133) };
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

/// Roots of a tree, one for each form of key.
pub type Roots = [u32; 8];

/// The searches of a batch.
pub struct Walk {
    /// Source, destination, ports: by word and key, so that a node's nibble is one load and one shift away.
    words: [u32; 4 * BURST],
    /// Where each search is.
    at: [u32; SEARCHES],
    /// The searches that go on: those not in a leaf, then those in a leaf with rules.
    live: [u8; SEARCHES],
    count: usize,
}

impl Walk {
    /// Takes the keys, and goes down to the leaves.
    #[inline(always)]
    pub fn new(keys: &Keys, roots: &[Roots], nodes: &[Node]) -> Self {
        let mut walk = Walk { words: [0; 4 * BURST], at: [0; SEARCHES], live: [0; SEARCHES], count: 0 };
        let len = keys.len().min(BURST);
        walk.words[..len].copy_from_slice(&keys.src[..len]);
        walk.words[BURST..BURST + len].copy_from_slice(&keys.dst[..len]);
        walk.words[2 * BURST..2 * BURST + len].copy_from_slice(&keys.ports[..len]);
        let mut kinds = [0u8; BURST];
        for (at, kind) in kinds.iter_mut().enumerate().take(len) {
            let family = match keys.protocol[at] {
                protocol::TCP => 0,
                protocol::UDP => 1,
                protocol::ICMP => 4,
                _ => 5,
            };
            *kind = family + 2 * u8::from(keys.ports_are[at] == PortsAre::Unknown);
        }
        let mut live = 0;
        for (tree, roots) in roots.iter().enumerate().take(TREES) {
            for (key, kind) in kinds.iter().enumerate().take(len) {
                let search = tree * BURST + key;
                let root = roots[usize::from(*kind) & 7];
                walk.at[search] = root;
                walk.live[live % SEARCHES] = search as u8;
                live += (root >> 31 ^ 1) as usize;
            }
        }
        while live > 0 {
            let mut still = 0;
            for turn in 0..live.min(SEARCHES) {
                let search = walk.live[turn];
                let at = walk.at[usize::from(search)];
                let word = walk.words[(at >> 23 & 0xc0) as usize | usize::from(search) % BURST];
                let value = word.wrapping_shr(at >> 24) & 15;
                let child = nodes.get((at & 0xff_ffff) as usize).map_or(NOTHING, |node| node[value as usize]);
                walk.at[usize::from(search)] = child;
                walk.live[still % SEARCHES] = search;
                still += (child >> 31 ^ 1) as usize;
            }
            live = still;
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

    /// Searches the leaves with `first`, and keeps the smallest index of each key.
    #[inline(always)]
    pub fn leaves(&self, blocks: &[Block], first: impl Fn(&Block, u32, u32, u32) -> u16) -> [u16; BURST] {
        let mut found = [NONE; BURST];
        for search in &self.live[..self.count.min(SEARCHES)] {
            let (at, key) = (self.at[usize::from(*search)], usize::from(*search) % BURST);
            let (src, dst, ports) = (self.words[key], self.words[BURST + key], self.words[2 * BURST + key]);
            let mut block = block(at);
            let last = block + more(at);
            let mut index = blocks.get(block).map_or(NONE, |block| first(block, src, dst, ports));
            while index == NONE && block < last {
                block += 1;
                index = blocks.get(block).map_or(NONE, |block| first(block, src, dst, ports));
            }
            found[key] = found[key].min(index);
        }
        found
    }
}

/// Indices to verdicts.
#[inline(always)]
pub fn verdicts(keys: &Keys, found: &[u16; BURST], asks: &[u64], verdicts: &mut [Verdict; BURST]) {
    for (at, (verdict, index)) in verdicts.iter_mut().zip(found).enumerate().take(keys.len()) {
        *verdict = if *index == NONE { Verdict::None } else { Verdict::Match(*index) };
        let asked = || asks.get(usize::from(*index) / 64).is_some_and(|bits| bits >> (index % 64) & 1 == 1);
        if keys.ports_are[at] == PortsAre::Unknown && asked() {
            *verdict = Verdict::Unknown;
        }
    }
}
