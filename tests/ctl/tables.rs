//! What answers look like.

use serde_json::{Value, json};

use super::fake::{Fake, Reply, Seen, text};

fn stored_filter() -> Value {
    let rule = |id: &str, priority: u64| {
        json!({
            "TrafficMirrorFilterRuleId": id, "Priority": priority, "Action": "accept", "Protocol": "TCP",
            "SourceCidrBlock": "10.0.0.0/8", "DestinationCidrBlock": "0.0.0.0/0", "SourcePortRange": "-1/-1",
            "DestinationPortRange": "80/443", "TrafficMirrorFilterRuleStatus": "Created",
        })
    };
    json!({
        "TrafficMirrorFilterId": "tmf-1", "TrafficMirrorFilterName": "web", "TrafficMirrorFilterStatus": "Created",
        "CreationTime": "2026-11-24T22:30Z", "IngressRules": [rule("tmr-2", 20), rule("tmr-1", 3)], "EgressRules": [],
    })
}

#[test]
fn filters_and_rules() {
    let daemon = Fake::start(|seen: &Seen| match &*seen.path {
        "/v1/filters/tmf-1" => Reply::json(
            200,
            &json!({ "id": "tmf-1", "ingress": [], "egress": [{
                "id": "tmr-9", "priority": 1, "action": "drop", "protocol": "ALL", "source": "0.0.0.0/0",
                "destination": "0.0.0.0/0", "source_ports": "-1/-1", "destination_ports": "-1/-1",
            }] }),
        ),
        _ => Reply::json(200, &json!({ "TrafficMirrorFilters": [stored_filter()] })),
    });
    let expected = "FILTER  NAME  STATUS   INGRESS  EGRESS  CREATED\n\
                    tmf-1   web   Created  2        0       2026-11-24T22:30Z\n";
    assert_eq!(daemon.says(&["filter", "list", "--account", "1"]), expected);
    assert_eq!(daemon.json(&["filter", "list", "--account", "1"]), json!([stored_filter()]));
    let expected = "DIRECTION  PRIORITY  RULE   ACTION  PROTOCOL  SOURCE      PORTS  DESTINATION  PORTS   STATUS\n\
                    ingress    3         tmr-1  accept  TCP       10.0.0.0/8  -1/-1  0.0.0.0/0    80/443  Created\n\
                    ingress    20        tmr-2  accept  TCP       10.0.0.0/8  -1/-1  0.0.0.0/0    80/443  Created\n";
    assert_eq!(daemon.says(&["rule", "list", "tmf-1", "--account", "1"]), expected);
    let running = daemon.json(&["rule", "list", "tmf-1"]);
    let keys: Vec<&String> = running[0].as_object().unwrap().keys().collect();
    let stored = daemon.json(&["rule", "list", "tmf-1", "--account", "1"]);
    assert_eq!(stored[0].as_object().unwrap().keys().collect::<Vec<_>>(), keys, "the same keys from both sources");
    assert_eq!((&running[0]["direction"], &running[0]["id"]), (&json!("egress"), &json!("tmr-9")));
}

#[test]
fn a_filter_that_the_account_has_not_is_1() {
    let daemon = Fake::always(json!({ "TrafficMirrorFilters": [] }));
    let output = daemon.ctl(&["rule", "list", "tmf-9", "--account", "1"]);
    assert_eq!(
        (output.status.code(), &*text(&output.stderr)),
        (Some(1), "vswitchctl: account 1 has no filter tmf-9\n")
    );
}

