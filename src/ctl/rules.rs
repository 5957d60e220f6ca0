//! Rules of filters.

use serde_json::{Map, Value, json};

use super::actions::Action;
use super::client::{CtlError, Daemon};
use super::outcome::Outcome;
use super::render;
use crate::cli::rule_text::RuleText;
use crate::cli::{RuleCommand, Rules};

/// Keys of a listed rule, and what the tenant API calls them.
const KEYS: [(&str, &str); 9] = [
    ("priority", "Priority"),
    ("id", "TrafficMirrorFilterRuleId"),
    ("action", "Action"),
    ("protocol", "Protocol"),
    ("source", "SourceCidrBlock"),
    ("source_ports", "SourcePortRange"),
    ("destination", "DestinationCidrBlock"),
    ("destination_ports", "DestinationPortRange"),
    ("status", "TrafficMirrorFilterRuleStatus"),
];

pub(super) fn rule(daemon: Daemon<'_>, command: &RuleCommand) -> Result<Outcome, CtlError> {
    match command {
        RuleCommand::List { filter, account: None } => {
            let running = daemon.get(&render::path("filters", Some(filter)))?;
            Ok(Outcome::table(rows(&running, ["ingress", "egress"], |ours, _| ours), render::RULE))
        }
        RuleCommand::List { filter, account: Some(account) } => {
            let list = Action::new("ListTrafficMirrorFilters", account).with("TrafficMirrorFilterIds", json!([filter]));
            let stored = list.all(daemon, "TrafficMirrorFilters")?;
            let Some(stored) = stored.first() else {
                return Err(CtlError::refused(format!("account {account} has no filter {filter}")));
            };
            Ok(Outcome::table(rows(stored, ["IngressRules", "EgressRules"], |_, theirs| theirs), render::RULE))
        }
        RuleCommand::Create { filter, rules, tenant } => {
            let create = Action::write("CreateTrafficMirrorFilterRules", tenant);
            let create =
                with_rules(create.with("TrafficMirrorFilterId", json!(filter)), rules).changing_more_than(1)?;
            create.done(daemon, |answer| format!("rules {} created", created(answer).join(", ")))
        }
        RuleCommand::Update { id, changes, tenant } => Action::write("UpdateTrafficMirrorFilterRuleAttribute", tenant)
            .with("TrafficMirrorFilterRuleId", json!(id))
            .with("RuleAction", json!(changes.action))
            .with("Priority", json!(changes.priority))
            .with("Protocol", json!(changes.protocol))
            .with("SourceCidrBlock", json!(changes.source))
            .with("DestinationCidrBlock", json!(changes.destination))
            .with("SourcePortRange", json!(changes.source_ports))
            .with("DestinationPortRange", json!(changes.destination_ports))
            .changing_more_than(1)?
            .done(daemon, |_| format!("rule {id} changed")),
        RuleCommand::Delete { filter, rules, tenant } => Action::write("DeleteTrafficMirrorFilterRules", tenant)
            .with("TrafficMirrorFilterId", json!(filter))
            .with_list("TrafficMirrorFilterRuleIds", rules)
            .done(daemon, |_| format!("rules {} deleted", rules.join(", "))),
    }
}

/// With the rules of both directions as parameters.
pub(super) fn with_rules<'a>(action: Action<'a>, rules: &Rules) -> Action<'a> {
    let objects = |rules: &[RuleText]| -> Vec<Value> { rules.iter().map(parameters).collect() };
    let action = action.with_list("IngressRules", &objects(&rules.ingress));
    action.with_list("EgressRules", &objects(&rules.egress))
}

fn parameters(rule: &RuleText) -> Value {
    Value::Object(rule.0.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect::<Map<_, _>>())
}

fn created(answer: &Value) -> Vec<String> {
    let of = |direction: &str| answer[direction].as_array().cloned().unwrap_or_default();
    [of("IngressRules"), of("EgressRules")].concat().iter().map(|rule| render::cell(&rule["InstanceId"])).collect()
}

/// The rules of a filter, both directions in one list, by direction and priority.
fn rows(filter: &Value, lists: [&str; 2], key: impl Fn(&'static str, &'static str) -> &'static str) -> Value {
    let of = |list: &str, direction: &str| {
        let rules = filter[list].as_array().into_iter().flatten();
        let row = |rule: &Value| {
            let fields = KEYS.map(|(ours, theirs)| (ours.to_owned(), rule[key(ours, theirs)].clone()));
            let direction = ("direction".to_owned(), json!(direction));
            Value::Object(std::iter::once(direction).chain(fields).collect())
        };
        let mut rows: Vec<Value> = rules.map(row).collect();
        rows.sort_by_key(|row| row["priority"].as_u64());
        rows
    };
    Value::Array([of(lists[0], "ingress"), of(lists[1], "egress")].concat())
}
