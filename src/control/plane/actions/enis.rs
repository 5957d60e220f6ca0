//! ENIs that requests name, as sources and as targets.

use std::sync::Arc;

use super::Asked;
use crate::control::api::ApiError;
use crate::control::id::is_id;
use crate::control::plane::codes;
use crate::control::plane::session::{MirrorSession, Target, TargetType};

/// An ENI of the account that can take a part in mirroring; `parameter` names it.
fn usable(asked: Asked<'_>, parameter: &str, id: &str) -> Result<Arc<str>, ApiError> {
    // Another account's ENI is as unknown as one that does not exist.
    let Some(eni) = asked.desired.world.eni(id).filter(|eni| eni.owner == asked.account()) else {
        return Err(codes::ENI_NOT_FOUND
            .error(format!("{parameter}: the account has no ENI {id} in region {}.", asked.config.region.id)));
    };
    if eni.managed {
        return Err(
            codes::MANAGED_ENI.error(format!("{parameter}: ENI {id} is managed: it can be neither source nor target."))
        );
    }
    Ok(eni.id.clone())
}

/// Sources that a request adds to a session with a target; `already` are those that the session has.
pub(super) fn new_sources(asked: Asked<'_>, already: &[Arc<str>], target: &Target) -> Result<Vec<Arc<str>>, ApiError> {
    let name = "TrafficMirrorSourceIds";
    // The quota judges how many are too many.
    let listed = asked.call.params.list(name, 1000)?;
    if listed.is_empty() {
        return Err(ApiError::missing("TrafficMirrorSourceIds.1", "the id of an ENI of the account"));
    }
    let mut sources: Vec<Arc<str>> = Vec::new();
    for (n, id) in listed.into_iter().enumerate() {
        let parameter = format!("{name}.{}", n + 1);
        if already.iter().chain(&sources).any(|s| **s == *id) {
            return Err(codes::SOURCE_TWICE.error(format!("{parameter}: ENI {id} is a source of the session already.")));
        }
        let id = usable(asked, &parameter, id)?;
        let as_target = (TargetType::NetworkInterface, id.clone());
        let other = asked.desired.index.sessions_of_target(&as_target).next();
        if let Some(other) = other {
            return Err(codes::ROLE_CONFLICT
                .error(format!("{parameter}: ENI {id} is the target of session {other}: it cannot be a source.")));
        }
        if *target == as_target {
            return Err(codes::ROLE_CONFLICT
                .error(format!("{parameter}: ENI {id} is the target of this session: it cannot be a source.")));
        }
        sources.push(id);
    }
    Ok(sources)
}

/// The target that a request names, for a session with these sources.
pub(super) fn target(
    asked: Asked<'_>,
    kind: TargetType,
    id: &str,
    session: Option<&MirrorSession>,
) -> Result<Target, ApiError> {
    let name = "TrafficMirrorTargetId";
    if kind != TargetType::NetworkInterface {
        let known = asked.desired.index.sessions_of_target(&(kind, id.into())).next().is_some();
        if !known && !is_id(id) {
            return Err(ApiError::invalid(name, id, crate::control::id::ALLOWED));
        }
        return Ok((kind, id.into()));
    }
    // A target that stays may have left the inventory since; what is resent unchanged is not judged again.
    if session.is_some_and(|s| s.target.0 == kind && *s.target.1 == *id) {
        return Ok((kind, id.into()));
    }
    let id = usable(asked, name, id)?;
    let source_of = asked.desired.index.sessions_of_source(&id).first();
    if let Some(other) = source_of {
        return Err(codes::ROLE_CONFLICT
            .error(format!("{name}: ENI {id} is a source of session {other}: it cannot be a target.")));
    }
    Ok((kind, id))
}
