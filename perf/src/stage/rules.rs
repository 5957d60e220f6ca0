//! Rule sets with a seed: such as tenants of a cloud write for mirroring, and in the manner of ClassBench's filter sets.

use std::collections::HashSet;

use ipnet::Ipv4Net;
use vswitch::classify::rule::{Action, PortRange, Protocol, Rule};

use super::random::Random;
use super::shapes::{self, Ports, Shape};

/// Where a rule set's statistics come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Set {
    /// Mirror sessions of one source: nested prefixes in the VPC, half of the rules with ports, a third drop.
    MirrorLike,
    /// In the manner of ClassBench's `acl1`: exact destination ports, long prefixes on both sides.
    Acl1,
    /// In the manner of ClassBench's `fw1`: wildcards in addresses and source ports, exact services.
    Fw1,
    /// In the manner of ClassBench's `ipc1`: everything mixed, prefixes of all lengths.
    Ipc1,
}

impl Set {
    /// What tables call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Set::MirrorLike => "mirror-like",
            Set::Acl1 => "acl1",
            Set::Fw1 => "fw1",
            Set::Ipc1 => "ipc1",
        }
    }

    const fn shape(self) -> &'static Shape {
        match self {
            Set::MirrorLike => &shapes::MIRROR_LIKE,
            Set::Acl1 => &shapes::ACL1,
            Set::Fw1 => &shapes::FW1,
            Set::Ipc1 => &shapes::IPC1,
        }
    }
}

/// `count` different rules in search order, the more exact ones mostly first, as people who write such lists do. None
/// matches everything. Equal arguments give equal rules.
#[must_use]
pub fn generate(set: Set, count: usize, seed: u64) -> Vec<Rule> {
    let shape = set.shape();
    let mut random = Random::new(seed ^ (set as u64) << 56 ^ count as u64);
    let (mut sources, mut destinations) = (Pool::new(shape.roots), Pool::new(shape.roots));
    let mut seen = HashSet::new();
    let mut rules = Vec::with_capacity(count);
    // The bound ends the search where a shape does not know so many different rules.
    for _ in 0..count * 100 {
        if rules.len() == count {
            break;
        }
        let rule = draw(shape, rules.len(), &mut sources, &mut destinations, &mut random);
        let ports = |r: Option<PortRange>| r.map(|r| (r.first, r.last));
        let same = (rule.src, rule.dst, rule.protocol.number(), ports(rule.src_ports), ports(rule.dst_ports));
        if !too_wide(&rule) && seen.insert(same) {
            rules.push(rule);
        }
    }
    let mut keyed: Vec<(f64, Rule)> = rules.into_iter().map(|r| (exactness(&r) + random.unit() * 24.0, r)).collect();
    keyed.sort_by(|a, b| b.0.total_cmp(&a.0));
    keyed.into_iter().map(|(_, rule)| rule).collect()
}

fn draw(shape: &Shape, index: usize, sources: &mut Pool, destinations: &mut Pool, random: &mut Random) -> Rule {
    let (protocol, pairs) = random.pick(shape.protocols).copied().unwrap_or((Protocol::All, &[]));
    let (src_class, dst_class) = random.pick(pairs).copied().unwrap_or((Ports::Any, Ports::Any));
    let (src_length, dst_length) = random.pick(shape.prefixes).copied().unwrap_or((32, 32));
    Rule {
        src: sources.network(src_length, shape.nested, random),
        dst: destinations.network(dst_length, shape.nested, random),
        protocol,
        src_ports: ports(src_class, shape, random),
        dst_ports: ports(dst_class, shape, random),
        action: if index.is_multiple_of(3) { Action::Drop } else { Action::Accept },
    }
}

