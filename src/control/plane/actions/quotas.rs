//! Quotas: refused is what would be one too many, and the message says how many there are.

use std::sync::Arc;

use super::Asked;
use crate::control::api::ApiError;
use crate::control::plane::codes::{self, Code};
use crate::control::plane::filter::MirrorFilter;
use crate::control::plane::session::{Target, TargetType};

/// How many there are, how many more there would be, and what of.
struct Count<'a> {
    code: Code,
    parameter: &'a str,
    of: String,
    class: &'a str,
    now: usize,
    more: usize,
    limit: u32,
}

impl Count<'_> {
    fn check(&self) -> Result<(), ApiError> {
        if self.now + self.more <= self.limit as usize || self.more == 0 {
            return Ok(());
        }
        let Count { code, parameter, of, class, now, more, limit } = self;
        let quota = code.code.trim_start_matches("QuotaExceeded.");
        Err(code.error(format!(
            "{parameter}: the quota {quota} ({class}) of {of} is {limit}; {now} are used, and {more} more are asked for."
        )))
    }
}

const ADJUSTABLE: &str = "adjustable";
const FIXED: &str = "not adjustable";

pub(super) fn one_more_filter(asked: Asked<'_>) -> Result<(), ApiError> {
    Count {
        code: codes::QUOTA_FILTERS,
        parameter: "TrafficMirrorFilterName",
        of: "filters of the account in the region".to_owned(),
        class: FIXED,
        now: asked.desired.index.filters_of_account(asked.account()),
        more: 1,
        limit: asked.quotas().filters,
    }
    .check()
}

pub(super) fn one_more_session(asked: Asked<'_>) -> Result<(), ApiError> {
    Count {
        code: codes::QUOTA_SESSIONS,
        parameter: "TrafficMirrorSessionName",
        of: "sessions of the account in the region".to_owned(),
        class: FIXED,
        now: asked.desired.index.sessions_of_account(asked.account()),
        more: 1,
        limit: asked.quotas().sessions,
    }
    .check()
}

/// Rules of a filter to which new ones were added.
pub(super) fn rules(asked: Asked<'_>, filter: &MirrorFilter) -> Result<(), ApiError> {
    let before = asked.desired.filters.get(&filter.id).map_or(0, |f| f.all_rules().count());
    Count {
        code: codes::QUOTA_RULES_PER_FILTER,
        parameter: "IngressRules and EgressRules",
        of: "rules of a filter, both directions together".to_owned(),
        class: ADJUSTABLE,
        now: before,
        more: filter.all_rules().count() - before,
        limit: asked.quotas().rules_per_filter,
    }
    .check()
}

/// One more session for a filter.
pub(super) fn filter(asked: Asked<'_>, filter: &str) -> Result<(), ApiError> {
    Count {
        code: codes::QUOTA_SESSIONS_PER_FILTER,
        parameter: "TrafficMirrorFilterId",
        of: format!("sessions of filter {filter}"),
        class: FIXED,
        now: asked.desired.index.sessions_of_filter(filter).len(),
        more: 1,
        limit: asked.quotas().sessions_per_filter,
    }
    .check()
}

/// New sources for a session that has some.
pub(super) fn sources(asked: Asked<'_>, now: usize, new: &[Arc<str>]) -> Result<(), ApiError> {
    Count {
        code: codes::QUOTA_SOURCES_PER_SESSION,
        parameter: "TrafficMirrorSourceIds",
        of: "sources of a session".to_owned(),
        class: ADJUSTABLE,
        now,
        more: new.len(),
        limit: asked.quotas().sources_per_session,
    }
    .check()?;
    for source in new {
        Count {
            code: codes::QUOTA_SESSIONS_PER_SOURCE,
            parameter: "TrafficMirrorSourceIds",
            of: format!("sessions of source {source}"),
            class: FIXED,
            now: asked.desired.index.sessions_of_source(source).len(),
            more: 1,
            limit: asked.quotas().sessions_per_source,
        }
        .check()?;
    }
    Ok(())
}

/// New sources for a target.
pub(super) fn target<'a>(
    asked: Asked<'_>,
    target: &Target,
    new: impl Iterator<Item = &'a Arc<str>>,
) -> Result<(), ApiError> {
    let quotas = asked.quotas();
    let (code, class, limit) = match target.0 {
        TargetType::Slb => (codes::QUOTA_SLB_TARGET, FIXED, quotas.sources_per_load_balancer),
        TargetType::GatewayLoadBalancerEndpoint => (codes::QUOTA_GWLBE_TARGET, FIXED, quotas.sources_per_load_balancer),
        TargetType::NetworkInterface => {
            let kind = asked.desired.world.eni(&target.1).and_then(|eni| eni.instance_type);
            if kind.is_some_and(|kind| quotas.large_instance_types.iter().any(|large| large == kind)) {
                (codes::QUOTA_LARGE_TARGET, "adjustable, large instance type", quotas.sources_per_large_target_eni)
            } else {
                (codes::QUOTA_SMALL_TARGET, "adjustable, ordinary instance type", quotas.sources_per_target_eni)
            }
        }
    };
    let now = asked.desired.index.sources_of_target(asked.account(), target);
    let more = new.filter(|source| now.is_none_or(|now| !now.contains_key(*source))).count();
    let of = format!("distinct sources of target {}", target.1);
    Count { code, parameter: "TrafficMirrorTargetId", of, class, now: now.map_or(0, |n| n.len()), more, limit }.check()
}
