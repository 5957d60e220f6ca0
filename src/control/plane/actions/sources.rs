//! Sources of sessions: added and removed.

use std::sync::Arc;

use super::{Asked, Plan, enis, quotas, sessions};
use crate::control::api::ApiError;
use crate::control::plane::codes;
use crate::control::plane::desired::Change;
use crate::control::plane::session::MirrorSession;

/// Sources that one request removes at most.
const A_CALL: usize = 10;

pub(super) fn add(asked: Asked<'_>) -> Result<Plan, ApiError> {
    let before = sessions::named(asked)?;
    let new = enis::new_sources(asked, &before.sources, &before.target)?;
    quotas::sources(asked, before.sources.len(), &new)?;
    quotas::target(asked, &before.target, new.iter())?;
    Ok(with_sources(before, before.sources.iter().cloned().chain(new).collect()))
}

/// May leave a session without sources: a client replaces all of them by removing and adding.
pub(super) fn remove(asked: Asked<'_>) -> Result<Plan, ApiError> {
    let before = sessions::named(asked)?;
    let ids = asked.call.params.list("TrafficMirrorSourceIds", A_CALL)?;
    if ids.is_empty() {
        return Err(ApiError::missing("TrafficMirrorSourceIds.1", "the id of a source of the session"));
    }
    let mut sources = before.sources.to_vec();
    for (n, id) in ids.into_iter().enumerate() {
        let Some(at) = sources.iter().position(|s| **s == *id) else {
            let parameter = format!("TrafficMirrorSourceIds.{}", n + 1);
            return Err(codes::SOURCE_NOT_THERE
                .error(format!("{parameter}: ENI {id} is not a source of session {}.", before.id)));
        };
        sources.remove(at);
    }
    Ok(with_sources(before, sources))
}

fn with_sources(before: &MirrorSession, sources: Vec<Arc<str>>) -> Plan {
    let session = MirrorSession { sources: sources.into(), ..before.clone() };
    Plan::done(vec![Change::Session(session.id.clone(), Some(Arc::new(session)))])
}
