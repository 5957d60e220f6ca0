//! Rules: every field with its bounds, its defaults, and what is refused.

use serde_json::{Value, json};

use super::{Kit, and, refuses};
use crate::control::api::Action::{
    CreateTrafficMirrorFilter as CreateFilter, CreateTrafficMirrorFilterRules as CreateRules,
    DeleteTrafficMirrorFilterRules as DeleteRules, UpdateTrafficMirrorFilterRuleAttribute as UpdateRule,
};
use crate::control::plane::codes;

const RULE: [(&str, &str); 3] =
    [("IngressRules.1.Action", "accept"), ("IngressRules.1.Priority", "7"), ("IngressRules.1.Protocol", "TCP")];
const BAD: &str = "InvalidParameter.IngressRules";

/// A filter with these parameters; its ingress rules.
fn ingress(kit: &Kit, params: &[(&str, &str)]) -> Vec<Value> {
    let filter = kit.ok(CreateFilter, params)["TrafficMirrorFilterId"].as_str().unwrap().to_owned();
    kit.listed_filter(&filter)["IngressRules"].as_array().unwrap().clone()
}

#[test]
fn what_a_rule_leaves_out_is_any() {
    let kit = Kit::new().opened();
    let mut rule = ingress(&kit, &RULE).remove(0);
    let id = rule["TrafficMirrorFilterRuleId"].take();
    let filter = rule["TrafficMirrorFilterId"].take();
    assert!(id.as_str().unwrap().starts_with("tmr-") && filter.as_str().unwrap().starts_with("tmf-"));
    let expected = json!({
        "TrafficMirrorFilterRuleId": null, "TrafficMirrorFilterId": null, "TrafficDirection": "ingress",
        "Action": "accept", "Priority": 7, "Protocol": "TCP", "SourceCidrBlock": "0.0.0.0/0",
        "DestinationCidrBlock": "0.0.0.0/0", "SourcePortRange": "-1/-1", "DestinationPortRange": "-1/-1",
        "IpVersion": "IPv4", "TrafficMirrorFilterRuleStatus": "Created",
    });
    assert_eq!(rule, expected);
}

#[test]
fn what_is_allowed_is_listed_as_it_was_given() {
    let kit = Kit::with(|c| c.quotas.filters = 1000, Box::new(crate::control::fabric::NoFabric::default())).opened();
    let cases: [(&str, &str, Value); 21] = [
        ("Action", "drop", json!("drop")),
        ("Action", "Accept", json!("accept")),
        ("Priority", "1", json!(1)),
        ("Priority", "16777216", json!(16_777_216)),
        ("Protocol", "udp", json!("UDP")),
        ("Protocol", "ICMP", json!("ICMP")),
        ("Protocol", "ALL", json!("ALL")),
        ("SourceCidrBlock", "10.0.0.0/8", json!("10.0.0.0/8")),
        ("SourceCidrBlock", "1.2.3.4/32", json!("1.2.3.4/32")),
        ("DestinationCidrBlock", "0.0.0.0/0", json!("0.0.0.0/0")),
        ("DestinationCidrBlock", "128.0.0.0/1", json!("128.0.0.0/1")),
        ("SourcePortRange", "-1/-1", json!("-1/-1")),
        ("SourcePortRange", "0/0", json!("0/0")),
        ("SourcePortRange", "0/65535", json!("0/65535")),
        ("DestinationPortRange", "65535/65535", json!("65535/65535")),
        ("DestinationPortRange", "80/443", json!("80/443")),
        ("IpVersion", "IPv4", json!("IPv4")),
        ("Action", "DROP", json!("drop")),
        ("Protocol", "Icmp", json!("ICMP")),
        ("Protocol", "all", json!("ALL")),
        ("Priority", "32767", json!(32_767)),
    ];
    for (field, value, listed) in cases {
        let rules = ingress(&kit, &and(&RULE, &[(&format!("IngressRules.1.{field}"), value)]));
        assert_eq!(rules[0][field], listed, "{field}");
    }
    let icmp = [("IngressRules.1.Protocol", "ICMP"), ("IngressRules.1.SourcePortRange", "-1/-1")];
    assert_eq!(ingress(&kit, &and(&RULE, &icmp))[0]["SourcePortRange"], "-1/-1");
}

