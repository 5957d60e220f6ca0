//! What was once accepted, hidden by another mistake, or refused without need.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use serde_json::{Value, json};

use super::config::Config;
use super::model_from_json;
use super::tests::{complaints, load, shipped};

/// ENIs of two accounts beside those of the shipped inventory: `eni-p` and `eni-q` of account 7.
fn two_accounts(inventory: &mut Value) {
    for (n, name) in [(50, "eni-p"), (60, "eni-q")] {
        let eni = json!({
            "NetworkInterfaceId": name, "VSwitchId": "vsw-demo", "MacAddress": format!("02:00:00:00:00:{n}"),
            "PrivateIpAddress": format!("10.0.0.{n}"), "OwnerId": "7",
        });
        inventory["NetworkInterfaces"].as_array_mut().unwrap().push(eni);
    }
}

/// Another session like the shipped one, for an ENI of account 7.
fn session_of_7(mirror: &mut Value, source: &str) -> Value {
    let mut session = mirror["TrafficMirrorSessions"][0].clone();
    session["TrafficMirrorSessionId"] = json!("tms-7");
    session["TrafficMirrorSourceIds"] = json!([source]);
    session["TrafficMirrorTargetId"] = json!("eni-q");
    session
}

#[test]
fn a_broken_subnet_hides_no_mistake_of_its_enis() {
    let lines = complaints(|i, _| {
        i["VSwitches"][0]["CidrBlock"] = json!("nonsense");
        for eni in i["NetworkInterfaces"].as_array_mut().unwrap() {
            eni["Mtu"] = json!(0);
            eni["QueuePairs"] = json!(0);
            eni["SocketMode"] = json!("both");
            eni["SecondaryPrivateIpAddresses"] = json!(["x"]);
        }
    });
    assert_eq!(lines.len(), 13, "{lines:#?}");
}

#[test]
fn a_broken_field_of_an_eni_hides_no_other() {
    let lines = complaints(|i, _| {
        i["NetworkInterfaces"][1]["MacAddress"] = json!("x");
        i["NetworkInterfaces"][1]["NetworkInterfaceId"] = json!("eni-a");
        i["NetworkInterfaces"][1]["SecondaryPrivateIpAddresses"] = json!(["x", "10.0.0.10"]);
        i["NetworkInterfaces"][1]["Socket"] = json!(format!("/{}", "s".repeat(200)));
    });
    let ends = [
        "MacAddress = \"x\": a unicast MAC address such as 02:00:00:00:00:0a",
        "NetworkInterfaceId = \"eni-a\": another ENI has this id",
        "SecondaryPrivateIpAddresses[0] = \"x\": an IPv4 address such as 10.0.0.10",
        "SecondaryPrivateIpAddresses[1] = \"10.0.0.10\": ENI eni-a of the VPC has this address",
        "a socket's path has at most 107 bytes",
    ];
    assert_eq!(lines.len(), ends.len(), "{lines:#?}");
    for (line, end) in lines.iter().zip(ends) {
        assert!(line.ends_with(end), "{line}");
    }
}

#[test]
fn a_broken_subnet_hides_no_mistake_of_its_own() {
    let lines = complaints(|i, _| {
        i["Vpcs"][0]["CidrBlock"] = json!("x");
        i["VSwitches"].as_array_mut().unwrap().push(json!({
            "VSwitchId": "vsw-demo", "VpcId": "vpc-demo", "CidrBlock": "10.0.9.0/30", "GatewayIp": "10.0.8.1",
        }));
    });
    assert_eq!(
        lines,
        [
            "i.json: Vpcs[0].CidrBlock = \"x\": an IPv4 network such as 10.0.0.0/24",
            "i.json: VSwitches[1].VSwitchId = \"vsw-demo\": another vSwitch has this id",
            "i.json: VSwitches[1].CidrBlock = \"10.0.9.0/30\": a vSwitch's network has a prefix of at most 29 bits",
            "i.json: VSwitches[1].GatewayIp = \"10.0.8.1\": must lie in the vSwitch's network 10.0.9.0/30",
        ]
    );
}

