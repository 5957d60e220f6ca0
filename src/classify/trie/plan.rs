//! Which rules go into which tree.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;

use super::super::rule::{Protocol, Rule};
use super::build::{Arena, Builder, Style};
use super::leaf::RULES;
use super::space::{Space, place};
use super::walk::{KINDS, LEAF, NOTHING, Roots, TREES, block, more};

/// Bounds of what is built.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Rules of a leaf that is not cut further.
    pub leaf: usize,
    /// Copies of a rule in leaves on average, and further ones in all.
    pub copies: (usize, usize),
    /// The only division tried, by number.
    pub division: Option<usize>,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { leaf: RULES, copies: (16, 1024), division: None }
    }
}

/// Free bits from which an address counts as open.
const OPEN: u32 = 21;

/// Divisions: the tree of rules with neither address open, the destination, the source, both.
const DIVISIONS: [[usize; 4]; 6] = [[0, 0, 0, 0], [0, 1, 0, 1], [0, 0, 1, 1], [0, 1, 0, 2], [0, 0, 1, 2], [0, 1, 2, 3]];

/// Names of the forms of keys.
const NAMES: [&str; KINDS] = ["tcp", "udp", "tcp without ports", "udp without ports", "icmp", "other"];

/// The rules that keys of one form can match, in order, each kind of match once.
fn matching(kind: usize, rules: &[Rule], spaces: &[Space]) -> Vec<u16> {
    let mut seen = HashSet::new();
    let may = |rule: &Rule| {
        let protocol = match kind {
            0 | 2 => [Protocol::All, Protocol::Tcp].contains(&rule.protocol),
            1 | 3 => [Protocol::All, Protocol::Udp].contains(&rule.protocol),
            4 => [Protocol::All, Protocol::Icmp].contains(&rule.protocol),
            _ => rule.protocol == Protocol::All,
        };
        let asks = rule.src_ports.is_some() || rule.dst_ports.is_some();
        protocol && if kind < 2 { Space::new(rule).is_some() } else { kind < 4 || !asks }
    };
    let found = rules.iter().enumerate().filter(|(at, rule)| may(rule) && seen.insert(spaces[*at]));
    found.map(|(at, _)| at as u16).collect()
}

/// What a node, a block of a leaf and a tree cost a search, in cycles; measured.
const STEP: f64 = 3.0;
const BLOCK: f64 = 13.0;
const TREE: f64 = 4.0;
/// Bytes that make searches twice as slow, about.
const CROWDED: f64 = 2e6;
/// How much copies of rules count against progress.
const THRIFT: f64 = 0.5;

/// Plans and builds all trees; says what was done.
pub fn plan(rules: &[Rule], limits: &Limits, arena: &mut Arena) -> (Vec<Roots>, String) {
    let with: Vec<Space> = rules.iter().map(|r| Space::new(r).unwrap_or(Space::without_ports(r))).collect();
    let without: Vec<Space> = rules.iter().map(Space::without_ports).collect();
    let mut roots = vec![[NOTHING; 8]; TREES];
    let mut about = format!("trie, {} rules", rules.len());
    let mut trees = 1;
    let style = Style { leaf: limits.leaf, thrift: THRIFT, copies: limits.copies };
    for (kind, name) in NAMES.iter().enumerate() {
        let (spaces, ports) = if kind < 2 { (&with[..], true) } else { (&without[..], false) };
        let rules = matching(kind, rules, spaces);
        if rules.is_empty() {
            continue;
        }
        let form = Form { rules, spaces, ports, only: limits.division };
        let division = form.choose(style);
        let (before, mut stopped) = (arena.bytes(), 0);
        let count = 1 + division.iter().max().copied().unwrap_or(0);
        for (tree, roots) in roots.iter_mut().enumerate().take(count) {
            let (root, parts) = form.build(arena, style, |class| division[class] == tree);
            roots[kind] = root;
            stopped += parts;
        }
        trees = trees.max(count);
        let _ = write!(
            about,
            "; {name}: {} rules in {count} trees {division:?}, {} more bytes",
            form.rules.len(),
            arena.bytes() - before
        );
        if stopped > 0 {
            let _ = write!(about, ", {stopped} leaves not cut for want of copies");
        }
    }
    roots.truncate(trees);
    roots.iter_mut().flatten().for_each(|root| *root = arena.root(*root));
    (roots, about)
}

