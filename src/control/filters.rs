//! Filters and their rules.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use ipnet::Ipv4Net;
use serde_json::Value;

use super::broken::Broken;
use super::config::Config;
use super::inventory::{id, network, unique};
use super::model::{Filter, FilterRule, Model};
use super::objects::limit;
use super::quotas::RULE_PRIORITY;
use super::raw::{Object, Sink, integer, string};
use super::rule_text::{PORTS, action, port_range, protocol};
use crate::classify::rule::{PortRange, Protocol, Rule};

/// Fields of the List answers that say nothing to a switch.
const FILTER_IGNORED: [&str; 6] = [
    "TrafficMirrorFilterStatus",
    "TrafficMirrorFilterDescription",
    "CreationTime",
    "ResourceGroupId",
    "Tags",
    "NetworkServices",
];
const RULE_KEYS: [&str; 9] = [
    "TrafficMirrorFilterRuleId",
    "Action",
    "Priority",
    "Protocol",
    "SourceCidrBlock",
    "DestinationCidrBlock",
    "SourcePortRange",
    "DestinationPortRange",
    "IpVersion",
];
const RULE_IGNORED: [&str; 4] =
    ["TrafficMirrorFilterId", "TrafficDirection", "TrafficMirrorFilterRuleStatus", "CreationTime"];

/// Ids that no two filters and no two rules share.
#[derive(Default)]
struct Taken {
    filters: HashSet<Arc<str>>,
    rules: HashSet<Arc<str>>,
}

/// Adds the filters to the model; returns those that exist but are broken.
pub(super) fn filters(root: &Object<'_>, config: &Config, model: &mut Model) -> Broken {
    let mut broken = Broken::of(&root.listed("TrafficMirrorFilters"));
    let mut taken = Taken::default();
    let list = root.list("TrafficMirrorFilters");
    limit(root.sink(), "TrafficMirrorFilters", list.len(), config.quotas.filters, "filters");
    for (path, value) in list {
        match filter(root.sink(), &path, value, config, &mut taken) {
            Some(filter) => model.filters.push(filter),
            None => broken.note(value, "TrafficMirrorFilterId"),
        }
    }
    broken
}

fn filter(sink: &Sink, path: &str, value: &Value, config: &Config, taken: &mut Taken) -> Option<Filter> {
    let known = ["TrafficMirrorFilterId", "TrafficMirrorFilterName", "IngressRules", "EgressRules"];
    let object = Object::new(sink, path, value, &known, &FILTER_IGNORED)?;
    let id = object.required("TrafficMirrorFilterId", "a filter's id", id);
    unique(&object, "TrafficMirrorFilterId", id.as_ref(), &mut taken.filters, "another filter has this id");
    let name = object.optional("TrafficMirrorFilterName", "a name", string).unwrap_or_default();
    let count = object.list("IngressRules").len() + object.list("EgressRules").len();
    limit(sink, path, count, config.quotas.rules_per_filter, "rules in both directions");
    let (ingress, egress) = (rules(&object, "IngressRules", taken), rules(&object, "EgressRules", taken));
    Some(Filter { id: id?, name, ingress, egress })
}

fn rules(filter: &Object<'_>, key: &str, taken: &mut Taken) -> Vec<FilterRule> {
    let mut priorities: HashMap<u32, String> = HashMap::new();
    let mut rules: Vec<FilterRule> = Vec::new();
    for (path, value) in filter.list(key) {
        if let Some(object) = Object::new(filter.sink(), &path, value, &RULE_KEYS, &RULE_IGNORED) {
            rules.extend(rule(&object, &path, taken, &mut priorities));
        }
    }
    rules.sort_by_key(|r| r.priority);
    rules
}

fn rule(
    object: &Object<'_>,
    path: &str,
    taken: &mut Taken,
    priorities: &mut HashMap<u32, String>,
) -> Option<FilterRule> {
    let id = object.required("TrafficMirrorFilterRuleId", "a rule's id", id);
    let priority = object.required("Priority", "a whole number from 1 to 16777216, smaller goes first", |v| {
        integer(v, *RULE_PRIORITY.start(), *RULE_PRIORITY.end()).and_then(|n| u32::try_from(n).ok())
    });
    let action = object.required("Action", "accept or drop", |v| action(v.as_str()?));
    let protocol = object.required("Protocol", "ALL, ICMP, TCP or UDP", |v| protocol(v.as_str()?));
    object.optional("IpVersion", "IPv4: nothing else is mirrored", |v| (v.as_str()? == "IPv4").then_some(()));
    let (src, dst) = (cidr(object, "SourceCidrBlock"), cidr(object, "DestinationCidrBlock"));
    let src_ports = ports(object, "SourcePortRange", protocol);
    let dst_ports = ports(object, "DestinationPortRange", protocol);
    if let Some(priority) = priority {
        if let Some(other) = priorities.get(&priority) {
            object.report("Priority", format!("rule {other} of this direction has it; priorities are unique"));
        } else {
            // In complaints of others, a rule without a good id goes by its place in the file.
            priorities.insert(priority, id.as_deref().unwrap_or(path).to_owned());
        }
    }
    unique(object, "TrafficMirrorFilterRuleId", id.as_ref(), &mut taken.rules, "another rule has this id");
    let rule = Rule {
        src: src?,
        dst: dst?,
        protocol: protocol?,
        src_ports: src_ports?,
        dst_ports: dst_ports?,
        action: action?,
    };
    Some(FilterRule { id: id?, priority: priority?, rule })
}

/// A missing network is any.
fn cidr(object: &Object<'_>, key: &str) -> Option<Ipv4Net> {
    if object.raw(key).is_none() { Some(Ipv4Net::default()) } else { network(object, key) }
}

/// A missing range is any; the inner `None` is any, too.
fn ports(object: &Object<'_>, key: &str, protocol: Option<Protocol>) -> Option<Option<PortRange>> {
    if object.raw(key).is_none() {
        return Some(None);
    }
    let range = object.optional(key, PORTS, |v| port_range(v.as_str()?))?;
    if range.is_some() && matches!(protocol, Some(Protocol::All | Protocol::Icmp)) {
        object.report(key, "-1/-1: only TCP and UDP have ports");
        return None;
    }
    Some(range)
}
