//! Table tests of the rules' semantics.
#![allow(clippy::unwrap_used)]

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::rule::{Action, PortRange, Protocol, Rule};
use super::{Compiled, Key, Keys, Linear, Verdict};
use crate::packet::BURST;
use crate::wire::ipv4::Ports;

const UDP: u8 = 17;
const TCP: u8 = 6;
const ICMP: u8 = 1;

fn net(text: &str) -> Ipv4Net {
    text.parse().unwrap()
}

fn rule(
    src: &str,
    dst: &str,
    protocol: Protocol,
    src_ports: Option<(u16, u16)>,
    dst_ports: Option<(u16, u16)>,
) -> Rule {
    let range = |(first, last)| PortRange { first, last };
    Rule {
        src: net(src),
        dst: net(dst),
        protocol,
        src_ports: src_ports.map(range),
        dst_ports: dst_ports.map(range),
        action: Action::Accept,
    }
}

fn any(protocol: Protocol, dst_ports: Option<(u16, u16)>) -> Rule {
    rule("0.0.0.0/0", "0.0.0.0/0", protocol, None, dst_ports)
}

fn key(src: [u8; 4], dst: [u8; 4], protocol: u8, ports: Ports) -> Key {
    Key { src: Ipv4Addr::from(src).into(), dst: Ipv4Addr::from(dst).into(), protocol, ports }
}

fn packet(protocol: u8, ports: Ports) -> Key {
    key([10, 0, 0, 1], [10, 0, 0, 2], protocol, ports)
}

/// Both twins' verdicts on `keys`, asserted equal.
fn verdicts(rules: &[Rule], packets: &[Key]) -> Vec<Verdict> {
    let (compiled, linear) = (Compiled::new(rules).unwrap(), Linear::new(rules));
    let mut keys = Keys::default();
    packets.iter().for_each(|packet| keys.push(*packet));
    let (mut fast, mut slow) = ([Verdict::None; BURST], [Verdict::None; BURST]);
    compiled.classify(&keys, &mut fast);
    linear.classify(&keys, &mut slow);
    assert_eq!(fast, slow, "rules {rules:?}, keys {packets:?}");
    fast[..packets.len()].to_vec()
}

fn verdict(rules: &[Rule], packet: Key) -> Verdict {
    verdicts(rules, &[packet])[0]
}

#[test]
fn first_match_wins_whatever_its_action() {
    let mut drop_web = any(Protocol::Tcp, Some((80, 80)));
    drop_web.action = Action::Drop;
    let rules = [drop_web, any(Protocol::Tcp, None), any(Protocol::All, None), any(Protocol::Udp, None)];
    assert_eq!(verdict(&rules, packet(TCP, Ports::Known(1, 80))), Verdict::Match(0));
    assert_eq!(verdict(&rules, packet(TCP, Ports::Known(80, 81))), Verdict::Match(1));
    assert_eq!(verdict(&rules, packet(UDP, Ports::Known(1, 80))), Verdict::Match(2));
    assert_eq!(verdict(&rules, packet(47, Ports::None)), Verdict::Match(2));
}

#[test]
fn nothing_matches_without_rules() {
    assert_eq!(verdict(&[], packet(TCP, Ports::Known(1, 2))), Verdict::None);
    assert_eq!(verdict(&[], packet(TCP, Ports::Unknown)), Verdict::None);
}

#[test]
fn prefixes_match_at_both_ends() {
    let rules = [
        rule("10.0.0.255/32", "0.0.0.0/0", Protocol::All, None, None),
        rule("10.0.0.0/24", "192.168.0.0/31", Protocol::All, None, None),
        rule("128.0.0.0/1", "0.0.0.0/0", Protocol::All, None, None),
        // Host bits are set and do not count.
        rule("11.0.0.77/24", "0.0.0.0/0", Protocol::All, None, None),
    ];
    let judge = |src, dst| verdict(&rules, key(src, dst, ICMP, Ports::None));
    assert_eq!(judge([10, 0, 0, 255], [1, 1, 1, 1]), Verdict::Match(0));
    assert_eq!(judge([10, 0, 0, 0], [192, 168, 0, 1]), Verdict::Match(1));
    assert_eq!(judge([10, 0, 0, 254], [192, 168, 0, 2]), Verdict::None);
    assert_eq!(judge([10, 0, 1, 0], [192, 168, 0, 1]), Verdict::None);
    assert_eq!(judge([255, 255, 255, 255], [0, 0, 0, 0]), Verdict::Match(2));
    assert_eq!(judge([127, 255, 255, 255], [0, 0, 0, 0]), Verdict::None);
    assert_eq!(judge([11, 0, 0, 1], [0, 0, 0, 0]), Verdict::Match(3));
}