#[test]
fn a_bad_field_is_refused_with_its_name_and_what_is_allowed() {
    let kit = Kit::new().opened();
    let long = "9".repeat(4096);
    refuses(
        &kit,
        CreateFilter,
        &RULE,
        &[
            (
                &[("IngressRules.1.Action", "")],
                "MissingIngressRules",
                "IngressRules.1.Action is missing; it is accept or drop",
            ),
            (&[("IngressRules.1.Priority", "")], "MissingIngressRules", "IngressRules.1.Priority"),
            (&[("IngressRules.1.Protocol", "")], "MissingIngressRules", "IngressRules.1.Protocol"),
            (&[("IngressRules.1.Action", "mirror")], BAD, "accept or drop"),
            (&[("IngressRules.1.Priority", "0")], BAD, "from 1 to 16777216"),
            (&[("IngressRules.1.Priority", "16777217")], BAD, "IngressRules.1.Priority"),
            (&[("IngressRules.1.Priority", "-1")], BAD, "IngressRules.1.Priority"),
            (&[("IngressRules.1.Priority", "1.0")], BAD, "IngressRules.1.Priority"),
            (&[("IngressRules.1.Priority", "one")], BAD, "IngressRules.1.Priority"),
            (&[("IngressRules.1.Priority", "4294967297")], BAD, "IngressRules.1.Priority"),
            (&[("IngressRules.1.Priority", &long)], BAD, "IngressRules.1.Priority"),
            (&[("IngressRules.1.Protocol", "SCTP")], BAD, "ALL, ICMP, TCP or UDP"),
            (&[("IngressRules.1.Protocol", "6")], BAD, "ALL, ICMP, TCP or UDP"),
            (&[("IngressRules.1.SourceCidrBlock", "10.1.2.3/8")], BAD, "10.0.0.0/8"),
            (&[("IngressRules.1.DestinationCidrBlock", "192.168.1.1/24")], BAD, "192.168.1.0/24"),
            (&[("IngressRules.1.SourceCidrBlock", "10.0.0.1")], BAD, "an IPv4 network"),
            (&[("IngressRules.1.SourceCidrBlock", "10.0.0.0/33")], BAD, "an IPv4 network"),
            (&[("IngressRules.1.SourceCidrBlock", "2001:db8::/32")], BAD, "an IPv4 network"),
            (&[("IngressRules.1.SourceCidrBlock", "any")], BAD, "an IPv4 network"),
            (&[("IngressRules.1.SourcePortRange", "80")], BAD, "80/443"),
            (&[("IngressRules.1.SourcePortRange", "443/80")], BAD, "80/443"),
            (&[("IngressRules.1.SourcePortRange", "0/65536")], BAD, "0 to 65535"),
            (&[("IngressRules.1.SourcePortRange", "-1/80")], BAD, "-1/-1 for any"),
            (&[("IngressRules.1.SourcePortRange", "+1/80")], BAD, "0 to 65535"),
            (&[("IngressRules.1.SourcePortRange", "1/2/3")], BAD, "0 to 65535"),
            (&[("IngressRules.1.IpVersion", "IPv6")], BAD, "IPv4: nothing else is mirrored"),
            (&[("IngressRules.1.SourceCidrBlok", "10.0.0.0/8")], BAD, "SourceCidrBlok"),
            (&[("IngressRules.3.Action", "drop")], BAD, "IngressRules.2 is missing"),
            (&[("IngressRules.0.Action", "drop")], BAD, "IngressRules.0.Action"),
            (&[("IngressRules.11.Action", "drop")], BAD, "IngressRules.10"),
            (&[("IngressRules.1", "drop")], BAD, "with a field behind it"),
        ],
    );
}

#[test]
fn only_tcp_and_udp_have_ports() {
    let kit = Kit::new().opened();
    for protocol in ["ALL", "ICMP"] {
        for field in ["IngressRules.1.SourcePortRange", "IngressRules.1.DestinationPortRange"] {
            let patch = [("IngressRules.1.Protocol", protocol), (field, "0/65535")];
            refuses(&kit, CreateFilter, &RULE, &[(&patch, BAD, "-1/-1: only TCP and UDP have ports")]);
        }
    }
}

/// `n` rules of a direction with priorities from `from` on.
fn many(direction: &str, n: usize, from: usize) -> Vec<(String, String)> {
    let fields = |i: usize| {
        [("Action", "drop".to_owned()), ("Protocol", "ALL".to_owned()), ("Priority", (from + i).to_string())]
            .map(|(field, value)| (format!("{direction}Rules.{i}.{field}"), value))
    };
    (1..=n).flat_map(fields).collect()
}

