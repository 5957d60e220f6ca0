//! Rules of filters: created, changed, deleted.

use std::sync::Arc;

use ipnet::Ipv4Net;
use serde_json::{Value, json};

use super::{Asked, Plan, filters, quotas};
use crate::classify::rule::{PortRange, Protocol, Rule};
use crate::control::api::{ApiError, Fields};
use crate::control::model::FilterRule;
use crate::control::plane::codes;
use crate::control::plane::desired::Change;
use crate::control::plane::filter::MirrorFilter;
use crate::control::plane::ids;
use crate::control::plane::rule::Side;
use crate::control::quotas::RULE_PRIORITY;
use crate::control::rule_text::{self, PORTS, port_range};

/// Rules of a direction in one request.
const A_CALL: usize = 10;
const FIELDS: [&str; 8] = [
    "Action",
    "Priority",
    "Protocol",
    "SourceCidrBlock",
    "DestinationCidrBlock",
    "SourcePortRange",
    "DestinationPortRange",
    "IpVersion",
];
const ACTION: &str = "accept or drop";
const PRIORITY: &str = "a whole number from 1 to 16777216; smaller goes first";
const PROTOCOL: &str = "ALL, ICMP, TCP or UDP";

pub(super) fn create(asked: Asked<'_>) -> Result<Plan, ApiError> {
    let before = filters::named(asked)?;
    let mut filter = MirrorFilter::clone(before);
    let made = add(asked, &mut filter)?;
    if made.iter().all(Vec::is_empty) {
        return Err(ApiError::missing("IngressRules.1.Action", "a rule, in IngressRules or EgressRules"));
    }
    let ids = |side: usize| made[side].iter().map(|id| json!({ "InstanceId": &**id })).collect::<Value>();
    let answer = json!({ "IngressRules": ids(0), "EgressRules": ids(1) });
    Ok(Plan { changes: vec![Change::Filter(filter.id.clone(), Some(Arc::new(filter)))], answer })
}

/// Adds the request's rules to a filter; returns their ids, by side, in the request's order.
pub(super) fn add(asked: Asked<'_>, filter: &mut MirrorFilter) -> Result<[Vec<Arc<str>>; 2], ApiError> {
    let mut made = [Vec::new(), Vec::new()];
    for (side, made) in Side::BOTH.into_iter().zip(&mut made) {
        for fields in asked.call.params.objects(side.list(), &FIELDS, A_CALL)? {
            let new = FilterRule { id: ids::fresh("tmr"), priority: priority(&fields)?, rule: whole(&fields)? };
            made.push(new.id.clone());
            insert(filter, side, new, &fields.whole_name("Priority"))?;
        }
    }
    quotas::rules(asked, filter)?;
    Ok(made)
}

/// Puts a rule in its place; `parameter` is what its priority goes by.
fn insert(filter: &mut MirrorFilter, side: Side, new: FilterRule, parameter: &str) -> Result<(), ApiError> {
    let id = filter.id.clone();
    let rules = filter.rules_mut(side);
    match rules.binary_search_by_key(&new.priority, |r| r.priority) {
        Ok(at) => Err(codes::PRIORITY_TAKEN.error(format!(
            "The parameter {parameter} = \"{}\" is taken by {} rule {} of filter {id}; priorities are unique in a direction.",
            new.priority,
            side.name(),
            rules[at].id,
        ))),
        Err(at) => {
            rules.insert(at, new);
            Ok(())
        }
    }
}

fn priority(fields: &impl Fields) -> Result<u32, ApiError> {
    let range = *RULE_PRIORITY.start() as u32..=*RULE_PRIORITY.end() as u32;
    fields.required_integer("Priority", range, PRIORITY)
}

/// A rule that a request names whole. Networks and ports that it leaves out are any.
fn whole(fields: &impl Fields) -> Result<Rule, ApiError> {
    fields.required("Action", ACTION)?;
    fields.required("Protocol", PROTOCOL)?;
    let any = Rule {
        src: Ipv4Net::default(),
        dst: Ipv4Net::default(),
        protocol: Protocol::All,
        src_ports: None,
        dst_ports: None,
        action: crate::classify::rule::Action::Drop,
    };
    changed(fields, any, "Action")
}