#[test]
fn port_ranges_match_at_both_ends() {
    let judge = |range, port| {
        let by_dst = verdict(&[any(Protocol::Udp, Some(range))], packet(UDP, Ports::Known(9, port)));
        let src_rule = rule("0.0.0.0/0", "0.0.0.0/0", Protocol::Udp, Some(range), None);
        assert_eq!(verdict(&[src_rule], packet(UDP, Ports::Known(port, 9))), by_dst);
        by_dst == Verdict::Match(0)
    };
    for (range, inside, outside) in [
        ((0, 0), vec![0], vec![1, 65_535]),
        ((65_535, 65_535), vec![65_535], vec![0, 65_534]),
        ((0, 65_535), vec![0, 1, 32_768, 65_535], vec![]),
        ((100, 200), vec![100, 150, 200], vec![99, 201, 0, 65_535]),
        ((200, 100), vec![], vec![0, 99, 100, 150, 200, 201, 65_535]),
        ((1, 0), vec![], vec![0, 1, 65_535]),
    ] {
        for port in inside {
            assert!(judge(range, port), "{port} in {range:?}");
        }
        for port in outside {
            assert!(!judge(range, port), "{port} not in {range:?}");
        }
    }
}

#[test]
fn port_ranges_exist_for_tcp_and_udp_only() {
    let all_ports = Some((0, 65_535));
    // Validation refuses the first two; they still have one meaning.
    let rules = [any(Protocol::Icmp, all_ports), any(Protocol::All, all_ports), any(Protocol::All, None)];
    assert_eq!(verdict(&rules, packet(ICMP, Ports::None)), Verdict::Match(2));
    assert_eq!(verdict(&rules, packet(47, Ports::None)), Verdict::Match(2));
    assert_eq!(verdict(&rules, packet(132, Ports::Known(0, 0))), Verdict::Match(2), "SCTP has no ports to us");
    assert_eq!(verdict(&rules, packet(TCP, Ports::Known(0, 0))), Verdict::Match(1));
    assert_eq!(verdict(&rules, packet(UDP, Ports::Known(65_535, 65_535))), Verdict::Match(1));
}

#[test]
fn unknown_ports_stop_at_the_first_rule_that_needs_them() {
    let ranged = any(Protocol::Udp, Some((53, 53)));
    let elsewhere = rule("172.16.0.0/12", "0.0.0.0/0", Protocol::Udp, Some((1, 1)), None);
    let udp = any(Protocol::Udp, None);
    let fragment = packet(UDP, Ports::Unknown);
    assert_eq!(verdict(&[ranged, udp], fragment), Verdict::Unknown);
    assert_eq!(verdict(&[udp, ranged], fragment), Verdict::Match(0), "matches without ports");
    assert_eq!(verdict(&[elsewhere, udp], fragment), Verdict::Match(1), "another field misses first");
    assert_eq!(verdict(&[any(Protocol::Tcp, Some((53, 53))), udp], fragment), Verdict::Match(1));
    assert_eq!(verdict(&[any(Protocol::All, Some((53, 53))), udp], fragment), Verdict::Unknown);
    assert_eq!(verdict(&[any(Protocol::Udp, Some((2, 1)))], fragment), Verdict::Unknown, "an empty range is a range");
    assert_eq!(verdict(&[any(Protocol::Tcp, None)], fragment), Verdict::None);
    assert_eq!(verdict(&[ranged, udp], packet(UDP, Ports::None)), Verdict::Unknown, "UDP always has ports");
    let icmp = packet(ICMP, Ports::None);
    assert_eq!(
        verdict(&[ranged, any(Protocol::All, Some((0, 9))), any(Protocol::Icmp, None)], icmp),
        Verdict::Match(2)
    );
}

#[test]
fn verdicts_behind_the_last_key_are_left_alone() {
    let mut keys = Keys::default();
    (0..3).for_each(|_| keys.push(packet(TCP, Ports::Known(1, 2))));
    let (mut fast, mut slow) = ([Verdict::Unknown; BURST], [Verdict::Unknown; BURST]);
    Compiled::new(&[any(Protocol::All, None)]).unwrap().classify(&keys, &mut fast);
    Linear::new(&[any(Protocol::All, None)]).classify(&keys, &mut slow);
    assert_eq!(fast[..4], [Verdict::Match(0), Verdict::Match(0), Verdict::Match(0), Verdict::Unknown]);
    assert_eq!(fast, slow);
}

#[test]
fn keys_hold_one_burst_and_come_back_as_pushed() {
    let mut keys = Keys::default();
    for at in 0..BURST {
        let ports = [Ports::Known(at as u16, 1), Ports::Unknown][at % 2];
        keys.push(packet(TCP, ports));
        assert_eq!((keys.len(), keys.get(at)), (at + 1, packet(TCP, ports)));
    }
    keys.push(packet(ICMP, Ports::None));
    assert_eq!(keys.len(), BURST, "the 65th is ignored");
}

#[test]
fn the_last_index_of_the_largest_rule_set_matches() {
    let mut rules = vec![any(Protocol::Udp, Some((1, 1))); 65_535];
    rules[65_534] = any(Protocol::Tcp, None);
    assert_eq!(verdict(&rules, packet(TCP, Ports::Known(1, 1))), Verdict::Match(65_534));
    assert_eq!(verdict(&rules, packet(ICMP, Ports::None)), Verdict::None);
    assert_eq!(Compiled::new(&rules).unwrap().len(), 65_535);
    rules.push(any(Protocol::All, None));
    assert!(Compiled::new(&rules).is_err());
}
