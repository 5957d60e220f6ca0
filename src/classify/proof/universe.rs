//! Every combination of a small universe: all rules over it alone, in ordered pairs and triples, against all packets.
//!
//! Its addresses and ports are the edges of the real ones, which two bits number.

use ipnet::Ipv4Net;

use super::{both_ways, compiled, judge, levels, parsed};
use crate::classify::rule::{Action, PortRange, Protocol, Rule};
use crate::classify::{Key, Keys, Linear, Verdict};
use crate::packet::BURST;
use crate::wire::ipv4::{Ipv4, Ports};

const ADDRESSES: [u32; 4] = [0, 0x7fff_ffff, 0x8000_0000, u32::MAX];
const PORTS: [u16; 4] = [0, 1, 65_534, 65_535];

/// 0/0, both halves, and the four addresses themselves: all prefixes that differ on them.
fn all_nets() -> Vec<Ipv4Net> {
    let mut nets = halves();
    nets.extend(ADDRESSES.map(|address| Ipv4Net::new(address.into(), 32).unwrap()));
    nets
}

fn halves() -> Vec<Ipv4Net> {
    ["0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1"].map(|net| net.parse().unwrap()).to_vec()
}

/// None, and all from one of the ports to another, upside-down ones too.
fn ranges(ports: &[u16]) -> Vec<Option<PortRange>> {
    let pairs = ports.iter().flat_map(|first| ports.iter().map(|last| PortRange { first: *first, last: *last }));
    std::iter::once(None).chain(pairs.map(Some)).collect()
}

/// All rules of these fields.
fn rules(
    srcs: &[Ipv4Net],
    dsts: &[Ipv4Net],
    protocols: &[Protocol],
    src_ranges: &[Option<PortRange>],
    dst_ranges: &[Option<PortRange>],
) -> Vec<Rule> {
    let mut rules = Vec::new();
    for (src, dst) in srcs.iter().flat_map(|src| dsts.iter().map(|dst| (*src, *dst))) {
        for protocol in protocols {
            for (src_ports, dst_ports) in src_ranges.iter().flat_map(|s| dst_ranges.iter().map(|d| (*s, *d))) {
                let action = if rules.len() % 2 == 0 { Action::Accept } else { Action::Drop };
                rules.push(Rule { src, dst, protocol: *protocol, src_ports, dst_ports, action });
            }
        }
    }
    rules
}

const PROTOCOLS: [Protocol; 4] = [Protocol::All, Protocol::Icmp, Protocol::Tcp, Protocol::Udp];

/// All packets of these addresses and ports: TCP and UDP with all pairs of ports and without known ones, ICMP, another.
struct Packets {
    batches: Vec<(Vec<Key>, Keys, Keys)>,
}

impl Packets {
    fn new(addresses: &[u32], src_ports: &[u16], dst_ports: &[u16]) -> Self {
        let known = src_ports.iter().flat_map(|s| dst_ports.iter().map(|d| Ports::Known(*s, *d)));
        let with_ports: Vec<Ports> = known.chain([Ports::Unknown]).collect();
        let mut kinds: Vec<(u8, Ports)> =
            [6, 17].into_iter().flat_map(|n| with_ports.iter().map(move |p| (n, *p))).collect();
        kinds.extend([(1, Ports::None), (50, Ports::None)]);
        let mut all = Vec::new();
        for (protocol, ports) in kinds {
            for (src, dst) in addresses.iter().flat_map(|src| addresses.iter().map(|dst| (*src, *dst))) {
                all.push(Key { src, dst, protocol, ports });
            }
        }
        let batch = |packets: &[Key]| {
            let headers: Vec<Ipv4> = packets.iter().map(parsed).collect();
            let (mut pushed, mut gathered) = Default::default();
            both_ways(packets, &headers, &mut pushed, &mut gathered);
            (packets.to_vec(), pushed, gathered)
        };
        Packets { batches: all.chunks(BURST).map(batch).collect() }
    }

    fn len(&self) -> usize {
        self.batches.iter().map(|(packets, ..)| packets.len()).sum()
    }