fn texts(pairs: &[(String, String)]) -> Vec<(&str, &str)> {
    pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect()
}

#[test]
fn ten_rules_a_direction_come_in_one_call_and_lie_sorted() {
    let kit = Kit::new().opened();
    let ten = [many("Ingress", 10, 100), many("Egress", 10, 100)].concat();
    let reversed: Vec<_> = ten
        .iter()
        .map(|(n, v)| {
            (
                n.clone(),
                if n.ends_with("Priority") { (300 - v.parse::<usize>().unwrap()).to_string() } else { v.clone() },
            )
        })
        .collect();
    let rules = ingress(&kit, &texts(&reversed));
    let priorities: Vec<u64> = rules.iter().map(|r| r["Priority"].as_u64().unwrap()).collect();
    assert_eq!(priorities, (190..200).collect::<Vec<u64>>());
    let eleven = many("Egress", 11, 1);
    refuses(&kit, CreateFilter, &texts(&eleven), &[(&[], "InvalidParameter.EgressRules", "EgressRules.10")]);
}

#[test]
fn priorities_are_unique_in_a_direction_only() {
    let kit = Kit::new().opened();
    let filter = kit.filter();
    let same = [
        ("TrafficMirrorFilterId", &*filter),
        ("EgressRules.1.Action", "drop"),
        ("EgressRules.1.Priority", "1"),
        ("EgressRules.1.Protocol", "ALL"),
    ];
    let answer = kit.ok(CreateRules, &same);
    assert_eq!(
        (answer["IngressRules"].as_array().unwrap().len(), answer["EgressRules"].as_array().unwrap().len()),
        (0, 1)
    );
    let taken = codes::PRIORITY_TAKEN.code;
    refuses(&kit, CreateRules, &same, &[(&[], taken, "EgressRules.1.Priority")]);
    let two = [many("Ingress", 1, 4), many("Ingress", 2, 3)[3..].to_vec()].concat();
    refuses(
        &kit,
        CreateRules,
        &texts(&two),
        &[(&[("TrafficMirrorFilterId", &filter)], taken, "IngressRules.2.Priority")],
    );
    refuses(
        &kit,
        CreateRules,
        &same,
        &[
            (&[("TrafficMirrorFilterId", "")], "MissingTrafficMirrorFilterId", "the id of a filter"),
            (&[("TrafficMirrorFilterId", "tmf-none")], codes::FILTER_NOT_FOUND.code, "tmf-none"),
        ],
    );
    refuses(&kit, CreateRules, &same[..1], &[(&[], "MissingIngressRules", "a rule")]);
}

