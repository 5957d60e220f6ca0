//! The error codes of what stands behind the API. The protocol's own are in [`super::super::api`].

use crate::control::api::ApiError;

/// An error code, its status, and where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// What clients decide by.
    pub code: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// No document of the cloud names it: it is ours.
    pub ours: bool,
    /// When it is answered.
    pub meaning: &'static str,
}

impl Code {
    /// An error with this code.
    pub fn error(&self, message: impl Into<String>) -> ApiError {
        ApiError::new(self.status, self.code, message)
    }
}

macro_rules! codes {
    ($($name:ident = $status:literal $code:literal $origin:ident $meaning:literal;)+) => {
        $(#[doc = $meaning] pub const $name: Code =
            Code { code: $code, status: $status, ours: codes!(@ $origin), meaning: $meaning };)+
        /// All of them, in the README's order.
        pub const ALL: &[Code] = &[$($name),+];
    };
    (@ ours) => { true };
    (@ known) => { false };
}

codes! {
    DRY_RUN = 400 "DryRunOperation" known "`DryRun` is true and the request would have been done.";
    SESSION_NOT_FOUND = 404 "ResourceNotFound.TrafficMirrorSession" known "The account has no such session.";
    FILTER_NOT_FOUND = 404 "ResourceNotFound.TrafficMirrorFilter" known "The account has no such filter.";
    RULE_NOT_FOUND = 404 "ResourceNotFound.TrafficMirrorFilterRule" ours "The account has no such rule, or not in that filter.";
    ENI_NOT_FOUND = 404 "ResourceNotFound.NetworkInterface" ours "The account has no such ENI in this region.";
    SESSION_BUSY = 400 "IncorrectStatus.TrafficMirrorSession" known "The session is not `Created`: workers have not taken its last change. Try again.";
    FILTER_BUSY = 400 "IncorrectStatus.TrafficMirrorFilter" known "The same of a filter.";
    RULE_BUSY = 400 "IncorrectStatus.TrafficMirrorRule" known "The same of a rule.";
    FILTER_IN_USE = 400 "DependencyViolation.TrafficMirrorSession" ours "Sessions use the filter that is to be deleted.";
    LOCKED = 400 "IncorrectBusinessStatus" known "The account is financially locked: nothing is written, and its sessions do not mirror.";
    NOT_OPEN = 400 "ServiceNotOpen" ours "`OpenTrafficMirrorService` was not called yet.";
    TOKEN_MISMATCH = 400 "IdempotentParameterMismatch" ours "The ClientToken was used with other parameters, less than 24 hours ago.";
    PRIORITY_TAKEN = 400 "ResourceAlreadyExist.Priority" ours "Another session of the account, or another rule of that direction of the filter, has the priority.";
    ROLE_CONFLICT = 400 "ResourceAlreadyAssociated.NetworkInterface" ours "The ENI is a source and would become a target, or the other way round.";
    SOURCE_TWICE = 400 "ResourceAlreadyAssociated.TrafficMirrorSource" ours "The ENI is a source of the session already.";
    SOURCE_NOT_THERE = 400 "ResourceNotAssociated.TrafficMirrorSource" ours "The ENI is not a source of the session.";
    MANAGED_ENI = 400 "OperationDenied.ManagedNetworkInterface" ours "A managed ENI can be neither source nor target.";
    QUOTA_SOURCES_PER_SESSION = 400 "QuotaExceeded.trafficmirror_quota_source_num_per_session" ours "Sources of a session.";
    QUOTA_LARGE_TARGET = 400 "QuotaExceeded.vpc_quota_traffic_mirror_source_num_per_large_ecs_target" ours "Sources of a target ENI of a large instance type.";
    QUOTA_SMALL_TARGET = 400 "QuotaExceeded.vpc_quota_traffic_mirror_source_num_per_small_ecs_target" ours "Sources of another target ENI.";
    QUOTA_RULES_PER_FILTER = 400 "QuotaExceeded.vpc_quota_traffic_mirror_rules_num_per_filter" ours "Rules of a filter.";
    QUOTA_SESSIONS = 400 "QuotaExceeded.sessions_per_account" ours "Sessions of an account.";
    QUOTA_SESSIONS_PER_SOURCE = 400 "QuotaExceeded.sessions_per_source" ours "Sessions of a source.";
    QUOTA_SLB_TARGET = 400 "QuotaExceeded.sources_per_clb_target" ours "Sources of an internal CLB.";
    QUOTA_GWLBE_TARGET = 400 "QuotaExceeded.sources_per_gwlbe_target" ours "Sources of a Gateway Load Balancer endpoint.";
    QUOTA_FILTERS = 400 "QuotaExceeded.filters_per_account" ours "Filters of an account.";
    QUOTA_SESSIONS_PER_FILTER = 400 "QuotaExceeded.sessions_per_filter" ours "Sessions of a filter.";
    READ_ONLY = 503 "ServiceUnavailable" known "The store cannot be written: what is applied goes on, changes are refused.";
}
