//! What clients see while workers have not taken a change: publication is held.

use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

use super::{Kit, wanted};
use crate::control::api::{Action, ApiError};
use crate::control::fabric::{Fabric, PortView, Refused, WorkerView};
use crate::control::model::EniSpec;
use crate::control::plane::codes::{self, Code};
use crate::control::platform::Platform;
use crate::mirror::snapshot::Snapshot;

/// Workers that take a snapshot when they are let.
#[derive(Clone, Default)]
pub(super) struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub(super) fn hold(&self) {
        *self.0.0.lock() = true;
    }

    pub(super) fn release(&self) {
        *self.0.0.lock() = false;
        self.0.1.notify_all();
    }
}

impl Fabric for Gate {
    fn workers(&self) -> usize {
        1
    }

    fn check(&self, _eni: &EniSpec) -> Result<(), String> {
        Ok(())
    }

    fn open(&self, _wanted: &[(&EniSpec, usize)]) -> Result<(), Refused> {
        Ok(())
    }

    fn publish(&self, _snapshot: Snapshot) -> Result<(), String> {
        self.0.1.wait_while(&mut self.0.0.lock(), |held| *held);
        Ok(())
    }

    fn port(&self, _eni: &str) -> Option<PortView> {
        None
    }

    fn worker_views(&self) -> Vec<WorkerView> {
        Vec::new()
    }

    fn stop(&self) {}
}

/// A kit whose publication can be held. It is let go before the kit ends, also when a test fails.
pub(super) struct Held {
    pub(super) kit: Kit,
    pub(super) gate: Gate,
}

impl Held {
    fn new() -> Self {
        let gate = Gate::default();
        Held { kit: Kit::with(|_| {}, Box::new(gate.clone())).opened(), gate }
    }

