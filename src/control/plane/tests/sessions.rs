//! Sessions: every parameter with its bounds and defaults, both roles of an ENI, and updates.

use serde_json::{Value, json};

use super::{Bad, Kit, and, refuses, wanted};
use crate::control::api::Action::{
    CreateTrafficMirrorSession as Create, DeleteTrafficMirrorSession as Delete,
    UpdateTrafficMirrorSessionAttribute as Update,
};
use crate::control::plane::codes;

const ID: &str = "TrafficMirrorSessionId";

#[test]
fn a_session_of_what_it_needs_has_defaults() {
    let kit = Kit::new().opened();
    let filter = kit.filter();
    let answer = kit.ok(Create, &and(&wanted(&filter, "eni-0", "eni-1", "5"), &[("Enabled", "")]));
    let id = answer[ID].as_str().unwrap();
    assert_eq!(answer, json!({"TrafficMirrorSessionId": id, "ResourceGroupId": "rg-default"}));
    let mut listed = kit.listed_session(id);
    let vni = listed["VirtualNetworkId"].take().as_u64().unwrap();
    assert!(vni < 1 << 24);
    let expected = json!({
        "TrafficMirrorSessionId": id, "TrafficMirrorSessionName": "", "TrafficMirrorSessionDescription": "",
        "TrafficMirrorSessionStatus": "Created", "TrafficMirrorSessionBusinessStatus": "Normal", "Enabled": false,
        "Priority": 5, "PacketLength": 1500, "VirtualNetworkId": null, "TrafficMirrorFilterId": filter,
        "TrafficMirrorSourceIds": ["eni-0"], "TrafficMirrorTargetId": "eni-1",
        "TrafficMirrorTargetType": "NetworkInterface", "ResourceGroupId": "rg-default", "Tags": [],
        "CreationTime": "2023-11-14T22:13Z",
    });
    assert_eq!(listed, expected);
}

#[test]
fn a_vni_that_is_not_given_is_random_and_zero_is_one_that_is() {
    let kit = Kit::new().opened();
    let filter = kit.filter();
    let vni = |n: usize, vni: &str| {
        let (source, priority) = (format!("eni-{}", n % 4), (n + 1).to_string());
        let params = and(&wanted(&filter, &source, "eni-9", &priority), &[("VirtualNetworkId", vni)]);
        let id = kit.ok(Create, &params)[ID].as_str().unwrap().to_owned();
        kit.listed_session(&id)["VirtualNetworkId"].as_u64().unwrap()
    };
    let random: std::collections::BTreeSet<u64> = (0..8).map(|n| vni(n, "")).collect();
    assert!(random.len() > 6, "{random:?}");
    assert_eq!((vni(8, "0"), vni(9, "16777215"), vni(10, "7"), vni(11, "7")), (0, 16_777_215, 7, 7));
}

/// Parameters that create and update share, with values beyond each end.
const BAD_VALUES: &[Bad<'static>] = &[
    (&[("Priority", "0")], "InvalidParameter.Priority", "from 1 to 32766"),
    (&[("Priority", "32767")], "InvalidParameter.Priority", "from 1 to 32766"),
    (&[("Priority", "1.5")], "InvalidParameter.Priority", "from 1 to 32766"),
    (&[("Priority", "high")], "InvalidParameter.Priority", "from 1 to 32766"),
    (&[("VirtualNetworkId", "-1")], "InvalidParameter.VirtualNetworkId", "0 to 16777215"),
    (&[("VirtualNetworkId", "16777216")], "InvalidParameter.VirtualNetworkId", "0 to 16777215"),
    (&[("VirtualNetworkId", "0x10")], "InvalidParameter.VirtualNetworkId", "0 to 16777215"),
    (&[("PacketLength", "63")], "InvalidParameter.PacketLength", "64 to 8500"),
    (&[("PacketLength", "8501")], "InvalidParameter.PacketLength", "64 to 8500"),
    (&[("PacketLength", "all")], "InvalidParameter.PacketLength", "64 to 8500"),
    (&[("Enabled", "1")], "InvalidParameter.Enabled", "true or false"),
    (&[("DryRun", "0")], "InvalidParameter.DryRun", "true or false"),
    (&[("TrafficMirrorSessionName", "http://x")], "InvalidParameter.TrafficMirrorSessionName", "128"),
    (&[("TrafficMirrorSessionDescription", "https://x")], "InvalidParameter.TrafficMirrorSessionDescription", "256"),
    (&[("TrafficMirrorTargetType", "networkinterface")], "InvalidParameter.TrafficMirrorTargetType", "SLB"),
    (&[("TrafficMirrorTargetType", "ENI")], "InvalidParameter.TrafficMirrorTargetType", "GatewayLoadBalancerEndpoint"),
    (
        &[("TrafficMirrorTargetType", "SLB"), ("TrafficMirrorTargetId", "lb 1")],
        "InvalidParameter.TrafficMirrorTargetId",
        "letters",
    ),
    (&[("TrafficMirrorTargetId", "eni-none")], codes::ENI_NOT_FOUND.code, "TrafficMirrorTargetId"),
    (&[("TrafficMirrorTargetId", "eni-b")], codes::ENI_NOT_FOUND.code, "TrafficMirrorTargetId"),
    (&[("TrafficMirrorTargetId", "eni-managed")], codes::MANAGED_ENI.code, "TrafficMirrorTargetId"),
    (&[("TrafficMirrorFilterId", "tmf-none")], codes::FILTER_NOT_FOUND.code, "tmf-none"),
];

