//! Which rules go into which tree.

use std::collections::HashSet;
use std::fmt::Write as _;

use super::super::rule::{Protocol, Rule};
use super::build::{Arena, Builder, Style};
use super::leaf::LANES;
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
        Limits { leaf: LANES, copies: (8, 1024), division: None }
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

/// What a search costs: nanoseconds times some constant. Measured.
const STEP: f64 = 3.0;
const BLOCK: f64 = 13.0;
const TREE: f64 = 4.0;

/// Plans and builds all trees; says what was done.
pub fn plan(rules: &[Rule], limits: &Limits, arena: &mut Arena) -> (Vec<Roots>, String) {
    let with: Vec<Space> = rules.iter().map(|r| Space::new(r).unwrap_or(Space::without_ports(r))).collect();
    let without: Vec<Space> = rules.iter().map(Space::without_ports).collect();
    let mut roots = vec![[NOTHING; 8]; TREES];
    let mut about = format!("{} rules", rules.len());
    let mut trees = 0;
    for kind in 0..KINDS {
        let (spaces, ports) = if kind < 2 { (&with, true) } else { (&without, false) };
        let list = matching(kind, rules, spaces);
        if list.is_empty() {
            continue;
        }
        let class = |rule: &u16| {
            let space = &spaces[usize::from(*rule)];
            usize::from(space.free(0) >= OPEN) * 2 + usize::from(space.free(1) >= OPEN)
        };
        let mut best: Option<(f64, [usize; 4], f64)> = None;
        for thrift in [0.5, 1.0, 2.0] {
            for division in DIVISIONS {
                let style = Style { leaf: limits.leaf, thrift, copies: limits.copies };
                let mut scratch = Arena::default();
                let mut cost = 0.0;
                for tree in 0..TREES {
                    let part: Vec<u16> = list.iter().copied().filter(|r| division[class(r)] == tree).collect();
                    if part.is_empty() {
                        continue;
                    }
                    let mut builder = Builder { arena: &mut scratch, spaces, ports, style, stopped: 0 };
                    let root = builder.tree(&part);
                    cost += TREE + sample(&scratch, root, &list, spaces);
                }
                cost *= 1.0 + scratch.bytes() as f64 / 2e6;
                if best.is_none_or(|(c, _, _)| cost < c) {
                    best = Some((cost, division, thrift));
                }
            }
        }
        let Some((cost, division, thrift)) = best else { continue };
        let style = Style { leaf: limits.leaf, thrift, copies: limits.copies };
        let mut stopped = 0;
        let before = arena.bytes();
        for tree in 0..TREES {
            let part: Vec<u16> = list.iter().copied().filter(|r| division[class(r)] == tree).collect();
            let mut builder = Builder { arena, spaces, ports, style, stopped: 0 };
            roots[tree][kind] = builder.tree(&part);
            stopped += builder.stopped;
            if !part.is_empty() {
                trees = trees.max(tree + 1);
            }
        }
        let _ = write!(
            about,
            "; {}: {} rules, {:?} x{thrift}, cost {cost:.0}, {} bytes{}",
            NAMES[kind],
            list.len(),
            division,
            arena.bytes() - before,
            if stopped > 0 { format!(", {stopped} parts not cut for want of copies") } else { String::new() }
        );
    }
    roots.truncate(trees);
    (roots, about)
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
            *value = space.lo[field] + (u64::from(random()) * span >> 32) as u32;
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
