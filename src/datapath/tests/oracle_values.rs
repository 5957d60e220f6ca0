//! The values of which the oracle's runs are made: configurations, and the files that say the same; packets, and frames.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::oracle::{Address, Configuration, Eni, Network, Packet, Piece, Rule, Session};
use super::world::{ROUTER, raw_frame, tcp, udp};
use crate::wire::Mac;

/// Two that may be sources, two targets, and another one; the last two in a subnet of their own.
pub const ENIS: [&str; 5] = ["eni-a", "eni-b", "eni-c", "eni-d", "eni-e"];
pub const MACS: [u8; 5] = [0x0a, 0x0b, 0x0c, 0x0d, 0x0e];
const MTUS: [usize; 5] = [8500, 8500, 1500, 8500, 1500];
const ADDRESSES: [&[Address]; 5] =
    [&[[10, 0, 1, 10], [10, 0, 1, 11]], &[[10, 0, 1, 20]], &[[10, 0, 1, 30]], &[[10, 0, 2, 40]], &[[10, 0, 2, 50]]];

fn subnet(eni: usize) -> usize {
    usize::from(eni > 2)
}

fn network() -> impl Strategy<Value = Network> {
    let narrow: Vec<Network> = vec![
        ([10, 0, 1, 10], 32),
        ([10, 0, 1, 11], 32),
        ([10, 0, 1, 10], 31),
        ([10, 0, 1, 8], 29),
        ([10, 0, 1, 20], 32),
        ([10, 0, 2, 40], 30),
        ([10, 0, 2, 48], 28),
        ([128, 0, 0, 0], 1),
    ];
    let wide: Vec<Network> = vec![
        ([0; 4], 0),
        ([0; 4], 1),
        ([8, 0, 0, 0], 5),
        ([10, 0, 0, 0], 22),
        ([10, 0, 1, 0], 24),
        ([10, 0, 2, 0], 23),
    ];
    prop_oneof![1 => select(narrow), 2 => select(wide)]
}

fn ports() -> impl Strategy<Value = Option<(u16, u16)>> {
    let ranges = vec![(0, 65535), (0, 0), (1, 1), (1, 3), (2, 2), (3, 65535), (65535, 65535), (60, 70)];
    prop_oneof![3 => Just(None), 2 => select(ranges).prop_map(Some)]
}

fn rule() -> impl Strategy<Value = Rule> {
    (any::<bool>(), select(vec![None, Some(1), Some(6), Some(17)]), network(), network(), ports(), ports()).prop_map(
        |(accept, protocol, source, destination, source_ports, destination_ports)| {
            let has_ports = matches!(protocol, Some(6 | 17));
            let only = |range: Option<(u16, u16)>| range.filter(|_| has_ports);
            Rule {
                id: String::new(),
                priority: 0,
                accept,
                protocol,
                source,
                destination,
                source_ports: only(source_ports),
                destination_ports: only(destination_ports),
            }
        },
    )
}

/// A session with up to 20 rules in both directions together, in no order; ids and priorities come later.
fn session() -> impl Strategy<Value = Session> {
    let some = |count: std::ops::RangeInclusive<usize>| proptest::collection::vec((any::<bool>(), rule()), count);
    let rules = prop_oneof![3 => some(0..=7), 1 => some(20..=20)];
    let order = Just((1..=20u32).collect::<Vec<_>>()).prop_shuffle();
    let lengths = select(vec![64, 100, 1449, 1450, 1451, 1500, 8450, 8500]);
    let sources = select(vec![vec![0], vec![1], vec![0, 1], vec![1, 0], vec![0, 1]]);
    (rules, order, lengths, sources, 2usize..4, prop::bool::weighted(0.9)).prop_map(
        |(rules, order, packet_length, sources, target, enabled)| {
            let (mut ingress, mut egress) = (Vec::new(), Vec::new());
            for ((into, rule), place) in rules.into_iter().zip(order) {
                let rule = Rule { priority: place * 838_860, ..rule };
                if into { ingress.push(rule) } else { egress.push(rule) }
            }
            Session { priority: 0, enabled, vni: 0, packet_length, sources, target, ingress, egress }
        },
    )
}

