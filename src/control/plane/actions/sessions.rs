//! Sessions: created, changed, deleted.

use std::sync::Arc;

use serde_json::json;

use super::{Asked, Plan, enis, filters, labels, quotas};
use crate::control::api::{ApiError, Fields, Params};
use crate::control::plane::codes;
use crate::control::plane::desired::Change;
use crate::control::plane::ids;
use crate::control::plane::session::{MirrorSession, TargetType};
use crate::control::quotas::{DEFAULT_PACKET_LENGTH, PACKET_LENGTH, SESSION_PRIORITY, VNI};

pub(super) const ID: &str = "the id of a session of the account";
const PRIORITY: &str = "a whole number from 1 to 32766; smaller goes first";

pub(super) fn create(asked: Asked<'_>) -> Result<Plan, ApiError> {
    let params = &asked.call.params;
    let filter = filter(asked, params.required("TrafficMirrorFilterId", filters::ID)?)?;
    let kind = params.required("TrafficMirrorTargetType", TargetType::ALLOWED)?;
    let kind = target_type(params, kind)?;
    let id = params.required("TrafficMirrorTargetId", "the id of a target")?;
    let target = enis::target(asked, kind, id, None)?;
    let sources = enis::new_sources(asked, &[], &target)?;
    let priority = params.required("Priority", PRIORITY).and_then(|_| priority(params))?;
    let session = MirrorSession {
        id: ids::fresh("tms"),
        account: asked.call.account.clone(),
        labels: labels::created(asked, "TrafficMirrorSession")?,
        enabled: params.boolean("Enabled")?.unwrap_or(false),
        priority: priority.unwrap_or_default(),
        packet_length: packet_length(params)?.unwrap_or(DEFAULT_PACKET_LENGTH),
        vni: vni(params)?.unwrap_or_else(|| ids::random() as u32 & 0x00ff_ffff),
        filter,
        sources: sources.into(),
        target,
    };
    priority_is_free(asked, &session)?;
    quotas::one_more_session(asked)?;
    quotas::filter(asked, &session.filter)?;
    quotas::sources(asked, 0, &session.sources)?;
    quotas::target(asked, &session.target, session.sources.iter())?;
    let answer = json!({ "TrafficMirrorSessionId": &*session.id, "ResourceGroupId": &*session.labels.resource_group });
    Ok(Plan { changes: vec![Change::Session(session.id.clone(), Some(Arc::new(session)))], answer })
}

/// The session that a request names, which workers have as it is.
pub(super) fn named<'a>(asked: Asked<'a>) -> Result<&'a Arc<MirrorSession>, ApiError> {
    let id = asked.call.params.required("TrafficMirrorSessionId", ID)?;
    asked.session_is_free(id).or_else(|busy| asked.desired.session(asked.account(), id).and(Err(busy)))?;
    asked.desired.session(asked.account(), id)
}

pub(super) fn update(asked: Asked<'_>) -> Result<Plan, ApiError> {
    let params = &asked.call.params;
    let before = named(asked)?;
    let mut session = MirrorSession::clone(before);
    labels::rename(&mut session.labels, params, "TrafficMirrorSession")?;
    if let Some(id) = params.text("TrafficMirrorFilterId").filter(|id| **id != *before.filter) {
        session.filter = filter(asked, id)?;
        quotas::filter(asked, &session.filter)?;
    }
    retarget(asked, &mut session)?;
    session.priority = priority(params)?.unwrap_or(before.priority);
    priority_is_free(asked, &session)?;
    session.packet_length = packet_length(params)?.unwrap_or(before.packet_length);
    session.vni = vni(params)?.unwrap_or(before.vni);
    session.enabled = params.boolean("Enabled")?.unwrap_or(before.enabled);
    if session == **before {
        return Ok(Plan::done(Vec::new()));
    }
    Ok(Plan::done(vec![Change::Session(session.id.clone(), Some(Arc::new(session)))]))
}

fn retarget(asked: Asked<'_>, session: &mut MirrorSession) -> Result<(), ApiError> {
    let params = &asked.call.params;
    let kind = params.text("TrafficMirrorTargetType").map(|kind| target_type(params, kind)).transpose()?;
    let id = params.text("TrafficMirrorTargetId");
    let kind = match (kind, id) {
        (Some(kind), None) if kind != session.target.0 => {
            return Err(ApiError::missing("TrafficMirrorTargetId", "needed where TrafficMirrorTargetType changes"));
        }
        (kind, _) => kind.unwrap_or(session.target.0),
    };
    let Some(id) = id else { return Ok(()) };
    let target = enis::target(asked, kind, id, Some(session))?;
    if target != session.target {
        quotas::target(asked, &target, session.sources.iter())?;
        session.target = target;
    }
    Ok(())
}

pub(super) fn delete(asked: Asked<'_>) -> Result<Plan, ApiError> {
    let session = named(asked)?;
    Ok(Plan::done(vec![Change::Session(session.id.clone(), None)]))
}

/// The id of a filter of the account.
fn filter(asked: Asked<'_>, id: &str) -> Result<Arc<str>, ApiError> {
    asked.desired.filter(asked.account(), id).map(|filter| filter.id.clone())
}

fn target_type(params: &Params, text: &str) -> Result<TargetType, ApiError> {
    let kind = TargetType::named(text);
    kind.ok_or_else(|| params.not_allowed("TrafficMirrorTargetType", text, TargetType::ALLOWED))
}

fn priority(params: &Params) -> Result<Option<u16>, ApiError> {
    let range = *SESSION_PRIORITY.start() as u16..=*SESSION_PRIORITY.end() as u16;
    params.integer("Priority", range, PRIORITY)
}

fn packet_length(params: &Params) -> Result<Option<u16>, ApiError> {
    let range = *PACKET_LENGTH.start() as u16..=*PACKET_LENGTH.end() as u16;
    params.integer("PacketLength", range, "bytes of the IP packet, a whole number from 64 to 8500")
}

fn vni(params: &Params) -> Result<Option<u32>, ApiError> {
    let range = *VNI.start() as u32..=*VNI.end() as u32;
    params.integer("VirtualNetworkId", range, "a whole number from 0 to 16777215")
}

/// Unique in the account and region; the session itself does not count.
fn priority_is_free(asked: Asked<'_>, session: &MirrorSession) -> Result<(), ApiError> {
    match asked.desired.index.session_with_priority(asked.account(), session.priority) {
        Some(other) if *other != session.id => Err(codes::PRIORITY_TAKEN.error(format!(
            "The parameter Priority = \"{}\" is taken by session {other}; priorities are unique in an account and region.",
            session.priority
        ))),
        _ => Ok(()),
    }
}