#[test]
fn a_broken_inventory_hides_no_mistake_of_the_mirror_file() {
    let lines = complaints(|i, m| {
        i["NetworkInterfaces"][0]["MacAddress"] = json!("x");
        m["TrafficMirrorSessions"][0]["PacketLength"] = json!(1);
        m["TrafficMirrorSessions"][0]["TrafficMirrorSourceIds"] = json!(["eni-a", "eni-nobody"]);
    });
    // eni-a is broken, but it exists: the session need not complain about it.
    assert_eq!(
        lines,
        [
            "i.json: NetworkInterfaces[0].MacAddress = \"x\": a unicast MAC address such as 02:00:00:00:00:0a",
            "m.json: TrafficMirrorSessions[0].PacketLength = 1: bytes of IP, a whole number from 64 to 8500",
            "m.json: TrafficMirrorSessions[0].TrafficMirrorSourceIds[1] = \"eni-nobody\": the id of an ENI in the inventory",
        ]
    );
    let (_, mut mirror) = shipped();
    mirror["TrafficMirrorSessions"][0]["Priority"] = json!(0);
    let problems = model_from_json(("i.json", "{"), ("m.json", &mirror.to_string()), &Config::default()).unwrap_err();
    assert_eq!(problems.len(), 2, "{problems:#?}");
    assert_eq!(problems[1].path, "TrafficMirrorSessions[0].Priority");
}

#[test]
fn a_broken_session_hides_nothing_that_sessions_break_together() {
    let lines = complaints(|_, m| {
        m["TrafficMirrorSessions"][0]["TrafficMirrorTargetId"] = json!("eni-a");
        let session = m["TrafficMirrorSessions"][0].clone();
        let sessions = (0..4).map(|n| {
            let mut session = session.clone();
            session["TrafficMirrorSessionId"] = json!(format!("s-{n}"));
            session["Priority"] = json!(n + 1);
            session["PacketLength"] = json!(1);
            session
        });
        m["TrafficMirrorSessions"] = sessions.collect();
    });
    let count = |text: &str| lines.iter().filter(|l| l.contains(text)).count();
    assert_eq!(count("PacketLength = 1"), 4, "{lines:#?}");
    assert_eq!(count("ENI eni-a is the target of a session: it cannot be a source"), 4, "{lines:#?}");
    assert_eq!(count("TrafficMirrorSessions[3].TrafficMirrorSourceIds: ENI eni-a is in more than 3 sessions"), 1);
    assert_eq!(lines.len(), 9, "{lines:#?}");
}

#[test]
fn a_filter_with_a_bad_id_is_one_line_however_many_sessions_use_it() {
    let lines = complaints(|_, m| {
        m["TrafficMirrorFilters"][0]["TrafficMirrorFilterId"] = json!("a b");
        m["TrafficMirrorSessions"][0]["TrafficMirrorFilterId"] = json!("a b");
    });
    assert_eq!(lines, ["m.json: TrafficMirrorFilters[0].TrafficMirrorFilterId = \"a b\": a filter's id"]);
}

#[test]
fn a_broken_rule_hides_no_priority_or_id_that_is_taken() {
    let lines = complaints(|_, m| {
        let rule = &mut m["TrafficMirrorFilters"][0]["EgressRules"][1];
        rule["Action"] = json!("copy");
        rule["Priority"] = json!(1);
        rule["TrafficMirrorFilterRuleId"] = json!("tmr-out-1");
    });
    assert_eq!(lines.len(), 3, "{lines:#?}");
}

