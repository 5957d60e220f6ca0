//! Models and frames for the comparison of `explain` with the packet's way.
#![allow(clippy::unwrap_used)]

use serde_json::json;

use crate::control::config::Config;
use crate::control::model::{Model, Target};
use crate::control::model_from_json;

pub(super) const MACS: [[u8; 6]; 6] = [
    [2, 0, 0, 0, 0, 0xa],
    [2, 0, 0, 0, 0, 0xb],
    [2, 0, 0, 0, 0, 0xc],
    [0xee, 255, 255, 255, 255, 255],
    [255; 6],
    [1; 6],
];
/// Three neighbours, one in another subnet, then nobody, the platform, broadcast and multicast.
pub(super) const ADDRESSES: [[u8; 4]; 8] = [
    [10, 0, 1, 10],
    [10, 0, 1, 20],
    [10, 0, 1, 30],
    [10, 0, 2, 40],
    [10, 0, 1, 99],
    [100, 64, 0, 1],
    [10, 0, 1, 255],
    [224, 0, 0, 1],
];

/// eni-a and eni-b are sources, eni-c (MTU 1500) and eni-d targets; eni-x is in another VPC.
pub(super) fn model(variant: usize) -> Model {
    let eni = |id: &str, subnet: &str, mac: u8, ip: &str, mtu: u16| {
        json!({
            "NetworkInterfaceId": id, "VSwitchId": subnet, "MacAddress": format!("02:00:00:00:00:{mac:02x}"),
            "PrivateIpAddress": ip, "Mtu": mtu,
        })
    };
    let inventory = json!({
        "RegionId": "local", "JumboMirroring": variant != 1, "PlatformCidrs": ["100.64.0.0/10"],
        "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}, {"VpcId": "vpc-2", "CidrBlock": "10.1.0.0/16"}],
        "VSwitches": [
            {"VSwitchId": "vsw-1", "VpcId": "vpc-1", "CidrBlock": "10.0.1.0/24"},
            {"VSwitchId": "vsw-2", "VpcId": "vpc-1", "CidrBlock": "10.0.2.0/24"},
            {"VSwitchId": "vsw-3", "VpcId": "vpc-2", "CidrBlock": "10.1.0.0/24"},
        ],
        "NetworkInterfaces": [
            eni("eni-a", "vsw-1", 0x0a, "10.0.1.10", 8500), eni("eni-b", "vsw-1", 0x0b, "10.0.1.20", 8500),
            eni("eni-c", "vsw-1", 0x0c, "10.0.1.30", 1500), eni("eni-d", "vsw-2", 0x0d, "10.0.2.40", 8500),
            eni("eni-x", "vsw-3", 0x0e, "10.1.0.60", 1500),
        ],
    });
    let rule = |id: &str, priority: u32, action: &str, protocol: &str, ports: &str| {
        json!({
            "TrafficMirrorFilterRuleId": id, "Priority": priority, "Action": action, "Protocol": protocol,
            "DestinationPortRange": ports,
        })
    };
    let session = |n: usize, sources: &[&str], target: &str| {
        json!({
            "TrafficMirrorSessionId": format!("s-{n}"), "TrafficMirrorFilterId": format!("f-{n}"), "Enabled": true,
            "Priority": n, "PacketLength": if n == 1 { 8500 } else { 100 }, "VirtualNetworkId": n, "TrafficMirrorSourceIds": sources,
            "TrafficMirrorTargetId": target, "TrafficMirrorTargetType": "NetworkInterface",
        })
    };
    let first = if variant == 2 { "eni-x" } else { "eni-c" };
    let mirror = json!({
        "TrafficMirrorFilters": [
            {"TrafficMirrorFilterId": "f-1",
             "EgressRules": [rule("o-1", 1, "drop", "UDP", "2/2"), rule("o-2", 2, "accept", "UDP", "0/100")],
             "IngressRules": [rule("i-1", 1, "accept", "TCP", "-1/-1"), rule("i-2", 5, "drop", "ICMP", "-1/-1")]},
            {"TrafficMirrorFilterId": "f-2",
             "EgressRules": [rule("late-1", 1, "accept", "TCP", "1/3")],
             "IngressRules": [rule("late-2", 1, "accept", "UDP", "3/3")]},
        ],
        "TrafficMirrorSessions": [session(1, &["eni-a", "eni-b"], first), session(2, &["eni-a"], "eni-d")],
    });
    let mut config = Config::default();
    config.quotas.sources_per_session = 10;
    let mut model = model_from_json(("i", &inventory.to_string()), ("m", &mirror.to_string()), &config).unwrap();
    match variant {
        3 => model.sessions[0].locked = true,
        4 => model.sessions[0].target = Target::Gwlbe("gwlbe-1".to_owned()),
        5 => (model.sessions[0].target, model.region.gwlb) = (Target::Gwlbe("gwlbe-1".to_owned()), false),
        // What the API refuses, and an inventory may bring about.
        6 => model.sessions[1].sources.push(2),
        _ => {}
    }
    model
}

