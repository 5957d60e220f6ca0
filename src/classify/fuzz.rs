//! Fuzz entry: any bytes are rules and packets, which every level must judge as the slow obvious twin does.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::rule::{Action, PortRange, Protocol, Rule};
use super::{Compiled, Key, Keys, Level, Linear, Verdict};
use crate::packet::BURST;
use crate::wire::ipv4::{Ports, protocol};

/// Bytes of a rule, and of a packet.
const RULE: usize = 18;
const PACKET: usize = 13;

/// The first byte is the number of rules; they follow, then packets up to the end.
///
/// # Panics
/// When a level judges otherwise than the twin: that is the finding.
pub fn fuzz_classify(data: &[u8]) {
    let (rules, packets) = decode(data);
    let linear = Linear::new(&rules);
    for level in Level::ALL.into_iter().filter(|level| level.is_available()) {
        let Ok(compiled) = Compiled::with_level(&rules, level) else { return };
        for batch in packets.chunks(BURST) {
            let (mut keys, mut verdicts) = (Keys::default(), [Verdict::None; BURST]);
            batch.iter().for_each(|key| keys.push(*key));
            compiled.classify(&keys, &mut verdicts);
            for (key, verdict) in batch.iter().zip(verdicts) {
                assert_eq!(verdict, linear.judge(key), "{level:?}, {key:?}, {rules:?}");
            }
        }
    }
}

fn decode(data: &[u8]) -> (Vec<Rule>, Vec<Key>) {
    let (count, data) = data.split_first().unwrap_or((&0, &[]));
    let (rules, packets) = data.split_at((usize::from(*count) * RULE).min(data.len() / RULE * RULE));
    let rules = rules.as_chunks().0.iter().map(rule).collect();
    (rules, packets.as_chunks().0.iter().take(4 * BURST).map(packet).collect())
}

/// Two prefixes, their lengths, two port ranges and a byte for the rest.
fn rule(bytes: &[u8; RULE]) -> Rule {
    let [a, b, c, d, e, f, g, h, src_length, dst_length, ports @ .., rest] = *bytes;
    let [i, j, k, l, m, n, o] = ports;
    let net = |address: [u8; 4], length: u8| Ipv4Net::new(Ipv4Addr::from(address), length % 33).unwrap_or_default();
    let range = |first, last| Some(PortRange { first: u16::from_be_bytes(first), last: u16::from_be_bytes(last) });
    Rule {
        src: net([a, b, c, d], src_length),
        dst: net([e, f, g, h], dst_length),
        protocol: [Protocol::All, Protocol::Icmp, Protocol::Tcp, Protocol::Udp][usize::from(rest % 4)],
        src_ports: range([i, j], [k, l]).filter(|_| rest & 4 != 0),
        // One byte of width: the edges of both are near each other.
        dst_ports: range([m, n], [m, o]).filter(|_| rest & 8 != 0),
        action: if rest & 16 == 0 { Action::Accept } else { Action::Drop },
    }
}

/// Addresses, ports and the protocol, whose ports are known, but for numbers above 250.
fn packet(bytes: &[u8; PACKET]) -> Key {
    let [a, b, c, d, e, f, g, h, i, j, k, l, number] = *bytes;
    let known = Ports::Known(u16::from_be_bytes([i, j]), u16::from_be_bytes([k, l]));
    let (protocol, ports) = match number {
        protocol::TCP | protocol::UDP => (number, known),
        254 => (protocol::TCP, Ports::Unknown),
        255 => (protocol::UDP, Ports::Unknown),
        _ => (number, Ports::None),
    };
    Key { src: u32::from_be_bytes([a, b, c, d]), dst: u32::from_be_bytes([e, f, g, h]), protocol, ports }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The inputs that mutations start from reach every verdict, and more layouts than one.
    #[test]
    fn the_corpus_matches_and_misses() {
        let nested = include_bytes!("../../fuzz/corpus/classify/nested");
        let many_bounds = include_bytes!("../../fuzz/corpus/classify/too-many-bounds");
        let judge = |data| {
            let (rules, packets) = decode(data);
            let linear = Linear::new(&rules);
            packets.iter().map(|key| linear.judge(key)).collect::<Vec<_>>()
        };
        let verdicts = judge(&nested[..]);
        for verdict in [Verdict::Match(0), Verdict::Match(1), Verdict::Match(5), Verdict::Unknown] {
            assert!(verdicts.contains(&verdict), "{verdicts:?}");
        }
        let verdicts = judge(&many_bounds[..]);
        assert!(verdicts.contains(&Verdict::None) && verdicts.contains(&Verdict::Match(62)), "{verdicts:?}");
        let layout = |data| Compiled::with_level(&decode(data).0, Level::Scalar).map(|compiled| compiled.layout());
        assert_ne!(layout(nested), layout(many_bounds));
        fuzz_classify(nested);
        fuzz_classify(many_bounds);
    }
}