#[test]
fn the_list_answers_own_objects_are_read() {
    let (inventory, mut mirror) = shipped();
    for (key, value) in [
        ("RequestId", json!("8C9F4B4F-0000")),
        ("TotalCount", json!("1")),
        ("Count", json!(1)),
        ("MaxResults", json!(10)),
        ("NextToken", json!("")),
    ] {
        mirror[key] = value;
    }
    let about = |object: &mut Value, what: &str| {
        object[format!("{what}Status")] = json!("Created");
        object[format!("{what}Description")] = json!("");
        object["CreationTime"] = json!("2023-09-05T15:26Z");
        object["ResourceGroupId"] = json!("rg-1");
        object["Tags"] = json!([{"Key": "k", "Value": "v"}]);
    };
    let filter = &mut mirror["TrafficMirrorFilters"][0];
    about(filter, "TrafficMirrorFilter");
    filter["TrafficMirrorFilterName"] = json!("");
    for (side, direction) in [("IngressRules", "ingress"), ("EgressRules", "egress")] {
        for rule in filter[side].as_array_mut().unwrap() {
            rule["TrafficMirrorFilterId"] = json!("tmf-demo");
            rule["TrafficDirection"] = json!(direction);
            rule["IpVersion"] = json!("IPv4");
            rule["TrafficMirrorFilterRuleStatus"] = json!("Created");
        }
    }
    let session = &mut mirror["TrafficMirrorSessions"][0];
    about(session, "TrafficMirrorSession");
    session["TrafficMirrorSessionBusinessStatus"] = json!("Normal");
    load(&inventory, &mirror).unwrap();
    mirror["TrafficMirrorFilters"][0]["EgressRules"][0]["IpVersion"] = json!("IPv6");
    assert_eq!(
        load(&inventory, &mirror).unwrap_err(),
        ["m.json: TrafficMirrorFilters[0].EgressRules[0].IpVersion = \"IPv6\": IPv4: nothing else is mirrored"]
    );
}

#[test]
fn a_managed_eni_is_no_target() {
    let lines = complaints(|i, _| i["NetworkInterfaces"][2]["Managed"] = json!(true));
    let expected = "m.json: TrafficMirrorSessions[0].TrafficMirrorTargetId = \"eni-c\": \
                    is a managed ENI: it cannot be a target";
    assert_eq!(lines, [expected]);
}

#[test]
fn rule_ids_are_unique_across_directions_and_filters() {
    let lines = complaints(|_, m| {
        m["TrafficMirrorFilters"][0]["EgressRules"][0]["TrafficMirrorFilterRuleId"] = json!("tmr-in-1");
        let rule = m["TrafficMirrorFilters"][0]["IngressRules"][1].clone();
        let filter = json!({"TrafficMirrorFilterId": "tmf-2", "IngressRules": [rule]});
        m["TrafficMirrorFilters"].as_array_mut().unwrap().push(filter);
    });
    assert_eq!(
        lines,
        [
            "m.json: TrafficMirrorFilters[0].EgressRules[0].TrafficMirrorFilterRuleId = \"tmr-in-1\": another rule has this id",
            "m.json: TrafficMirrorFilters[1].IngressRules[0].TrafficMirrorFilterRuleId = \"tmr-in-2\": another rule has this id",
        ]
    );
}

#[test]
fn a_gateway_is_a_hosts_address() {
    for gateway in ["10.0.0.0", "10.0.0.255"] {
        let lines = complaints(|i, _| i["VSwitches"][0]["GatewayIp"] = json!(gateway));
        let expected = format!(
            "i.json: VSwitches[0].GatewayIp = \"{gateway}\": is the network or the broadcast address of 10.0.0.0/24, \
             not a host's"
        );
        assert_eq!(lines, [expected]);
    }
}

#[test]
fn networks_without_hosts_are_no_vpcs() {
    for (cidr, overlaps) in [
        ("224.0.0.0/4", "224.0.0.0/4 (multicast)"),
        ("239.1.0.0/16", "224.0.0.0/4 (multicast)"),
        ("127.0.0.0/8", "127.0.0.0/8 (loopback)"),
        ("127.1.0.0/16", "127.0.0.0/8 (loopback)"),
        ("0.1.0.0/16", "0.0.0.0/8 (\"this network\")"),
        ("0.0.0.0/0", "0.0.0.0/8 (\"this network\")"),
    ] {
        let lines = complaints(|i, _| i["Vpcs"][0]["CidrBlock"] = json!(cidr));
        let expected =
            format!("i.json: Vpcs[0].CidrBlock = \"{cidr}\": hosts need unicast addresses; it overlaps {overlaps}");
        assert_eq!(lines, [expected]);
    }
}

#[test]
fn a_socket_is_one_enis_whatever_its_spelling() {
    let lines = complaints(|i, _| {
        i["NetworkInterfaces"][0]["Socket"] = json!("/run/vswitch/./ops.sock");
        i["NetworkInterfaces"][1]["Socket"] = json!("/run/x//s.sock");
        i["NetworkInterfaces"][2]["Socket"] = json!("/run/y/../x/s.sock");
    });
    assert_eq!(
        lines,
        [
            "i.json: NetworkInterfaces[0].Socket = \"/run/vswitch/./ops.sock\": \
             the operations API (ops.socket) has this socket",
            "i.json: NetworkInterfaces[2].Socket = \"/run/y/../x/s.sock\": ENI eni-b has this socket",
        ]
    );
}

