//! Rule sets from drawn words: a rule often is a neighbour of an earlier one.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_oneof};

use crate::classify::rule::{Action, PortRange, Protocol, Rule};

/// Takes a number below `bound` off the low end of a word, so that one drawn word decodes into all fields of a value.
pub(super) fn pick(word: &mut u64, bound: usize) -> usize {
    let picked = *word % bound as u64;
    *word /= bound as u64;
    picked as usize
}

/// Addresses at the edges of prefixes.
pub(super) const ADDRESSES: [u32; 8] =
    [0, 0x0a00_0000, 0x0a00_00ff, 0x0a00_0100, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff];
const PREFIXES: [u8; 8] = [0, 1, 8, 16, 24, 30, 31, 32];
pub(super) const PORTS: [u16; 8] = [0, 1, 53, 80, 81, 32_768, 65_534, 65_535];
const PROTOCOLS: [Protocol; 4] = [Protocol::All, Protocol::Icmp, Protocol::Tcp, Protocol::Udp];

/// What one field of a rule set looks like: any value, few ones that meet, or as many bounds as rules can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Any,
    Few,
    Many,
}

impl Style {
    fn of(word: &mut u64) -> Style {
        [Style::Any, Style::Few, Style::Many, Style::Many][pick(word, 4)]
    }
}

fn net(style: Style, earlier: Option<Ipv4Net>, word: &mut u64) -> Ipv4Net {
    let (length, relation, index, far) =
        (pick(word, PREFIXES.len()), pick(word, 6), pick(word, ADDRESSES.len()), pick(word, 1 << 12));
    let of = |address: u32, length: u8| Ipv4Net::new(Ipv4Addr::from(address), length).unwrap();
    match (style, earlier) {
        (Style::Any, _) => of(0, 0),
        // Inside it at either end, around it, beside it.
        (Style::Few, Some(net)) if relation < 4 => {
            let (first, last) = (net.network().to_bits(), net.broadcast().to_bits());
            let longer = (net.prefix_len() + 1 + index as u8 % 4).min(32);
            match relation {
                0 => of(first, longer),
                1 => of(last, longer),
                2 => of(first, net.prefix_len().saturating_sub(1)),
                _ => of(last.wrapping_add(1), net.prefix_len()),
            }
        }
        (Style::Many, _) if pick(word, 256) > 0 => of(0x0a00_0001 + 2 * far as u32, 32 - u8::from(relation == 0)),
        _ => of(ADDRESSES[index], PREFIXES[length]),
    }
}

fn range(style: Style, earlier: Option<PortRange>, word: &mut u64) -> Option<PortRange> {
    let (relation, first, last, far) =
        (pick(word, 6), pick(word, PORTS.len()), pick(word, PORTS.len()), pick(word, 1 << 12));
    let range = match (style, earlier) {
        (Style::Any, _) => return None,
        (Style::Few, _) if relation == 5 => return None,
        // Inside, around, beside.
        (Style::Few, Some(PortRange { first, last })) if relation < 3 => match relation {
            0 => PortRange { first: first.saturating_add(1), last: last.saturating_sub(1) },
            1 => PortRange { first: first.saturating_sub(1), last: last.saturating_add(1) },
            _ => PortRange { first: last.saturating_add(1), last: last.saturating_add(2) },
        },
        (Style::Many, _) if pick(word, 256) > 0 => {
            PortRange { first: 9 + 4 * far as u16, last: 9 + 4 * far as u16 + 1 }
        }
        // Any order, upside down as well.
        _ if relation == 4 => PortRange { first: PORTS[first], last: PORTS[last] },
        _ => PortRange { first: PORTS[first.min(last)], last: PORTS[first.max(last)] },
    };
    Some(range)
}

/// A rule set of a word that says what it is like, and a word or two for each rule.
fn rules((style, words): (u64, Vec<(u64, u64)>)) -> Vec<Rule> {
    let style = &mut { style };
    let styles = [Style::of(style), Style::of(style), Style::of(style), Style::of(style)];
    let (protocols, copies) = (pick(style, 3), pick(style, 3));
    let mut rules: Vec<Rule> = Vec::new();
    for (mut addresses, mut ports) in words {
        let earlier = (!rules.is_empty()).then(|| rules[pick(&mut ports, rules.len())]);
        let [src, dst, src_port, dst_port] = styles;
        rules.push(Rule {
            src: net(src, earlier.map(|r| r.src), &mut addresses),
            dst: net(dst, earlier.map(|r| r.dst), &mut addresses),
            // Some sets are of one protocol: their first rules hide fewer of the others.
            protocol: PROTOCOLS[[pick(&mut addresses, 4), 2, 3][protocols]],
            src_ports: range(src_port, earlier.and_then(|r| r.src_ports), &mut ports),
            dst_ports: range(dst_port, earlier.and_then(|r| r.dst_ports), &mut ports),
            action: [Action::Accept, Action::Drop][pick(&mut addresses, 2)],
        });
    }
    // The same once more, further down and with the other action.
    for at in 0..copies.min(rules.len()) {
        let action = if rules[at].action == Action::Accept { Action::Drop } else { Action::Accept };
        rules.push(Rule { action, ..rules[at] });
    }
    rules
}

fn words() -> (impl Strategy<Value = u64>, impl Strategy<Value = u64>) {
    (any::<u64>(), any::<u64>())
}

/// Hundreds and thousands of rules.
pub(super) fn large_sets() -> impl Strategy<Value = Vec<Rule>> {
    (any::<u64>(), vec(words(), 201..=2500)).prop_map(rules)
}

/// 0 to 64 rules in most sets, and a few of more.
pub(super) fn sets() -> impl Strategy<Value = Vec<Rule>> {
    let count = prop_oneof![
        4 => vec(words(), 0..=8),
        4 => vec(words(), 9..=62),
        3 => vec(words(), 62..=64),
        1 => vec(words(), 65..=200),
    ];
    (any::<u64>(), count).prop_map(rules)
}
