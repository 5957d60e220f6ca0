//! The service's switch, dry runs, and accounts apart from each other.

use serde_json::json;

use super::{Kit, and, wanted};
use crate::control::api::Action;
use crate::control::plane::codes;
use crate::control::store::Store;

#[test]
fn nothing_is_written_before_the_service_is_open() {
    let kit = Kit::new();
    let before = kit.store.dump().unwrap();
    for action in Action::ALL.iter().filter(|a| a.writes() && **a != Action::OpenTrafficMirrorService) {
        assert_eq!(kit.no(*action, &[]).code, codes::NOT_OPEN.code, "{}", action.name());
    }
    assert_eq!(kit.store.dump().unwrap(), before);
    assert_eq!(kit.ok(Action::GetTrafficMirrorServiceStatus, &[]), json!({"Enabled": false}));
    assert_eq!(kit.ok(Action::ListTrafficMirrorFilters, &[])["TotalCount"], "0");
    let answer = json!({"Code": "200", "Message": "successful"});
    assert_eq!(kit.ok(Action::OpenTrafficMirrorService, &[]), answer);
    let opened = kit.store.dump().unwrap();
    assert_eq!(kit.ok(Action::OpenTrafficMirrorService, &[]), answer, "again");
    assert_eq!(kit.store.dump().unwrap(), opened);
    assert_eq!(kit.ok(Action::GetTrafficMirrorServiceStatus, &[]), json!({"Enabled": true}));
    let status = kit.call("b", Action::GetTrafficMirrorServiceStatus, &[]).unwrap();
    assert_eq!(status, json!({"Enabled": false}), "an account's own");
    let kit = kit.restarted();
    assert_eq!(kit.ok(Action::GetTrafficMirrorServiceStatus, &[]), json!({"Enabled": true}));
}

#[test]
fn a_locked_account_writes_nothing_and_reads_all() {
    let kit = Kit::new().opened();
    super::inventory::lock_account(&kit, "a", true);
    for action in Action::ALL.iter().filter(|a| a.writes()) {
        assert_eq!(kit.no(*action, &[]).code, codes::LOCKED.code, "{}", action.name());
    }
    kit.ok(Action::ListTrafficMirrorSessions, &[]);
}

/// A request of each writing action that would be done.
fn writes<'a>(filter: &'a str, rule: &'a str, session: &'a str) -> Vec<(Action, Vec<(&'a str, &'a str)>)> {
    let (filter_id, session_id) = (("TrafficMirrorFilterId", filter), ("TrafficMirrorSessionId", session));
    let rules = [("EgressRules.1.Action", "drop"), ("EgressRules.1.Priority", "2"), ("EgressRules.1.Protocol", "ALL")];
    let of = [("ResourceType", "TrafficMirrorSession"), ("ResourceId.1", session)];
    vec![
        (Action::CreateTrafficMirrorFilter, rules.to_vec()),
        (Action::UpdateTrafficMirrorFilterAttribute, vec![filter_id, ("TrafficMirrorFilterName", "x")]),
        (Action::CreateTrafficMirrorFilterRules, and(&rules, &[filter_id])),
        (
            Action::UpdateTrafficMirrorFilterRuleAttribute,
            vec![("TrafficMirrorFilterRuleId", rule), ("RuleAction", "drop")],
        ),
        (Action::DeleteTrafficMirrorFilterRules, vec![filter_id, ("TrafficMirrorFilterRuleIds.1", rule)]),
        (Action::CreateTrafficMirrorSession, wanted(filter, "eni-2", "eni-1", "2").to_vec()),
        (Action::UpdateTrafficMirrorSessionAttribute, vec![session_id, ("Enabled", "false")]),
        (Action::AddSourcesToTrafficMirrorSession, vec![session_id, ("TrafficMirrorSourceIds.1", "eni-3")]),
        (Action::RemoveSourcesFromTrafficMirrorSession, vec![session_id, ("TrafficMirrorSourceIds.1", "eni-0")]),
        (Action::TagResources, and(&of, &[("Tag.1.Key", "k")])),
        (Action::UnTagResources, and(&of, &[("All", "true")])),
        (Action::MoveResourceGroup, vec![of[0], ("ResourceId", session), ("NewResourceGroupId", "rg-2")]),
        (Action::DeleteTrafficMirrorSession, vec![session_id]),
    ]
}

fn with_objects() -> (Kit, String, String, String) {
    let kit = Kit::new().opened();
    let filter = kit.filter();
    let session = kit.session(&filter, "eni-0", "eni-1", "1");
    let rule = kit.listed_filter(&filter)["IngressRules"][0]["TrafficMirrorFilterRuleId"].as_str().unwrap().to_owned();
    (kit, filter, rule, session)
}

