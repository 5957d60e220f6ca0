//! Packets from drawn words: most lie at an edge of some rule's fields, or one beside it.

use super::drawn_rules::{ADDRESSES, PORTS, pick};
use crate::classify::Key;
use crate::classify::rule::{PortRange, Rule};
use crate::wire::ipv4::{Ports, protocol};

const NUMBERS: [u8; 10] = [
    protocol::TCP,
    protocol::TCP,
    protocol::TCP,
    protocol::UDP,
    protocol::UDP,
    protocol::UDP,
    protocol::ICMP,
    0,
    132,
    255,
];

/// Fields of which one may go astray: it lies beside its rule's range, or anywhere.
const FIELDS: usize = 5;

/// All fields from one rule, or each from a rule of its own.
pub(super) fn packet(rules: &[Rule], word: &mut u64) -> Key {
    let (one, astray) = (pick(word, 8) > 0, pick(word, 2 * FIELDS));
    let first = pick(word, rules.len().max(1));
    let other = |word: &mut u64| rules.get(if one { first } else { pick(word, rules.len().max(1)) });
    let (by_src, by_dst, by_port) = (other(word), other(word), other(word));
    let src = address(by_src.map(|r| (r.src.network().to_bits(), r.src.broadcast().to_bits())), astray == 0, word);
    let dst = address(by_dst.map(|r| (r.dst.network().to_bits(), r.dst.broadcast().to_bits())), astray == 1, word);
    let src_port = port(by_port.and_then(|r| r.src_ports), astray == 2, word);
    let dst_port = port(by_port.and_then(|r| r.dst_ports), astray == 3, word);
    let known = Ports::Known(src_port, dst_port);
    // Also what no parser yields: ports of other protocols, TCP without.
    let ports = [known, known, known, known, Ports::Unknown, Ports::None][pick(word, 6)];
    let named = rules.get(first).and_then(|r| r.protocol.number()).filter(|_| astray != 4);
    Key { src, dst, protocol: named.unwrap_or(NUMBERS[pick(word, NUMBERS.len())]), ports }
}

fn address(range: Option<(u32, u32)>, astray: bool, word: &mut u64) -> u32 {
    let (place, index) = (pick(word, 4), pick(word, ADDRESSES.len()));
    match range {
        Some((first, last)) if !astray => [first, last][place % 2],
        Some((first, last)) if place < 2 => [first.wrapping_sub(1), last.wrapping_add(1)][place],
        _ => ADDRESSES[index],
    }
}

fn port(range: Option<PortRange>, astray: bool, word: &mut u64) -> u16 {
    let (place, index) = (pick(word, 4), pick(word, PORTS.len()));
    match range {
        Some(PortRange { first, last }) if !astray => [first, last][place % 2],
        Some(PortRange { first, last }) if place < 2 => [first.wrapping_sub(1), last.wrapping_add(1)][place],
        _ => PORTS[index],
    }
}