/// Models there are.
pub(super) const VARIANTS: usize = 7;

/// A frame made of a number's digits: mostly sound, mostly sent by an ENI, or to it.
pub(super) fn frame(seed: u64, id: u16, eni: usize, outbound: bool) -> Vec<u8> {
    let mut rest = seed;
    let mut digit = |below: u64| {
        let digit = rest % below;
        rest /= below;
        digit as usize
    };
    let mostly = |n: usize, usual: usize| if n < usual { None } else { Some(n - usual) };
    let own = mostly(digit(24), 18).map_or(eni, |n| n.min(2));
    let other = digit(10).min(7);
    // Half of what the target sends complains about copies.
    let complains = outbound && eni == 2 && digit(2) == 0;
    let (from, to) = match outbound {
        _ if complains => (own, other % 2),
        true => (own, other),
        false => (other.min(2), own),
    };
    let mac = mostly(digit(20), 14).unwrap_or(if to < 3 { to } else { 3 });
    let length = match digit(4) {
        0 => [1450, 1451, 1500, 1501, 8450, 8451, 8500, 8501][digit(8)],
        _ => 28 + digit(100),
    };
    let protocol = if complains { 1 } else { [17, 17, 6, 6, 1, 47][digit(6)] };
    let mut frame = vec![0u8; 14 + length];
    frame[..6].copy_from_slice(&MACS[mac]);
    frame[6..12].copy_from_slice(&MACS[from]);
    frame[12..16].copy_from_slice(&[8, 0, 0x45, 0]);
    frame[16..18].copy_from_slice(&(length as u16).to_be_bytes());
    frame[18..20].copy_from_slice(&id.to_be_bytes());
    let word: u16 = mostly(digit(40), 30).map_or(0x4000, |n| [0x2000, 1, 9, 0x1fff][n % 4]);
    frame[20..22].copy_from_slice(&word.to_be_bytes());
    frame[22..24].copy_from_slice(&[if digit(10) == 0 { 1 } else { 64 }, protocol]);
    frame[26..30].copy_from_slice(&ADDRESSES[from]);
    frame[30..34].copy_from_slice(&ADDRESSES[to]);
    match protocol {
        6 | 17 => {
            let ports = [[0, 68, 0, 67], [0, 1, 0, digit(5) as u8], [4, 0, 0, 1]][digit(9).saturating_sub(6)];
            frame[34..38].copy_from_slice(&ports);
            frame[38..40].copy_from_slice(&((length - 20) as u16).to_be_bytes());
            if protocol == 6 && frame.len() > 46 {
                frame[46] = 0x50;
            }
        }
        // An error about UDP that the receiver sent: about a copy, if it has the port.
        1 if length >= 20 + 8 + 24 => {
            frame[34] = [3, 11, 8][digit(3)];
            frame[42] = 0x45;
            frame[51] = 17;
            frame[54..58].copy_from_slice(&ADDRESSES[to]);
            frame[58..62].copy_from_slice(&ADDRESSES[from]);
            frame[62..66].copy_from_slice(&[0xc0, 0, 0x12, 0xb5]);
        }
        _ => {}
    }
    let ethertype =
        mostly(digit(60), 50).map(|n| [[8, 6], [8, 6], [0x80, 0x35], [0x81, 0], [0x86, 0xdd], [0, 46]][n % 6]);
    if let Some(ethertype) = ethertype {
        frame[12..14].copy_from_slice(&ethertype);
    }
    if ethertype == Some([8, 6]) {
        frame[..6].fill(0xff);
        frame[14..22].copy_from_slice(&[0, 1, 8, 0, 6, if digit(8) == 0 { 5 } else { 4 }, 0, 1]);
        frame[22..28].copy_from_slice(&MACS[from]);
        frame[28..32].copy_from_slice(&ADDRESSES[from]);
        frame[38..42].copy_from_slice(&ADDRESSES[to]);
    }
    // Lies: anything at any place, or an end too early.
    if digit(4) == 0 {
        let at = digit(48) % frame.len();
        frame[at] = [0, 0xff, digit(256) as u8][digit(3)];
    }
    if digit(20) == 0 {
        frame.truncate(digit(64));
    }
    frame
}