pub fn configuration() -> impl Strategy<Value = Configuration> {
    let sessions = proptest::collection::vec(session(), 1..4);
    let priorities = Just(vec![1u32, 400, 32_766]).prop_shuffle();
    let vnis = Just(vec![0u32, 4096, 16_777_215]).prop_shuffle();
    let platform = select(vec![vec![], vec![([100, 64, 0, 0], 10)], vec![([10, 0, 2, 48], 29), ([10, 0, 1, 30], 32)]]);
    let denied = prop_oneof![4 => Just(None), 1 => (any::<bool>(), 1u16..4).prop_map(Some)];
    (sessions, priorities, vnis, platform, prop::bool::weighted(0.8), denied).prop_map(
        |(mut sessions, priorities, vnis, platform, jumbo_mirroring, denied)| {
            for (at, session) in sessions.iter_mut().enumerate() {
                (session.priority, session.vni) = (priorities[at], vnis[at]);
                for (n, rule) in session.ingress.iter_mut().chain(&mut session.egress).enumerate() {
                    rule.id = format!("r-{at}-{n}");
                }
            }
            let enis = ADDRESSES.iter().zip(MTUS).map(|(a, mtu)| Eni { addresses: a.to_vec(), mtu }).collect();
            Configuration { enis, sessions, platform, jumbo_mirroring, denied }
        },
    )
}

fn dotted(address: Address) -> String {
    address.map(|byte| byte.to_string()).join(".")
}

fn cidr(network: &Network) -> String {
    format!("{}/{}", dotted(network.0), network.1)
}

fn rule_object(rule: &Rule) -> Value {
    let range = |ports: Option<(u16, u16)>| ports.map_or("-1/-1".to_owned(), |(first, last)| format!("{first}/{last}"));
    let mut object = json!({
        "TrafficMirrorFilterRuleId": rule.id, "Priority": rule.priority,
        "Action": if rule.accept { "accept" } else { "drop" },
        "Protocol": rule.protocol.map_or("ALL", |p| match p { 1 => "ICMP", 6 => "TCP", _ => "UDP" }),
        "SourcePortRange": range(rule.source_ports), "DestinationPortRange": range(rule.destination_ports),
    });
    // Any network may also be left out.
    for (key, network) in [("SourceCidrBlock", &rule.source), ("DestinationCidrBlock", &rule.destination)] {
        if network.1 > 0 || rule.accept {
            object[key] = json!(cidr(network));
        }
    }
    object
}

/// Inventory and mirror file.
pub fn files(configuration: &Configuration) -> (String, String) {
    let enis = configuration.enis.iter().enumerate().map(|(at, eni)| {
        json!({
            "NetworkInterfaceId": ENIS[at], "VSwitchId": format!("vsw-{}", subnet(at)), "Mtu": eni.mtu,
            "MacAddress": format!("02:00:00:00:00:{:02x}", MACS[at]), "PrivateIpAddress": dotted(eni.addresses[0]),
            "SecondaryPrivateIpAddresses": eni.addresses[1..].iter().map(|a| dotted(*a)).collect::<Vec<_>>(),
        })
    });
    let inventory = json!({
        "RegionId": "local", "JumboMirroring": configuration.jumbo_mirroring,
        "PlatformCidrs": configuration.platform.iter().map(cidr).collect::<Vec<_>>(),
        "Vpcs": [{ "VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16" }],
        "VSwitches": [
            { "VSwitchId": "vsw-0", "VpcId": "vpc-1", "CidrBlock": "10.0.1.0/24" },
            { "VSwitchId": "vsw-1", "VpcId": "vpc-1", "CidrBlock": "10.0.2.0/24" },
        ],
        "NetworkInterfaces": enis.collect::<Vec<_>>(),
    });
    let rules = |rules: &[Rule]| rules.iter().map(rule_object).collect::<Vec<_>>();
    let filters = configuration.sessions.iter().enumerate().map(|(at, session)| {
        json!({
            "TrafficMirrorFilterId": format!("f-{at}"),
            "IngressRules": rules(&session.ingress), "EgressRules": rules(&session.egress),
        })
    });
    let sessions = configuration.sessions.iter().enumerate().map(|(at, session)| {
        json!({
            "TrafficMirrorSessionId": format!("s-{at}"), "TrafficMirrorFilterId": format!("f-{at}"),
            "Enabled": session.enabled, "Priority": session.priority, "PacketLength": session.packet_length,
            "VirtualNetworkId": session.vni, "TrafficMirrorTargetType": "NetworkInterface",
            "TrafficMirrorTargetId": ENIS[session.target],
            "TrafficMirrorSourceIds": session.sources.iter().map(|s| ENIS[*s]).collect::<Vec<_>>(),
        })
    });
    let (filters, sessions): (Vec<_>, Vec<_>) = (filters.collect(), sessions.collect());
    (inventory.to_string(), json!({ "TrafficMirrorFilters": filters, "TrafficMirrorSessions": sessions }).to_string())
}

