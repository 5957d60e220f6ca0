//! Filters: names, descriptions, what is refused, and whose they are.

use serde_json::json;

use super::{Kit, refuses};
use crate::control::api::Action::{
    CreateTrafficMirrorFilter as Create, DeleteTrafficMirrorFilter as Delete,
    DeleteTrafficMirrorSession as DeleteSession, UpdateTrafficMirrorFilterAttribute as Update,
};
use crate::control::plane::codes;

const NAME: &str = "TrafficMirrorFilterName";
const DESCRIPTION: &str = "TrafficMirrorFilterDescription";

#[test]
fn a_filter_of_nothing_has_defaults() {
    let kit = Kit::new().opened();
    let answer = kit.ok(Create, &[]);
    assert_eq!(answer["ResourceGroupId"], "rg-default");
    let id = answer["TrafficMirrorFilterId"].as_str().unwrap();
    let expected = json!({
        "TrafficMirrorFilterId": id, "TrafficMirrorFilterName": "", "TrafficMirrorFilterDescription": "",
        "TrafficMirrorFilterStatus": "Created", "CreationTime": "2023-11-14T22:13Z", "ResourceGroupId": "rg-default",
        "Tags": [], "IngressRules": [], "EgressRules": [],
    });
    assert_eq!(kit.listed_filter(id), expected);
}

#[test]
fn names_and_descriptions_have_bounds() {
    let kit = Kit::new().opened();
    let (most, over) = ("ü".repeat(128), "ü".repeat(129));
    let (much, too_much) = ("ß".repeat(256), "ß".repeat(257));
    kit.ok(Create, &[(NAME, "n"), (DESCRIPTION, "ftp://x")]);
    let answer =
        kit.ok(Create, &[(NAME, &most), (DESCRIPTION, &much), ("ResourceGroupId", "rg-1"), ("Tag.1.Key", "k")]);
    let id = answer["TrafficMirrorFilterId"].as_str().unwrap();
    let listed = kit.listed_filter(id);
    assert_eq!((&listed[NAME], &listed[DESCRIPTION]), (&json!(most), &json!(much)));
    assert_eq!((&listed["ResourceGroupId"], &listed["Tags"]), (&json!("rg-1"), &json!([{"Key": "k", "Value": ""}])));
    let bad = [
        (NAME, &*over, "1 to 128 characters"),
        (NAME, "http://x", "do not start with http"),
        (NAME, "HTTPS://x", "do not start with http"),
        (NAME, "a\nb", "1 to 128 characters"),
        (DESCRIPTION, &*too_much, "1 to 256 characters"),
        (DESCRIPTION, "https://", "do not start with http"),
        ("ResourceGroupId", "rg/1", "letters"),
        ("DryRun", "yes", "true or false"),
    ];
    for (name, value, words) in bad {
        let code = format!("InvalidParameter.{name}");
        refuses(&kit, Create, &[], &[(&[(name, value)], &code, words)]);
        if name != "ResourceGroupId" {
            refuses(&kit, Update, &[("TrafficMirrorFilterId", id)], &[(&[(name, value)], &code, words)]);
        }
    }
}

#[test]
fn an_update_changes_what_it_names() {
    let kit = Kit::new().opened();
    let id = kit.filter();
    let mut expected = kit.listed_filter(&id);
    kit.ok(Update, &[("TrafficMirrorFilterId", &id), (NAME, "new")]);
    expected[NAME] = json!("new");
    assert_eq!(kit.listed_filter(&id), expected);
    kit.ok(Update, &[("TrafficMirrorFilterId", &id), (DESCRIPTION, "why"), (NAME, "")]);
    expected[DESCRIPTION] = json!("why");
    assert_eq!(kit.listed_filter(&id), expected, "an empty name counts as absent");
    kit.ok(Update, &[("TrafficMirrorFilterId", &id)]);
    assert_eq!(kit.listed_filter(&id), expected);
    for action in [Update, Delete] {
        let none = codes::FILTER_NOT_FOUND.code;
        refuses(&kit, action, &[], &[(&[], "MissingTrafficMirrorFilterId", "the id of a filter")]);
        refuses(&kit, action, &[], &[(&[("TrafficMirrorFilterId", "tmf-none")], none, "tmf-none")]);
    }
}

#[test]
fn a_filter_in_use_stays_until_the_last_session_goes() {
    let kit = Kit::new().opened();
    let id = kit.filter();
    let sessions = [kit.session(&id, "eni-0", "eni-1", "1"), kit.session(&id, "eni-2", "eni-1", "2")];
    let filter = [("TrafficMirrorFilterId", &*id)];
    refuses(&kit, Delete, &filter, &[(&[], codes::FILTER_IN_USE.code, "2 sessions use filter")]);
    kit.ok(DeleteSession, &[("TrafficMirrorSessionId", &sessions[0])]);
    refuses(&kit, Delete, &filter, &[(&[], codes::FILTER_IN_USE.code, &sessions[1])]);
    kit.ok(DeleteSession, &[("TrafficMirrorSessionId", &sessions[1])]);
    kit.ok(Delete, &filter);
    assert!(kit.listed_filter(&id).is_null());
    refuses(&kit, Delete, &filter, &[(&[], codes::FILTER_NOT_FOUND.code, "")]);
}
