//! What must hold after each sequence.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};

use super::twin::{Session, Twin};
use crate::control::api::Action;
use crate::control::model::{self, Model, Target};
use crate::control::plane::activity::Activity;
use crate::control::plane::desired::Desired;
use crate::control::plane::filter::MirrorFilter;
use crate::control::plane::index::Index;
use crate::control::plane::session::{MirrorSession, TargetType};
use crate::control::plane::start::desired_of;
use crate::control::plane::tests::Kit;
use crate::control::plane::tokens::Tokens;
use crate::control::store::{Contents, Record, Store};

impl Kit {
    pub(super) fn listed_of(&self, account: &str, session: &str) -> Value {
        let id = [("TrafficMirrorSessionIds.1", session)];
        self.call(account, Action::ListTrafficMirrorSessions, &id).unwrap()["TrafficMirrorSessions"][0].clone()
    }
}

/// All that a request may change, to see that one did not.
#[derive(Debug, PartialEq)]
pub(super) struct Kept {
    revision: u64,
    services: BTreeSet<Arc<str>>,
    filters: BTreeMap<Arc<str>, Arc<MirrorFilter>>,
    sessions: BTreeMap<Arc<str>, Arc<MirrorSession>>,
    index: Index,
    tokens: Tokens,
    activity: Activity,
    stored: (Contents, Vec<Record>),
}

impl Kept {
    pub(super) fn of(kit: &Kit) -> Self {
        let state = kit.control.lock();
        let Desired { revision, services, filters, sessions, index, tokens, activity, .. } = &state.desired;
        Kept {
            revision: *revision,
            services: services.clone(),
            filters: filters.clone(),
            sessions: sessions.clone(),
            index: index.clone(),
            tokens: tokens.clone(),
            activity: activity.clone(),
            stored: kit.store.dump().unwrap(),
        }
    }

    pub(super) fn check(&self, kit: &Kit) {
        assert_eq!(Kept::of(kit), *self);
    }
}

/// The control plane, its store and what workers get are what the twin says.
pub(super) fn agree(kit: &Kit, twin: &Twin) {
    for account in ["a", "b"] {
        let list = |action, list: &str| {
            let answer = kit.call(account, action, &[("MaxResults", "100")]).unwrap();
            answer[list].as_array().unwrap().clone()
        };
        let filters = list(Action::ListTrafficMirrorFilters, "TrafficMirrorFilters");
        assert_eq!(filters.iter().map(filter).collect::<Vec<_>>(), twin.listed_filters(account));
        let sessions = list(Action::ListTrafficMirrorSessions, "TrafficMirrorSessions");
        assert_eq!(sessions.iter().map(session).collect::<Vec<_>>(), twin.listed_sessions(account));
    }
    let state = kit.control.lock();
    let desired = &state.desired;
    let mut index = Index::default();
    desired.filters.values().for_each(|f| index.add_filter(f));
    desired.sessions.values().for_each(|s| index.add_session(s));
    assert_eq!(desired.index, index);
    let stored = desired_of(kit.store.load().unwrap(), &kit.control.config, &kit.control.regions, &[]).unwrap();
    assert_eq!((&stored.filters, &stored.sessions), (&desired.filters, &desired.sessions));
    assert_eq!(
        (stored.revision, &stored.services, &stored.index),
        (desired.revision, &desired.services, &desired.index)
    );
    assert_eq!((&stored.tokens, &stored.activity), (&desired.tokens, &desired.activity));
    assert_eq!(stored.world.document, desired.world.document);
    assert_eq!(desired.model(), model(desired, twin));
    let open = |account| desired.activity.of_account(account).map(|i| (i.session.to_string(), i.source.to_string()));
    let open: BTreeSet<_> = open("a").chain(open("b")).collect();
    let running = twin.sessions.iter().filter(|s| s.enabled && !twin.locked.contains(s.account));
    let there = |s: &Session| {
        s.sources
            .iter()
            .filter(|id| !twin.gone.contains(*id))
            .map(|id| (s.id.clone(), (*id).to_owned()))
            .collect::<Vec<_>>()
    };
    assert_eq!(open, running.flat_map(there).collect::<BTreeSet<_>>());
}

fn filter(listed: &Value) -> Value {
    let rules = |list: &str| {
        let rule = |r: &Value| {
            json!([r["TrafficMirrorFilterRuleId"], r["Priority"], r["Protocol"], r["DestinationPortRange"]])
        };
        listed[list].as_array().unwrap().iter().map(rule).collect::<Value>()
    };
    json!([listed["TrafficMirrorFilterId"], rules("IngressRules"), rules("EgressRules")])
}

fn session(listed: &Value) -> Value {
    let fields = [
        "TrafficMirrorSessionId",
        "TrafficMirrorFilterId",
        "TrafficMirrorSourceIds",
        "TrafficMirrorTargetType",
        "TrafficMirrorTargetId",
        "Priority",
        "VirtualNetworkId",
        "PacketLength",
        "Enabled",
    ];
    let mut values: Vec<Value> = fields.iter().map(|field| listed[field].clone()).collect();
    values.push(json!(listed["Tags"] == json!([{"Key": "k", "Value": ""}])));
    Value::Array(values)
}

/// The inventory with the twin's sessions that have a source on this host, and with the filters of these.
fn model(desired: &Desired, twin: &Twin) -> Model {
    let mut model = desired.world.model.clone();
    let enis: Vec<String> = model.enis.iter().map(|eni| eni.id.to_string()).collect();
    let place = |id: &str| enis.iter().position(|eni| eni == id);
    let mut local: Vec<&Session> =
        twin.sessions.iter().filter(|s| s.sources.iter().any(|id| place(id).is_some())).collect();
    local.sort_by(|a, b| a.id.cmp(&b.id));
    for session in local {
        let known = model.filters.iter().position(|f| *f.id == *session.filter);
        let filter = known.unwrap_or_else(|| {
            model.filters.push(desired.filters[&*session.filter].compiled());
            model.filters.len() - 1
        });
        let (kind, id) = session.target;
        let target = match kind {
            TargetType::Slb => Target::Slb(id.to_owned()),
            TargetType::GatewayLoadBalancerEndpoint => Target::Gwlbe(id.to_owned()),
            TargetType::NetworkInterface => place(id).map_or_else(|| Target::Away(id.to_owned()), Target::Eni),
        };
        model.sessions.push(model::Session {
            id: session.id.as_str().into(),
            name: String::new(),
            enabled: session.enabled,
            locked: twin.locked.contains(session.account),
            priority: session.priority as u16,
            packet_length: session.length as u16,
            vni: session.vni,
            filter,
            sources: session.sources.iter().filter_map(|id| place(id)).collect(),
            target,
        });
    }
    model
}