#[test]
fn what_is_not_allowed_is_refused_with_the_parameter_s_name() {
    let kit = Kit::new().opened();
    let filter = kit.filter();
    let good = wanted(&filter, "eni-0", "eni-1", "1");
    let (over, too_long) = ("n".repeat(129), "d".repeat(257));
    let long: [Bad<'_>; 2] = [
        (&[("TrafficMirrorSessionName", &over)], "InvalidParameter.TrafficMirrorSessionName", "128"),
        (&[("TrafficMirrorSessionDescription", &too_long)], "InvalidParameter.TrafficMirrorSessionDescription", "256"),
    ];
    refuses(&kit, Create, &good, BAD_VALUES);
    refuses(&kit, Create, &good, &long);
    refuses(
        &kit,
        Create,
        &good,
        &[
            (&[("TrafficMirrorFilterId", "")], "MissingTrafficMirrorFilterId", "the id of a filter"),
            (&[("TrafficMirrorTargetId", "")], "MissingTrafficMirrorTargetId", "the id of a target"),
            (&[("TrafficMirrorTargetType", "")], "MissingTrafficMirrorTargetType", "NetworkInterface, SLB"),
            (&[("Priority", "")], "MissingPriority", "from 1 to 32766"),
            (&[("TrafficMirrorSourceIds.1", "")], "MissingTrafficMirrorSourceIds", "the id of an ENI"),
            (&[("TrafficMirrorSourceIds.1", "eni-none")], codes::ENI_NOT_FOUND.code, "TrafficMirrorSourceIds.1"),
            (&[("TrafficMirrorSourceIds.1", "eni-b")], codes::ENI_NOT_FOUND.code, "TrafficMirrorSourceIds.1"),
            (&[("TrafficMirrorSourceIds.2", "eni-managed")], codes::MANAGED_ENI.code, "TrafficMirrorSourceIds.2"),
            (&[("TrafficMirrorSourceIds.2", "eni-0")], codes::SOURCE_TWICE.code, "TrafficMirrorSourceIds.2"),
            (&[("TrafficMirrorSourceIds.1", "eni-1")], codes::ROLE_CONFLICT.code, "target of this session"),
            (&[("TrafficMirrorSourceIds.3", "eni-2")], "InvalidParameter.TrafficMirrorSourceIds", "without gaps"),
            (
                &[("TrafficMirrorSourceIds.1.Id", "eni-2")],
                "InvalidParameter.TrafficMirrorSourceIds",
                "TrafficMirrorSourceIds.1.Id",
            ),
            (&[("ResourceGroupId", "a b")], "InvalidParameter.ResourceGroupId", "letters"),
            (&[("Tag.1.Key", "acs:x")], "InvalidParameter.Tag", "Tag.1.Key"),
        ],
    );
    let ends = [("Priority", "32766"), ("PacketLength", "64"), ("VirtualNetworkId", "0"), ("Enabled", "TRUE")];
    let id = kit.ok(Create, &and(&good, &ends))[ID].as_str().unwrap().to_owned();
    let update = and(&good[..1], &[(ID, &id)]);
    refuses(&kit, Update, &update, BAD_VALUES);
    refuses(&kit, Update, &update, &long);
    let other = [("PacketLength", "8500"), ("VirtualNetworkId", "16777215"), ("Priority", "1"), ("Enabled", "False")];
    kit.ok(Update, &and(&update, &other));
    let listed = kit.listed_session(&id);
    let now = ["PacketLength", "VirtualNetworkId", "Priority", "Enabled"].map(|field| listed[field].clone());
    assert_eq!(now, [json!(8500), json!(16_777_215), json!(1), json!(false)]);
}