/// A packet of `from`, made of a number's digits; and the ENI that it is for, if its frame names one's MAC.
pub fn packet(configuration: &Configuration, from: usize, seed: u64) -> (Packet, Option<usize>) {
    let mut rest = seed / 64;
    let mut digit = |below: u64| {
        let digit = rest % below;
        rest /= below;
        digit as usize
    };
    let own = &configuration.enis[from].addresses;
    let source = own[digit(4).min(own.len() - 1)];
    let to = [0, 0, 1, 1, 2, 3, 4, 5, 6][digit(9)];
    let destination = match to {
        5 => [100, 64, 0, 1],
        6 => [10, 0, 1, 99],
        eni => configuration.enis[eni].addresses[digit(2).min(configuration.enis[eni].addresses.len() - 1)],
    };
    let protocol = [6, 6, 6, 17, 17, 17, 1, 47][digit(8)];
    let port = |n: usize| [0, 1, 2, 3, 4, 67, 68, 65535][n];
    let ports = match digit(16) {
        0 => (67, 68),
        1 => (68, 67),
        _ => (port(digit(8)), port(digit(8))),
    };
    let piece = match digit(16) {
        0..=8 => Piece::Whole,
        9..=10 => Piece::First,
        11 => Piece::ShortFirst,
        12 => Piece::Second,
        _ => Piece::Later,
    };
    let total = match digit(3) {
        0 => [1449, 1450, 1451, 1500, 1501, 8449, 8450, 8451, 8500][digit(9)],
        _ => 40 + digit(120),
    };
    let total = total.min(configuration.enis[from].mtu);
    let total = if piece == Piece::ShortFirst { 22 } else { total };
    let packet = Packet { from, source, destination, protocol, ports, id: digit(2) as u16, piece, total };
    let near = to < 5 && to != from && subnet(to) == subnet(from);
    (packet, Some(to).filter(|_| near && digit(8) > 0))
}

/// The packet's bytes, to an ENI's MAC or to the router's.
pub fn frame(packet: &Packet, to: Option<usize>) -> Vec<u8> {
    let mac = |at: usize| Mac([2, 0, 0, 0, 0, MACS[at]]);
    let length = packet.total - 20;
    let mut transport = match packet.protocol {
        6 => tcp(packet.ports.0, packet.ports.1),
        17 => udp(packet.ports.0, packet.ports.1, length.saturating_sub(8)),
        _ => vec![8; 8],
    };
    // What is no transport header looks like one.
    if matches!(packet.piece, Piece::Later | Piece::Second) {
        transport = vec![0, 1, 0, 2];
    }
    transport.resize(length, 0x5a);
    let ips = (u32::from_be_bytes(packet.source), u32::from_be_bytes(packet.destination));
    let mut frame = raw_frame((to.map_or(ROUTER, mac), mac(packet.from)), ips, packet.protocol, &transport);
    let word: u16 = match packet.piece {
        Piece::Whole => 0x4000,
        Piece::First | Piece::ShortFirst => 0x2000,
        Piece::Second => 0x2001,
        Piece::Later => 9,
    };
    frame[18..20].copy_from_slice(&packet.id.to_be_bytes());
    frame[20..22].copy_from_slice(&word.to_be_bytes());
    sum(&mut frame);
    frame
}

/// A frame as its receiver gets it: through the router, unless it names the receiver and both are in one subnet.
pub fn routed(sent: &[u8], from: usize, to: usize) -> Vec<u8> {
    let mut frame = sent.to_vec();
    let receiver = [2, 0, 0, 0, 0, MACS[to]];
    if subnet(from) == subnet(to) && frame[..6] == receiver {
        return frame;
    }
    frame[..6].copy_from_slice(&receiver);
    frame[6..12].copy_from_slice(&ROUTER.0);
    if subnet(from) != subnet(to) {
        frame[22] -= 1;
        sum(&mut frame);
    }
    frame
}

/// RFC 1071, word by word.
fn sum(frame: &mut [u8]) {
    frame[24..26].fill(0);
    let mut sum: u32 = frame[14..34].chunks(2).map(|word| u32::from(word[0]) << 8 | u32::from(word[1])).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    frame[24..26].copy_from_slice(&(!(sum as u16)).to_be_bytes());
}
