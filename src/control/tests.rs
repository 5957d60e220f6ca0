//! Files in, values or complaints out.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::config::Config;
use super::model::{Model, Target};
use super::model_from_json;

const INVENTORY: &str = include_str!("../../conf/inventory.json");
const MIRROR: &str = include_str!("../../conf/mirror.json");

pub(super) fn load(inventory: &Value, mirror: &Value) -> Result<Model, Vec<String>> {
    let (inventory, mirror) = (inventory.to_string(), mirror.to_string());
    model_from_json(("i.json", &inventory), ("m.json", &mirror), &Config::default())
        .map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

pub(super) fn shipped() -> (Value, Value) {
    (serde_json::from_str(INVENTORY).unwrap(), serde_json::from_str(MIRROR).unwrap())
}

/// Loads the shipped files after `change`, and returns the complaints.
pub(super) fn complaints(change: impl FnOnce(&mut Value, &mut Value)) -> Vec<String> {
    let (mut inventory, mut mirror) = shipped();
    change(&mut inventory, &mut mirror);
    load(&inventory, &mirror).expect_err("accepted")
}

#[test]
fn the_shipped_files_are_sound() {
    let (inventory, mirror) = shipped();
    let model = load(&inventory, &mirror).unwrap();
    assert_eq!(model.enis.len(), 3);
    assert_eq!(model.sessions[0].vni, 10);
    assert_eq!(model.sessions[0].target, Target::Eni(2));
    assert_eq!(model.filters[0].egress.len(), 3);
}

#[test]
fn each_mistake_has_its_sentence() {
    type Change = fn(&mut Value, &mut Value);
    let cases: Vec<(Change, &str)> = vec![
        (
            |i, _| i["RegionId"] = json!("mars"),
            "i.json: RegionId = \"mars\": this process serves region local (region.id)",
        ),
        (
            |i, _| i["NetworkInterfaces"][1]["Mtu"] = json!(9000),
            "i.json: NetworkInterfaces[1].Mtu = 9000: 1500 or 8500",
        ),
        (
            |i, _| i["NetworkInterfaces"][1]["QueuePairs"] = json!(9),
            "i.json: NetworkInterfaces[1].QueuePairs = 9: a whole number from 1 to 8",
        ),
        (
            |i, _| i["NetworkInterfaces"][1]["MacAddress"] = json!("01:00:00:00:00:01"),
            "i.json: NetworkInterfaces[1].MacAddress = \"01:00:00:00:00:01\": a unicast MAC address such as 02:00:00:00:00:0a",
        ),
        (
            |i, _| i["NetworkInterfaces"][1]["MacAddress"] = json!("02:00:00:00:00:0a"),
            "i.json: NetworkInterfaces[1].MacAddress = \"02:00:00:00:00:0a\": another ENI of the subnet has this MAC",
        ),
        (
            |i, _| i["NetworkInterfaces"][1]["PrivateIpAddress"] = json!("10.0.0.10"),
            "i.json: NetworkInterfaces[1].PrivateIpAddress = \"10.0.0.10\": ENI eni-a of the VPC has this address",
        ),
        (
            |i, _| i["NetworkInterfaces"][1]["PrivateIpAddress"] = json!("10.0.1.1"),
            "i.json: NetworkInterfaces[1].PrivateIpAddress = \"10.0.1.1\": must lie in the vSwitch's network 10.0.0.0/24",
        ),
        (
            |i, _| i["NetworkInterfaces"][1]["PrivateIpAddress"] = json!("10.0.0.253"),
            "i.json: NetworkInterfaces[1].PrivateIpAddress = \"10.0.0.253\": is the subnet's network, broadcast or gateway address",
        ),
        (
            |i, _| i["NetworkInterfaces"][1]["VSwitchId"] = json!("vsw-x"),
            "i.json: NetworkInterfaces[1].VSwitchId = \"vsw-x\": the id of a vSwitch in VSwitches",
        ),
        (
            |i, _| i["VSwitches"][0]["CidrBlock"] = json!("10.0.0.7/24"),
            "i.json: VSwitches[0].CidrBlock = \"10.0.0.7/24\": host bits are set; the network is 10.0.0.0/24",
        ),
        (
            |_, m| m["TrafficMirrorFilters"][0]["EgressRules"][1]["Priority"] = json!(1),
            "m.json: TrafficMirrorFilters[0].EgressRules[1].Priority = 1: rule tmr-out-1 of this direction has it; priorities are unique",
        ),
        (
            |_, m| m["TrafficMirrorFilters"][0]["EgressRules"][1]["Action"] = json!("copy"),
            "m.json: TrafficMirrorFilters[0].EgressRules[1].Action = \"copy\": accept or drop",
        ),
        (
            |_, m| m["TrafficMirrorFilters"][0]["EgressRules"][1]["SourcePortRange"] = json!("9/8"),
            "m.json: TrafficMirrorFilters[0].EgressRules[1].SourcePortRange = \"9/8\": a range from 0 to 65535 such as 80/443, or -1/-1 for any",
        ),
        (
            |_, m| m["TrafficMirrorSessions"][0]["PacketLength"] = json!(63),
            "m.json: TrafficMirrorSessions[0].PacketLength = 63: bytes of IP, a whole number from 64 to 8500",
        ),
        (
            |_, m| m["TrafficMirrorSessions"][0]["VirtualNetworkId"] = json!(16_777_216),
            "m.json: TrafficMirrorSessions[0].VirtualNetworkId = 16777216: a whole number from 0 to 16777215",
        ),
        (
            |_, m| m["TrafficMirrorSessions"][0]["TrafficMirrorTargetId"] = json!("eni-x"),
            "m.json: TrafficMirrorSessions[0].TrafficMirrorTargetId = \"eni-x\": the id of an ENI in the inventory",
        ),
        (
            |_, m| m["TrafficMirrorSessions"][0]["TrafficMirrorTargetId"] = json!("eni-a"),
            "m.json: TrafficMirrorSessions[0].TrafficMirrorSourceIds: ENI eni-a is the target of a session: it cannot be a source",
        ),
        (
            |i, _| i["NetworkInterfaces"][0]["Managed"] = json!(true),
            "m.json: TrafficMirrorSessions[0].TrafficMirrorSourceIds[0] = \"eni-a\": is a managed ENI: it cannot be a source",
        ),
        (
            |i, _| i["NetworkInterfaces"][0]["OwnerId"] = json!("7"),
            "m.json: TrafficMirrorSessions[0].TrafficMirrorSourceIds: ENI eni-a belongs to another account than the target",
        ),
        (
            |_, m| m["TrafficMirrorSessions"][0]["Prority"] = json!(1),
            "m.json: TrafficMirrorSessions[0].Prority = 1: unknown key; the nearest known one is Priority",
        ),
    ];
    for (change, expected) in cases {
        assert_eq!(complaints(change), [expected]);
    }
}

#[test]
fn protocols_without_ports_take_no_range() {
    let lines = complaints(|_, m| m["TrafficMirrorFilters"][0]["IngressRules"][0]["Protocol"] = json!("ICMP"));
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].ends_with("SourcePortRange = \"9999/9999\": -1/-1: only TCP and UDP have ports"), "{lines:?}");
}