    /// Asserts what each level says of all packets; `expected` by packet. The number of verdicts.
    fn check(&self, rules: &[Rule], gathered: bool, expected: &[Verdict]) -> u64 {
        for (level, table) in compiled(rules) {
            let mut wanted = expected;
            for (packets, by_push, by_gather) in &self.batches {
                let verdicts = judge(&table, if gathered { by_gather } else { by_push });
                let (these, rest) = wanted.split_at(packets.len());
                wanted = rest;
                if verdicts[..packets.len()] != *these {
                    let at = (0..packets.len()).find(|at| verdicts[*at] != these[*at]).unwrap();
                    let (found, wanted) = (verdicts[at], these[at]);
                    assert_eq!(found, wanted, "{level:?}, {:?}, rules {rules:#?}", packets[at]);
                }
            }
        }
        (self.len() * levels().count()) as u64
    }

    /// The twin's word on one rule, by packet.
    fn alone(&self, rule: &Rule) -> Vec<Verdict> {
        let linear = Linear::new(std::slice::from_ref(rule));
        self.batches.iter().flat_map(|(packets, ..)| packets).map(|packet| linear.judge(packet)).collect()
    }
}

/// What an ordered list says of a packet is what its first rule says that says anything.
fn first_of(alone: &[&Vec<Verdict>], expected: &mut Vec<Verdict>) {
    expected.clear();
    expected.extend((0..alone[0].len()).map(|packet| {
        let said = alone.iter().map(|verdicts| verdicts[packet]).enumerate().find(|(_, v)| *v != Verdict::None);
        match said {
            Some((rule, Verdict::Match(_))) => Verdict::Match(rule as u16),
            said => said.map_or(Verdict::None, |(_, verdict)| verdict),
        }
    }));
}

/// All ordered lists of `length` rules, the same rule twice included.
fn all_lists(rules: &[Rule], packets: &Packets, length: usize) -> u64 {
    let alone: Vec<Vec<Verdict>> = rules.iter().map(|rule| packets.alone(rule)).collect();
    let (mut expected, mut verdicts) = (Vec::new(), 0);
    for list in 0..rules.len().pow(length as u32) {
        let members = (0..length as u32).map(|n| list / rules.len().pow(n) % rules.len());
        let members: Vec<usize> = members.collect();
        first_of(&members.iter().map(|n| &alone[*n]).collect::<Vec<_>>(), &mut expected);
        let list_rules: Vec<Rule> = members.iter().map(|n| rules[*n]).collect();
        verdicts += packets.check(&list_rules, list % 2 == 1, &expected);
    }
    verdicts
}

fn judged(levels_once: usize, verdicts: u64) {
    assert_eq!(verdicts, (levels_once * levels().count()) as u64);
    println!("{verdicts} verdicts");
}

#[test]
fn every_rule_alone() {
    let range = |first, last| Some(PortRange { first, last });
    let packets = Packets::new(&ADDRESSES, &[0, 65_535], &PORTS);
    let src_ranges = [None, range(0, 0), range(65_535, 65_535), range(65_535, 0)];
    let rules = rules(&all_nets(), &all_nets(), &PROTOCOLS, &src_ranges, &ranges(&PORTS));
    assert_eq!((rules.len(), packets.len()), (7 * 7 * 4 * 4 * 17, 16 * (2 * 9 + 2)));
    judged(rules.len() * packets.len(), all_lists(&rules, &packets, 1));
}

#[test]
fn every_pair_of_port_ranges_and_protocols() {
    let (any, ports) = (&halves()[..1], [0, 1, 65_535]);
    let packets = Packets::new(&[7], &ports, &ports);
    let rules = rules(any, any, &PROTOCOLS[..3], &ranges(&ports), &ranges(&ports));
    assert_eq!((rules.len(), packets.len()), (300, 22));
    judged(300 * 300 * 22, all_lists(&rules, &packets, 2));
}

#[test]
fn every_pair_of_prefixes_and_protocols() {
    let zero = Some(PortRange { first: 0, last: 0 });
    let packets = Packets::new(&ADDRESSES, &[9], &[0, 1]);
    let rules = rules(&all_nets(), &halves(), &PROTOCOLS[..3], &[None], &[None, zero]);
    assert_eq!((rules.len(), packets.len()), (126, 128));
    judged(126 * 126 * 128, all_lists(&rules, &packets, 2));
}

#[test]
fn every_triple_of_a_smaller_universe() {
    let zero = Some(PortRange { first: 0, last: 0 });
    let packets = Packets::new(&[0, u32::MAX], &[9], &[0, 1]);
    let rules = rules(&halves()[..2], &halves()[1..], &PROTOCOLS[..3], &[None], &[None, zero]);
    assert_eq!((rules.len(), packets.len()), (24, 32));
    judged(24 * 24 * 24 * 32, all_lists(&rules, &packets, 3));
}
