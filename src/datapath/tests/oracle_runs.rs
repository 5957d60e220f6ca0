//! Random packets through random configurations, against the oracle: deliveries and copies byte for byte, rules by
//! name, counters. How often each outcome came about is counted, too: none may be missing.

use std::cell::RefCell;
use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;

use super::oracle::{Address, Configuration, Fate, Oracle, Outcome, Packet, Piece};
use super::oracle_values::{ENIS, MACS, configuration, files, frame, packet, routed};
use super::world::World;
use crate::control::config::Config;
use crate::control::model_from_json;
use crate::datapath::Verdict;
use crate::packet::{Direction, Reason};

const CONFIGURATIONS: u32 = 2000;
const PACKETS: usize = 100;

/// What happened, and how often.
type Coverage = BTreeMap<String, u64>;

/// A copy: who got it, its VNI, outer source, and the bytes inside; and a delivered packet, without the middle two.
type Frame = (usize, Option<(u32, Address)>, Vec<u8>);

/// The mirror's counters of an ENI and direction.
type Counts = BTreeMap<(usize, bool, &'static str), u64>;

fn note(coverage: &mut Coverage, what: impl Into<String>) {
    *coverage.entry(what.into()).or_default() += 1;
}

fn label(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Dhcp => "dhcp",
        Outcome::Platform => "platform",
        Outcome::Orphan => "fragment_orphan",
        Outcome::Unmatched => "unmatched",
        Outcome::Refused { .. } => "refused",
        Outcome::Mirrored { .. } => "matched",
    }
}

fn world(configuration: &Configuration, workers: usize) -> World {
    let (inventory, mirror) = files(configuration);
    let model =
        model_from_json(("i", &inventory), ("m", &mirror), &Config::default()).unwrap_or_else(|p| panic!("{p:?}"));
    let mut world = World::from_model(model, workers);
    let direction = |outbound| if outbound { Direction::Outbound } else { Direction::Inbound };
    world.env.denied_port = configuration.denied.map(|(outbound, port)| (direction(outbound), port));
    world
}

/// All that came out of the switch.
fn received(got: Vec<(String, Vec<u8>)>) -> Vec<Frame> {
    let mut frames: Vec<Frame> = Vec::new();
    for (eni, bytes) in got {
        let to = ENIS.iter().position(|id| *id == eni).unwrap();
        if bytes[23] == 17 && bytes[20..22] == [0x40, 0] && bytes[36..38] == [0x12, 0xb5] {
            let vni = u32::from_be_bytes([0, bytes[46], bytes[47], bytes[48]]);
            let source = [bytes[26], bytes[27], bytes[28], bytes[29]];
            frames.push((to, Some((vni, source)), bytes[50..].to_vec()));
        } else {
            frames.push((to, None, bytes));
        }
    }
    frames.sort();
    frames
}

/// What should come of a packet.
fn add(configuration: &Configuration, packet: &Packet, sent: &[u8], fate: &Fate, to: &mut Vec<Frame>) {
    let delivered = fate.delivered_to.map(|eni| routed(sent, packet.from, eni));
    let mut copy = |source: usize, outcome: &Option<Outcome>, original: &[u8]| {
        if let Some(Outcome::Mirrored { session, kept, .. }) = outcome {
            let session = &configuration.sessions[*session];
            let outer = (session.vni, configuration.enis[source].addresses[0]);
            to.push((session.target, Some(outer), original[..14 + kept].to_vec()));
        }
    };
    copy(packet.from, &fate.outbound, sent);
    if let (Some(eni), Some(delivered)) = (fate.delivered_to, delivered) {
        copy(eni, &fate.inbound, &delivered);
        to.push((eni, None, delivered));
    }
}

/// Rules that the datapath named, and those that the oracle did.
fn named(world: &mut World) -> Vec<(bool, String)> {
    let verdicts = world.verdicts();
    let name = |source: u32, direction: Direction, rule: u16| {
        let mirror = world.snapshot.eni(source).unwrap().mirror.as_ref().unwrap();
        mirror.tables[direction.index()].rules[usize::from(rule)].to_string()
    };
    let mut rules: Vec<_> = verdicts
        .iter()
        .filter_map(|verdict| match verdict {
            Verdict::Refused { source, direction, rule } | Verdict::Matched { source, direction, rule, .. } => {
                Some((*direction == Direction::Outbound, name(*source, *direction, *rule)))
            }
            _ => None,
        })
        .collect();
    rules.sort();
    rules
}

fn counted(world: &World) -> Counts {
    let mut counts = Counts::new();
    for (at, id) in ENIS.iter().enumerate() {
        let counters = world.eni(id).counters.clone();
        for (d, outbound) in [(0, true), (1, false)] {
            let excluded = |reason| counters.sum(|b| b.excluded[d].get(reason));
            for (what, count) in [
                ("dhcp", excluded(Reason::Dhcp)),
                ("platform", excluded(Reason::Platform)),
                ("fragment_orphan", excluded(Reason::FragmentOrphan)),
                ("unmatched", counters.sum(|b| b.unmatched[d].get())),
                ("refused", counters.sum(|b| b.refused[d].get())),
                ("matched", counters.sum(|b| b.matched[d].get())),
            ] {
                if count > 0 {
                    counts.insert((at, outbound, what), count);
                }
            }
        }
    }
    counts
}

