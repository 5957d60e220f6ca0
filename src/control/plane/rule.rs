//! A filter's rule: its texts on the wire and in the store, and the value that is compiled.

use ipnet::Ipv4Net;
use serde::{Deserialize, Deserializer, Serializer};
use serde_json::{Value, json};

use crate::classify::rule::Rule;
use crate::control::model::FilterRule;
use crate::control::rule_text::{action, action_name, port_range, ports_text, protocol, protocol_name};

/// Which list of a filter a rule is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Packets delivered to a source.
    Ingress,
    /// Packets sent by a source.
    Egress,
}

impl Side {
    /// Both, in the order of [`super::filter::MirrorFilter::rules`].
    pub const BOTH: [Side; 2] = [Side::Ingress, Side::Egress];

    /// As `TrafficDirection` spells it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Side::Ingress => "ingress",
            Side::Egress => "egress",
        }
    }

    /// The parameter, and the member of answers, that has its rules.
    #[must_use]
    pub const fn list(self) -> &'static str {
        match self {
            Side::Ingress => "IngressRules",
            Side::Egress => "EgressRules",
        }
    }
}

/// A rule as List answers show it, but for what its filter and its status add.
pub(super) fn fields(rule: &FilterRule) -> Value {
    json!({
        "TrafficMirrorFilterRuleId": &*rule.id,
        "Action": action_name(rule.rule.action),
        "Priority": rule.priority,
        "Protocol": protocol_name(rule.rule.protocol),
        "SourceCidrBlock": rule.rule.src.to_string(),
        "DestinationCidrBlock": rule.rule.dst.to_string(),
        "SourcePortRange": ports_text(rule.rule.src_ports),
        "DestinationPortRange": ports_text(rule.rule.dst_ports),
        "IpVersion": "IPv4",
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Stored {
    #[serde(rename = "TrafficMirrorFilterRuleId")]
    id: String,
    action: String,
    priority: u32,
    protocol: String,
    source_cidr_block: Ipv4Net,
    destination_cidr_block: Ipv4Net,
    source_port_range: String,
    destination_port_range: String,
}

/// For `#[serde(with)]` on a list of rules.
pub(super) fn serialize<S: Serializer>(rules: &[FilterRule], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(rules.iter().map(fields))
}

/// For `#[serde(with)]` on a list of rules.
pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<FilterRule>, D::Error> {
    let stored = Vec::<Stored>::deserialize(from)?;
    let read = |s: Stored| {
        Some(FilterRule {
            id: s.id.into(),
            priority: s.priority,
            rule: Rule {
                src: s.source_cidr_block,
                dst: s.destination_cidr_block,
                protocol: protocol(&s.protocol)?,
                src_ports: port_range(&s.source_port_range)?,
                dst_ports: port_range(&s.destination_port_range)?,
                action: action(&s.action)?,
            },
        })
    };
    let rules: Option<Vec<FilterRule>> = stored.into_iter().map(read).collect();
    rules.ok_or_else(|| serde::de::Error::custom("a rule that is none"))
}
