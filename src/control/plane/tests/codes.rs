//! Every error code of the table is brought about, and every error that is brought about is in the table.

use super::{Kit, and, wanted};
use crate::control::api::{Action, ApiError};
use crate::control::fabric::NoFabric;
use crate::control::plane::codes::{self, Code};
use crate::control::platform::Platform;

use Action::{
    AddSourcesToTrafficMirrorSession as Add, CreateTrafficMirrorFilter as CreateFilter,
    CreateTrafficMirrorFilterRules as CreateRules, CreateTrafficMirrorSession as CreateSession,
    DeleteTrafficMirrorFilter as DeleteFilter, DeleteTrafficMirrorFilterRules as DeleteRules,
    DeleteTrafficMirrorSession as DeleteSession, RemoveSourcesFromTrafficMirrorSession as Remove,
    UpdateTrafficMirrorFilterRuleAttribute as UpdateRule, UpdateTrafficMirrorSessionAttribute as UpdateSession,
};

/// Small quotas, so that few objects reach them.
fn small() -> Kit {
    let kit = Kit::with(
        |config| {
            config.quotas.rules_per_filter = 2;
            config.quotas.sessions_per_source = 2;
            config.quotas.sources_per_session = 2;
            config.quotas.sources_per_target_eni = 1;
            config.quotas.sources_per_large_target_eni = 1;
            config.quotas.sources_per_load_balancer = 1;
            config.quotas.filters = 2;
            config.quotas.sessions_per_filter = 2;
            config.quotas.sessions = 2;
        },
        Box::new(NoFabric::default()),
    );
    kit.opened()
}

/// One quota is small, the others are as they are.
fn quota(set: impl FnOnce(&mut crate::control::config::Quotas)) -> Kit {
    Kit::with(|config| set(&mut config.quotas), Box::new(NoFabric::default())).opened()
}

fn provoke(code: &Code) -> ApiError {
    let kit = Kit::new().opened();
    let filter = kit.filter();
    match *code {
        codes::DRY_RUN => kit.no(CreateFilter, &[("DryRun", "True")]),
        codes::SESSION_NOT_FOUND => kit.no(DeleteSession, &[("TrafficMirrorSessionId", "tms-none")]),
        codes::FILTER_NOT_FOUND => kit.no(DeleteFilter, &[("TrafficMirrorFilterId", "tmf-none")]),
        codes::RULE_NOT_FOUND => kit.no(UpdateRule, &[("TrafficMirrorFilterRuleId", "tmr-none")]),
        codes::ENI_NOT_FOUND => kit.no(CreateSession, &wanted(&filter, "eni-b", "eni-1", "1")),
        codes::SESSION_BUSY | codes::FILTER_BUSY | codes::RULE_BUSY => super::statuses::busy(code),
        codes::FILTER_IN_USE => {
            kit.session(&filter, "eni-0", "eni-1", "1");
            kit.no(DeleteFilter, &[("TrafficMirrorFilterId", &filter)])
        }
        codes::LOCKED => {
            super::inventory::lock_account(&kit, "a", true);
            kit.no(CreateFilter, &[])
        }
        codes::NOT_OPEN => Kit::new().no(CreateFilter, &[]),
        codes::TOKEN_MISMATCH => {
            kit.ok(CreateFilter, &[("ClientToken", "t")]);
            kit.no(CreateFilter, &[("ClientToken", "t"), ("TrafficMirrorFilterName", "other")])
        }
        codes::PRIORITY_TAKEN => {
            kit.session(&filter, "eni-0", "eni-1", "1");
            kit.no(CreateSession, &wanted(&filter, "eni-2", "eni-1", "1"))
        }
        codes::ROLE_CONFLICT => {
            kit.session(&filter, "eni-0", "eni-1", "1");
            kit.no(CreateSession, &wanted(&filter, "eni-2", "eni-0", "2"))
        }
        codes::SOURCE_TWICE => {
            let session = kit.session(&filter, "eni-0", "eni-1", "1");
            kit.no(Add, &[("TrafficMirrorSessionId", &session), ("TrafficMirrorSourceIds.1", "eni-0")])
        }
        codes::SOURCE_NOT_THERE => {
            let session = kit.session(&filter, "eni-0", "eni-1", "1");
            kit.no(Remove, &[("TrafficMirrorSessionId", &session), ("TrafficMirrorSourceIds.1", "eni-2")])
        }
        codes::MANAGED_ENI => kit.no(CreateSession, &wanted(&filter, "eni-managed", "eni-1", "1")),
        codes::READ_ONLY => {
            kit.store.fail_next(1);
            kit.no(CreateFilter, &[])
        }
        _ => exceed(code),
    }
}

