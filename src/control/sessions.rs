//! Sessions, each on its own: what could be read of it is kept, so that what only several together break is found, too.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value;

use super::broken::{Broken, reference};
use super::config::Config;
use super::inventory::{id, unique};
use super::model::{Model, Session, Target};
use super::objects::limit;
use super::quotas::{DEFAULT_PACKET_LENGTH, PACKET_LENGTH, SESSION_PRIORITY, VNI};
use super::raw::{Object, Sink, boolean, integer, string, text};

/// Fields of the List answers that say nothing to a switch.
const SESSION_IGNORED: [&str; 5] =
    ["TrafficMirrorSessionStatus", "TrafficMirrorSessionDescription", "CreationTime", "ResourceGroupId", "Tags"];
const SESSION_KEYS: [&str; 11] = [
    "TrafficMirrorSessionId",
    "TrafficMirrorSessionName",
    "Enabled",
    "Priority",
    "PacketLength",
    "VirtualNetworkId",
    "TrafficMirrorFilterId",
    "TrafficMirrorSourceIds",
    "TrafficMirrorTargetId",
    "TrafficMirrorTargetType",
    "TrafficMirrorSessionBusinessStatus",
];

/// A session of which some fields may be broken.
pub(super) struct Draft {
    /// Where it stands in the file.
    pub(super) path: String,
    pub(super) id: Option<Arc<str>>,
    pub(super) priority: Option<u16>,
    pub(super) filter: Option<usize>,
    pub(super) sources: Vec<usize>,
    /// Sources are listed, and each is known.
    pub(super) sources_known: bool,
    pub(super) target: Option<Target>,
    pub(super) enabled: bool,
    name: String,
    locked: bool,
    packet_length: Option<u16>,
    vni: Option<u32>,
}

impl Draft {
    /// The session, if nothing that it cannot do without is missing.
    pub(super) fn finish(self) -> Option<Session> {
        let id = self.id?;
        Some(Session {
            enabled: self.enabled,
            locked: self.locked,
            priority: self.priority?,
            packet_length: self.packet_length.unwrap_or(DEFAULT_PACKET_LENGTH),
            vni: self.vni.unwrap_or_else(|| drawn_vni(&id)),
            filter: self.filter?,
            sources: self.sources,
            target: self.target?,
            id,
            name: self.name,
        })
    }
}

/// Reads all sessions.
pub(super) fn drafts(
    root: &Object<'_>,
    config: &Config,
    model: &Model,
    broken_filters: &Broken,
    broken_enis: &Broken,
) -> Vec<Draft> {
    let mut ids = HashSet::new();
    let list = root.list("TrafficMirrorSessions").into_iter();
    let read = list.filter_map(|(path, value)| {
        let draft = draft(root.sink(), &path, value, (config, model), broken_filters, broken_enis, &mut ids);
        draft.map(|d| Draft { path, ..d })
    });
    read.collect()
}

fn draft(
    sink: &Sink,
    path: &str,
    value: &Value,
    (config, model): (&Config, &Model),
    broken_filters: &Broken,
    broken_enis: &Broken,
    ids: &mut HashSet<Arc<str>>,
) -> Option<Draft> {
    let object = Object::new(sink, path, value, &SESSION_KEYS, &SESSION_IGNORED)?;
    let id = object.required("TrafficMirrorSessionId", "a session's id", id);
    unique(&object, "TrafficMirrorSessionId", id.as_ref(), ids, "another session has this id");
    let name = object.optional("TrafficMirrorSessionName", "a name", string).unwrap_or_default();
    let enabled = object.optional("Enabled", "true or false", boolean).unwrap_or(false);
    let priority = object.required("Priority", "a whole number from 1 to 32766, smaller goes first", |v| {
        integer(v, *SESSION_PRIORITY.start(), *SESSION_PRIORITY.end()).and_then(|n| u16::try_from(n).ok())
    });
    let packet_length = object.optional("PacketLength", "bytes of IP, a whole number from 64 to 8500", |v| {
        integer(v, *PACKET_LENGTH.start(), *PACKET_LENGTH.end()).and_then(|n| u16::try_from(n).ok())
    });
    let vni = object.optional("VirtualNetworkId", "a whole number from 0 to 16777215", |v| {
        integer(v, *VNI.start(), *VNI.end()).and_then(|n| u32::try_from(n).ok())
    });
    let allowed = "the id of a filter in TrafficMirrorFilters";
    let filter = reference(&object, "TrafficMirrorFilterId", allowed, broken_filters, |id| {
        model.filters.iter().position(|f| *f.id == *id)
    });
    let locked =
        object.optional("TrafficMirrorSessionBusinessStatus", "Normal or FinancialLocked", |v| match v.as_str()? {
            "Normal" => Some(false),
            "FinancialLocked" => Some(true),
            _ => None,
        });
    let (sources, sources_known) = sources(&object, config, model, broken_enis);
    let target = target(&object, model, broken_enis);
    let (path, locked) = (String::new(), locked.unwrap_or(false));
    Some(Draft {
        path,
        id,
        priority,
        filter,
        sources,
        sources_known,
        target,
        name,
        enabled,
        locked,
        packet_length,
        vni,
    })
}

/// A VNI for a session that names none: by its id, the same after each reading of the file.
fn drawn_vni(id: &str) -> u32 {
    let hash = id.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3));
    (hash >> 40) as u32
}

/// The sources that could be read, and whether that is all of them.
fn sources(object: &Object<'_>, config: &Config, model: &Model, broken: &Broken) -> (Vec<usize>, bool) {
    let (mut sources, mut known) = (Vec::new(), object.raw("TrafficMirrorSourceIds").is_none_or(Value::is_array));
    let list = object.list("TrafficMirrorSourceIds");
    let (path, quota) = (object.path_of("TrafficMirrorSourceIds"), config.quotas.sources_per_session);
    limit(object.sink(), &path, list.len(), quota, "sources");
    for (path, value) in list {
        match model.enis.iter().position(|e| Some(&*e.id) == value.as_str()) {
            None => {
                known = false;
                if !broken.excuses(value) {
                    object.sink().report(path, Some(value), "the id of an ENI in the inventory");
                }
            }
            Some(eni) if sources.contains(&eni) => object.sink().report(path, Some(value), "is listed twice"),
            Some(eni) => {
                if model.enis[eni].managed {
                    object.sink().report(path, Some(value), "is a managed ENI: it cannot be a source");
                }
                sources.push(eni);
            }
        }
    }
    (sources, known)
}

fn target(object: &Object<'_>, model: &Model, broken: &Broken) -> Option<Target> {
    let kinds = ["NetworkInterface", "SLB", "GatewayLoadBalancerEndpoint"];
    let kind =
        object.required("TrafficMirrorTargetType", "NetworkInterface, SLB or GatewayLoadBalancerEndpoint", |v| {
            kinds.iter().position(|k| Some(*k) == v.as_str())
        });
    let key = "TrafficMirrorTargetId";
    if kind == Some(0) {
        let eni = reference(object, key, "the id of an ENI in the inventory", broken, |id| {
            model.enis.iter().position(|e| *e.id == *id)
        })?;
        if model.enis[eni].managed {
            object.report(key, "is a managed ENI: it cannot be a target");
        }
        return Some(Target::Eni(eni));
    }
    let target = object.required(key, "a target's id", text);
    match (kind?, target?) {
        (1, id) => Some(Target::Slb(id)),
        (_, id) => Some(Target::Gwlbe(id)),
    }
}