#[test]
fn writes_name_what_was_made() {
    let daemon = Fake::start(|seen: &Seen| {
        Reply::json(
            200,
            &match &*seen.path {
                "/v1/actions/CreateTrafficMirrorFilter?account=1" => json!({ "TrafficMirrorFilterId": "tmf-1" }),
                "/v1/actions/CreateTrafficMirrorFilterRules?account=1" => {
                    json!({ "IngressRules": [{ "InstanceId": "tmr-1" }], "EgressRules": [{ "InstanceId": "tmr-2" }] })
                }
                "/v1/actions/CreateTrafficMirrorSession?account=1" => json!({ "TrafficMirrorSessionId": "tms-1" }),
                "/v1/actions/GetTrafficMirrorServiceStatus?account=1" => json!({ "Enabled": true }),
                _ => json!({}),
            },
        )
    });
    for (arguments, said) in [
        ("filter create", "filter tmf-1 created\n"),
        ("rule create tmf-1 --ingress action=accept --egress action=drop", "rules tmr-1, tmr-2 created\n"),
        ("session create --source a --filter f --target t --priority 1", "session tms-1 created\n"),
        ("session enable tms-1", "session tms-1 enabled\n"),
        ("session add-sources tms-1 a b", "session tms-1: a, b added\n"),
        ("service open", "the service is open for account 1\n"),
        ("service status", "open\n"),
    ] {
        let arguments: Vec<&str> = arguments.split(' ').chain(["--account", "1"]).collect();
        assert_eq!(daemon.says(&arguments), said);
    }
    assert_eq!(daemon.json(&["filter", "create", "--account", "1"]), json!({ "TrafficMirrorFilterId": "tmf-1" }));
}

#[test]
fn stored_sessions_tags_and_quotas() {
    let daemon = Fake::start(|seen: &Seen| {
        let session = json!({
            "TrafficMirrorSessionId": "tms-1", "TrafficMirrorSessionName": "ids", "TrafficMirrorSessionStatus": "Created",
            "TrafficMirrorSessionBusinessStatus": "Normal", "Enabled": true, "Priority": 1, "VirtualNetworkId": 10,
            "PacketLength": 1500, "TrafficMirrorFilterId": "tmf-1", "TrafficMirrorSourceIds": ["eni-a", "eni-b"],
            "TrafficMirrorTargetId": "eni-t",
        });
        let quotas = json!([
            { "name": "filters", "class": "account", "limit": 100, "used": 3, "adjustable": false },
        ]);
        Reply::json(
            200,
            &if seen.path.starts_with("/v1/quotas") {
                json!({ "account": "1", "quotas": quotas })
            } else if seen.path.contains("ListTagResources") {
                json!({ "TagResources": { "TagResource": [{ "TagKey": "team", "TagValue": "net" }] } })
            } else {
                json!({ "TrafficMirrorSessions": [session] })
            },
        )
    });
    let expected = "\
        SESSION  NAME  STATUS   BUSINESS  ENABLED  PRIORITY  VNI  LENGTH  FILTER  SOURCES      TARGET\n\
        tms-1    ids   Created  Normal    true     1         10   1500    tmf-1   eni-a,eni-b  eni-t\n";
    assert_eq!(daemon.says(&["session", "list", "--account", "1"]), expected);
    assert_eq!(daemon.says(&["tag", "list", "session", "tms-1", "--account", "1"]), "KEY   VALUE\nteam  net\n");
    let expected = "QUOTA    CLASS    LIMIT  USED  ADJUSTABLE\nfilters  account  100    3     false\n";
    assert_eq!(daemon.says(&["quota", "--account", "1"]), expected);
    assert_eq!(daemon.json(&["quota", "--account", "1"])["account"], "1");
}

#[test]
fn status_gathers_what_the_daemon_says_of_itself() {
    let daemon = |ready: u16, applied: u64| {
        Fake::start(move |seen: &Seen| match &*seen.path {
            "/version" => Reply::json(200, &json!({ "version": "9.9.9", "commit": "abc" })),
            "/readyz" if ready == 200 => Reply::bytes(200, b"ready\n"),
            "/readyz" => Reply::bytes(ready, b"ring_stuck: a queue\n"),
            _ => Reply::json(
                200,
                &json!({
                    "store": { "state": "read_only", "path": "/s.redb", "reason": "schema 9 is newer" },
                    "desired_revision": 8, "applied_revision": applied, "region": "local",
                }),
            ),
        })
    };
    let expected = "version   9.9.9 (abc)\nready     yes\nregion    local\n\
                    store     read only, /s.redb, schema 9 is newer\nrevision  8, applied\n";
    assert_eq!(daemon(200, 8).says(&["status"]), expected);
    let late = daemon(503, 7);
    let said = late.says(&["status"]);
    assert!(said.contains("ready     no: ring_stuck: a queue\n") && said.contains("8 desired, 7 applied\n"), "{said}");
    let json = late.json(&["status"]);
    assert_eq!((&json["ready"], &json["why_not_ready"]), (&json!(false), &json!("ring_stuck: a queue")));
}