/// Notes what a packet's fate shows of the corners.
fn cover(coverage: &mut Coverage, configuration: &Configuration, packet: &Packet, fate: &Fate) {
    note(coverage, "packets");
    note(coverage, if fate.delivered_to.is_some() { "delivered" } else { "not delivered" });
    note(coverage, format!("{:?} protocol {}", packet.piece, packet.protocol));
    let ends = [("outbound", &fate.outbound, packet.from), ("inbound", &fate.inbound, fate.delivered_to.unwrap_or(9))];
    for (direction, outcome, eni) in ends {
        let Some(outcome) = outcome else {
            continue;
        };
        note(coverage, format!("{direction} {}", label(outcome)));
        if let Outcome::Mirrored { session, kept, cut, .. } = outcome {
            let of = |s: &super::oracle::Session| s.enabled && s.sources.contains(&eni);
            let own = configuration.sessions[*session].priority;
            let rank = configuration.sessions.iter().filter(|s| of(s) && s.priority < own).count();
            note(coverage, format!("{direction} by session {} of its source", rank + 1));
            note(coverage, format!("cut {cut}"));
            if *kept > 1450 {
                note(coverage, "jumbo copies");
            }
            if packet.piece == Piece::Later && matches!(packet.protocol, 6 | 17) {
                note(coverage, format!("{direction} later fragments matched"));
            }
        }
    }
    if let (Some(Outcome::Mirrored { .. }), Some(Outcome::Mirrored { .. })) = (&fate.outbound, &fate.inbound) {
        note(coverage, "between two sources");
    }
}

fn compare(
    configuration: &Configuration,
    (seeds, burst, workers): (&[u64], usize, usize),
    coverage: &mut Coverage,
) -> Result<(), TestCaseError> {
    let (mut world, mut oracle) = (world(configuration, workers), Oracle::new(configuration));
    let (mut now, mut counts) = (0, Counts::new());
    let rules = |s: &super::oracle::Session| s.ingress.len() + s.egress.len();
    if configuration.sessions.iter().any(|s| rules(s) == 20) {
        note(coverage, "filters of 20 rules");
    }
    for seeds in seeds.chunks(burst) {
        let from = (seeds[0] % 7).min(4) as usize;
        let (mut frames, mut expected, mut names) = (Vec::new(), Vec::new(), Vec::new());
        now += seeds[0] / 7 % 5 * 2_500_000_000;
        world.env.now = now;
        for seed in seeds {
            let (packet, to) = packet(configuration, from, *seed);
            let sent = frame(&packet, to);
            let fate = oracle.judge(&packet, now);
            cover(coverage, configuration, &packet, &fate);
            add(configuration, &packet, &sent, &fate, &mut expected);
            let ends = [(true, &fate.outbound, from), (false, &fate.inbound, fate.delivered_to.unwrap_or(9))];
            for (outbound, outcome, eni) in ends {
                if let Some(outcome) = outcome {
                    *counts.entry((eni, outbound, label(outcome))).or_default() += 1;
                }
                if let Some(Outcome::Mirrored { rule, .. } | Outcome::Refused { rule }) = outcome {
                    names.push((outbound, rule.clone()));
                }
            }
            frames.push(sent);
        }
        let mut got = world.send(ENIS[from], &frames);
        while !world.env.crossed.is_empty() {
            got.extend(world.arrive());
        }
        expected.sort();
        names.sort();
        prop_assert_eq!(received(got), expected);
        prop_assert_eq!(named(&mut world), names);
    }
    prop_assert_eq!(counted(&world), counts);
    Ok(())
}

/// 200,000 packets; and what was never among them would prove nothing.
#[test]
fn mirrors_what_the_oracle_says() {
    assert_eq!(MACS.len(), ENIS.len());
    let coverage = RefCell::new(Coverage::new());
    let strategy = (configuration(), proptest::collection::vec(any::<u64>(), PACKETS), 1usize..17, 1usize..3);
    let config = ProptestConfig { cases: CONFIGURATIONS, source_file: Some(file!()), ..ProptestConfig::default() };
    let outcome = TestRunner::new(config).run(&strategy, |(configuration, seeds, burst, workers)| {
        compare(&configuration, (&seeds, burst, workers), &mut coverage.borrow_mut())
    });
    outcome.unwrap_or_else(|e| panic!("{e}"));
    let coverage = coverage.into_inner();
    let seen = |what: &str| coverage.get(what).copied().unwrap_or_default();
    assert!(seen("packets") >= 200_000);
    let mut wanted: Vec<String> =
        ["delivered", "not delivered", "jumbo copies", "between two sources", "cut -", "cut p", "cut m"]
            .map(str::to_owned)
            .to_vec();
    wanted.push("filters of 20 rules".to_owned());
    for direction in ["outbound", "inbound"] {
        let outcomes =
            ["dhcp", "platform", "fragment_orphan", "unmatched", "refused", "matched", "later fragments matched"];
        wanted.extend(outcomes.map(|outcome| format!("{direction} {outcome}")));
        wanted.extend([1, 2, 3].map(|rank| format!("{direction} by session {rank} of its source")));
    }
    for piece in [Piece::Whole, Piece::First, Piece::ShortFirst, Piece::Later, Piece::Second] {
        wanted.extend([1, 6, 17, 47].map(|protocol| format!("{piece:?} protocol {protocol}")));
    }
    let rare: Vec<_> = wanted.iter().filter(|what| seen(what) < 20).map(|what| (what, seen(what))).collect();
    assert!(rare.is_empty(), "hardly ever: {rare:?}, of {coverage:#?}");
    println!("{coverage:#?}");
}