#[test]
fn an_update_changes_what_it_names_and_takes_resent_values() {
    let kit = Kit::new().opened();
    let (filter, other) = (kit.filter(), kit.filter());
    let id = kit.session(&filter, "eni-0", "eni-1", "1");
    kit.session(&filter, "eni-2", "eni-1", "2");
    let mut expected = kit.listed_session(&id);
    let changes: [(&str, &str, Value); 7] = [
        ("TrafficMirrorSessionName", "n", json!("n")),
        ("TrafficMirrorSessionDescription", "d", json!("d")),
        ("TrafficMirrorTargetId", "eni-5", json!("eni-5")),
        ("TrafficMirrorFilterId", &other, json!(other)),
        ("VirtualNetworkId", "0", json!(0)),
        ("PacketLength", "100", json!(100)),
        ("Priority", "9", json!(9)),
    ];
    for (name, value, now) in changes {
        kit.ok(Update, &[(ID, &id), (name, value)]);
        expected[name] = now;
        assert_eq!(kit.listed_session(&id), expected, "{name}");
    }
    // Terraform always sends these four.
    let resent = and(&wanted(&other, "", "eni-5", "9"), &[(ID, &id)]);
    let before = crate::control::store::Store::dump(&*kit.store).unwrap();
    kit.ok(Update, &and(&resent, &[("TrafficMirrorSourceIds.1", "")]));
    assert_eq!(kit.listed_session(&id), expected);
    assert_eq!(crate::control::store::Store::dump(&*kit.store).unwrap(), before, "nothing changed");
    refuses(
        &kit,
        Update,
        &[(ID, &id)],
        &[
            (&[(ID, "")], "MissingTrafficMirrorSessionId", "the id of a session"),
            (&[(ID, "tms-none")], codes::SESSION_NOT_FOUND.code, "tms-none"),
            (&[("Priority", "2")], codes::PRIORITY_TAKEN.code, "Priority"),
            (&[("TrafficMirrorTargetId", "eni-0")], codes::ROLE_CONFLICT.code, "eni-0 is a source"),
            (&[("TrafficMirrorTargetId", "eni-2")], codes::ROLE_CONFLICT.code, "eni-2 is a source"),
            (&[("TrafficMirrorTargetType", "SLB")], "MissingTrafficMirrorTargetId", "TrafficMirrorTargetType"),
        ],
    );
    let slb = [("TrafficMirrorTargetType", "SLB"), ("TrafficMirrorTargetId", "lb-1"), ("Enabled", "false")];
    kit.ok(Update, &and(&[(ID, &*id)], &slb));
    for (name, value) in
        [("TrafficMirrorTargetType", json!("SLB")), ("TrafficMirrorTargetId", json!("lb-1")), ("Enabled", json!(false))]
    {
        expected[name] = value;
    }
    assert_eq!(kit.listed_session(&id), expected);
}

#[test]
fn an_eni_is_source_or_target_over_all_sessions() {
    let kit = Kit::new().opened();
    let filter = kit.filter();
    let first = kit.session(&filter, "eni-0", "eni-1", "1");
    let conflict = codes::ROLE_CONFLICT.code;
    let other = wanted(&filter, "eni-2", "eni-3", "2");
    refuses(
        &kit,
        Create,
        &other,
        &[
            (&[("TrafficMirrorSourceIds.1", "eni-1")], conflict, "is the target of session"),
            (&[("TrafficMirrorTargetId", "eni-0")], conflict, "is a source of session"),
        ],
    );
    kit.ok(Delete, &[(ID, &first)]);
    kit.ok(Create, &and(&other, &[("TrafficMirrorSourceIds.1", "eni-1"), ("TrafficMirrorTargetId", "eni-0")]));
}

#[test]
fn targets_of_every_type_are_kept_and_far_enis_may_be_either() {
    let kit = Kit::new().opened();
    let filter = kit.filter();
    for (n, kind) in ["SLB", "GatewayLoadBalancerEndpoint"].into_iter().enumerate() {
        let (source, priority) = (format!("eni-{n}"), (n + 1).to_string());
        let params = and(&wanted(&filter, &source, "lb-1", &priority), &[("TrafficMirrorTargetType", kind)]);
        let id = kit.ok(Create, &params)[ID].as_str().unwrap().to_owned();
        assert_eq!(kit.listed_session(&id)["TrafficMirrorTargetType"], kind);
    }
    kit.session(&filter, "eni-2", "eni-far", "3");
    assert_eq!(kit.no(Create, &wanted(&filter, "eni-far", "eni-3", "4")).code, codes::ROLE_CONFLICT.code);
    assert_eq!(kit.switch.state.lock().model.sessions.len(), 3);
}

#[test]
fn what_is_deleted_is_gone_and_its_priority_free() {
    let kit = Kit::new().opened();
    let filter = kit.filter();
    let id = kit.session(&filter, "eni-0", "eni-1", "1");
    kit.ok(Delete, &[(ID, &id)]);
    assert!(kit.listed_session(&id).is_null());
    assert_eq!(kit.no(Delete, &[(ID, &id)]).code, codes::SESSION_NOT_FOUND.code);
    assert_eq!(kit.no(Delete, &[]).code, "MissingTrafficMirrorSessionId");
    kit.session(&filter, "eni-0", "eni-1", "1");
}
