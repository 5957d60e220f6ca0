//! librte_acl against the slow obvious twin, and the short forms of the scenarios that need EAL.
#![cfg(feature = "dpdk")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashSet;

use vswitch::classify::rule::{Action, PortRange, Protocol, Rule};
use vswitch::classify::{Compiled, Key, Keys, Level, Linear, Verdict};
use vswitch::dpdk::eal::Eal;
use vswitch::packet::BURST;
use vswitch::wire::ipv4::{Ports, protocol};
use vswitch_perf::stage::random::Random;
use vswitch_perf::stage::rules::{Set, generate};
use vswitch_perf::stage::trace::{self, Trace};
use vswitch_perf::stage::{ClassifyOptions, StageOptions, classify, eal, stages};
use vswitch_perf::sys::acl::{Acl, AclKey, AclKeys, Algorithm, allow_512_bits};

/// EAL is one per process, and so is this test.
#[test]
fn with_eal() {
    let eal = eal(0).unwrap();
    allow_512_bits(eal).unwrap();
    colliding_rules_and_keys(eal);
    generated_rules(eal);
    short_classify(eal);
    short_stages(eal);
}

/// Rules and keys from a few values of each field, so that they meet; every batch size, every algorithm.
fn colliding_rules_and_keys(eal: &'static Eal) {
    let mut random = Random::new(42);
    for case in 0..60 {
        let rules: Vec<Rule> = (0..1 + random.below(64)).map(|_| rule(&mut random)).collect();
        let keys: Vec<Key> = (0..256).map(|_| key(&mut random)).collect();
        let acl = Acl::new(eal, &rules, if case % 2 == 0 { 0 } else { 64 << 20 }).unwrap();
        assert!(acl.bytes() > 0, "{acl:?}");
        let (linear, compiled) = (Linear::new(&rules), compiled(&rules));
        let prepared = AclKeys::new(keys.iter().map(|k| AclKey::from(*k)).collect());
        let batch = 1 + random.below(BURST);
        for (n, some) in keys.chunks(batch).enumerate() {
            let mut soa = Keys::default();
            some.iter().for_each(|k| soa.push(*k));
            let mut expected = [Verdict::None; BURST];
            linear.classify(&soa, &mut expected);
            for (level, table) in &compiled {
                let mut ours = [Verdict::None; BURST];
                table.classify(&soa, &mut ours);
                assert_eq!(expected[..some.len()], ours[..some.len()], "{level:?} {rules:?}");
            }
            let gathered: Vec<AclKey> = some.iter().map(|k| AclKey::from(*k)).collect();
            for algorithm in acl.algorithms() {
                let (mut first, mut second) = ([0; BURST], [0; BURST]);
                assert_eq!(acl.classify(algorithm, &prepared, n * batch, batch, &mut first), some.len());
                acl.classify_gathered(algorithm, &gathered, &mut second);
                assert_eq!(first[..some.len()], second[..some.len()]);
                for (at, result) in first[..some.len()].iter().enumerate() {
                    assert_eq!(verdict(*result), expected[at], "{} {:?} {rules:?}", algorithm.name(), some[at]);
                }
            }
        }
    }
    let plain = Acl::new(eal, &[rule(&mut random)], 0).unwrap();
    assert!(plain.algorithms().any(|a| a == Algorithm::Scalar));
    if is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vl") {
        assert!(plain.algorithms().any(|a| a == Algorithm::Avx512x32), "512 bits were allowed");
    }
}

/// The rules for each level of registers that this CPU has.
fn compiled(rules: &[Rule]) -> Vec<(Level, Compiled)> {
    let levels = Level::ALL.into_iter().filter(|level| level.is_available());
    levels.map(|level| (level, Compiled::with_level(rules, level).unwrap())).collect()
}

/// What librte_acl's answer means.
fn verdict(result: u32) -> Verdict {
    if result == 0 { Verdict::None } else { Verdict::Match((result - 1) as u16) }
}

