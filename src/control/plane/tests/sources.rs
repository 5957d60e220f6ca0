//! Sources added to a session and removed from it.

use serde_json::json;

use super::{Bad, Kit, and, refuses};
use crate::control::api::Action::{
    AddSourcesToTrafficMirrorSession as Add, RemoveSourcesFromTrafficMirrorSession as Remove,
};
use crate::control::plane::codes;

const ID: &str = "TrafficMirrorSessionId";
const FIRST: &str = "TrafficMirrorSourceIds.1";
const SECOND: &str = "TrafficMirrorSourceIds.2";

#[test]
fn only_remove_leaves_a_session_without_sources_and_add_fills_it_again() {
    let kit = Kit::new().opened();
    let filter = kit.filter();
    let id = kit.session(&filter, "eni-0", "eni-1", "1");
    kit.ok(Add, &[(ID, &id), (FIRST, "eni-2"), (SECOND, "eni-far")]);
    assert_eq!(kit.listed_session(&id)["TrafficMirrorSourceIds"], json!(["eni-0", "eni-2", "eni-far"]));
    kit.ok(Remove, &[(ID, &id), (FIRST, "eni-far"), (SECOND, "eni-0"), ("TrafficMirrorSourceIds.3", "eni-2")]);
    assert_eq!(kit.listed_session(&id)["TrafficMirrorSourceIds"], json!([]));
    assert!(kit.switch.state.lock().model.sessions.is_empty());
    kit.ok(Add, &[(ID, &id), (FIRST, "eni-3")]);
    assert_eq!(kit.listed_session(&id)["TrafficMirrorSourceIds"], json!(["eni-3"]));
    assert_eq!(kit.switch.state.lock().model.sessions.len(), 1);
}

#[test]
fn what_cannot_be_added_or_removed_is_named() {
    let kit = Kit::new().opened();
    let filter = kit.filter();
    let id = kit.session(&filter, "eni-0", "eni-1", "1");
    let good = [(ID, &*id), (FIRST, "eni-2")];
    let missing = "MissingTrafficMirrorSourceIds";
    let both: [Bad<'_>; 4] = [
        (&[(ID, "")], "MissingTrafficMirrorSessionId", "the id of a session"),
        (&[(ID, "tms-none")], codes::SESSION_NOT_FOUND.code, "tms-none"),
        (&[(FIRST, "")], missing, FIRST),
        (&[("TrafficMirrorSourceIds.3", "eni-3")], "InvalidParameter.TrafficMirrorSourceIds", "without gaps"),
    ];
    refuses(&kit, Add, &good, &both);
    refuses(&kit, Remove, &and(&good, &[(FIRST, "eni-0")]), &both);
    refuses(
        &kit,
        Add,
        &good,
        &[
            (&[(FIRST, "eni-0")], codes::SOURCE_TWICE.code, FIRST),
            (&[(SECOND, "eni-2")], codes::SOURCE_TWICE.code, SECOND),
            (&[(SECOND, "eni-1")], codes::ROLE_CONFLICT.code, SECOND),
            (&[(SECOND, "eni-b")], codes::ENI_NOT_FOUND.code, SECOND),
            (&[(SECOND, "eni-managed")], codes::MANAGED_ENI.code, SECOND),
        ],
    );
    refuses(
        &kit,
        Remove,
        &[(ID, &id), (FIRST, "eni-0")],
        &[
            (&[(FIRST, "eni-2")], codes::SOURCE_NOT_THERE.code, FIRST),
            (&[(SECOND, "eni-0")], codes::SOURCE_NOT_THERE.code, SECOND),
            (&[(SECOND, "eni-b")], codes::SOURCE_NOT_THERE.code, SECOND),
        ],
    );
    let eleven: Vec<(String, String)> =
        (1..=11).map(|n| (format!("TrafficMirrorSourceIds.{n}"), format!("eni-{n}"))).collect();
    let eleven: Vec<_> = eleven.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let code = "InvalidParameter.TrafficMirrorSourceIds";
    refuses(&kit, Remove, &eleven, &[(&[(ID, &id)], code, "TrafficMirrorSourceIds.10")]);
    let quota = codes::QUOTA_SOURCES_PER_SESSION.code;
    let ten = and(&eleven[..10], &[(ID, &*id), (FIRST, "eni-far"), ("TrafficMirrorSourceIds.10", "eni-large")]);
    refuses(&kit, Add, &ten, &[(&[], quota, "is 10; 1 are used, and 10 more")]);
}
