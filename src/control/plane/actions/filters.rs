//! Filters: created, renamed, deleted.

use std::sync::Arc;

use serde_json::json;

use super::{Asked, Plan, labels, quotas, rules};
use crate::control::api::{ApiError, Fields};
use crate::control::plane::codes;
use crate::control::plane::desired::Change;
use crate::control::plane::filter::MirrorFilter;
use crate::control::plane::ids;

pub(super) const ID: &str = "the id of a filter of the account";

pub(super) fn create(asked: Asked<'_>) -> Result<Plan, ApiError> {
    let mut filter = MirrorFilter {
        id: ids::fresh("tmf"),
        account: asked.call.account.clone(),
        labels: labels::created(asked, "TrafficMirrorFilter")?,
        ingress: Vec::new(),
        egress: Vec::new(),
    };
    rules::add(asked, &mut filter)?;
    quotas::one_more_filter(asked)?;
    let answer = json!({ "TrafficMirrorFilterId": &*filter.id, "ResourceGroupId": &*filter.labels.resource_group });
    Ok(Plan { changes: vec![Change::Filter(filter.id.clone(), Some(Arc::new(filter)))], answer })
}

/// The filter that a request names, which workers have as it is.
pub(super) fn named<'a>(asked: Asked<'a>) -> Result<&'a Arc<MirrorFilter>, ApiError> {
    let id = asked.call.params.required("TrafficMirrorFilterId", ID)?;
    // One that is being deleted is not there any more, and clients poll it.
    asked.filter_is_free(id).or_else(|busy| asked.desired.filter(asked.account(), id).and(Err(busy)))?;
    asked.desired.filter(asked.account(), id)
}

pub(super) fn update(asked: Asked<'_>) -> Result<Plan, ApiError> {
    let mut filter = MirrorFilter::clone(named(asked)?);
    labels::rename(&mut filter.labels, &asked.call.params, "TrafficMirrorFilter")?;
    Ok(Plan::done(vec![Change::Filter(filter.id.clone(), Some(Arc::new(filter)))]))
}

pub(super) fn delete(asked: Asked<'_>) -> Result<Plan, ApiError> {
    let filter = named(asked)?;
    for (_, rule) in filter.all_rules() {
        asked.rule_is_free(&rule.id)?;
    }
    let mut sessions = asked.desired.index.sessions_of_filter(&filter.id);
    let count = sessions.len();
    if let Some(first) = sessions.next() {
        return Err(codes::FILTER_IN_USE.error(format!(
            "TrafficMirrorFilterId: {count} sessions use filter {}, {first} among them; give them another filter first.",
            filter.id
        )));
    }
    Ok(Plan::done(vec![Change::Filter(filter.id.clone(), None)]))
}