#[test]
fn a_key_given_twice_is_reported() {
    let (inventory, mirror) = shipped();
    let inventory = inventory.to_string().replacen("\"Mtu\":1500", "\"Mtu\":8500,\"Mtu\":1500", 1);
    let files = (("i.json", &*inventory), ("m.json", &*mirror.to_string()));
    let problems = model_from_json(files.0, files.1, &Config::default()).unwrap_err();
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(lines, ["i.json: NetworkInterfaces[0].Mtu: the key is given twice; once is allowed"]);
}

#[test]
fn sources_of_a_session_are_of_one_account_whatever_the_target() {
    for kind in ["SLB", "GatewayLoadBalancerEndpoint"] {
        let lines = complaints(|i, m| {
            two_accounts(i);
            let session = &mut m["TrafficMirrorSessions"][0];
            session["TrafficMirrorSourceIds"] = json!(["eni-a", "eni-p"]);
            session["TrafficMirrorTargetType"] = json!(kind);
            session["TrafficMirrorTargetId"] = json!("lb-1");
        });
        let expected = "m.json: TrafficMirrorSessions[0].TrafficMirrorSourceIds: \
                        ENI eni-p belongs to another account than the first source";
        assert_eq!(lines, [expected]);
    }
}

#[test]
fn priorities_are_unique_within_an_account_only() {
    let (mut inventory, mut mirror) = shipped();
    two_accounts(&mut inventory);
    let other = session_of_7(&mut mirror, "eni-p");
    mirror["TrafficMirrorSessions"].as_array_mut().unwrap().push(other);
    load(&inventory, &mirror).unwrap();
    let lines = complaints(|_, m| {
        let mut other = m["TrafficMirrorSessions"][0].clone();
        other["TrafficMirrorSessionId"] = json!("tms-2");
        m["TrafficMirrorSessions"].as_array_mut().unwrap().push(other);
    });
    let expected = "m.json: TrafficMirrorSessions[1].Priority = 1: \
                    session tms-demo of the account has it; priorities are unique";
    assert_eq!(lines, [expected]);
}

#[test]
fn a_source_has_no_more_rules_than_a_classifier_takes() {
    let (inventory, mut mirror) = shipped();
    let rule = mirror["TrafficMirrorFilters"][0]["EgressRules"][1].clone();
    let rules = (0..10_000).map(|n| {
        let mut rule = rule.clone();
        rule["Priority"] = json!(n + 1);
        rule["TrafficMirrorFilterRuleId"] = json!(format!("r-{n}"));
        rule
    });
    mirror["TrafficMirrorFilters"][0]["EgressRules"] = rules.collect();
    mirror["TrafficMirrorFilters"][0]["IngressRules"] = json!([]);
    let session = mirror["TrafficMirrorSessions"][0].clone();
    let sessions = (0..8).map(|n| {
        let mut session = session.clone();
        session["TrafficMirrorSessionId"] = json!(format!("s-{n}"));
        session["Priority"] = json!(n + 1);
        // What is not enabled is not compiled.
        session["Enabled"] = json!(n > 0);
        session
    });
    mirror["TrafficMirrorSessions"] = sessions.collect();
    let mut config = Config::default();
    (config.quotas.rules_per_filter, config.quotas.sessions_per_source) = (10_000, 64);
    let complaints = |mirror: &Value| {
        let (inventory, mirror) = (inventory.to_string(), mirror.to_string());
        let problems = model_from_json(("i.json", &inventory), ("m.json", &mirror), &config).err().unwrap_or_default();
        problems.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let wanted = "TrafficMirrorSessions[7].TrafficMirrorSourceIds: ENI eni-a has 70000 outbound rules in all; \
                  65535 are the most";
    assert_eq!(complaints(&mirror), [format!("m.json: {wanted}")]);
    mirror["TrafficMirrorSessions"][7]["Enabled"] = json!(false);
    assert_eq!(complaints(&mirror), Vec::<String>::new());
}
