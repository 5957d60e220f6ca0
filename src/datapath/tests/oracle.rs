//! Random packets through random configurations, against plain code that shares nothing with the compiled path; and
//! mutated frames, which may only be dropped.

use proptest::prelude::*;
use proptest::sample::select;

use super::world::*;
use crate::classify::rule::{Action, PortRange, Protocol};
use crate::control::model::{Model, Session};

/// The mirroring decision as the specification reads: the session's VNI, or nothing.
fn expected(model: &Model, source: usize, outbound: bool, packet: (u32, u32, u8, u16, u16)) -> Option<u32> {
    let (src, dst, protocol, sport, dport) = packet;
    let mut sessions: Vec<&Session> =
        model.sessions.iter().filter(|s| s.enabled && s.sources.contains(&source)).collect();
    sessions.sort_by_key(|s| s.priority);
    for session in sessions {
        let filter = &model.filters[session.filter];
        let mut rules: Vec<_> = if outbound { filter.egress.iter() } else { filter.ingress.iter() }.collect();
        rules.sort_by_key(|r| r.priority);
        for rule in rules.iter().map(|r| &r.rule) {
            let number = match rule.protocol {
                Protocol::All => protocol,
                Protocol::Icmp => 1,
                Protocol::Tcp => 6,
                Protocol::Udp => 17,
            };
            let within = |range: Option<PortRange>, port| range.is_none_or(|r| r.first <= port && port <= r.last);
            if number == protocol
                && rule.src.contains(&std::net::Ipv4Addr::from(src))
                && rule.dst.contains(&std::net::Ipv4Addr::from(dst))
                && within(rule.src_ports, sport)
                && within(rule.dst_ports, dport)
            {
                return (rule.action == Action::Accept).then_some(session.vni);
            }
        }
    }
    None
}

fn any_rule() -> impl Strategy<Value = (bool, String, String, String, String)> {
    let cidr = || select(vec!["0.0.0.0/0", "10.0.1.0/24", "10.0.1.10/32", "10.0.1.20/32", "10.0.2.0/24"]);
    let ports = select(vec!["-1/-1", "0/65535", "1/1", "1/3", "2/2", "3/65535"]);
    (any::<bool>(), select(vec!["ALL", "TCP", "UDP", "ICMP"]), cidr(), cidr(), ports).prop_map(
        |(accept, protocol, src, dst, ports)| {
            let ports = if matches!(protocol, "ALL" | "ICMP") { "-1/-1" } else { ports };
            (accept, protocol.to_owned(), src.to_owned(), dst.to_owned(), ports.to_owned())
        },
    )
}

fn configuration() -> impl Strategy<Value = String> {
    let rules = proptest::collection::vec(any_rule(), 0..7);
    proptest::collection::vec((rules, select(vec![C, E])), 1..4).prop_map(|sessions| {
        let texts: Vec<(String, Vec<String>)> = sessions
            .into_iter()
            .enumerate()
            .map(|(n, (rules, target))| {
                let rules = rules.into_iter().enumerate().map(|(i, (accept, protocol, src, dst, ports))| {
                    let action = if accept { "accept" } else { "drop" };
                    rule(i as u32 + 1, action, &protocol, &ports).replace(
                        "\"DestinationPortRange\"",
                        &format!(
                            "\"SourceCidrBlock\":\"{src}\",\"DestinationCidrBlock\":\"{dst}\",\"DestinationPortRange\""
                        ),
                    )
                });
                (session(&format!("s{n}"), 10 - n as u32, 1500, target), rules.collect())
            })
            .collect();
        let texts: Vec<(String, &[String])> = texts.iter().map(|(s, r)| (s.clone(), &r[..])).collect();
        mirror(&texts)
    })
}

fn packet() -> impl Strategy<Value = (bool, u8, u16, u16, bool)> {
    (any::<bool>(), select(vec![6u8, 17, 1, 47]), 0u16..5, 0u16..5, any::<bool>())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]
    /// 2,000 configurations with 100 packets each.
    #[test]
    fn mirrors_what_the_oracle_says(
        config in configuration(), packets in proptest::collection::vec(packet(), 100)
    ) {
        let mut world = World::new(&config);
        let (a, b, d) = (world.eni(A), world.eni(B), world.eni(D));
        for (outbound, protocol, sport, dport, far) in packets {
            let peer = if far { &d } else { &b };
            let transport = match protocol {
                6 => tcp(sport, dport),
                17 => udp(sport, dport, 0),
                _ => vec![8; 8],
            };
            let (from, to) = if outbound { (&a, peer) } else { (peer, &a) };
            let mac = if far { ROUTER } else { to.mac };
            let frame = raw_frame((mac, from.mac), (from.primary, to.primary), protocol, &transport);
            let got = world.send(from.id.as_ref(), &[frame]);
            let vnis: Vec<u32> = got[1..].iter().map(|g| u32::from(g.1[48])).collect();
            let (sport, dport) = if matches!(protocol, 6 | 17) { (sport, dport) } else { (0, 0) };
            let wanted = expected(&world.model, 0, outbound, (from.primary, to.primary, protocol, sport, dport));
            prop_assert_eq!(vnis, wanted.into_iter().collect::<Vec<u32>>());
        }
    }

    /// Any change to a good frame: no panic, and nothing is lost uncounted (the world asserts it when it ends).
    #[test]
    fn mutated_frames_are_delivered_or_dropped_and_counted(
        changes in proptest::collection::vec((0usize..90, any::<u8>()), 0..6),
        cut in proptest::option::of(0usize..90),
        protocol in select(vec![1u8, 6, 17]),
        kind in select(vec![0x0800u16, 0x0806, 0x8035]),
    ) {
        let mut world = World::new(&everything());
        let (a, b) = (world.eni(A), world.eni(B));
        let mut frame = ip_frame(&a, &b, protocol, &udp(1, 2, 40));
        frame[12..14].copy_from_slice(&kind.to_be_bytes());
        for (at, byte) in changes {
            if let Some(b) = frame.get_mut(at) {
                *b = byte;
            }
        }
        frame.truncate(cut.unwrap_or(frame.len()));
        world.send(A, &[frame]);
    }
}
