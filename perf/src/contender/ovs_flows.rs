//! Filter rules as OpenFlow: the same matches in the same order.

use std::fmt::Write;
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;

use crate::scenario::rules::FilterRule;

/// Priority of the first rule; the defaults are below the last.
const TOP: usize = 65_000;
/// Priority of forwarding what no rule matches.
const DEFAULT: u32 = 1;

/// OpenFlow port numbers of the bridge that guests are on.
pub(super) struct Ports {
    /// The mirrored guest.
    pub source: u32,
    /// The one it talks to.
    pub peer: u32,
    /// The tunnel to the collector.
    pub tunnel: u32,
    /// Bytes of a frame that a copy keeps, where frames can be longer.
    pub keep: Option<u16>,
}

/// Forwarding between the two guests, and for each direction of the source and each rule a flow that outputs to the
/// tunnel first and to the receiver then.
pub(super) fn filtered(ports: &Ports, rules: &[FilterRule]) -> Result<String, String> {
    if rules.len() > TOP - 10 {
        return Err(format!("{} rules: OpenFlow has no more than {TOP} priorities here", rules.len()));
    }
    let mut flows = forwarding(ports);
    let copy = match ports.keep {
        Some(bytes) => format!("output(port={},max_len={bytes})", ports.tunnel),
        None => format!("output:{}", ports.tunnel),
    };
    for (from, to) in [(ports.source, ports.peer), (ports.peer, ports.source)] {
        for (n, rule) in rules.iter().enumerate() {
            let actions = if rule.accept { format!("{copy},output:{to}") } else { format!("output:{to}") };
            for matched in matches(n, rule)? {
                let _ = writeln!(flows, "priority={},in_port={from},{matched},actions={actions}", TOP - n);
            }
        }
    }
    Ok(flows)
}

/// Forwarding between the two guests by port alone.
pub(super) fn forwarding(ports: &Ports) -> String {
    let mut flows = String::new();
    for (from, to) in [(ports.source, ports.peer), (ports.peer, ports.source)] {
        let _ = writeln!(flows, "priority={DEFAULT},in_port={from},actions=output:{to}");
    }
    flows
}

/// One match for each pair of port masks.
fn matches(n: usize, rule: &FilterRule) -> Result<Vec<String>, String> {
    let mut fixed = match rule.protocol {
        None => "ip".to_owned(),
        Some(1) => "icmp".to_owned(),
        Some(6) => "tcp".to_owned(),
        Some(17) => "udp".to_owned(),
        Some(other) => format!("ip,nw_proto={other}"),
    };
    for (field, (address, length)) in [("nw_src", rule.source), ("nw_dst", rule.destination)] {
        if length > 0 {
            let _ = write!(fixed, ",{field}={}/{length}", Ipv4Addr::from_bits(address));
        }
    }
    let has_ports = rule.source_ports.is_some() || rule.destination_ports.is_some();
    if has_ports && !matches!(rule.protocol, Some(6 | 17)) {
        return Err(format!("rule {n}: only TCP and UDP have ports"));
    }
    let sources = port_matches("tp_src", rule.source_ports.as_ref());
    let destinations = port_matches("tp_dst", rule.destination_ports.as_ref());
    let pairs = sources.iter().flat_map(|s| destinations.iter().map(move |d| format!("{s}{d}")));
    Ok(pairs.map(|ports| format!("{fixed}{ports}")).collect())
}

fn port_matches(field: &str, range: Option<&RangeInclusive<u16>>) -> Vec<String> {
    let Some(range) = range else { return vec![String::new()] };
    masks(range)
        .into_iter()
        .map(|(value, mask)| match mask {
            0 => String::new(),
            u16::MAX => format!(",{field}={value}"),
            _ => format!(",{field}={value:#06x}/{mask:#06x}"),
        })
        .collect()
}

/// The fewest (value, mask) pairs that together are a range: blocks of a power of two, each at a multiple of its size.
fn masks(range: &RangeInclusive<u16>) -> Vec<(u16, u16)> {
    let (mut first, last) = (u32::from(*range.start()), u32::from(*range.end()));
    let mut list = Vec::new();
    while first <= last {
        let mut size = 1u32 << first.trailing_zeros().min(16);
        while first + size - 1 > last {
            size /= 2;
        }
        list.push((first as u16, !((size - 1) as u16)));
        first += size;
    }
    list
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::rules::{MATCHING, OTHER, mirror_like};

    #[test]
    fn ranges_are_the_union_of_their_masks() {
        let ranges = [0..=65535, 0..=0, 1..=65534, 80..=443, 1024..=65535, 65535..=65535, 7..=8, MATCHING, OTHER];
        for range in ranges {
            let list = masks(&range);
            for port in 0..=u16::MAX {
                let hits = list.iter().filter(|(value, mask)| port & mask == *value).count();
                assert_eq!(hits, usize::from(range.contains(&port)), "{port} in {range:?}");
            }
        }
        assert_eq!(masks(&MATCHING), [(0x0800, 0xf800)]);
        assert_eq!(masks(&OTHER), [(0x1000, 0xf000)]);
    }

    #[test]
    fn flows_are_as_ovs_takes_them() {
        let ports = Ports { source: 1, peer: 2, tunnel: 9, keep: None };
        let flows = filtered(&ports, &mirror_like(1, false)).unwrap();
        let expected = "priority=1,in_port=1,actions=output:2\n\
            priority=1,in_port=2,actions=output:1\n\
            priority=65000,in_port=1,udp,tp_dst=0x0800/0xf800,actions=output:9,output:2\n\
            priority=65000,in_port=2,udp,tp_dst=0x0800/0xf800,actions=output:9,output:1\n";
        assert_eq!(flows, expected);
        let cut = filtered(&Ports { keep: Some(114), ..ports }, &mirror_like(1, false)).unwrap();
        assert!(cut.contains("actions=output(port=9,max_len=114),output:2"), "{cut}");
    }

    #[test]
    fn drop_rules_forward_without_a_copy_and_ports_need_a_protocol_that_has_them() {
        let ports = Ports { source: 1, peer: 2, tunnel: 9, keep: None };
        let mut rule = FilterRule {
            accept: false,
            protocol: Some(6),
            source: (0x0a00_0000, 8),
            destination: (0, 0),
            source_ports: Some(80..=80),
            destination_ports: Some(1..=3),
        };
        let flows = filtered(&ports, std::slice::from_ref(&rule)).unwrap();
        let first = "in_port=1,tcp,nw_src=10.0.0.0/8,tp_src=80,tp_dst=1,actions=output:2\n";
        let second = "in_port=1,tcp,nw_src=10.0.0.0/8,tp_src=80,tp_dst=0x0002/0xfffe,actions=output:2\n";
        assert!(flows.contains(first) && flows.contains(second), "{flows}");
        rule.protocol = None;
        assert!(filtered(&ports, &[rule]).unwrap_err().contains("only TCP and UDP"));
    }
}