/// A rule with what a request gives of it; its action is in the parameter `action`.
fn changed(fields: &impl Fields, before: Rule, action: &str) -> Result<Rule, ApiError> {
    if let Some(version) = fields.text("IpVersion").filter(|v| *v != "IPv4") {
        return Err(fields.not_allowed("IpVersion", version, "IPv4: nothing else is mirrored"));
    }
    let action = one_of(fields, action, ACTION, rule_text::action)?.unwrap_or(before.action);
    let protocol = one_of(fields, "Protocol", PROTOCOL, rule_text::protocol)?.unwrap_or(before.protocol);
    let has_ports = matches!(protocol, Protocol::Tcp | Protocol::Udp);
    let ports = |name: &str, before: Option<PortRange>| {
        let Some(range) = one_of(fields, name, PORTS, port_range)? else {
            // A rule that becomes one of ALL or ICMP has no ports any more.
            return Ok(before.filter(|_| has_ports));
        };
        match fields.text(name) {
            Some(text) if range.is_some() && !has_ports => {
                Err(fields.not_allowed(name, text, "-1/-1: only TCP and UDP have ports"))
            }
            _ => Ok(range),
        }
    };
    Ok(Rule {
        src: network(fields, "SourceCidrBlock")?.unwrap_or(before.src),
        dst: network(fields, "DestinationCidrBlock")?.unwrap_or(before.dst),
        protocol,
        src_ports: ports("SourcePortRange", before.src_ports)?,
        dst_ports: ports("DestinationPortRange", before.dst_ports)?,
        action,
    })
}

fn one_of<T>(
    fields: &impl Fields,
    name: &str,
    allowed: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, ApiError> {
    let Some(text) = fields.text(name) else { return Ok(None) };
    read(text).map(Some).ok_or_else(|| fields.not_allowed(name, text, allowed))
}

/// A network without host bits; with some, the message has the network that was meant.
fn network(fields: &impl Fields, name: &str) -> Result<Option<Ipv4Net>, ApiError> {
    let allowed = "an IPv4 network such as 10.0.0.0/8";
    let Some(net) = one_of(fields, name, allowed, |text| text.parse::<Ipv4Net>().ok())? else { return Ok(None) };
    if net.trunc() == net {
        return Ok(Some(net));
    }
    let allowed = format!("a network without host bits: {}", net.trunc());
    Err(fields.not_allowed(name, &net.to_string(), &allowed))
}

/// The filter that has the rule of a request, and the rule; workers have both as they are.
fn named<'a>(asked: Asked<'a>, id: &str) -> Result<(&'a Arc<MirrorFilter>, Side, &'a FilterRule), ApiError> {
    let missing = || codes::RULE_NOT_FOUND.error(format!("TrafficMirrorFilterRuleId: there is no rule {id}."));
    let filter = asked.desired.index.filter_of_rule(id).ok_or_else(missing)?;
    let filter = asked.desired.filter(asked.account(), filter).map_err(|_| missing())?;
    let (side, rule) = filter.find(id).ok_or_else(missing)?;
    asked.rule_is_free(id)?;
    asked.filter_is_free(&filter.id)?;
    Ok((filter, side, rule))
}

pub(super) fn update(asked: Asked<'_>) -> Result<Plan, ApiError> {
    let params = &asked.call.params;
    let id = params.required("TrafficMirrorFilterRuleId", "the id of a rule of the account")?;
    let (before, side, rule) = named(asked, id)?;
    let range = *RULE_PRIORITY.start() as u32..=*RULE_PRIORITY.end() as u32;
    let new = FilterRule {
        id: rule.id.clone(),
        priority: params.integer("Priority", range, PRIORITY)?.unwrap_or(rule.priority),
        rule: changed(params, rule.rule, "RuleAction")?,
    };
    let mut filter = MirrorFilter::clone(before);
    filter.rules_mut(side).retain(|r| *r.id != *id);
    insert(&mut filter, side, new, "Priority")?;
    Ok(Plan::done(vec![Change::Filter(filter.id.clone(), Some(Arc::new(filter)))]))
}

pub(super) fn delete(asked: Asked<'_>) -> Result<Plan, ApiError> {
    let before = filters::named(asked)?;
    let ids = asked.call.params.list("TrafficMirrorFilterRuleIds", 100)?;
    if ids.is_empty() {
        return Err(ApiError::missing("TrafficMirrorFilterRuleIds.1", "the id of a rule of the filter"));
    }
    let mut filter = MirrorFilter::clone(before);
    for id in ids {
        let Some((side, _)) = filter.find(id) else {
            return Err(codes::RULE_NOT_FOUND
                .error(format!("TrafficMirrorFilterRuleIds: filter {} has no rule {id}.", filter.id)));
        };
        asked.rule_is_free(id)?;
        filter.rules_mut(side).retain(|r| *r.id != *id);
    }
    Ok(Plan::done(vec![Change::Filter(filter.id.clone(), Some(Arc::new(filter)))]))
}
