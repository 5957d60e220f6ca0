//! The mirror file: filters and sessions as the tenant API's List answers hold them.

use std::collections::{BTreeSet, HashMap, HashSet};

use ipnet::Ipv4Net;
use serde_json::Value;

use super::config::Config;
use super::inventory::{id, network};
use super::model::{Filter, FilterRule, Model, Session, Target};
use super::quotas::{DEFAULT_PACKET_LENGTH, PACKET_LENGTH, RULE_PRIORITY, SESSION_PRIORITY, VNI};
use super::raw::{Object, Sink, boolean, integer, text};
use crate::classify::rule::{Action, PortRange, Protocol, Rule};

/// Fields of the List answers that say nothing to a switch.
const FILTER_IGNORED: [&str; 6] = [
    "TrafficMirrorFilterStatus",
    "TrafficMirrorFilterDescription",
    "CreationTime",
    "ResourceGroupId",
    "Tags",
    "NetworkServices",
];
const SESSION_IGNORED: [&str; 5] =
    ["TrafficMirrorSessionStatus", "TrafficMirrorSessionDescription", "CreationTime", "ResourceGroupId", "Tags"];
const RULE_KEYS: [&str; 8] = [
    "TrafficMirrorFilterRuleId",
    "Action",
    "Priority",
    "Protocol",
    "SourceCidrBlock",
    "DestinationCidrBlock",
    "SourcePortRange",
    "DestinationPortRange",
];
const RULE_IGNORED: [&str; 4] =
    ["TrafficMirrorFilterId", "TrafficDirection", "TrafficMirrorFilterRuleStatus", "CreationTime"];
const SESSION_KEYS: [&str; 11] = [
    "TrafficMirrorSessionId",
    "TrafficMirrorSessionName",
    "Enabled",
    "Priority",
    "PacketLength",
    "VirtualNetworkId",
    "TrafficMirrorFilterId",
    "TrafficMirrorSourceIds",
    "TrafficMirrorTargetId",
    "TrafficMirrorTargetType",
    "TrafficMirrorSessionBusinessStatus",
];
const PORTS: &str = "a range from 0 to 65535 such as 80/443, or -1/-1 for any";

/// Adds filters and sessions to a model that holds the inventory.
pub(super) fn read(sink: &Sink, tree: &Value, config: &Config, model: &mut Model) {
    let known = ["TrafficMirrorFilters", "TrafficMirrorSessions"];
    let ignored = ["RequestId", "TotalCount", "Count", "NextToken"];
    let Some(root) = Object::new(sink, "", tree, &known, &ignored) else {
        return;
    };
    for (path, value) in root.list("TrafficMirrorFilters") {
        if let Some(filter) = filter(sink, &path, value, config, model) {
            model.filters.push(filter);
        }
    }
    limit(sink, "TrafficMirrorFilters", model.filters.len(), config.quotas.filters, "filters");
    for (path, value) in root.list("TrafficMirrorSessions") {
        if let Some(session) = session(sink, &path, value, config, model) {
            model.sessions.push(session);
        }
    }
    limit(sink, "TrafficMirrorSessions", model.sessions.len(), config.quotas.sessions, "sessions");
    if sink.is_clean() {
        across(sink, config, model);
    }
}

fn limit(sink: &Sink, path: &str, count: usize, quota: u32, what: &str) {
    if count > quota as usize {
        sink.report(path, None, format!("{count} {what}; the quota is {quota}"));
    }
}

fn filter(sink: &Sink, path: &str, value: &Value, config: &Config, model: &Model) -> Option<Filter> {
    let known = ["TrafficMirrorFilterId", "TrafficMirrorFilterName", "IngressRules", "EgressRules"];
    let object = Object::new(sink, path, value, &known, &FILTER_IGNORED)?;
    let id = object.required("TrafficMirrorFilterId", "a filter's id", id);
    let name = object.optional("TrafficMirrorFilterName", "a name", text).unwrap_or_default();
    let (ingress, egress) = (rules(&object, "IngressRules"), rules(&object, "EgressRules"));
    limit(sink, path, ingress.len() + egress.len(), config.quotas.rules_per_filter, "rules in both directions");
    let id = id?;
    if model.filters.iter().any(|f| f.id == id) {
        object.report("TrafficMirrorFilterId", "another filter has this id");
    }
    Some(Filter { id, name, ingress, egress })
}

