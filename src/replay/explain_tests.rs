//! One packet explained: the same answer as the packet's way gives, and no counter moves.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::explain::explain;
use crate::control::compile::compile;
use crate::control::config::Config;
use crate::control::model::{Model, Target};
use crate::control::model_from_json;
use crate::control::registry::Registry;
use crate::packet::Reason;

/// The shipped files with a second session behind the first, of two rules, to a jumbo ENI; everything is jumbo but eni-c.
fn model() -> Model {
    let mut inventory: Value = serde_json::from_str(include_str!("../../conf/inventory.json")).unwrap();
    let mut mirror: Value = serde_json::from_str(include_str!("../../conf/mirror.json")).unwrap();
    let mut fourth = inventory["NetworkInterfaces"][2].clone();
    fourth["NetworkInterfaceId"] = json!("eni-d");
    fourth["MacAddress"] = json!("02:00:00:00:00:0d");
    fourth["PrivateIpAddress"] = json!("10.0.0.40");
    inventory["NetworkInterfaces"].as_array_mut().unwrap().push(fourth);
    for n in [0, 1, 3] {
        inventory["NetworkInterfaces"][n]["Mtu"] = json!(8500);
    }
    let rule = |id: &str, priority: u32, protocol: &str, ports: &str, destination: &str| {
        json!({
            "TrafficMirrorFilterRuleId": id, "Priority": priority, "Action": "accept", "Protocol": protocol,
            "DestinationCidrBlock": destination, "DestinationPortRange": ports,
        })
    };
    let filter = json!({
        "TrafficMirrorFilterId": "tmf-2",
        "EgressRules": [rule("late-1", 1, "ICMP", "-1/-1", "10.0.0.40/32"), rule("late-2", 2, "ALL", "-1/-1", "0.0.0.0/0")],
    });
    mirror["TrafficMirrorFilters"].as_array_mut().unwrap().push(filter);
    let mut second = mirror["TrafficMirrorSessions"][0].clone();
    for (key, value) in [
        ("TrafficMirrorSessionId", json!("tms-2")),
        ("TrafficMirrorFilterId", json!("tmf-2")),
        ("Priority", json!(7)),
        ("VirtualNetworkId", json!(77)),
        ("TrafficMirrorTargetId", json!("eni-d")),
    ] {
        second[key] = value;
    }
    mirror["TrafficMirrorSessions"].as_array_mut().unwrap().push(second);
    let texts = (inventory.to_string(), mirror.to_string());
    model_from_json(("i", &texts.0), ("m", &texts.1), &Config::default()).unwrap()
}

fn ask(model: &Model, query: Value) -> Result<Value, String> {
    let query = serde_json::from_value(query).map_err(|e| e.to_string())?;
    explain(model, Registry::new(1), 64, &query)
}

/// From eni-a to eni-b unless `fields` say otherwise.
fn out(model: &Model, fields: Value) -> Value {
    let mut query = json!({
        "eni": "eni-a", "direction": "out", "source": "10.0.0.10", "destination": "10.0.0.20", "protocol": "tcp",
    });
    for (key, value) in fields.as_object().unwrap() {
        query[key] = value.clone();
    }
    ask(model, query).unwrap()
}

fn results(judged: &Value) -> Vec<(String, String, Vec<String>)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let sessions = judged["sessions"].as_array().unwrap().iter();
    let of = |rule: &Value| format!("{} {}", text(&rule["id"]), text(&rule["result"]));
    let list = sessions.map(|s| {
        let rules = s["rules"].as_array().unwrap().iter().map(of).collect();
        (text(&s["session"]), text(&s["result"]), rules)
    });
    list.collect()
}

