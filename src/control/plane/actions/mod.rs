//! What each action checks and changes. A request becomes a [`Plan`] against the desired state; nothing happens here.

mod enis;
mod filters;
mod labels;
mod lists;
mod quotas;
mod rules;
mod service;
mod sessions;
mod sources;
mod tags;

use serde_json::{Value, json};

use super::codes;
use super::desired::{Change, Desired};
use super::status::{Pending, Status};
use crate::control::api::{Action, ApiError, Call};
use crate::control::config::{Config, Quotas};

/// What a request is judged by.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) desired: &'a Desired,
    pub(super) pending: &'a Pending,
    pub(super) config: &'a Config,
    pub(super) call: &'a Call,
    /// Seconds since 1970.
    pub(super) now: i64,
}

/// What a request does, if it is not a dry run.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) changes: Vec<Change>,
    pub(super) answer: Value,
}

impl Plan {
    /// Changes whose answer says no more than that they are done.
    fn done(changes: Vec<Change>) -> Self {
        Plan { changes, answer: json!({}) }
    }
}

impl Asked<'_> {
    fn account(&self) -> &str {
        &self.call.account
    }

    /// The account's quotas: the configuration's, or its own where it has some.
    fn quotas(&self) -> Quotas {
        self.desired.world.quotas_of(self.account(), self.config)
    }

    /// A filter may be written when the workers have it.
    fn filter_is_free(&self, id: &str) -> Result<(), ApiError> {
        let refused = codes::FILTER_BUSY;
        self.is_free(id, |status| refused.error(format!("TrafficMirrorFilterId: filter {id} is {status}; try again.")))
    }

    fn session_is_free(&self, id: &str) -> Result<(), ApiError> {
        let refused = codes::SESSION_BUSY;
        self.is_free(id, |status| {
            refused.error(format!("TrafficMirrorSessionId: session {id} is {status}; try again."))
        })
    }

    fn rule_is_free(&self, id: &str) -> Result<(), ApiError> {
        let refused = codes::RULE_BUSY;
        self.is_free(id, |status| {
            refused.error(format!("TrafficMirrorFilterRuleId: rule {id} is {status}; try again."))
        })
    }

    fn is_free(&self, id: &str, refused: impl Fn(&str) -> ApiError) -> Result<(), ApiError> {
        match self.pending.status(id) {
            Status::Created => Ok(()),
            status => Err(refused(status.name())),
        }
    }
}

/// Checks a writing request and says what it changes.
pub(super) fn plan(asked: Asked<'_>) -> Result<Plan, ApiError> {
    if asked.desired.world.is_locked(asked.account()) {
        return Err(codes::LOCKED.error("The account is financially locked: nothing can be changed."));
    }
    let action = asked.call.action;
    if action != Action::OpenTrafficMirrorService && !asked.desired.services.contains(asked.account()) {
        return Err(
            codes::NOT_OPEN.error("The traffic mirror service is not open: call OpenTrafficMirrorService once.")
        );
    }
    match action {
        Action::OpenTrafficMirrorService => Ok(service::open(asked)),
        Action::CreateTrafficMirrorFilter => filters::create(asked),
        Action::UpdateTrafficMirrorFilterAttribute => filters::update(asked),
        Action::DeleteTrafficMirrorFilter => filters::delete(asked),
        Action::CreateTrafficMirrorFilterRules => rules::create(asked),
        Action::UpdateTrafficMirrorFilterRuleAttribute => rules::update(asked),
        Action::DeleteTrafficMirrorFilterRules => rules::delete(asked),
        Action::CreateTrafficMirrorSession => sessions::create(asked),
        Action::UpdateTrafficMirrorSessionAttribute => sessions::update(asked),
        Action::DeleteTrafficMirrorSession => sessions::delete(asked),
        Action::AddSourcesToTrafficMirrorSession => sources::add(asked),
        Action::RemoveSourcesFromTrafficMirrorSession => sources::remove(asked),
        Action::TagResources => tags::tag(asked),
        Action::UnTagResources => tags::untag(asked),
        Action::MoveResourceGroup => tags::move_group(asked),
        Action::GetTrafficMirrorServiceStatus
        | Action::ListTrafficMirrorFilters
        | Action::ListTrafficMirrorSessions
        | Action::ListTagResources => Ok(Plan { changes: Vec::new(), answer: read(asked)? }),
    }
}

/// Answers a request that changes nothing.
pub(super) fn read(asked: Asked<'_>) -> Result<Value, ApiError> {
    match asked.call.action {
        Action::GetTrafficMirrorServiceStatus => Ok(service::status(asked)),
        Action::ListTrafficMirrorFilters => lists::filters(asked),
        Action::ListTrafficMirrorSessions => lists::sessions(asked),
        Action::ListTagResources => tags::list(asked),
        _ => plan(asked).map(|plan| plan.answer),
    }
}