fn ports(class: Ports, shape: &Shape, random: &mut Random) -> Option<PortRange> {
    let range = |first, last| Some(PortRange { first, last });
    match class {
        Ports::Any => None,
        Ports::High => range(1024, u16::MAX),
        Ports::Low => range(0, 1023),
        Ports::Range => {
            let first = random.port(1, 60_000);
            let widest = 1 << random.port(1, 12);
            range(first, first + random.port(1, widest))
        }
        Ports::Exact => {
            let port = match shape.services.get(random.below(shape.services.len() * 2)) {
                Some(service) => *service,
                None => random.port(1, 10_000),
            };
            range(port, port)
        }
    }
}

/// Bits that a rule asks for, a well-known measure of how much it matches.
fn exactness(rule: &Rule) -> f64 {
    let ports = |range: Option<PortRange>| range.map_or(0.0, |r| 16.0 - f64::from(r.last - r.first + 1).log2());
    let protocol = if rule.protocol == Protocol::All { 0.0 } else { 8.0 };
    f64::from(rule.src.prefix_len() + rule.dst.prefix_len()) + protocol + ports(rule.src_ports) + ports(rule.dst_ports)
}

/// Rules that leave no room for a miss, or shadow all that comes later.
fn too_wide(rule: &Rule) -> bool {
    let addresses = rule.src.prefix_len() + rule.dst.prefix_len();
    let exact_port = [rule.src_ports, rule.dst_ports].into_iter().flatten().any(|r| r.last - r.first < 16);
    addresses < 8 && !exact_port
}

/// Networks that were used: later ones are often inside earlier ones.
struct Pool {
    roots: &'static [(u32, u8)],
    used: Vec<Ipv4Net>,
}

impl Pool {
    const fn new(roots: &'static [(u32, u8)]) -> Self {
        Pool { roots, used: Vec::new() }
    }

    fn network(&mut self, length: u8, nested: f64, random: &mut Random) -> Ipv4Net {
        let inside = if random.chance(nested) { self.used.get(random.below(self.used.len())).copied() } else { None };
        let (base, fixed) = match inside {
            Some(network) if network.prefix_len() <= length => (network.network().to_bits(), network.prefix_len()),
            _ => *self.roots.get(random.below(self.roots.len())).unwrap_or(&(0, 0)),
        };
        let host = if fixed >= 32 { 0 } else { random.bits() >> fixed };
        let network = Ipv4Net::new((base | host).into(), length).unwrap_or_default().trunc();
        if length > 0 {
            self.used.push(network);
        }
        network
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_have_as_many_different_rules_as_asked_for() {
        for set in [Set::MirrorLike, Set::Acl1, Set::Fw1, Set::Ipc1] {
            for count in [20, 60, 1000, 10_000] {
                let rules = generate(set, count, 1);
                assert_eq!(rules.len(), count, "{}", set.name());
                assert_eq!(rules, generate(set, count, 1));
            }
        }
        assert_ne!(generate(Set::Acl1, 100, 1), generate(Set::Acl1, 100, 2));
    }

    #[test]
    fn mirror_like_sets_are_as_described() {
        let rules = generate(Set::MirrorLike, 60, 7);
        let with_ports = rules.iter().filter(|r| r.src_ports.is_some() || r.dst_ports.is_some()).count();
        let drops = rules.iter().filter(|r| r.action == Action::Drop).count();
        let nested =
            |r: &Rule| rules.iter().any(|o| o.dst != r.dst && o.dst.prefix_len() > 0 && o.dst.contains(&r.dst));
        assert!((20..=40).contains(&with_ports), "{with_ports}");
        assert_eq!(drops, 20);
        assert!(rules.iter().filter(|r| nested(r)).count() > 10);
    }

    #[test]
    fn a_smaller_prefix_is_inside_its_root() {
        for rule in generate(Set::MirrorLike, 60, 3) {
            for network in [rule.src, rule.dst] {
                let roots = shapes::MIRROR_LIKE.roots.iter().any(|(base, length)| {
                    Ipv4Net::new((*base).into(), *length).is_ok_and(|root| root.contains(&network))
                });
                assert!(roots || network.prefix_len() < 16, "{network}");
            }
        }
    }
}
