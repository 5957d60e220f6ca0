//! What each command asks of the daemon.

use serde_json::{Value, json};

use super::fake::{Fake, Reply, Seen};

/// A daemon that has no object, empty lists, and takes everything.
fn empty() -> Fake {
    Fake::start(|seen: &Seen| {
        let parts: Vec<&str> = seen.path.split('/').collect();
        if seen.method == "GET" && parts.len() == 4 && ["accounts", "network-interfaces"].contains(&parts[2]) {
            return Reply::json(404, &json!({ "errors": ["there is none"] }));
        }
        Reply::json(200, &json!({ "Enabled": false }))
    })
}

/// Runs a command and compares its last request.
fn asks(daemon: &Fake, arguments: &str, line: &str, body: &Value) {
    let output = daemon.ctl(&arguments.split(' ').collect::<Vec<_>>());
    assert!(output.status.success(), "{arguments}: {}", super::fake::text(&output.stderr));
    let seen = daemon.seen().pop().unwrap();
    assert_eq!((&*seen.line(), &seen.json()), (line, body), "{arguments}");
}

#[test]
fn reading_commands() {
    let daemon = empty();
    let none = Value::Null;
    for (arguments, line) in [
        ("eni", "GET /v1/enis"),
        ("eni eni-a", "GET /v1/enis/eni-a"),
        ("filter", "GET /v1/filters"),
        ("filter tmf-1", "GET /v1/filters/tmf-1"),
        ("session", "GET /v1/sessions"),
        ("session tms-1", "GET /v1/sessions/tms-1"),
        ("rule list tmf-1", "GET /v1/filters/tmf-1"),
        ("stats", "GET /v1/stats"),
        ("quota --account 1001", "GET /v1/quotas?account=1001"),
        ("account list", "GET /v1/accounts"),
        ("inventory show", "GET /v1/inventory"),
        ("inventory show accounts", "GET /v1/accounts"),
        ("inventory show vpcs", "GET /v1/vpcs"),
        ("inventory show vswitches vsw-1", "GET /v1/vswitches/vsw-1"),
        ("inventory show instances i-1", "GET /v1/instances/i-1"),
        ("inventory show network-interfaces", "GET /v1/network-interfaces"),
        ("watch --once --after 7", "GET /v1/watch?after=7&timeout=0"),
        ("backup -", "GET /v1/backup"),
        ("reload", "POST /v1/reload"),
    ] {
        asks(&daemon, arguments, line, &none);
    }
}

#[test]
fn actions_for_an_account() {
    let daemon = empty();
    let rule = |priority: &str| json!({ "Action": "accept", "Priority": priority, "Protocol": "TCP" });
    let cases = [
        ("service open", "OpenTrafficMirrorService", json!({})),
        ("service status", "GetTrafficMirrorServiceStatus", json!({})),
        (
            "filter create --name web --tag team=net --tag lone --ingress action=accept,priority=1,protocol=TCP \
             --ingress action=accept,priority=2,protocol=TCP --egress action=accept,priority=3,protocol=TCP",
            "CreateTrafficMirrorFilter",
            json!({
                "TrafficMirrorFilterName": "web",
                "Tag": [{ "Key": "team", "Value": "net" }, { "Key": "lone", "Value": "" }],
                "IngressRules": [rule("1"), rule("2")],
                "EgressRules": [rule("3")],
            }),
        ),
        (
            "filter update tmf-1 --name x --description y --client-token t-1",
            "UpdateTrafficMirrorFilterAttribute",
            json!({
                "ClientToken": "t-1", "TrafficMirrorFilterId": "tmf-1", "TrafficMirrorFilterName": "x",
                "TrafficMirrorFilterDescription": "y",
            }),
        ),
        ("filter delete tmf-1", "DeleteTrafficMirrorFilter", json!({ "TrafficMirrorFilterId": "tmf-1" })),
        (
            "rule create tmf-1 --egress \
             action=drop,source=10.0.0.0/8,destination=0.0.0.0/0,source-ports=-1/-1,destination-ports=80/443",
            "CreateTrafficMirrorFilterRules",
            json!({ "TrafficMirrorFilterId": "tmf-1", "EgressRules": [{
                "Action": "drop", "SourceCidrBlock": "10.0.0.0/8", "DestinationCidrBlock": "0.0.0.0/0",
                "SourcePortRange": "-1/-1", "DestinationPortRange": "80/443",
            }] }),
        ),
        (
            "rule update tmr-1 --action drop --priority 5 --source-ports -1/-1",
            "UpdateTrafficMirrorFilterRuleAttribute",
            json!({
                "TrafficMirrorFilterRuleId": "tmr-1", "RuleAction": "drop", "Priority": 5, "SourcePortRange": "-1/-1",
            }),
        ),
        (
            "rule delete tmf-1 tmr-1 tmr-2",
            "DeleteTrafficMirrorFilterRules",
            json!({ "TrafficMirrorFilterId": "tmf-1", "TrafficMirrorFilterRuleIds": ["tmr-1", "tmr-2"] }),
        ),
        (
            "session create --source eni-a --source eni-b --filter tmf-1 --target eni-c --priority 1 --vni 0 --enabled",
            "CreateTrafficMirrorSession",
            json!({
                "TrafficMirrorFilterId": "tmf-1", "TrafficMirrorSourceIds": ["eni-a", "eni-b"],
                "TrafficMirrorTargetId": "eni-c", "TrafficMirrorTargetType": "NetworkInterface", "Priority": 1,
                "VirtualNetworkId": 0, "Enabled": true,
            }),
        ),
        (
            "session create --source eni-a --filter tmf-1 --target lb-1 --priority 1 --target-type SLB",
            "CreateTrafficMirrorSession",
            json!({
                "TrafficMirrorFilterId": "tmf-1", "TrafficMirrorSourceIds": ["eni-a"], "TrafficMirrorTargetId": "lb-1",
                "TrafficMirrorTargetType": "SLB", "Priority": 1,
            }),
        ),
        (
            "session update tms-1 --packet-length 64 --enabled=false",
            "UpdateTrafficMirrorSessionAttribute",
            json!({ "TrafficMirrorSessionId": "tms-1", "PacketLength": 64, "Enabled": false }),
        ),
        (
            "session enable tms-1",
            "UpdateTrafficMirrorSessionAttribute",
            json!({ "TrafficMirrorSessionId": "tms-1", "Enabled": true }),
        ),
        (
            "session disable tms-1",
            "UpdateTrafficMirrorSessionAttribute",
            json!({ "TrafficMirrorSessionId": "tms-1", "Enabled": false }),
        ),
        (
            "session add-sources tms-1 eni-a eni-b",
            "AddSourcesToTrafficMirrorSession",
            json!({ "TrafficMirrorSessionId": "tms-1", "TrafficMirrorSourceIds": ["eni-a", "eni-b"] }),
        ),
        (
            "session remove-sources tms-1 eni-a",
            "RemoveSourcesFromTrafficMirrorSession",
            json!({ "TrafficMirrorSessionId": "tms-1", "TrafficMirrorSourceIds": ["eni-a"] }),
        ),
        ("session delete tms-1", "DeleteTrafficMirrorSession", json!({ "TrafficMirrorSessionId": "tms-1" })),
        (
            "tag list filter tmf-1",
            "ListTagResources",
            json!({ "ResourceType": "TRAFFICMIRRORFILTER", "ResourceId": ["tmf-1"] }),
        ),
        (
            "tag add session tms-1 a=b",
            "TagResources",
            json!({
                "ResourceType": "TRAFFICMIRRORSESSION", "ResourceId": ["tms-1"], "Tag": [{ "Key": "a", "Value": "b" }],
            }),
        ),
        (
            "tag remove session tms-1 a",
            "UnTagResources",
            json!({ "ResourceType": "TRAFFICMIRRORSESSION", "ResourceId": ["tms-1"], "TagKey": ["a"] }),
        ),
        (
            "filter list --name web",
            "ListTrafficMirrorFilters",
            json!({
                "TrafficMirrorFilterName": "web", "MaxResults": 100,
            }),
        ),
        ("session list", "ListTrafficMirrorSessions", json!({ "MaxResults": 100 })),
    ];
    for (arguments, action, body) in cases {
        let line = format!("POST /v1/actions/{action}?account=1001");
        asks(&daemon, &format!("{arguments} --account 1001"), &line, &body);
    }
}

