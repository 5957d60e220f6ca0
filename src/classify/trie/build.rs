//! One tree: a list of rules is cut by the nibble that separates it best until the parts are short.

use std::collections::HashMap;

use super::leaf::{Block, RULES};
use super::space::{NIBBLES, PORT_NIBBLES, Region, Space, place};
use super::walk::{BLOCKS, LEAF, NIBBLE, NODES, NOTHING, Node, leaf, more};

/// Nodes and leaves of all trees; equal ones exist once.
#[derive(Debug)]
pub struct Arena {
    pub nodes: Vec<Node>,
    pub blocks: Vec<Block>,
    known_nodes: HashMap<Node, u32>,
    /// By rules, and whether their ports are looked at.
    known_leaves: HashMap<(Box<[u16]>, bool), u32>,
}

impl Default for Arena {
    fn default() -> Self {
        // The first block is the leaf without rules.
        let (known_nodes, known_leaves) = (HashMap::new(), HashMap::new());
        Arena { nodes: Vec::new(), blocks: vec![Block::EMPTY], known_nodes, known_leaves }
    }
}

impl Arena {
    /// Bytes of nodes and leaves.
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.nodes) + size_of_val(&*self.blocks)
    }

    /// The leaf of these rules.
    fn leaf(&mut self, rules: &[u16], spaces: &[Space], ports: bool) -> u32 {
        if rules.is_empty() {
            return NOTHING;
        }
        let ports = ports && rules.iter().any(|r| spaces[usize::from(*r)].has_ports());
        let (first, blocks) = (self.blocks.len(), &mut self.blocks);
        *self.known_leaves.entry((rules.into(), ports)).or_insert_with(|| {
            let reference = leaf(first, rules.len().div_ceil(RULES));
            blocks.extend(rules.chunks(RULES).map(|c| Block::new(c.iter().map(|r| (*r, &spaces[usize::from(*r)])))));
            blocks.resize(first + 1 + more(reference), Block::EMPTY);
            reference
        })
    }

    fn node(&mut self, nibble: u32, node: Node) -> u32 {
        if node.iter().all(|child| *child == node[0]) {
            return node[0];
        }
        self.known(nibble, node)
    }

    fn known(&mut self, nibble: u32, node: Node) -> u32 {
        let nodes = &mut self.nodes;
        let place = *self.known_nodes.entry(node).or_insert_with(|| {
            nodes.push(node);
            nodes.len() as u32 - 1
        });
        nibble << NIBBLE | place
    }

    /// A reference to a node that leads to `child`, which is itself if it is a node.
    pub fn root(&mut self, child: u32) -> u32 {
        if child & LEAF == 0 { child } else { self.known(0, [child; 16]) }
    }

    /// With room for what is begun: a node for each nibble on the way, one for each root, and the leaves below them.
    const fn full(&self) -> bool {
        self.nodes.len() >= NODES - 64 || self.blocks.len() > BLOCKS / 2
    }
}

/// How a tree is built.
#[derive(Clone, Copy, Debug)]
pub struct Style {
    /// Rules that a leaf may have without being cut further.
    pub leaf: usize,
    /// How much copies of rules count against progress.
    pub thrift: f64,
    /// How often a rule may be in leaves on average, and how many more may be there in all.
    pub copies: (usize, usize),
}

/// Builds one tree into an arena.
pub struct Builder<'a> {
    pub arena: &'a mut Arena,
    /// By index of the rule.
    pub spaces: &'a [Space],
    /// The keys have ports.
    pub ports: bool,
    pub style: Style,
    /// A leaf is longer than wished because the copies were used up.
    pub stopped: usize,
}

/// Rules of a child, and the values that lead there.
struct Group {
    rules: Vec<u16>,
    values: u16,
}

