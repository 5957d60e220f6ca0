//! Quotas of an account, and how much of each is used.

use serde_json::{Value, json};

use super::codes::{self, Code};
use super::desired::Desired;
use super::session::{MirrorSession, TargetType};
use crate::control::config::Config;

/// Every quota of the specification's table. Of those that count for each object, `used` is the highest use of any one.
pub(super) fn of(desired: &Desired, account: &str, config: &Config) -> Value {
    let quotas = desired.world.quotas_of(account, config);
    let sessions = || desired.sessions.values().filter(|s| &*s.account == account);
    let filters = || desired.filters.values().filter(|f| &*f.account == account);
    let most = |counts: &mut dyn Iterator<Item = usize>| counts.max().unwrap_or(0);
    let is_large = |s: &MirrorSession| {
        let eni = desired.world.eni(&s.target.1);
        eni.and_then(|e| e.instance_type).is_some_and(|kind| quotas.large_instance_types.iter().any(|l| l == kind))
    };
    let of_targets = |fits: &dyn Fn(&MirrorSession) -> bool| {
        let sources =
            sessions().filter(|s| fits(s)).filter_map(|s| desired.index.sources_of_target(account, &s.target));
        most(&mut sources.map(|sources| sources.len()))
    };
    let is = |kind: TargetType| move |s: &MirrorSession| s.target.0 == kind;
    let eni = is(TargetType::NetworkInterface);
    let sources = || sessions().flat_map(|s| &s.sources);
    let rows: [(Code, &str, u32, usize, bool); 10] = [
        (
            codes::QUOTA_SOURCES_PER_SESSION,
            "a session",
            quotas.sources_per_session,
            most(&mut sessions().map(|s| s.sources.len())),
            true,
        ),
        (
            codes::QUOTA_LARGE_TARGET,
            "a target ENI of a large instance type",
            quotas.sources_per_large_target_eni,
            of_targets(&|s| eni(s) && is_large(s)),
            true,
        ),
        (
            codes::QUOTA_SMALL_TARGET,
            "another target ENI",
            quotas.sources_per_target_eni,
            of_targets(&|s| eni(s) && !is_large(s)),
            true,
        ),
        (
            codes::QUOTA_RULES_PER_FILTER,
            "a filter",
            quotas.rules_per_filter,
            most(&mut filters().map(|f| f.all_rules().count())),
            true,
        ),
        (codes::QUOTA_SESSIONS, "the account", quotas.sessions, sessions().count(), false),
        (
            codes::QUOTA_SESSIONS_PER_SOURCE,
            "a source",
            quotas.sessions_per_source,
            most(&mut sources().map(|s| desired.index.sessions_of_source(s).len())),
            false,
        ),
        (
            codes::QUOTA_SLB_TARGET,
            "an internal CLB",
            quotas.sources_per_load_balancer,
            of_targets(&is(TargetType::Slb)),
            false,
        ),
        (
            codes::QUOTA_GWLBE_TARGET,
            "a Gateway Load Balancer endpoint",
            quotas.sources_per_load_balancer,
            of_targets(&is(TargetType::GatewayLoadBalancerEndpoint)),
            false,
        ),
        (codes::QUOTA_FILTERS, "the account", quotas.filters, filters().count(), false),
        (
            codes::QUOTA_SESSIONS_PER_FILTER,
            "a filter",
            quotas.sessions_per_filter,
            most(&mut filters().map(|f| desired.index.sessions_of_filter(&f.id).len())),
            false,
        ),
    ];
    let rows = rows.map(|(code, class, limit, used, adjustable)| {
        let name = code.code.trim_start_matches("QuotaExceeded.");
        json!({ "name": name, "class": class, "limit": limit, "used": used, "adjustable": adjustable })
    });
    json!({ "account": account, "quotas": rows })
}
