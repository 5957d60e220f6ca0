//! A million cases drawn to collide. A case is a rule set, a packet and a level that were judged as the twin judges.

use std::cell::RefCell;

use proptest::collection::vec;
use proptest::prelude::{Strategy, any};
use proptest::test_runner::{Config, TestRunner};

use super::{both_ways, compiled, drawn_packets, drawn_rules, judge, meant, parsed};
use crate::classify::rule::Rule;
use crate::classify::{Compiled, Key, Keys, Linear, Verdict};
use crate::packet::BURST;
use crate::wire::ipv4::{Ipv4, Ports};

/// Rule sets.
const SETS: u32 = 6000;
/// Packets a rule set at most; half of that on average.
const PACKETS: usize = 400;
/// Cases at least, on a CPU that has but one level.
const CASES: u64 = 1_000_000;

/// What was seen.
struct Seen {
    cases: u64,
    none: u64,
    unknown: u64,
    /// Matches by rule.
    matches: Vec<u64>,
    /// Of the last rule of several.
    last: u64,
    batches: [u64; BURST + 1],
    /// Rule sets by number of rules up to 64, and those of more.
    sets: [u64; 66],
    /// Rule sets by the levels of their trees, field by field.
    trees: [[u64; 8]; 4],
    /// Up to 64 rules that have too many bounds for trees.
    beyond: u64,
    /// Packets by protocol, and whether ports are known, absent or not known.
    kinds: [[u64; 3]; 256],
    /// Keys of each way in.
    pushed: Keys,
    gathered: Keys,
}

impl Seen {
    fn new() -> Self {
        Seen {
            cases: 0,
            none: 0,
            unknown: 0,
            matches: vec![0; usize::from(u16::MAX)],
            last: 0,
            batches: [0; BURST + 1],
            sets: [0; 66],
            trees: [[0; 8]; 4],
            beyond: 0,
            kinds: [[0; 3]; 256],
            pushed: Keys::default(),
            gathered: Keys::default(),
        }
    }

    fn set(&mut self, rules: &[Rule], table: &Compiled) {
        self.sets[rules.len().min(65)] += 1;
        match trees(table) {
            Some(levels) => self.trees.iter_mut().zip(levels).for_each(|(seen, levels)| seen[levels] += 1),
            None if rules.len() <= 64 => self.beyond += 1,
            None => {}
        }
    }

    fn packet(&mut self, rules: &[Rule], packet: &Key, verdict: Verdict) {
        match verdict {
            Verdict::None => self.none += 1,
            Verdict::Unknown => self.unknown += 1,
            Verdict::Match(rule) => {
                self.matches[usize::from(rule)] += 1;
                self.last += u64::from(rule > 0 && usize::from(rule) + 1 == rules.len());
            }
        }
        let form = match packet.ports {
            Ports::Known(..) => 0,
            Ports::None => 1,
            Ports::Unknown => 2,
        };
        self.kinds[usize::from(packet.protocol)][form] += 1;
    }

    fn assert_all(&self) {
        assert!(self.cases >= CASES, "{} cases", self.cases);
        let (none, unknown, last) = (self.none, self.unknown, self.last);
        assert!(none > 200_000 && unknown > 50_000 && last > 3_000, "{none}, {unknown}, {last}");
        let (ranked, behind) = self.matches.split_at(64);
        assert!(ranked[0] > 20_000 && ranked.iter().all(|n| *n > 100), "{ranked:?}");
        assert!(behind.iter().sum::<u64>() > 3_000, "{behind:?}");
        assert!(self.batches[1..].iter().all(|n| *n > 50), "{:?}", self.batches);
        assert!(self.sets.iter().all(|n| *n > 5), "{:?}", self.sets);
        assert!(self.trees.as_flattened().iter().all(|n| *n > 10), "{:?}", self.trees);
        assert!(self.beyond > 30, "{}", self.beyond);
        for number in [1, 6, 17, 0, 132, 255] {
            assert!(self.kinds[number].iter().all(|n| *n > 1_000), "{number}: {:?}", self.kinds[number]);
        }
    }
}

/// Levels of the trees, where the rules were compiled into some.
fn trees(table: &Compiled) -> Option<[usize; 4]> {
    let layout = table.layout();
    let (_, levels) = layout.split_once("trees of ")?;
    let mut numbers = levels.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok());
    Some(std::array::from_fn(|_| numbers.next().unwrap()))
}

/// A rule set, its packets in batches of `batch`, all levels. Keys come in each way in turn, and are the same.
fn compare(seen: &mut Seen, rules: &[Rule], packets: &[Key], batch: usize) {
    let (tables, linear) = (compiled(rules), Linear::new(rules));
    seen.set(rules, &tables[0].1);
    for (n, packets) in packets.chunks(batch).enumerate() {
        let headers: Vec<Ipv4> = packets.iter().map(parsed).collect();
        let (mut pushed, mut gathered) = (std::mem::take(&mut seen.pushed), std::mem::take(&mut seen.gathered));
        both_ways(packets, &headers, &mut pushed, &mut gathered);
        let keys = if n % 2 == 0 { &pushed } else { &gathered };
        let expected: Vec<Verdict> = packets.iter().map(|packet| linear.judge(&meant(*packet))).collect();
        for (level, table) in &tables {
            let verdicts = &judge(table, keys)[..packets.len()];
            if let Some(at) = (0..packets.len()).find(|at| verdicts[*at] != expected[*at]) {
                let (found, wanted) = (verdicts[at], expected[at]);
                assert_eq!(found, wanted, "{level:?}, {:?}, key {at}, {}", packets[at], table.layout());
            }
            seen.cases += packets.len() as u64;
        }
        packets.iter().zip(expected).for_each(|(packet, verdict)| seen.packet(rules, packet, verdict));
        seen.batches[packets.len()] += 1;
        (seen.pushed, seen.gathered) = (pushed, gathered);
    }
}

/// Runs `cases` of `sets`, and says what was seen.
// A test's helper: its panic is the test's failure.
#[allow(clippy::panic)]
fn run(cases: u32, sets: impl Strategy<Value = Vec<Rule>>) -> Seen {
    let seen = RefCell::new(Seen::new());
    // No file of failures: the smallest one is printed.
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 1000, ..Config::default() };
    let strategy = (sets, vec(any::<u64>(), 1..=PACKETS), 1..=BURST);
    let outcome = TestRunner::new(config).run(&strategy, |(rules, words, batch)| {
        let packets: Vec<Key> = words.into_iter().map(|mut word| drawn_packets::packet(&rules, &mut word)).collect();
        compare(&mut seen.borrow_mut(), &rules, &packets, batch);
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    seen.into_inner()
}

#[test]
fn a_million_cases_are_judged_as_the_twin_judges() {
    let seen = run(SETS, drawn_rules::sets());
    println!("{} cases", seen.cases);
    seen.assert_all();
}

#[test]
fn large_sets_are_judged_as_the_twin_judges() {
    let seen = run(40, drawn_rules::large_sets());
    assert!(seen.sets[65] >= 40);
    let far: u64 = seen.matches[200..].iter().sum();
    assert!(far > 500 && seen.none > 300 && seen.unknown > 100, "{far}, {}, {}", seen.none, seen.unknown);
}