impl Builder<'_> {
    /// The root of a tree of these rules.
    pub fn tree(&mut self, rules: &[u16]) -> u32 {
        let region = Region::default();
        let end = rules.iter().position(|r| region.inside(&self.spaces[usize::from(*r)]));
        let rules = &rules[..end.map_or(rules.len(), |at| at + 1)];
        self.part(rules, &region, rules.len() * self.style.copies.0 + self.style.copies.1)
    }

    fn part(&mut self, rules: &[u16], region: &Region, copies: usize) -> u32 {
        if rules.len() <= self.style.leaf || self.arena.full() {
            return self.arena.leaf(rules, self.spaces, self.ports);
        }
        let Some(nibble) = self.choose(rules, region, copies) else {
            return self.arena.leaf(rules, self.spaces, self.ports);
        };
        let mut node = [NOTHING; 16];
        let groups = self.divide(rules, region, nibble);
        let (small, large): (Vec<_>, Vec<_>) = groups.into_iter().partition(|g| g.rules.len() <= self.style.leaf);
        let total: usize = large.iter().chain(&small).map(|g| g.rules.len()).sum();
        for group in large {
            // Several values have one child where the rules do not tell them apart. Prefixes never do so further down,
            // ranges may: then the nibble stays open.
            let one = group.values.count_ones() == 1 || nibble < PORT_NIBBLES;
            let below = region.child(nibble, one.then(|| group.values.trailing_zeros()));
            let share = copies * group.rules.len() / total.max(1);
            let child = self.part(&group.rules, &below, share.max(group.rules.len()));
            point(&mut node, group.values, child);
        }
        for group in self.pack(small) {
            let child = self.arena.leaf(&group.rules, self.spaces, self.ports);
            point(&mut node, group.values, child);
        }
        self.arena.node(nibble, node)
    }

    /// The nibble that cuts best without too many copies, if one does.
    fn choose(&mut self, rules: &[u16], region: &Region, copies: usize) -> Option<u32> {
        let count = rules.len() as f64;
        let mut best = (0.05, None);
        let mut beyond = false;
        for nibble in 0..if self.ports { NIBBLES } else { PORT_NIBBLES } {
            if region.cut >> nibble & 1 == 1 {
                continue;
            }
            let (field, shift) = place(nibble);
            let (mut counts, mut open) = ([0usize; 16], 0);
            for rule in rules {
                let mut values = region.values(&self.spaces[usize::from(*rule)], field, shift);
                if values == u16::MAX {
                    open += 1;
                    continue;
                }
                while values != 0 {
                    counts[values.trailing_zeros() as usize & 15] += 1;
                    values &= values - 1;
                }
            }
            if open == rules.len() || counts.iter().any(|c| c + open == rules.len()) {
                continue;
            }
            // Values without rules of their own lead to one child.
            let empty = counts.contains(&0).then_some(0);
            let parts = || counts.iter().copied().filter(|c| *c > 0).chain(empty).map(|c| c + open);
            let (total, squares) = (parts().sum::<usize>(), parts().map(|c| (c * c) as f64).sum::<f64>());
            let progress = count * total as f64 / squares.max(1.0);
            let score = progress.log2() - self.style.thrift * (total as f64 / count).max(1.0).log2();
            if score > best.0 {
                if total > copies {
                    beyond = true;
                } else {
                    best = (score, Some(nibble));
                }
            }
        }
        self.stopped += usize::from(beyond && best.1.is_none());
        best.1
    }

    /// The rules of each value, as far as one can be the first that matches; equal ones together.
    fn divide(&self, rules: &[u16], region: &Region, nibble: u32) -> Vec<Group> {
        let (field, shift) = place(nibble);
        let below: [Region; 16] = std::array::from_fn(|value| region.child(nibble, Some(value as u32)));
        let mut children: [Vec<u16>; 16] = Default::default();
        // Values for which a rule was seen that all keys match.
        let mut ended = 0u16;
        for rule in rules {
            let space = &self.spaces[usize::from(*rule)];
            let mut values = region.values(space, field, shift) & !ended;
            while values != 0 {
                let value = values.trailing_zeros() as usize & 15;
                values &= values - 1;
                children[value].push(*rule);
                ended |= u16::from(below[value].inside(space)) << value;
            }
        }
        let mut groups: Vec<Group> = Vec::with_capacity(16);
        for (value, rules) in children.into_iter().enumerate() {
            match groups.iter_mut().find(|g| g.rules == rules) {
                Some(group) => group.values |= 1 << value,
                None => groups.push(Group { rules, values: 1 << value }),
            }
        }
        groups
    }

    /// Puts short lists together, as long as the result is short: a leaf may hold more rules than can match.
    fn pack(&self, groups: Vec<Group>) -> Vec<Group> {
        let mut packed: Vec<Group> = Vec::with_capacity(groups.len());
        for group in groups {
            let grown = |other: &Group| {
                let union = union(&other.rules, &group.rules);
                (union.len() <= self.style.leaf).then_some(union)
            };
            let candidates =
                packed.iter().enumerate().filter_map(|(at, p)| grown(p).map(|u| (u.len() - p.rules.len(), at, u)));
            match candidates.min_by_key(|(growth, at, _)| (*growth, *at)) {
                Some((_, at, union)) => {
                    packed[at].rules = union;
                    packed[at].values |= group.values;
                }
                None => packed.push(group),
            }
        }
        packed
    }
}

/// Makes `child` the child of all `values`.
fn point(node: &mut Node, values: u16, child: u32) {
    for (value, place) in node.iter_mut().enumerate() {
        if values >> value & 1 == 1 {
            *place = child;
        }
    }
}

/// Both lists, in order and without duplicates.
fn union(a: &[u16], b: &[u16]) -> Vec<u16> {
    let mut all = [a, b].concat();
    all.sort_unstable();
    all.dedup();
    all
}
