//! The trie beside its slow twin, over rule sets and packets drawn to collide, with all bounds small enough to be met.
#![allow(clippy::unwrap_used)]

use ipnet::Ipv4Net;
use proptest::collection::vec;
use proptest::num::u64::ANY;
use proptest::prelude::{ProptestConfig, prop_oneof, proptest};

use super::Trie;
use super::plan::Limits;
use crate::classify::rule::{Action, PortRange, Protocol, Rule};
use crate::classify::{Key, Keys, Level, Linear, Verdict};
use crate::packet::BURST;
use crate::wire::ipv4::Ports;

/// Takes a number below `bound` off the low end of `word`.
fn pick(word: &mut u64, bound: usize) -> usize {
    let picked = *word % bound as u64;
    *word /= bound as u64;
    picked as usize
}

fn one<T: Copy>(word: &mut u64, of: &[T]) -> T {
    of[pick(word, of.len())]
}

/// Addresses that differ in one nibble each, and the edges of all addresses.
const ADDRESSES: [u32; 12] = [
    0,
    0x0a00_0000,
    0x0a00_0001,
    0x0a00_000f,
    0x0a00_0010,
    0x0a00_0100,
    0x0a10_0000,
    0x1a00_0001,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_fffe,
    0xffff_ffff,
];
const PREFIXES: [u8; 10] = [0, 1, 4, 9, 16, 24, 28, 30, 31, 32];
const PORTS: [u16; 12] = [0, 1, 15, 16, 80, 81, 255, 256, 4095, 4096, 65_534, 65_535];
const PROTOCOLS: [Protocol; 4] = [Protocol::All, Protocol::Icmp, Protocol::Tcp, Protocol::Udp];
const NUMBERS: [u8; 6] = [6, 17, 1, 0, 255, 47];

fn drawn_rule(mut word: u64) -> Rule {
    let word = &mut word;
    let mut net = || Ipv4Net::new(one(word, &ADDRESSES).into(), one(word, &PREFIXES)).unwrap();
    let (src, dst) = (net(), net());
    let mut range = || {
        let range = PortRange { first: one(word, &PORTS), last: one(word, &PORTS) };
        (pick(word, 2) == 1).then_some(range)
    };
    let (src_ports, dst_ports) = (range(), range());
    let protocol = one(word, &PROTOCOLS);
    Rule { src, dst, protocol, src_ports, dst_ports, action: one(word, &[Action::Accept, Action::Drop]) }
}

fn drawn_key(mut word: u64) -> Key {
    let word = &mut word;
    let known = Ports::Known(one(word, &PORTS), one(word, &PORTS));
    let ports = one(word, &[known, known, Ports::Unknown, Ports::None]);
    Key { src: one(word, &ADDRESSES), dst: one(word, &ADDRESSES), protocol: one(word, &NUMBERS), ports }
}

/// Levels that this CPU has.
fn levels() -> Vec<Level> {
    Level::ALL.into_iter().filter(|level| level.is_available()).collect()
}

/// Asserts that the trie says of every batch what its twin says.
fn agree(rules: &[Rule], packets: &[Key], batch: usize, limits: &Limits) -> Trie {
    let linear = Linear::new(rules);
    let mut trie = Trie::with(rules, Level::Scalar, limits.clone());
    for some in packets.chunks(batch.clamp(1, BURST)) {
        let mut keys = Keys::default();
        some.iter().for_each(|key| keys.push(*key));
        let mut slow = [Verdict::Unknown; BURST];
        linear.classify(&keys, &mut slow);
        for level in levels() {
            trie.level = level;
            let mut fast = [Verdict::Unknown; BURST];
            trie.classify(&keys, &mut fast);
            assert_eq!(fast, slow, "{level:?} {some:?} {rules:?} {}", trie.describe());
        }
    }
    trie
}

/// Leaves of 1 to 15 rules, copies from none to as many as by default, one division or all.
fn drawn_limits(mut word: u64) -> Limits {
    let word = &mut word;
    Limits {
        leaf: one(word, &[1, 2, 3, 7, 15]),
        copies: one(word, &[(1, 0), (2, 0), (1, 40), (8, 1024)]),
        division: one(word, &[None, Some(0), Some(1), Some(2), Some(3), Some(4), Some(5)]),
    }
}

fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(10_000)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), ..ProptestConfig::default() })]

    #[test]
    fn twins_agree(
        words in prop_oneof![6 => vec(ANY, 0..=8), 3 => vec(ANY, 9..=40), 1 => vec(ANY, 41..=150)],
        copies in 0..4usize,
        packets in vec(ANY, 1..=96),
        batch in 1..=BURST,
        limits in ANY,
    ) {
        let mut rules: Vec<Rule> = words.iter().copied().map(drawn_rule).collect();
        // Equal rules further back, with the other action.
        let again: Vec<Rule> = rules.iter().take(copies).copied().collect();
        rules.extend(again.into_iter().map(|r| Rule { action: if r.action == Action::Drop { Action::Accept } else { Action::Drop }, ..r }));
        let packets: Vec<Key> = packets.into_iter().map(drawn_key).collect();
        agree(&rules, &packets, batch, &drawn_limits(limits));
    }
}

/// A sequence of words, the same in every run.
fn words(count: usize) -> impl Iterator<Item = u64> {
    (1..=count as u64).map(|n| {
        let mut z = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    })
}

/// Rules of long prefixes around few addresses, some of which leave an address open.
fn many(count: usize) -> Vec<Rule> {
    words(count)
        .map(|word| {
            let mut rule = drawn_rule(word);
            let mut far = word.rotate_left(32);
            let mut net = |old: Ipv4Net| {
                let address = old.addr().to_bits() ^ (pick(&mut far, 4096) as u32) << 4;
                let length = one(&mut far, &[old.prefix_len(), 28, 32, 32]);
                Ipv4Net::new(address.into(), length).unwrap()
            };
            (rule.src, rule.dst) = (net(rule.src), net(rule.dst));
            rule
        })
        .collect()
}

/// Keys inside rules, and inside two rules by halves.
fn inside(rules: &[Rule], count: usize) -> Vec<Key> {
    let keys = words(count * 2).skip(count).map(|mut word| {
        let key = drawn_key(word);
        let (one, other) = (rules[pick(&mut word, rules.len())], rules[pick(&mut word, rules.len())]);
        let other = if pick(&mut word, 2) == 0 { one } else { other };
        let ports = match (key.ports, one.src_ports, one.dst_ports) {
            (Ports::Known(src, dst), s, d) => Ports::Known(s.map_or(src, |r| r.first), d.map_or(dst, |r| r.last)),
            (ports, _, _) => ports,
        };
        let protocol = one.protocol.number().unwrap_or(key.protocol);
        Key { src: one.src.network().to_bits(), dst: other.dst.broadcast().to_bits(), protocol, ports }
    });
    keys.collect()
}

#[test]
fn twins_agree_on_a_thousand_rules() {
    let rules = many(1000);
    let packets = inside(&rules, 2000);
    for division in [None, Some(0), Some(1), Some(2), Some(3), Some(4), Some(5)] {
        agree(&rules, &packets, BURST, &Limits { division, ..Limits::default() });
    }
}

#[test]
fn leaves_stay_long_where_copies_run_out() {
    let rules = many(600);
    let packets = inside(&rules, 2000);
    let limits = Limits { copies: (1, 0), division: Some(0), ..Limits::default() };
    let bounded = agree(&rules, &packets, 32, &limits);
    assert!(bounded.describe().contains("for want of copies"), "{}", bounded.describe());
    assert!(bounded.bytes() < 6 * 600 * 40, "{}", bounded.bytes());
    let wide = agree(&rules, &packets, 32, &Limits { copies: (1000, 0), ..limits });
    assert!(!wide.describe().contains("for want of copies"));
    assert!(wide.bytes() > bounded.bytes());
}

#[test]
fn rules_that_nothing_tells_apart_are_one_long_leaf() {
    // More blocks than a leaf's length can say exactly.
    let any = Ipv4Net::default();
    for count in [15, 16, 250, 513, 700, 3000] {
        let mut rules: Vec<Rule> = (0..count)
            .map(|n| {
                let range = Some(PortRange { first: 30_000 - n as u16, last: 40_000 + n as u16 });
                Rule {
                    src: any,
                    dst: any,
                    protocol: Protocol::Tcp,
                    src_ports: range,
                    dst_ports: range,
                    action: Action::Drop,
                }
            })
            .collect();
        rules.push(Rule { src_ports: None, dst_ports: None, ..rules[0] });
        let key = |port| Key { src: 1, dst: 2, protocol: 6, ports: Ports::Known(port, 35_000) };
        let mut packets: Vec<Key> = (0..count).step_by(7).map(|n| key(30_000 - n as u16)).collect();
        packets.extend([key(0), key(65_535), Key { ports: Ports::Unknown, ..key(0) }, Key { protocol: 1, ..key(0) }]);
        agree(&rules, &packets, 64, &Limits::default());
        agree(&rules, &packets, 64, &Limits { copies: (1, 0), ..Limits::default() });
    }
}