#[test]
fn a_dry_run_says_what_would_be_and_changes_nothing() {
    let (kit, filter, rule, session) = with_objects();
    let before = kit.store.dump().unwrap();
    let model = kit.switch.state.lock().model.clone();
    let requests = writes(&filter, &rule, &session);
    for (action, params) in &requests {
        for token in [&[][..], &[("ClientToken", "t")]] {
            let error = kit.no(*action, &and(&and(params, &[("DryRun", "true")]), token));
            assert_eq!((&*error.code, error.status), (codes::DRY_RUN.code, 400), "{}: {error}", action.name());
        }
        assert_eq!(kit.store.dump().unwrap(), before, "{}", action.name());
    }
    assert_eq!(kit.switch.state.lock().model, model);
    let bad = kit.no(Action::CreateTrafficMirrorFilter, &[("DryRun", "true"), ("IngressRules.1.Action", "x")]);
    assert_ne!(bad.code, codes::DRY_RUN.code);
    for (action, params) in requests {
        kit.ok(action, &and(&params, &[("DryRun", "False")]));
    }
}

#[test]
fn a_dry_run_does_not_say_that_a_broken_store_would_do_it() {
    let (kit, ..) = with_objects();
    kit.store.fail_next(1);
    kit.no(Action::CreateTrafficMirrorFilter, &[]);
    let tried = kit.no(Action::CreateTrafficMirrorFilter, &[("DryRun", "true")]);
    assert_eq!((&*tried.code, tried.status), (codes::READ_ONLY.code, 503));
}

#[test]
fn another_account_s_objects_are_not_there() {
    let (kit, filter, rule, session) = with_objects();
    kit.call("b", Action::OpenTrafficMirrorService, &[]).unwrap();
    let before = kit.store.dump().unwrap();
    for (action, params) in writes(&filter, &rule, &session) {
        if action == Action::CreateTrafficMirrorFilter {
            continue;
        }
        let error = kit.call("b", action, &params).unwrap_err();
        assert!(error.code.starts_with("ResourceNotFound."), "{}: {error}", action.name());
    }
    // Its own filter does not help it to another's ENIs.
    let own = kit.call("b", Action::CreateTrafficMirrorFilter, &[]).unwrap();
    let own = own["TrafficMirrorFilterId"].as_str().unwrap();
    for (source, target) in [("eni-0", "eni-b"), ("eni-b", "eni-1"), ("eni-b", "eni-none")] {
        let error = kit.call("b", Action::CreateTrafficMirrorSession, &wanted(own, source, target, "1")).unwrap_err();
        assert_eq!(error.code, codes::ENI_NOT_FOUND.code, "{error}");
    }
    kit.call("b", Action::DeleteTrafficMirrorFilter, &[("TrafficMirrorFilterId", own)]).unwrap();
    let (contents, intervals) = kit.store.dump().unwrap();
    assert_eq!((&contents.records, &intervals), (&before.0.records, &before.1));
    for action in [Action::ListTrafficMirrorFilters, Action::ListTrafficMirrorSessions] {
        assert_eq!(kit.call("b", action, &[]).unwrap()["TotalCount"], "0");
        let one = [("TrafficMirrorFilterIds.1", &*filter), ("TrafficMirrorSessionIds.1", &*session)];
        assert_eq!(kit.call("b", action, &one).unwrap()["TotalCount"], "0");
    }
    let tags = kit.call(
        "b",
        Action::ListTagResources,
        &[("ResourceType", "TrafficMirrorSession"), ("ResourceId.1", &session)],
    );
    assert_eq!(tags.unwrap()["TagResources"]["TagResource"], json!([]));
    // Priorities are an account's own.
    let own = kit.call("b", Action::CreateTrafficMirrorFilter, &[]).unwrap();
    let own = own["TrafficMirrorFilterId"].as_str().unwrap();
    kit.call("b", Action::CreateTrafficMirrorSession, &wanted(own, "eni-b", "eni-b2", "1")).unwrap();
}

/// Nobody knows whose a load balancer is, but one account's sources do not use up another's.
#[test]
fn a_load_balancer_s_sources_are_counted_for_each_account() {
    let kit = Kit::with(
        |config| config.quotas.sources_per_load_balancer = 1,
        Box::new(crate::control::fabric::NoFabric::default()),
    )
    .opened();
    kit.call("b", Action::OpenTrafficMirrorService, &[]).unwrap();
    for (account, source) in [("a", "eni-0"), ("b", "eni-b")] {
        let filter = kit.call(account, Action::CreateTrafficMirrorFilter, &[]).unwrap();
        let filter = filter["TrafficMirrorFilterId"].as_str().unwrap();
        let session = and(&wanted(filter, source, "lb-1", "1"), &[("TrafficMirrorTargetType", "SLB")]);
        kit.call(account, Action::CreateTrafficMirrorSession, &session).unwrap();
    }
}