#[test]
fn a_mirrored_packet_names_sessions_rules_and_its_copy() {
    let answer = out(&model(), json!({ "source_port": 1000, "destination_port": 80, "length": 1500 }));
    assert_eq!(answer["service"], json!({ "verdict": "delivered", "to": "eni-b" }));
    assert_eq!((&answer["mirrored"], &answer["version"]), (&json!(true), &json!(1)));
    let judged = &answer["mirror"][0];
    for (key, value) in [
        ("verdict", json!("mirrored")),
        ("eni", json!("eni-a")),
        ("direction", json!("outbound")),
        ("session", json!("tms-demo")),
        ("rule", json!("tmr-out-2")),
        ("target", json!("eni-c")),
        ("target_type", json!("NetworkInterface")),
        ("path_mtu", json!(1500)),
        ("total", json!(1500)),
        ("kept", json!(1450)),
        ("cut", json!("path_mtu")),
        ("cut_why", json!("cut from 1500 to 1450 bytes of IP by the path's MTU of 1500 less 50 of encapsulation")),
        ("why", json!(null)),
        ("advice", json!(null)),
    ] {
        assert_eq!(judged[key], value, "{key}");
    }
    let copy = &judged["copy"];
    // 10.0.0.10:1000 to 10.0.0.20:80: the port is the flow hash's.
    let port = crate::wire::hash::flow_hash(0x0a00_000a, 0x0a00_0014, 6, Some((1000, 80)));
    assert_eq!(
        *copy,
        json!({
            "vni": 10, "source": "10.0.0.10", "source_port": crate::wire::hash::source_port(port),
            "destination": "10.0.0.30", "destination_port": 4789,
            "source_mac": "02:00:00:00:00:0a", "destination_mac": "02:00:00:00:00:0c",
            "bytes": 50 + 14 + 1450, "inner_bytes": 14 + 1450,
        })
    );
    let rules = ["tmr-out-1 no_match", "tmr-out-2 matched", "tmr-out-3 not_reached"].map(str::to_owned);
    let late = ["late-1 not_reached", "late-2 not_reached"].map(str::to_owned);
    let expected = [
        ("tms-demo".to_owned(), "decided".to_owned(), rules.to_vec()),
        ("tms-2".to_owned(), "not_reached".to_owned(), late.to_vec()),
    ];
    assert_eq!(results(judged), expected);
    let first = &judged["sessions"][0]["rules"][0];
    assert_eq!(first["differs"], json!(["protocol", "destination_ports"]));
}

#[test]
fn the_next_session_is_asked_when_no_rule_matches() {
    let answer = out(&model(), json!({ "protocol": "47", "length": 8500 }));
    let judged = &answer["mirror"][0];
    assert_eq!((&judged["session"], &judged["rule"]), (&json!("tms-2"), &json!("late-2")));
    assert_eq!(
        (&judged["kept"], &judged["cut"], &judged["path_mtu"]),
        (&json!(1500), &json!("packet_length"), &json!(8500))
    );
    let why = "cut from 8500 to 1500 bytes of IP by the session's PacketLength; the path has room for 8450, \
               but a larger target does not raise PacketLength";
    assert_eq!(judged["cut_why"], why);
    let told = results(judged);
    assert_eq!((told[0].1.as_str(), told[1].1.as_str()), ("no_rule_matched", "decided"));
    assert_eq!(told[1].2, ["late-1 no_match", "late-2 matched"]);
    assert_eq!(judged["sessions"][1]["rules"][0]["differs"], json!(["destination", "protocol"]));
}