#[test]
fn equal_parts_exist_once() {
    let any = Ipv4Net::default();
    let host = |n: u32| Ipv4Net::new((0x0a00_0000 + n).into(), 32).unwrap();
    let rule =
        |src, dst| Rule { src, dst, protocol: Protocol::All, src_ports: None, dst_ports: None, action: Action::Drop };
    let rules: Vec<Rule> = (0..256).map(|n| rule(host(n), any)).collect();
    let trie = agree(&rules, &inside(&rules, 500), 64, &Limits::default());
    // All forms of keys share everything: 16 leaves at least, no rule twice.
    assert!(trie.blocks.len() <= 1 + 32 && trie.nodes.len() <= 40, "{} {}", trie.blocks.len(), trie.nodes.len());
    assert_eq!(format!("{:?}", trie.blocks), format!("{:?}", Trie::new(&rules).blocks), "the same every time");
}

#[test]
fn the_largest_rule_set_is_bounded() {
    let any = Ipv4Net::default();
    let mut rules: Vec<Rule> = words(65_534)
        .map(|mut word| {
            let net = |word: &mut u64| {
                Ipv4Net::new((pick(word, 1 << 20) as u32).into(), one(word, &[20, 24, 32, 32])).unwrap()
            };
            let (src, dst) = (net(&mut word), net(&mut word));
            let (src, dst) = one(&mut word, &[(src, dst), (src, dst), (src, any), (any, dst)]);
            let port = pick(&mut word, 1 << 16) as u16;
            let dst_ports = Some(PortRange { first: port, last: port });
            Rule { src, dst, protocol: Protocol::Udp, src_ports: None, dst_ports, action: Action::Drop }
        })
        .collect();
    rules.push(Rule {
        src: any,
        dst: any,
        protocol: Protocol::Tcp,
        src_ports: None,
        dst_ports: None,
        action: Action::Drop,
    });
    let trie = agree(&rules, &inside(&rules, 320), 64, &Limits { division: Some(3), ..Limits::default() });
    assert!(trie.bytes() < 64 << 20, "{}", trie.describe());
    rules.push(Rule { protocol: Protocol::All, ..rules[65_534] });
    let mut keys = Keys::default();
    keys.push(Key { src: 1, dst: 1, protocol: 6, ports: Ports::Unknown });
    keys.push(Key { src: 1, dst: 1, protocol: 1, ports: Ports::None });
    let mut verdicts = [Verdict::Unknown; BURST];
    trie.classify(&keys, &mut verdicts);
    assert_eq!(verdicts[..2], [Verdict::Match(65_534), Verdict::None]);
    Trie::with(&rules, Level::chosen(), Limits { division: Some(3), ..Limits::default() })
        .classify(&keys, &mut verdicts);
    assert_eq!(verdicts[..2], [Verdict::Match(65_534), Verdict::None], "what has no index does not count");
}

#[test]
fn a_leaf_has_room_for_all_rules_that_have_an_index() {
    for blocks in 1..=usize::from(u16::MAX).div_ceil(super::leaf::RULES) {
        let further = super::walk::more(super::walk::leaf(7, blocks));
        assert!((blocks - 1..blocks + 140).contains(&further), "{blocks}: {further}");
    }
}

#[test]
fn the_longest_leaf_is_searched_to_its_end() {
    let any = Ipv4Net::default();
    // Nothing cuts these ranges: they are one leaf.
    let rules: Vec<Rule> = (0..u16::MAX)
        .map(|n| {
            let src_ports = Some(PortRange { first: 256 - (n >> 8), last: 61_440 + (n & 255) });
            Rule { src: any, dst: any, protocol: Protocol::Tcp, src_ports, dst_ports: None, action: Action::Drop }
        })
        .collect();
    let (linear, mut trie, mut keys) = (Linear::new(&rules), Trie::new(&rules), Keys::default());
    for src in [0, 1, 2, 3, 255, 256, 257, 61_440, 61_441, 61_694, 61_695, 61_696, u16::MAX] {
        keys.push(Key { src: 1, dst: 2, protocol: 6, ports: Ports::Known(src, 9) });
    }
    let mut slow = [Verdict::Unknown; BURST];
    linear.classify(&keys, &mut slow);
    assert_eq!(slow[1], Verdict::Match(65_280), "in the last blocks");
    for level in levels() {
        trie.level = level;
        let mut fast = [Verdict::Unknown; BURST];
        trie.classify(&keys, &mut fast);
        assert_eq!(fast, slow, "{level:?}");
    }
}