fn exceed(code: &Code) -> ApiError {
    match *code {
        codes::QUOTA_SOURCES_PER_SESSION => {
            let kit = quota(|q| q.sources_per_session = 1);
            let filter = kit.filter();
            let two = and(&wanted(&filter, "eni-0", "eni-1", "1"), &[("TrafficMirrorSourceIds.2", "eni-2")]);
            kit.no(CreateSession, &two)
        }
        codes::QUOTA_LARGE_TARGET | codes::QUOTA_SMALL_TARGET => {
            let kit = small();
            let filter = kit.filter();
            let target = if *code == codes::QUOTA_LARGE_TARGET { "eni-large" } else { "eni-1" };
            kit.session(&filter, "eni-0", target, "1");
            kit.no(CreateSession, &wanted(&filter, "eni-2", target, "2"))
        }
        codes::QUOTA_SLB_TARGET | codes::QUOTA_GWLBE_TARGET => {
            let kit = small();
            let filter = kit.filter();
            let slb = *code == codes::QUOTA_SLB_TARGET;
            let target = if slb { "SLB" } else { "GatewayLoadBalancerEndpoint" };
            let kind = [("TrafficMirrorTargetType", target)];
            kit.ok(CreateSession, &and(&wanted(&filter, "eni-0", "lb-1", "1"), &kind));
            kit.no(CreateSession, &and(&wanted(&filter, "eni-2", "lb-1", "2"), &kind))
        }
        codes::QUOTA_RULES_PER_FILTER => {
            let kit = quota(|q| q.rules_per_filter = 1);
            let filter = kit.filter();
            let rule = [
                ("TrafficMirrorFilterId", &*filter),
                ("EgressRules.1.Action", "drop"),
                ("EgressRules.1.Priority", "1"),
                ("EgressRules.1.Protocol", "ALL"),
            ];
            kit.no(CreateRules, &rule)
        }
        codes::QUOTA_SESSIONS => {
            let kit = quota(|q| q.sessions = 1);
            let filter = kit.filter();
            kit.session(&filter, "eni-0", "eni-1", "1");
            kit.no(CreateSession, &wanted(&filter, "eni-2", "eni-1", "2"))
        }
        codes::QUOTA_SESSIONS_PER_SOURCE => {
            let kit = quota(|q| q.sessions_per_source = 1);
            let filter = kit.filter();
            kit.session(&filter, "eni-0", "eni-1", "1");
            kit.no(CreateSession, &wanted(&filter, "eni-0", "eni-1", "2"))
        }
        codes::QUOTA_FILTERS => {
            let kit = quota(|q| q.filters = 1);
            kit.filter();
            kit.no(CreateFilter, &[])
        }
        codes::QUOTA_SESSIONS_PER_FILTER => {
            let kit = quota(|q| q.sessions_per_filter = 1);
            let filter = kit.filter();
            kit.session(&filter, "eni-0", "eni-1", "1");
            kit.no(CreateSession, &wanted(&filter, "eni-2", "eni-1", "2"))
        }
        _ => panic!("{} is in the table, and nothing here brings it about", code.code),
    }
}

#[test]
fn each_code_is_brought_about() {
    for code in codes::ALL {
        let error = provoke(code);
        assert_eq!((&*error.code, error.status), (code.code, code.status), "{error}");
        assert!(error.message.len() > 20, "{error}");
    }
}

#[test]
fn a_quota_s_refusal_names_quota_class_limit_and_count() {
    let error = exceed(&codes::QUOTA_LARGE_TARGET);
    let expected = "TrafficMirrorTargetId: the quota vpc_quota_traffic_mirror_source_num_per_large_ecs_target (adjustable, \
                    large instance type) of distinct sources of target eni-large is 1; 1 are used, and 1 more are asked for.";
    assert_eq!(error.message, expected);
}

#[test]
fn no_request_beyond_a_quota_is_done_and_none_within_it_is_refused_however_many_come_at_once() {
    let kit = quota(|q| (q.filters, q.sessions_per_filter, q.sources_per_target_eni) = (7, 5, 5));
    let done: usize = std::thread::scope(|scope| {
        let tries =
            (0..4).map(|_| scope.spawn(|| (0..10).filter(|_| kit.call("a", CreateFilter, &[]).is_ok()).count()));
        tries.collect::<Vec<_>>().into_iter().map(|t| t.join().unwrap()).sum()
    });
    assert_eq!(done, 7);
    let used = kit.control.quotas("a").unwrap();
    let filters = used["quotas"].as_array().unwrap().iter().find(|q| q["name"] == "filters_per_account").unwrap();
    assert_eq!((&filters["used"], &filters["limit"]), (&7.into(), &7.into()));
}

#[test]
fn an_adjustable_quota_of_the_account_wins() {
    let kit = quota(|q| q.filters = 1);
    super::inventory::edit_account(&kit, "a", |account| account["Quotas"] = serde_json::json!({"filters": 2}));
    kit.filter();
    kit.filter();
    assert_eq!(kit.no(CreateFilter, &[]).code, codes::QUOTA_FILTERS.code);
}

#[test]
fn other_updates_within_a_full_quota_go_on() {
    let kit = small();
    let filter = kit.filter();
    let session = kit.session(&filter, "eni-0", "eni-1", "1");
    let same = [
        ("TrafficMirrorSessionId", &*session),
        ("TrafficMirrorFilterId", &*filter),
        ("TrafficMirrorTargetId", "eni-1"),
        ("TrafficMirrorTargetType", "NetworkInterface"),
        ("Priority", "1"),
    ];
    kit.ok(UpdateSession, &same);
    let rules = kit.listed_filter(&filter)["IngressRules"].clone();
    let rule = rules[0]["TrafficMirrorFilterRuleId"].as_str().unwrap();
    kit.ok(UpdateRule, &[("TrafficMirrorFilterRuleId", rule), ("Priority", "1"), ("Protocol", "ALL")]);
    kit.ok(DeleteRules, &[("TrafficMirrorFilterId", &filter), ("TrafficMirrorFilterRuleIds.1", rule)]);
}