#[test]
fn every_way_not_to_be_mirrored_has_its_sentence_and_advice() {
    let mut model = model();
    let said = |answer: &Value| {
        let judged = &answer["mirror"][0];
        assert_eq!((&answer["mirrored"], &judged["copy"].is_null()), (&json!(false), &true), "{answer}");
        for key in ["why", "advice"] {
            assert!(judged[key].as_str().unwrap().ends_with('.'), "{answer}");
        }
        (judged["verdict"].as_str().unwrap().to_owned(), judged["reason"].as_str().unwrap_or_default().to_owned())
    };
    let pair = |verdict: &str, reason: &str| (verdict.to_owned(), reason.to_owned());
    let dropped = out(&model, json!({ "protocol": "udp", "destination_port": 9999 }));
    assert_eq!((said(&dropped), &dropped["mirror"][0]["rule"]), (pair("refused", ""), &json!("tmr-out-1")));
    let told = results(&dropped["mirror"][0]);
    assert_eq!((told[0].2[0].as_str(), told[1].1.as_str()), ("tmr-out-1 matched", "not_reached"));
    let dhcp = out(&model, json!({ "protocol": "udp", "source_port": 68, "destination_port": 67 }));
    assert_eq!(said(&dhcp), pair("excluded", "dhcp"));
    assert_eq!(dhcp["mirror"][0]["advice"], Reason::Dhcp.advice());
    assert_eq!(results(&dhcp["mirror"][0])[0].1, "not_asked");
    let platform = out(&model, json!({ "destination": "100.64.0.1" }));
    assert_eq!(said(&platform), pair("excluded", "platform"));
    assert_eq!(platform["service"]["reason"], "no_route");
    assert_eq!(
        (&platform["service"]["stage"], &platform["service"]["advice"]),
        (&json!("route"), &json!(Reason::NoRoute.advice()))
    );
    // A later fragment: where a rule asks for ports, nobody knows.
    let fragment = "02000000000b 02000000000a 0800 4500001c 00010009 40110000 0a00000a 0a000014 0000000000000000";
    let orphan = ask(&model, json!({ "eni": "eni-a", "direction": "out", "hex": fragment })).unwrap();
    assert_eq!(said(&orphan), pair("excluded", "fragment_orphan"));
    assert_eq!((&orphan["packet"]["fragment"], &dhcp["packet"]["fragment"]), (&json!(true), &json!(false)));
    assert_eq!(results(&orphan["mirror"][0])[0].2[0], "tmr-out-1 ports_unknown");
    model.sessions[1].enabled = false;
    let none = out(&model, json!({ "protocol": "icmp" }));
    assert_eq!(said(&none), pair("unmatched", ""));
    assert_eq!(results(&none["mirror"][0])[1].1, "not_enabled");
    model.sessions[0].locked = true;
    assert_eq!(said(&out(&model, json!({}))), pair("skipped", "locked"));
    model.sessions[0].locked = false;
    model.sessions[0].target = Target::Gwlbe("gwlbe-1".to_owned());
    let gone = out(&model, json!({}));
    assert_eq!((said(&gone), &gone["mirror"][0]["target"]), (pair("skipped", "target_down"), &json!("gwlbe-1")));
    model.region.gwlb = false;
    assert_eq!(said(&out(&model, json!({}))), pair("skipped", "unsupported_region"));
}

#[test]
fn nothing_to_judge_says_why() {
    let model = model();
    let spoofed = out(&model, json!({ "source": "10.0.0.99" }));
    assert_eq!((&spoofed["service"]["reason"], &spoofed["mirror"]), (&json!("spoofed_ip"), &json!([])));
    assert!(spoofed["not_judged"].as_str().unwrap().contains("admission"));
    let query = json!({
        "eni": "eni-c", "direction": "out", "source": "10.0.0.30", "destination": "10.0.0.20", "protocol": "icmp",
    });
    assert_eq!(ask(&model, query).unwrap()["not_judged"], "no enabled session has eni-c as a source");
    // To a source: judged at its end, though the sender is none.
    let query = json!({
        "eni": "eni-b", "direction": "out", "source": "10.0.0.20", "destination": "10.0.0.10", "protocol": "tcp",
    });
    let answer = ask(&model, query).unwrap();
    let judged = &answer["mirror"][0];
    assert_eq!(
        (&judged["eni"], &judged["direction"], &judged["rule"]),
        (&json!("eni-a"), &json!("inbound"), &json!("tmr-in-2"))
    );
    assert_eq!(judged["copy"]["source"], "10.0.0.10");
}

#[test]
fn without_jumbo_mirroring_the_region_is_named() {
    let mut model = model();
    model.sessions[1].packet_length = 8500;
    model.region.jumbo_mirroring = false;
    let answer = out(&model, json!({ "protocol": "47", "length": 2000 }));
    assert_eq!((&answer["mirror"][0]["kept"], &answer["mirror"][0]["path_mtu"]), (&json!(1450), &json!(1500)));
    let why = "cut from 2000 to 1450 bytes of IP by the path's MTU of 1500 less 50 of encapsulation; \
               the target's MTU is 8500, but local has no jumbo mirroring";
    assert_eq!(answer["mirror"][0]["cut_why"], why);
    let whole = out(&model, json!({ "protocol": "47", "length": 1450 }));
    assert_eq!(
        whole["mirror"][0]["cut_why"],
        "whole: PacketLength is 8500, and the path has room for 1450 bytes of IP"
    );
}