    fn wait_applied(&self) {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        let behind = |status: serde_json::Value| status["desired_revision"] != status["applied_revision"];
        while behind(self.kit.control.status()) {
            assert!(std::time::Instant::now() < deadline, "{}", self.kit.control.status());
            std::thread::yield_now();
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.gate.release();
    }
}

/// A write on an object that workers have not taken yet.
pub(super) fn busy(code: &Code) -> ApiError {
    let held = Held::new();
    let kit = &held.kit;
    let filter = kit.filter();
    let session = kit.session(&filter, "eni-0", "eni-1", "1");
    let rule = kit.listed_filter(&filter)["IngressRules"][0]["TrafficMirrorFilterRuleId"].as_str().unwrap().to_owned();
    held.gate.hold();
    if *code == codes::SESSION_BUSY {
        kit.ok(
            Action::UpdateTrafficMirrorSessionAttribute,
            &[("TrafficMirrorSessionId", &session), ("VirtualNetworkId", "7")],
        );
        return kit.no(Action::DeleteTrafficMirrorSession, &[("TrafficMirrorSessionId", &session)]);
    }
    let change = [("TrafficMirrorFilterRuleId", &*rule), ("RuleAction", "drop")];
    kit.ok(Action::UpdateTrafficMirrorFilterRuleAttribute, &change);
    if *code == codes::RULE_BUSY {
        return kit.no(Action::UpdateTrafficMirrorFilterRuleAttribute, &change);
    }
    kit.no(Action::UpdateTrafficMirrorFilterAttribute, &[("TrafficMirrorFilterId", &filter)])
}

#[test]
fn a_session_is_creating_modifying_and_deleting_until_workers_have_it() {
    let held = Held::new();
    let kit = &held.kit;
    let filter = kit.filter();
    held.gate.hold();
    let session = kit.session(&filter, "eni-0", "eni-1", "1");
    let status = |id: &str| kit.listed_session(id)["TrafficMirrorSessionStatus"].clone();
    assert_eq!(status(&session), "Creating");
    // Others are served: a filter that no worker knows is there at once, and so is a session without a local source.
    kit.filter();
    let far = kit.session(&filter, "eni-far", "eni-1", "2");
    assert_eq!(status(&far), "Created");
    let busy = kit.no(Action::DeleteTrafficMirrorSession, &[("TrafficMirrorSessionId", &session)]);
    assert_eq!(busy.code, codes::SESSION_BUSY.code);
    held.gate.release();
    held.wait_applied();
    assert_eq!(status(&session), "Created");
    held.gate.hold();
    kit.ok(
        Action::UpdateTrafficMirrorSessionAttribute,
        &[("TrafficMirrorSessionId", &session), ("PacketLength", "64")],
    );
    assert_eq!(status(&session), "Modifying");
    held.gate.release();
    held.wait_applied();
    held.gate.hold();
    kit.ok(Action::DeleteTrafficMirrorSession, &[("TrafficMirrorSessionId", &session)]);
    assert_eq!(status(&session), "Deleting");
    let gone = kit.no(Action::DeleteTrafficMirrorSession, &[("TrafficMirrorSessionId", &session)]);
    assert_eq!(gone.code, codes::SESSION_NOT_FOUND.code);
    held.gate.release();
    held.wait_applied();
    assert!(status(&session).is_null());
}

#[test]
fn rules_have_statuses_of_their_own() {
    let held = Held::new();
    let kit = &held.kit;
    let filter = kit.filter();
    kit.session(&filter, "eni-0", "eni-1", "1");
    held.gate.hold();
    let rules = [
        ("TrafficMirrorFilterId", &*filter),
        ("EgressRules.1.Action", "drop"),
        ("EgressRules.1.Priority", "5"),
        ("EgressRules.1.Protocol", "TCP"),
    ];
    kit.ok(Action::CreateTrafficMirrorFilterRules, &rules);
    let listed = kit.listed_filter(&filter);
    assert_eq!(listed["TrafficMirrorFilterStatus"], "Modifying");
    assert_eq!(listed["EgressRules"][0]["TrafficMirrorFilterRuleStatus"], "Creating");
    assert_eq!(listed["IngressRules"][0]["TrafficMirrorFilterRuleStatus"], "Created");
    held.gate.release();
    held.wait_applied();
    held.gate.hold();
    let rule = listed["EgressRules"][0]["TrafficMirrorFilterRuleId"].as_str().unwrap();
    let delete = [("TrafficMirrorFilterId", &*filter), ("TrafficMirrorFilterRuleIds.1", rule)];
    kit.ok(Action::DeleteTrafficMirrorFilterRules, &delete);
    assert_eq!(kit.listed_filter(&filter)["EgressRules"][0]["TrafficMirrorFilterRuleStatus"], "Deleting");
    held.gate.release();
    held.wait_applied();
    let listed = kit.listed_filter(&filter);
    assert_eq!(
        (&listed["TrafficMirrorFilterStatus"], listed["EgressRules"].as_array().unwrap().len()),
        (&"Created".into(), 0)
    );
}

#[test]
fn what_workers_do_not_need_is_created_at_once() {
    let held = Held::new();
    let kit = &held.kit;
    held.gate.hold();
    let filter = kit.filter();
    let disabled = super::and(&wanted(&filter, "eni-0", "eni-1", "1"), &[("Enabled", "false")]);
    let answer = kit.ok(Action::CreateTrafficMirrorSession, &disabled);
    let session = answer["TrafficMirrorSessionId"].as_str().unwrap();
    assert_eq!(kit.listed_session(session)["TrafficMirrorSessionStatus"], "Created");
    let name = [("TrafficMirrorSessionId", session), ("TrafficMirrorSessionName", "n")];
    kit.ok(Action::UpdateTrafficMirrorSessionAttribute, &name);
    assert_eq!(kit.listed_session(session)["TrafficMirrorSessionStatus"], "Created");
    kit.ok(Action::UpdateTrafficMirrorSessionAttribute, &[("TrafficMirrorSessionId", session), ("Enabled", "true")]);
    assert_eq!(kit.listed_session(session)["TrafficMirrorSessionStatus"], "Modifying");
}

#[test]
fn the_newest_of_several_changes_is_what_workers_get() {
    let held = Held::new();
    let kit = &held.kit;
    let filter = kit.filter();
    held.gate.hold();
    let sessions: Vec<String> =
        (0..4).map(|n| kit.session(&filter, &format!("eni-{n}"), "eni-9", &(n + 1).to_string())).collect();
    held.gate.release();
    held.wait_applied();
    let state = kit.switch.state.lock();
    let mut running: Vec<String> = state.model.sessions.iter().map(|s| s.id.to_string()).collect();
    running.sort();
    let mut expected = sessions.clone();
    expected.sort();
    assert_eq!(running, expected);
}

#[test]
fn another_account_s_busy_rule_is_not_there_either() {
    let held = Held::new();
    let kit = &held.kit;
    let filter = kit.filter();
    kit.session(&filter, "eni-0", "eni-1", "1");
    let rule = kit.listed_filter(&filter)["IngressRules"][0]["TrafficMirrorFilterRuleId"].as_str().unwrap().to_owned();
    kit.call("b", Action::OpenTrafficMirrorService, &[]).unwrap();
    let own = kit.call("b", Action::CreateTrafficMirrorFilter, &[]).unwrap();
    let own = own["TrafficMirrorFilterId"].as_str().unwrap();
    held.gate.hold();
    kit.ok(
        Action::UpdateTrafficMirrorFilterRuleAttribute,
        &[("TrafficMirrorFilterRuleId", &rule), ("RuleAction", "drop")],
    );
    let delete = [("TrafficMirrorFilterId", own), ("TrafficMirrorFilterRuleIds.1", &*rule)];
    let not_there = kit.call("b", Action::DeleteTrafficMirrorFilterRules, &delete).unwrap_err();
    assert_eq!(not_there.code, codes::RULE_NOT_FOUND.code);
}
