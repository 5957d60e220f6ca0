//! The compiled classifier against its slow twin, on rules and packets drawn to collide.
#![allow(clippy::unwrap_used)]

use ipnet::Ipv4Net;
use proptest::prelude::*;
use proptest::sample::select;

use super::rule::{Action, PortRange, Protocol, Rule};
use super::{Compiled, Key, Keys, Linear, Verdict};
use crate::packet::BURST;
use crate::wire::ipv4::Ports;

/// Few addresses, close together, so that prefixes share, nest and touch.
fn address() -> impl Strategy<Value = u32> {
    prop_oneof![
        select(vec![0u32, u32::MAX, 0x0a00_0000, 0x0a00_0001, 0x0a00_00ff, 0x0a00_0100, 0x8000_0000]),
        (0u32..8).prop_map(|n| 0x0a00_0000 + n),
    ]
}

fn network() -> impl Strategy<Value = Ipv4Net> {
    (address(), select(vec![0u8, 1, 8, 24, 29, 30, 31, 32]))
        .prop_map(|(a, len)| Ipv4Net::new(a.into(), len).unwrap().trunc())
}

fn port() -> impl Strategy<Value = u16> {
    select(vec![0u16, 1, 79, 80, 81, 443, 65534, 65535])
}

fn range() -> impl Strategy<Value = Option<PortRange>> {
    proptest::option::of((port(), port()).prop_map(|(a, b)| PortRange { first: a.min(b), last: a.max(b) }))
}

fn rule() -> impl Strategy<Value = Rule> {
    let protocol = select(vec![Protocol::All, Protocol::Icmp, Protocol::Tcp, Protocol::Udp]);
    (network(), network(), protocol, range(), range(), any::<bool>()).prop_map(|(src, dst, protocol, s, d, accept)| {
        Rule {
            src,
            dst,
            protocol,
            src_ports: s,
            dst_ports: d,
            action: if accept { Action::Accept } else { Action::Drop },
        }
    })
}

fn key() -> impl Strategy<Value = Key> {
    let kinds = prop_oneof![
        (select(vec![6u8, 17]), port(), port()).prop_map(|(p, s, d)| (p, Ports::Known(s, d))),
        select(vec![6u8, 17]).prop_map(|p| (p, Ports::Unknown)),
        select(vec![0u8, 1, 47, 255]).prop_map(|p| (p, Ports::None)),
    ];
    (address(), address(), kinds).prop_map(|(src, dst, (protocol, ports))| Key { src, dst, protocol, ports })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4000, ..ProptestConfig::default() })]
    /// 4,000 rule sets with up to 64 packets each.
    #[test]
    fn compiled_equals_linear(
        rules in proptest::collection::vec(rule(), 0..40), packets in proptest::collection::vec(key(), 1..=BURST)
    ) {
        let mut keys = Keys::default();
        packets.iter().for_each(|k| keys.push(*k));
        let (mut fast, mut slow) = ([Verdict::None; BURST], [Verdict::None; BURST]);
        Compiled::new(&rules).unwrap().classify(&keys, &mut fast);
        Linear::new(&rules).classify(&keys, &mut slow);
        prop_assert_eq!(fast, slow);
    }
}

fn any_rule() -> Rule {
    Rule {
        src: Ipv4Net::default(),
        dst: Ipv4Net::default(),
        protocol: Protocol::All,
        src_ports: None,
        dst_ports: None,
        action: Action::Accept,
    }
}

fn judge(rules: &[Rule], key: Key) -> Verdict {
    let mut keys = Keys::default();
    keys.push(key);
    let mut verdicts = [Verdict::None; BURST];
    Compiled::new(rules).unwrap().classify(&keys, &mut verdicts);
    verdicts[0]
}

#[test]
fn no_rules_match_nothing() {
    let key = Key { src: 0, dst: 0, protocol: 6, ports: Ports::Known(0, 0) };
    assert_eq!(judge(&[], key), Verdict::None);
    assert!(Compiled::new(&[]).unwrap().is_empty());
}

#[test]
fn the_first_of_many_wins_also_beyond_the_first_block() {
    let mut rules: Vec<Rule> = (0..20).map(|_| Rule { protocol: Protocol::Icmp, ..any_rule() }).collect();
    rules.push(any_rule());
    rules.push(any_rule());
    let key = Key { src: 1, dst: 2, protocol: 6, ports: Ports::Known(3, 4) };
    assert_eq!(judge(&rules, key), Verdict::Match(20));
}

#[test]
fn unknown_only_where_a_range_is_reached_first() {
    let ranged = Rule { protocol: Protocol::Udp, dst_ports: Some(PortRange { first: 1, last: 2 }), ..any_rule() };
    let key = Key { src: 1, dst: 2, protocol: 17, ports: Ports::Unknown };
    assert_eq!(judge(&[ranged, any_rule()], key), Verdict::Unknown);
    assert_eq!(judge(&[any_rule(), ranged], key), Verdict::Match(0));
    assert_eq!(judge(&[ranged], Key { protocol: 6, ..key }), Verdict::None);
}

#[test]
fn too_many_rules_are_refused() {
    assert!(Compiled::new(&vec![any_rule(); 65_536]).is_err());
}