fn rules(filter: &Object<'_>, key: &str) -> Vec<FilterRule> {
    let mut rules: Vec<FilterRule> = Vec::new();
    for (path, value) in filter.list(key) {
        let Some(object) = Object::new(filter.sink(), &path, value, &RULE_KEYS, &RULE_IGNORED) else {
            continue;
        };
        let Some(rule) = rule(&object) else { continue };
        if let Some(other) = rules.iter().find(|r| r.priority == rule.priority) {
            object.report("Priority", format!("rule {} of this direction has it; priorities are unique", other.id));
        }
        if rules.iter().any(|r| r.id == rule.id) {
            object.report("TrafficMirrorFilterRuleId", "another rule has this id");
        }
        rules.push(rule);
    }
    rules.sort_by_key(|r| r.priority);
    rules
}

fn rule(object: &Object<'_>) -> Option<FilterRule> {
    let id = object.required("TrafficMirrorFilterRuleId", "a rule's id", id);
    let priority = object.required("Priority", "a whole number from 1 to 16777216, smaller goes first", |v| {
        integer(v, *RULE_PRIORITY.start(), *RULE_PRIORITY.end()).and_then(|n| u32::try_from(n).ok())
    });
    let action = object.required("Action", "accept or drop", |v| match v.as_str()?.to_ascii_lowercase().as_str() {
        "accept" => Some(Action::Accept),
        "drop" => Some(Action::Drop),
        _ => None,
    });
    let protocol =
        object.required("Protocol", "ALL, ICMP, TCP or UDP", |v| match v.as_str()?.to_ascii_uppercase().as_str() {
            "ALL" => Some(Protocol::All),
            "ICMP" => Some(Protocol::Icmp),
            "TCP" => Some(Protocol::Tcp),
            "UDP" => Some(Protocol::Udp),
            _ => None,
        });
    let (src, dst) = (cidr(object, "SourceCidrBlock"), cidr(object, "DestinationCidrBlock"));
    let src_ports = ports(object, "SourcePortRange", protocol);
    let dst_ports = ports(object, "DestinationPortRange", protocol);
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

fn port_range(text: &str) -> Option<Option<PortRange>> {
    if text == "-1/-1" {
        return Some(None);
    }
    let (first, last) = text.split_once('/')?;
    let digits = |s: &str| {
        if s.bytes().all(|b| b.is_ascii_digit()) { s.parse::<u16>().ok() } else { None }
    };
    let (first, last) = (digits(first)?, digits(last)?);
    (first <= last).then_some(Some(PortRange { first, last }))
}

fn session(sink: &Sink, path: &str, value: &Value, config: &Config, model: &Model) -> Option<Session> {
    let object = Object::new(sink, path, value, &SESSION_KEYS, &SESSION_IGNORED)?;
    let id = object.required("TrafficMirrorSessionId", "a session's id", id);
    let name = object.optional("TrafficMirrorSessionName", "a name", text).unwrap_or_default();
    let enabled = object.optional("Enabled", "true or false", boolean).unwrap_or(false);
    let priority = object.required("Priority", "a whole number from 1 to 32766, smaller goes first", |v| {
        integer(v, *SESSION_PRIORITY.start(), *SESSION_PRIORITY.end()).and_then(|n| u16::try_from(n).ok())
    });
    let packet_length = object.optional("PacketLength", "bytes of IP, a whole number from 64 to 8500", |v| {
        integer(v, *PACKET_LENGTH.start(), *PACKET_LENGTH.end()).and_then(|n| u16::try_from(n).ok())
    });
    let vni = object.optional("VirtualNetworkId", "a whole number from 0 to 16777215", |v| {
        integer(v, *VNI.start(), *VNI.end()).and_then(|n| u32::try_from(n).ok())
    });
    let filter = object.required("TrafficMirrorFilterId", "the id of a filter in TrafficMirrorFilters", |v| {
        model.filters.iter().position(|f| Some(&*f.id) == v.as_str())
    });
    let locked =
        object.optional("TrafficMirrorSessionBusinessStatus", "Normal or FinancialLocked", |v| match v.as_str()? {
            "Normal" => Some(false),
            "FinancialLocked" => Some(true),
            _ => None,
        });
    let sources = sources(&object, config, model);
    let target = target(&object, model);
    let (id, priority, filter, target) = (id?, priority?, filter?, target?);
    if model.sessions.iter().any(|s| s.id == id) {
        object.report("TrafficMirrorSessionId", "another session has this id");
    }
    if let Some(other) = model.sessions.iter().find(|s| s.priority == priority) {
        object.report("Priority", format!("session {} has it; priorities are unique", other.id));
    }
    Some(Session {
        enabled,
        locked: locked.unwrap_or(false),
        priority,
        packet_length: packet_length.unwrap_or(DEFAULT_PACKET_LENGTH),
        vni: vni.unwrap_or_else(|| drawn_vni(&id)),
        filter,
        sources,
        target,
        id,
        name,
    })
}

/// A VNI for a session that names none: by its id, the same after each reading of the file.
fn drawn_vni(id: &str) -> u32 {
    let hash = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    (hash >> 40) as u32
}

fn sources(object: &Object<'_>, config: &Config, model: &Model) -> Vec<usize> {
    let mut sources = Vec::new();
    for (path, value) in object.list("TrafficMirrorSourceIds") {
        match model.enis.iter().position(|e| Some(&*e.id) == value.as_str()) {
            None => object.sink().report(path, Some(value), "the id of an ENI in the inventory"),
            Some(eni) if model.enis[eni].managed => {
                object.sink().report(path, Some(value), "is a managed ENI: it cannot be a source");
            }
            Some(eni) if sources.contains(&eni) => object.sink().report(path, Some(value), "is listed twice"),
            Some(eni) => sources.push(eni),
        }
    }
    limit(
        object.sink(),
        &object.path_of("TrafficMirrorSourceIds"),
        sources.len(),
        config.quotas.sources_per_session,
        "sources",
    );
    sources
}

fn target(object: &Object<'_>, model: &Model) -> Option<Target> {
    let kinds = ["NetworkInterface", "SLB", "GatewayLoadBalancerEndpoint"];
    let kind =
        object.required("TrafficMirrorTargetType", "NetworkInterface, SLB or GatewayLoadBalancerEndpoint", |v| {
            kinds.iter().position(|k| Some(*k) == v.as_str())
        });
    let target = object.required("TrafficMirrorTargetId", "a target's id", text);
    let (kind, target) = (kind?, target?);
    match kind {
        0 => match model.enis.iter().position(|e| *e.id == *target) {
            Some(eni) => Some(Target::Eni(eni)),
            None => {
                object.report("TrafficMirrorTargetId", "the id of an ENI in the inventory");
                None
            }
        },
        1 => Some(Target::Slb(target)),
        _ => Some(Target::Gwlbe(target)),
    }
}

/// Rules that no session breaks alone. Everything else was found sound before.
fn across(sink: &Sink, config: &Config, model: &Model) {
    let quotas = &config.quotas;
    let mut per_source: HashMap<usize, u32> = HashMap::new();
    let mut per_filter: HashMap<usize, u32> = HashMap::new();
    let mut per_target: HashMap<String, BTreeSet<usize>> = HashMap::new();
    let targets: HashSet<usize> =
        model.sessions.iter().filter_map(|s| if let Target::Eni(eni) = s.target { Some(eni) } else { None }).collect();
    for (index, session) in model.sessions.iter().enumerate() {
        let at = |key: &str| format!("TrafficMirrorSessions[{index}].{key}");
        let target = match &session.target {
            Target::Eni(eni) => model.enis[*eni].id.to_string(),
            Target::Slb(id) | Target::Gwlbe(id) => id.clone(),
        };
        *per_filter.entry(session.filter).or_default() += 1;
        if per_filter.get(&session.filter) == Some(&(quotas.sessions_per_filter + 1)) {
            let filter = &model.filters[session.filter].id;
            let text = format!("filter {filter} is in more than {} sessions", quotas.sessions_per_filter);
            sink.report(at("TrafficMirrorFilterId"), None, text);
        }
        for source in &session.sources {
            let eni = &model.enis[*source];
            if targets.contains(source) {
                let text = format!("ENI {} is the target of a session: it cannot be a source", eni.id);
                sink.report(at("TrafficMirrorSourceIds"), None, text);
            }
            if let Target::Eni(target) = session.target
                && model.enis[target].owner != eni.owner
            {
                let text = format!("ENI {} belongs to another account than the target", eni.id);
                sink.report(at("TrafficMirrorSourceIds"), None, text);
            }
            *per_source.entry(*source).or_default() += 1;
            if per_source.get(source) == Some(&(quotas.sessions_per_source + 1)) {
                let text = format!("ENI {} is in more than {} sessions", eni.id, quotas.sessions_per_source);
                sink.report(at("TrafficMirrorSourceIds"), None, text);
            }
            per_target.entry(target.clone()).or_default().insert(*source);
        }
        let count = per_target.get(&target).map_or(0, BTreeSet::len) as u32;
        let quota = target_quota(config, model, &session.target);
        if count > quota {
            let text = format!("target {target} has {count} sources; the quota is {quota}");
            sink.report(at("TrafficMirrorTargetId"), None, text);
        }
    }
}

fn target_quota(config: &Config, model: &Model, target: &Target) -> u32 {
    let quotas = &config.quotas;
    let Target::Eni(eni) = target else {
        return quotas.sources_per_load_balancer;
    };
    let large = |t: &String| quotas.large_instance_types.contains(t);
    if model.enis[*eni].instance_type.as_ref().is_some_and(large) {
        quotas.sources_per_large_target_eni
    } else {
        quotas.sources_per_target_eni
    }
}
