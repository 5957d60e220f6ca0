//! The layout of large rule sets: trees that cut the keys by nibbles, with leaves that decide.
//!
//! A node looks at four bits of the key and has sixteen children: one cache line. A leaf is a few rules that are
//! compared with the key side by side ([`leaf`]). The trees are only a filter: a leaf holds every rule that can be the
//! first to match a key that reaches it, and compares all fields. Rules that leave most of the addresses open would be
//! in very many leaves; they have a tree of their own, and the smallest index of all trees wins ([`plan`]). How often
//! a rule may be in leaves is bounded; where the bound stops the cutting, leaves are longer ([`build`]).
//!
//! Keys start at the root of their form. The trees of TCP hold the rules that TCP can match, and so on: leaves need no
//! protocol. Those of keys without ports lack the rules that ask for ports; those of keys whose ports are not known do
//! not look at ports, and if the rule found asks for ports, the verdict is *unknown*.

mod build;
pub(super) mod leaf;
mod plan;
mod space;
#[cfg(test)]
mod tests;
pub(super) mod walk;

use super::rule::Rule;
use super::simd::{self, Level};
use super::{Keys, Verdict};
use crate::packet::BURST;
use build::Arena;
use leaf::Block;
use walk::{Node, Roots, Tables};

/// Rules in search order, compiled.
#[derive(Clone, Debug)]
pub struct Trie {
    level: Level,
    roots: Box<[Roots]>,
    nodes: Box<[Node]>,
    blocks: Box<[Block]>,
    /// A bit for each rule: it asks for ports.
    asks: Box<[u64]>,
    about: String,
}

impl Trie {
    /// Compiles rules in search order; those behind the 65,535th do not count.
    #[must_use]
    pub fn new(rules: &[Rule]) -> Self {
        Self::with_level(rules, Level::chosen())
    }

    /// The same for a width of registers that the CPU has.
    pub(super) fn with_level(rules: &[Rule], level: Level) -> Self {
        Self::with(rules, level, plan::Limits::default())
    }

    fn with(rules: &[Rule], level: Level, limits: plan::Limits) -> Self {
        let rules = &rules[..rules.len().min(usize::from(u16::MAX))];
        let mut asks = vec![0u64; rules.len().div_ceil(64)];
        for (at, rule) in rules.iter().enumerate() {
            asks[at / 64] |= u64::from(rule.src_ports.is_some() || rule.dst_ports.is_some()) << (at % 64);
        }
        let mut arena = Arena::default();
        let (roots, about) = plan::plan(rules, &limits, &mut arena);
        Trie {
            level,
            roots: roots.into_boxed_slice(),
            nodes: arena.nodes.into_boxed_slice(),
            blocks: arena.blocks.into_boxed_slice(),
            asks: asks.into_boxed_slice(),
            about,
        }
    }

    /// Judges each key of a batch; verdicts behind the last key are left alone.
    #[inline]
    pub fn classify(&self, keys: &Keys, verdicts: &mut [Verdict; BURST]) {
        let tables = Tables { roots: &self.roots, nodes: &self.nodes, blocks: &self.blocks, asks: &self.asks };
        simd::trie(self.level, keys, tables, verdicts);
    }

    /// Bytes of the compiled form.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.roots) + size_of_val(&*self.nodes) + size_of_val(&*self.blocks) + size_of_val(&*self.asks)
    }

    /// What was built and why, for people.
    #[must_use]
    pub fn describe(&self) -> String {
        self.about.clone()
    }
}
