//! A traffic mirror filter as it is kept and listed.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::labels::{Labels, created_text};
use super::rule::{self, Side};
use super::status::{Ghost, Pending};
use crate::control::model::{Filter, FilterRule};

/// A filter. Its rules are sorted by priority.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct MirrorFilter {
    /// Its id, `tmf-…`.
    #[serde(rename = "TrafficMirrorFilterId")]
    pub id: Arc<str>,
    /// Whose it is.
    #[serde(rename = "AccountId")]
    pub account: Arc<str>,
    /// Name, description, tags, resource group and age.
    #[serde(flatten)]
    pub labels: Labels,
    /// Rules for packets delivered to a source.
    #[serde(rename = "IngressRules", with = "rule")]
    pub ingress: Vec<FilterRule>,
    /// Rules for packets sent by a source.
    #[serde(rename = "EgressRules", with = "rule")]
    pub egress: Vec<FilterRule>,
}

impl MirrorFilter {
    /// The rules of a side.
    #[must_use]
    pub fn rules(&self, side: Side) -> &[FilterRule] {
        match side {
            Side::Ingress => &self.ingress,
            Side::Egress => &self.egress,
        }
    }

    /// The same, to change them.
    pub fn rules_mut(&mut self, side: Side) -> &mut Vec<FilterRule> {
        match side {
            Side::Ingress => &mut self.ingress,
            Side::Egress => &mut self.egress,
        }
    }

    /// All rules, those of ingress first.
    pub fn all_rules(&self) -> impl Iterator<Item = (Side, &FilterRule)> {
        Side::BOTH.into_iter().flat_map(|side| self.rules(side).iter().map(move |rule| (side, rule)))
    }

    /// A rule by its id.
    #[must_use]
    pub fn find(&self, rule: &str) -> Option<(Side, &FilterRule)> {
        self.all_rules().find(|(_, r)| &*r.id == rule)
    }

    /// What is compiled.
    #[must_use]
    pub fn compiled(&self) -> Filter {
        Filter {
            id: self.id.clone(),
            name: self.labels.name.clone(),
            ingress: self.ingress.clone(),
            egress: self.egress.clone(),
        }
    }

    /// As List answers show it, with the rules that workers have not let go of.
    pub(super) fn listed(&self, pending: &Pending) -> Value {
        let going = |side: Side| {
            pending.ghosts().filter_map(move |ghost| match ghost {
                Ghost::Rule { filter, side: its, rule } if *filter == self.id && *its == side => Some(rule),
                _ => None,
            })
        };
        let rules = |side: Side| {
            let listed = self.rules(side).iter().chain(going(side)).map(|rule| {
                let mut value = rule::fields(rule);
                value["TrafficMirrorFilterId"] = json!(&*self.id);
                value["TrafficDirection"] = json!(side.name());
                value["TrafficMirrorFilterRuleStatus"] = json!(pending.status(&rule.id).name());
                value
            });
            listed.collect::<Value>()
        };
        let status = pending.status(&self.id);
        json!({
            "TrafficMirrorFilterId": &*self.id,
            "TrafficMirrorFilterName": self.labels.name,
            "TrafficMirrorFilterDescription": self.labels.description,
            "TrafficMirrorFilterStatus": status.name(),
            "CreationTime": created_text(self.labels.created),
            "ResourceGroupId": &*self.labels.resource_group,
            "Tags": self.labels.tags_answer(),
            "IngressRules": rules(Side::Ingress),
            "EgressRules": rules(Side::Egress),
        })
    }
}