/// The rules that keys of one form can match.
struct Form<'a> {
    rules: Vec<u16>,
    spaces: &'a [Space],
    ports: bool,
    /// The only division to build, by number.
    only: Option<usize>,
}

impl Form<'_> {
    /// Bit 1: the source is open, bit 0: the destination is.
    fn class(&self, rule: u16) -> usize {
        let space = &self.spaces[usize::from(rule)];
        usize::from(space.free(0) >= OPEN) * 2 + usize::from(space.free(1) >= OPEN)
    }

    /// A tree of the classes wanted: its root, and the number of leaves that should have been cut.
    fn build(&self, arena: &mut Arena, style: Style, wanted: impl Fn(usize) -> bool) -> (u32, usize) {
        let part: Vec<u16> = self.rules.iter().copied().filter(|r| wanted(self.class(*r))).collect();
        let mut builder = Builder { arena, spaces: self.spaces, ports: self.ports, style, stopped: 0 };
        (builder.tree(&part), builder.stopped)
    }

    /// Builds all divisions, and says which one is the fastest to search by an estimate.
    fn choose(&self, style: Style) -> [usize; 4] {
        let present = self.rules.iter().fold(0usize, |all, rule| all | 1 << self.class(*rule));
        let mut best = (f64::INFINITY, DIVISIONS[0]);
        // By classes of a tree: several divisions have it.
        let mut known: HashMap<usize, (f64, usize)> = HashMap::new();
        for (number, division) in DIVISIONS.iter().enumerate() {
            if self.only.is_some_and(|only| only != number) {
                continue;
            }
            let (mut cost, mut bytes) = (0.0, 0);
            for tree in 0..TREES {
                let set = (0..4).filter(|c| division[*c] == tree).fold(0, |set, class| set | 1 << class) & present;
                if set == 0 {
                    continue;
                }
                let (tree_cost, tree_bytes) = *known.entry(set).or_insert_with(|| {
                    let mut arena = Arena::default();
                    let (root, _) = self.build(&mut arena, style, |class| set >> class & 1 == 1);
                    (sample(&arena, root, &self.rules, self.spaces), arena.bytes())
                });
                cost += TREE + tree_cost;
                bytes += tree_bytes;
            }
            cost *= 1.0 + bytes as f64 / CROWDED;
            if cost < best.0 {
                best = (cost, *division);
            }
        }
        best.1
    }
}

/// Keys drawn for an estimate.
const SAMPLES: usize = 256;

/// What a search in a tree costs on average, of keys that match rules and keys that nearly do.
fn sample(arena: &Arena, root: u32, list: &[u16], spaces: &[Space]) -> f64 {
    let mut state = 1u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 32) as u32
    };
    let mut cost = 0.0;
    for turn in 0..SAMPLES {
        let mut key = [0; 4];
        let mut rule = list[random() as usize % list.len()];
        for (field, value) in key.iter_mut().enumerate() {
            // Of every other key the destination is another rule's.
            if field == 1 && turn % 2 == 1 {
                rule = list[random() as usize % list.len()];
            }
            let space = &spaces[usize::from(rule)];
            let span = u64::from(space.hi[field] - space.lo[field]) + 1;
            *value = space.lo[field] + ((u64::from(random()) * span) >> 32) as u32;
        }
        let mut at = root;
        while at & LEAF == 0 {
            let (field, shift) = place(at >> 26);
            at = arena.nodes[(at & 0xff_ffff) as usize][(key[field] >> shift & 15) as usize];
            cost += STEP;
        }
        if at != NOTHING {
            let blocks = &arena.blocks[block(at)..=block(at) + more(at)];
            let ports = key[3] << 16 | key[2];
            let searched = blocks.iter().position(|b| b.first(key[0], key[1], ports) != super::leaf::NONE);
            cost += BLOCK * searched.map_or(blocks.len(), |s| s + 1) as f64;
        }
    }
    cost / SAMPLES as f64
}