#[test]
fn questions_without_sense_are_refused() {
    let model = model();
    let refused = |query: Value| ask(&model, query).unwrap_err();
    let to = |destination: &str| {
        json!({
            "eni": "eni-a", "direction": "in", "source": "10.0.0.20", "destination": destination, "protocol": "udp",
        })
    };
    let sentence = "destination = 9.9.9.9: ENI eni-a has 10.0.0.10; \
                    a packet to another address is never delivered to it";
    assert_eq!(refused(to("9.9.9.9")), sentence);
    assert!(ask(&model, to("10.0.0.10")).is_ok());
    let hex = |direction: &str, hex: &str| json!({ "eni": "eni-a", "direction": direction, "hex": hex });
    let wrong = refused(hex("in", "02000000000b 02000000000b 0800 45"));
    assert!(wrong.starts_with("destination MAC 02:00:00:00:00:0b: ENI eni-a has 02:00:00:00:00:0a"), "{wrong}");
    assert!(refused(hex("out", "020")).starts_with("hex: half a byte"));
    assert_eq!(ask(&model, hex("out", "02")).unwrap()["service"]["reason"], "short_frame");
    assert_eq!(
        refused(json!({ "eni": "eni-x", "direction": "in", "hex": "02" })),
        "there is no ENI eni-x in the inventory"
    );
    assert_eq!(refused(hex("up", "02")), "direction = up: in or out");
    let needed = "source, destination and protocol, or hex instead of them: a packet is needed";
    assert_eq!(refused(json!({ "eni": "eni-a", "direction": "in" })), needed);
    let mut both = to("10.0.0.10");
    both["hex"] = json!("02");
    assert_eq!(refused(both), needed);
    let mut short = to("10.0.0.10");
    short["length"] = json!(27);
    assert_eq!(refused(short), "length = 27: such a packet has at least 28 bytes");
}

/// With the registry of a running switch: its workers, its slots, its version, its pairs; and counters of its own.
#[test]
fn the_running_configuration_answers_and_none_of_its_counters_move() {
    let model = model();
    let mut running = Registry::new(3);
    compile(&model, &mut running, 64).unwrap();
    let snapshot = compile(&model, &mut running, 64).unwrap();
    let twin = compile(&model, &mut running.detached(), 64).unwrap();
    assert_eq!((snapshot.version, twin.version), (2, 2));
    for (ours, theirs) in snapshot.enis.iter().flatten().zip(twin.enis.iter().flatten()) {
        assert_eq!((&ours.id, ours.slot, ours.generation), (&theirs.id, theirs.slot, theirs.generation));
        assert_eq!((ours.worker, ours.mtu, ours.primary), (theirs.worker, theirs.mtu, theirs.primary));
    }
    let query = serde_json::from_value(json!({
        "eni": "eni-a", "direction": "out", "source": "10.0.0.10", "destination": "10.0.0.20", "protocol": "tcp",
    }));
    // eni-a, eni-b and eni-c are on a worker each: packet and copy cross rings.
    let workers: std::collections::HashSet<_> = snapshot.enis.iter().flatten().map(|e| e.worker).collect();
    assert_eq!(workers.len(), 3);
    let answer = explain(&model, running.detached(), 64, &query.unwrap()).unwrap();
    assert_eq!((&answer["version"], &answer["service"]["to"]), (&json!(2), &json!("eni-b")));
    assert_eq!(answer["mirror"][0]["copy"]["destination"], "10.0.0.30");
    for (_, slot) in running.enis.iter() {
        assert_eq!(slot.counters.sum(|b| b.rx_packets.get() + b.tx_packets.get() + b.seen[0].get()), 0);
    }
    for (_, slot) in running.rows.iter() {
        assert_eq!(slot.counters.sum(|b| b.matched[0].get() + b.sent[0].get()), 0);
    }
}

proptest::proptest! {
    /// Any frame, either way: an answer or a sentence.
    #[test]
    fn any_frame_has_an_answer(
        bytes in proptest::collection::vec(proptest::arbitrary::any::<u8>(), 1..120), whole: bool, inbound: bool,
        changes in proptest::collection::vec((0usize..60, proptest::arbitrary::any::<u8>()), 0..4),
    ) {
        let good = "02000000000b02000000000a08004500002e000100004011000000a00000a0a000014040008000001a0000";
        let mut frame = if whole { bytes } else { crate::control::packet_text::frame(good).map(|f| f.0).unwrap_or_default() };
        for (at, byte) in changes {
            if let Some(b) = frame.get_mut(at) {
                *b = byte;
            }
        }
        let hex = crate::control::packet_text::HexFrame(frame).digits();
        let direction = if inbound { "in" } else { "out" };
        let answer = ask(&model(), json!({ "eni": "eni-a", "direction": direction, "hex": hex }));
        if let Ok(answer) = answer {
            proptest::prop_assert!(!crate::ctl::explained::text(&answer).is_empty());
        }
    }
}