#[test]
fn twelve_errors_are_twelve_lines() {
    let lines = complaints(|i, _| {
        i["Vpcs"][0]["Name"] = json!(1);
        i["JumboMirroring"] = json!("perhaps");
        for eni in i["NetworkInterfaces"].as_array_mut().unwrap().iter_mut().take(2) {
            eni["Mtu"] = json!(0);
            eni["QueuePairs"] = json!(0);
            eni["SocketMode"] = json!("both");
            eni["Managed"] = json!(3);
            eni["InstanceId"] = json!("a b");
        }
    });
    assert_eq!(lines.len(), 12, "{lines:#?}");
}

#[test]
fn quotas_are_counted() {
    let lines = complaints(|_, m| {
        let rule = m["TrafficMirrorFilters"][0]["EgressRules"][1].clone();
        let rules = (0..21).map(|n| {
            let mut rule = rule.clone();
            rule["Priority"] = json!(n + 1);
            rule["TrafficMirrorFilterRuleId"] = json!(format!("r-{n}"));
            rule
        });
        m["TrafficMirrorFilters"][0]["EgressRules"] = rules.collect();
        m["TrafficMirrorFilters"][0]["IngressRules"] = json!([]);
    });
    assert_eq!(lines[0], "m.json: TrafficMirrorFilters[0]: 21 rules in both directions; the quota is 20");
    let lines = complaints(|_, m| {
        let session = m["TrafficMirrorSessions"][0].clone();
        let sessions = (0..4).map(|n| {
            let mut session = session.clone();
            session["Priority"] = json!(n + 1);
            session["TrafficMirrorSessionId"] = json!(format!("s-{n}"));
            session
        });
        m["TrafficMirrorSessions"] = sessions.collect();
    });
    assert_eq!(
        lines,
        ["m.json: TrafficMirrorSessions[3].TrafficMirrorSourceIds: ENI eni-a is in more than 3 sessions"]
    );
}

#[test]
fn text_that_is_not_json_says_so() {
    let problems = model_from_json(("i.json", "{"), ("m.json", MIRROR), &Config::default()).unwrap_err();
    assert_eq!(problems.len(), 1);
    assert!(problems[0].to_string().starts_with("i.json: is not JSON: "), "{}", problems[0]);
}

proptest! {
    /// Any byte of the shipped files may be anything: an answer comes, never a panic.
    #[test]
    fn mutated_files_never_panic(at in any::<prop::sample::Index>(), byte in 0x20u8..0x7f, which in any::<bool>()) {
        let mutate = |text: &str| {
            let mut bytes = text.as_bytes().to_vec();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            String::from_utf8(bytes).unwrap()
        };
        let (i, m) = if which { (mutate(INVENTORY), MIRROR.to_owned()) } else { (INVENTORY.to_owned(), mutate(MIRROR)) };
        let _ = model_from_json(("i.json", &i), ("m.json", &m), &Config::default());
    }
}
