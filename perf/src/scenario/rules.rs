//! Rules that let a chosen share of the generator's flows match, in a form that every contender understands.
//!
//! The generator's packets are UDP. A flow that is to match has a destination port in [`MATCHING`], another one in
//! [`OTHER`]; both are ranges that OpenFlow can say as one mask.

use std::ops::RangeInclusive;

/// Destination ports of flows that match: `0x0800/0xf800`.
pub const MATCHING: RangeInclusive<u16> = 0x0800..=0x0fff;
/// Destination ports of flows that do not: `0x1000/0xf000`.
pub const OTHER: RangeInclusive<u16> = 0x1000..=0x1fff;

/// One rule: IPv4 networks as (address, prefix length), ports as inclusive ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterRule {
    /// Copies what matches; else it ends the search.
    pub accept: bool,
    /// IP protocol number; `None`: any.
    pub protocol: Option<u8>,
    /// Source network.
    pub source: (u32, u8),
    /// Destination network.
    pub destination: (u32, u8),
    /// Source ports; `None`: any.
    pub source_ports: Option<RangeInclusive<u16>>,
    /// Destination ports; `None`: any.
    pub destination_ports: Option<RangeInclusive<u16>>,
}

/// `count` rules of which only the last can match the generator's flows: it accepts UDP to [`MATCHING`]. The others are
/// in the manner of tenants' rules: networks inside 10/8 and outside, exact ports and any, TCP, UDP and ICMP, a third of
/// them drop. With `none` the last one does not match either.
#[must_use]
pub fn mirror_like(count: usize, none: bool) -> Vec<FilterRule> {
    let mut rules: Vec<FilterRule> = (0..count.saturating_sub(1)).map(filler).collect();
    if count > 0 {
        rules.push(if none {
            filler(count - 1)
        } else {
            FilterRule {
                accept: true,
                protocol: Some(17),
                source: (0, 0),
                destination: (0, 0),
                source_ports: None,
                destination_ports: Some(MATCHING),
            }
        });
    }
    rules
}

/// A rule that no packet of the generator matches: TCP, ICMP, or UDP to another network or port.
fn filler(n: usize) -> FilterRule {
    let net = |a: u32, length: u8| (if length == 0 { 0 } else { a & (u32::MAX << (32 - length)) }, length);
    let n32 = n as u32;
    let inside = net(0x0a00_0000 | (n32 % 200) << 8, [16, 24, 28, 32][n % 4]);
    let outside = net(0xac10_0000 | n32 << 4, [12, 20, 24, 32][n / 3 % 4]);
    let port = |p: u32| Some((p % 57_000) as u16 + 0x2000..=(p % 57_000) as u16 + 0x2000);
    let (protocol, source, destination, destination_ports) = match n % 4 {
        0 => (Some(6), net(0, 0), inside, port(n32 * 7)),
        1 => (Some(17), inside, outside, None),
        2 => (Some(1), net(0, 0), inside, None),
        _ => (Some(17), net(0, 0), net(0x0a00_0000, 8), port(n32 * 13 % 40_000)),
    };
    FilterRule { accept: !n.is_multiple_of(3), protocol, source, destination, source_ports: None, destination_ports }
}