#[test]
fn a_rule_is_changed_field_by_field() {
    let kit = Kit::new().opened();
    let all = [
        ("IngressRules.1.SourcePortRange", "1/2"),
        ("IngressRules.1.DestinationPortRange", "3/4"),
        ("IngressRules.1.SourceCidrBlock", "10.0.0.0/8"),
        ("IngressRules.2.Action", "drop"),
        ("IngressRules.2.Priority", "9"),
        ("IngressRules.2.Protocol", "ALL"),
    ];
    let rules = ingress(&kit, &and(&RULE, &all));
    let filter = rules[0]["TrafficMirrorFilterId"].as_str().unwrap();
    let rule = rules[0]["TrafficMirrorFilterRuleId"].as_str().unwrap();
    let mut expected = rules[0].clone();
    let changes: [(&str, &str, &str, Value); 6] = [
        ("RuleAction", "drop", "Action", json!("drop")),
        ("Priority", "10", "Priority", json!(10)),
        ("DestinationCidrBlock", "10.9.0.0/16", "DestinationCidrBlock", json!("10.9.0.0/16")),
        ("SourcePortRange", "5/6", "SourcePortRange", json!("5/6")),
        ("Protocol", "UDP", "Protocol", json!("UDP")),
        ("SourceCidrBlock", "0.0.0.0/0", "SourceCidrBlock", json!("0.0.0.0/0")),
    ];
    let id = [("TrafficMirrorFilterRuleId", rule)];
    let listed = || {
        let rules = kit.listed_filter(filter)["IngressRules"].clone();
        rules.as_array().unwrap().iter().find(|r| r["TrafficMirrorFilterRuleId"] == rule).unwrap().clone()
    };
    for (parameter, value, field, now) in changes {
        kit.ok(UpdateRule, &and(&id, &[(parameter, value)]));
        expected[field] = now;
        assert_eq!(listed(), expected, "{parameter}");
    }
    // Sorted by the new priority.
    assert_eq!(kit.listed_filter(filter)["IngressRules"][1]["TrafficMirrorFilterRuleId"], rule);
    // A client that always sends these, unchanged, is not refused for the rule's own priority.
    let same = [
        ("Priority", "10"),
        ("Protocol", "UDP"),
        ("SourceCidrBlock", "0.0.0.0/0"),
        ("DestinationCidrBlock", "10.9.0.0/16"),
    ];
    kit.ok(UpdateRule, &and(&id, &same));
    assert_eq!(listed(), expected);
    let bad = "InvalidParameter.";
    refuses(
        &kit,
        UpdateRule,
        &id,
        &[
            (&[("TrafficMirrorFilterRuleId", "")], "MissingTrafficMirrorFilterRuleId", "the id of a rule"),
            (&[("TrafficMirrorFilterRuleId", "tmr-none")], codes::RULE_NOT_FOUND.code, "tmr-none"),
            (&[("Priority", "9")], codes::PRIORITY_TAKEN.code, "Priority"),
            (&[("Priority", "0")], &format!("{bad}Priority"), "16777216"),
            (&[("RuleAction", "x")], &format!("{bad}RuleAction"), "accept or drop"),
            (&[("SourceCidrBlock", "10.0.0.1/8")], &format!("{bad}SourceCidrBlock"), "10.0.0.0/8"),
            (&[("Protocol", "ICMP"), ("SourcePortRange", "1/2")], &format!("{bad}SourcePortRange"), "only TCP and UDP"),
        ],
    );
    kit.ok(UpdateRule, &and(&id, &[("Protocol", "ICMP")]));
    let (source, destination) = (listed()["SourcePortRange"].clone(), listed()["DestinationPortRange"].clone());
    assert_eq!((source, destination), (json!("-1/-1"), json!("-1/-1")), "ICMP has no ports");
    refuses(
        &kit,
        UpdateRule,
        &id,
        &[(&[("SourcePortRange", "1/2")], &format!("{bad}SourcePortRange"), "only TCP and UDP")],
    );
}

#[test]
fn rules_are_deleted_all_or_none() {
    let kit = Kit::new().opened();
    let rules = ingress(&kit, &texts(&many("Ingress", 3, 1)));
    let filter = rules[0]["TrafficMirrorFilterId"].as_str().unwrap();
    let id = |n: usize| rules[n]["TrafficMirrorFilterRuleId"].as_str().unwrap();
    let good = [("TrafficMirrorFilterId", filter), ("TrafficMirrorFilterRuleIds.1", id(0))];
    let gone = codes::RULE_NOT_FOUND.code;
    refuses(
        &kit,
        DeleteRules,
        &good,
        &[
            (&[("TrafficMirrorFilterId", "")], "MissingTrafficMirrorFilterId", "the id of a filter"),
            (&[("TrafficMirrorFilterId", "tmf-x")], codes::FILTER_NOT_FOUND.code, "tmf-x"),
            (&[("TrafficMirrorFilterRuleIds.1", "")], "MissingTrafficMirrorFilterRuleIds", "the id of a rule"),
            (&[("TrafficMirrorFilterRuleIds.2", "tmr-none")], gone, "tmr-none"),
            (&[("TrafficMirrorFilterRuleIds.2", id(0))], gone, id(0)),
            (&[("TrafficMirrorFilterRuleIds.3", id(1))], "InvalidParameter.TrafficMirrorFilterRuleIds", "without gaps"),
        ],
    );
    kit.ok(DeleteRules, &and(&good, &[("TrafficMirrorFilterRuleIds.2", id(2))]));
    let left = kit.listed_filter(filter)["IngressRules"].clone();
    assert_eq!((left.as_array().unwrap().len(), &left[0]["TrafficMirrorFilterRuleId"]), (1, &json!(id(1))));
    assert_eq!(
        kit.call("b", UpdateRule, &[("TrafficMirrorFilterRuleId", id(1))]).unwrap_err().code,
        codes::NOT_OPEN.code
    );
}