/// Larger sets, in the manner of ClassBench, and keys that hit all over them, or miss: batches of 1 to 64, each level of
/// ours and each algorithm of librte_acl's.
fn generated_rules(eal: &'static Eal) {
    for (set, count) in [
        (Set::MirrorLike, 60),
        (Set::Acl1, 64),
        (Set::Acl1, 65),
        (Set::Acl1, 3000),
        (Set::Fw1, 1000),
        (Set::Fw1, 2000),
        (Set::Ipc1, 500),
        (Set::Ipc1, 3000),
    ] {
        let rules = generate(set, count, 3);
        let (acl, compiled) = (Acl::new(eal, &rules, 0).unwrap(), compiled(&rules));
        let keys = [Trace::Hits, Trace::Misses].map(|trace| trace::keys(&rules, trace, 2 * 65 * 32, 4).unwrap());
        let mut hits = HashSet::new();
        for mut keys in keys.iter().map(Vec::as_slice) {
            for batch in (1..=BURST).chain(1..=BURST) {
                let some;
                (some, keys) = keys.split_at(batch);
                let mut soa = Keys::default();
                some.iter().for_each(|k| soa.push(*k));
                let theirs: Vec<AclKey> = some.iter().map(|k| AclKey::from(*k)).collect();
                let mut expected = [0; BURST];
                for algorithm in acl.algorithms() {
                    let mut results = [0; BURST];
                    acl.classify_gathered(algorithm, &theirs, &mut results);
                    assert!(algorithm == Algorithm::Scalar || results == expected, "{}", algorithm.name());
                    expected = results;
                }
                hits.extend(expected[..batch].iter().copied());
                for (level, table) in &compiled {
                    let mut ours = [Verdict::Unknown; BURST];
                    table.classify(&soa, &mut ours);
                    for ((key, ours), theirs) in some.iter().zip(ours).zip(expected) {
                        assert_eq!(ours, verdict(theirs), "{} {count}, {level:?}, {key:?}", set.name());
                    }
                }
            }
            assert!(keys.is_empty());
        }
        assert!(hits.contains(&0) && hits.len() > count * 6 / 10, "{} {count}: {} rules hit", set.name(), hits.len());
    }
}

fn rule(random: &mut Random) -> Rule {
    let net = |random: &mut Random| {
        let length = [0, 8, 24, 30, 31, 32][random.below(6)];
        ipnet::Ipv4Net::new((0x0a00_0000 | random.bits() & 3).into(), length).unwrap().trunc()
    };
    let ports = |random: &mut Random| {
        let first = [0, 1, 80, 65534, 65535][random.below(5)];
        let last = [first, first, 65535][random.below(3)];
        random.chance(0.5).then_some(PortRange { first, last })
    };
    Rule {
        src: net(random),
        dst: net(random),
        protocol: [Protocol::All, Protocol::Icmp, Protocol::Tcp, Protocol::Udp][random.below(4)],
        src_ports: ports(random),
        dst_ports: ports(random),
        action: Action::Accept,
    }
}

fn key(random: &mut Random) -> Key {
    let address = |random: &mut Random| 0x0a00_0000 | random.bits() & 7 | (random.bits() & 1) << 28;
    let port = |random: &mut Random| [0, 1, 2, 79, 80, 81, 65533, 65534, 65535][random.below(9)];
    let number = [protocol::ICMP, protocol::TCP, protocol::UDP, 47, 0][random.below(5)];
    let ports = Ports::Known(port(random), port(random));
    let ports = if matches!(number, protocol::TCP | protocol::UDP) { ports } else { Ports::None };
    Key { src: address(random), dst: address(random), protocol: number, ports }
}

fn short_classify(eal: &'static Eal) {
    let options = ClassifyOptions { keys: 128, ..ClassifyOptions::short() };
    let mut told = 0;
    let points = classify(eal, &options, &|| false, &mut |_| told += 1).unwrap();
    assert!(told > 0);
    let (sets, traces) = (options.sets.len(), options.traces.len());
    let each = traces * options.batches.len() * options.inputs.len();
    assert_eq!(points.len(), sets * (1 + each));
    for point in &points {
        assert_eq!(point.wrong, Vec::<String>::new(), "{:?}", point.labels);
        assert!(point.series.iter().all(|s| !s.samples.is_empty()), "{point:?}");
        assert!(point.series.iter().any(|s| s.contender == "vswitch"));
    }
    assert!(points.iter().filter(|p| p.labels.contains_key("trace")).all(|p| p.verified > 0));
    assert!(points.iter().any(|p| p.series.iter().any(|s| s.contender == "librte_acl")));
    // Interrupted at once, it returns what it has.
    let some = classify(eal, &options, &|| true, &mut |_| ()).unwrap();
    assert_eq!(some.len(), 1);
    assert_eq!(generate(Set::Acl1, 10, 1).len(), 10);
}

fn short_stages(eal: &'static Eal) {
    let points = stages(eal, &StageOptions::short(), &|| false, &mut |_| ()).unwrap();
    assert!(points.len() > 10, "{}", points.len());
    for point in &points {
        assert_eq!(point.wrong, Vec::<String>::new(), "{:?}", point.labels);
        assert!(point.series.iter().all(|s| !s.samples.is_empty()), "{point:?}");
    }
}