#[test]
fn every_write_can_be_tried_dry() {
    let daemon = Fake::start(|seen: &Seen| match seen.method.as_str() {
        "GET" => Reply::json(404, &json!({ "errors": ["there is none"] })),
        "POST" if seen.json()["DryRun"] == true => {
            Reply::json(400, &json!({ "errors": ["the request would be done"], "code": "DryRunOperation" }))
        }
        "PUT" | "DELETE" if seen.path.ends_with("?dry_run=true") => Reply::json(200, &json!({ "dry_run": true })),
        _ => panic!("{seen:?} is in earnest"),
    });
    let file = daemon.folder.write("i.json", r#"{"RegionId": "local", "NetworkInterfaceId": "eni-1"}"#);
    for command in [
        "filter create --account 1",
        "filter update tmf-1 --name x --account 1",
        "filter delete tmf-1 --account 1",
        "rule create tmf-1 --ingress action=accept --account 1",
        "rule update tmr-1 --action drop --account 1",
        "rule delete tmf-1 tmr-1 --account 1",
        "session create --source a --filter f --target t --priority 1 --account 1",
        "session update tms-1 --vni 1 --account 1",
        "session enable tms-1 --account 1",
        "session disable tms-1 --account 1",
        "session add-sources tms-1 a --account 1",
        "session remove-sources tms-1 a --account 1",
        "session delete tms-1 --account 1",
        &format!("inventory apply {file}"),
        "inventory delete vpcs vpc-1",
        &format!("eni add {file}"),
        "eni delete eni-1",
        "account add 1001",
        "account delete 1001",
    ] {
        let arguments: Vec<&str> = command.split(' ').chain(["--dry-run"]).collect();
        let said = daemon.says(&arguments);
        assert!(said.contains("dry run: ") && !said.contains("ecret"), "{command}: {said}");
        assert_eq!(daemon.json(&arguments)["dry_run"], true, "{command}");
    }
}

#[test]
fn a_list_is_asked_for_page_by_page() {
    let daemon = Fake::start(|seen: &Seen| {
        let (id, next) = match seen.json()["NextToken"].as_str() {
            None => ("tms-1", json!("second")),
            Some("second") => ("tms-2", Value::Null),
            other => panic!("{other:?}"),
        };
        Reply::json(200, &json!({ "TrafficMirrorSessions": [{ "TrafficMirrorSessionId": id }], "NextToken": next }))
    });
    let list = daemon.json(&["session", "list", "--account", "1"]);
    assert_eq!(list, json!([{ "TrafficMirrorSessionId": "tms-1" }, { "TrafficMirrorSessionId": "tms-2" }]));
    assert_eq!(daemon.seen().len(), 2);
}
