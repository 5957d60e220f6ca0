//! Filters, sessions, the service's switch and tags.

use serde_json::{Value, json};

use super::actions::Action;
use super::client::{CtlError, Daemon};
use super::outcome::Outcome;
use super::{render, rules};
use crate::cli::{
    FilterArgs, FilterCommand, FilterFields, ServiceCommand, SessionArgs, SessionCommand, SessionFields, TagCommand,
    Tagged, TaggedKind,
};

pub(super) fn filter(daemon: Daemon<'_>, args: &FilterArgs) -> Result<Outcome, CtlError> {
    match &args.command {
        None => Ok(Outcome::listed(daemon.get(&render::path("filters", args.id.as_deref()))?, render::FILTER)),
        Some(FilterCommand::List(list)) => {
            let action = Action::new("ListTrafficMirrorFilters", &list.account);
            let filters =
                action.with("TrafficMirrorFilterName", json!(list.name)).all(daemon, "TrafficMirrorFilters")?;
            let rows = filters.iter().map(counted).collect();
            Ok(Outcome::new(render::table(&rows, render::STORED_FILTER), filters.into()))
        }
        Some(FilterCommand::Create { fields, rules, new, tenant }) => {
            let create = named(Action::write("CreateTrafficMirrorFilter", tenant), fields).with_new(new);
            let create = rules::with_rules(create, rules);
            create.done(daemon, |answer| format!("filter {} created", render::cell(&answer["TrafficMirrorFilterId"])))
        }
        Some(FilterCommand::Update { id, fields, tenant }) => {
            let update = Action::write("UpdateTrafficMirrorFilterAttribute", tenant);
            let update = named(update.with("TrafficMirrorFilterId", json!(id)), fields).changing_more_than(1)?;
            update.done(daemon, |_| format!("filter {id} changed"))
        }
        Some(FilterCommand::Delete { id, tenant }) => Action::write("DeleteTrafficMirrorFilter", tenant)
            .with("TrafficMirrorFilterId", json!(id))
            .done(daemon, |_| format!("filter {id} deleted")),
    }
}

fn named<'a>(action: Action<'a>, fields: &FilterFields) -> Action<'a> {
    action
        .with("TrafficMirrorFilterName", json!(fields.name))
        .with("TrafficMirrorFilterDescription", json!(fields.description))
}

/// A filter in a table: of its rules, how many.
fn counted(filter: &Value) -> Value {
    let mut row = filter.clone();
    for (key, list) in [("ingress", "IngressRules"), ("egress", "EgressRules")] {
        row[key] = json!(filter[list].as_array().map_or(0, Vec::len));
    }
    row
}

pub(super) fn session(daemon: Daemon<'_>, args: &SessionArgs) -> Result<Outcome, CtlError> {
    let update = |tenant, id: &str| {
        Action::write("UpdateTrafficMirrorSessionAttribute", tenant).with("TrafficMirrorSessionId", json!(id))
    };
    let command = match &args.command {
        None => {
            return Ok(Outcome::listed(daemon.get(&render::path("sessions", args.id.as_deref()))?, render::SESSION));
        }
        Some(command) => command,
    };
    match command {
        SessionCommand::List(list) => {
            let action = Action::new("ListTrafficMirrorSessions", &list.account);
            let action = action.with("TrafficMirrorSessionName", json!(list.name));
            Ok(Outcome::table(action.all(daemon, "TrafficMirrorSessions")?.into(), render::STORED_SESSION))
        }
        SessionCommand::Create { source, filter, target, priority, fields, new, tenant } => {
            let create = Action::write("CreateTrafficMirrorSession", tenant)
                .with("TrafficMirrorFilterId", json!(filter))
                .with_list("TrafficMirrorSourceIds", source)
                .with("TrafficMirrorTargetId", json!(target))
                .with("TrafficMirrorTargetType", json!("NetworkInterface"))
                .with("Priority", json!(priority));
            let create = described(create, fields).with_new(new);
            create.done(daemon, |answer| format!("session {} created", render::cell(&answer["TrafficMirrorSessionId"])))
        }
        SessionCommand::Update { id, filter, target, priority, fields, tenant } => {
            let update = update(tenant, id)
                .with("TrafficMirrorFilterId", json!(filter))
                .with("TrafficMirrorTargetId", json!(target))
                .with("Priority", json!(priority));
            described(update, fields).changing_more_than(1)?.done(daemon, |_| format!("session {id} changed"))
        }
        SessionCommand::Enable { id, tenant } => {
            update(tenant, id).with("Enabled", json!(true)).done(daemon, |_| format!("session {id} enabled"))
        }
        SessionCommand::Disable { id, tenant } => {
            update(tenant, id).with("Enabled", json!(false)).done(daemon, |_| format!("session {id} disabled"))
        }
        SessionCommand::AddSources { id, sources, tenant } => Action::write("AddSourcesToTrafficMirrorSession", tenant)
            .with("TrafficMirrorSessionId", json!(id))
            .with_list("TrafficMirrorSourceIds", sources)
            .done(daemon, |_| format!("session {id}: {} added", sources.join(", "))),
        SessionCommand::RemoveSources { id, sources, tenant } => {
            Action::write("RemoveSourcesFromTrafficMirrorSession", tenant)
                .with("TrafficMirrorSessionId", json!(id))
                .with_list("TrafficMirrorSourceIds", sources)
                .done(daemon, |_| format!("session {id}: {} removed", sources.join(", ")))
        }
        SessionCommand::Delete { id, tenant } => Action::write("DeleteTrafficMirrorSession", tenant)
            .with("TrafficMirrorSessionId", json!(id))
            .done(daemon, |_| format!("session {id} deleted")),
    }
}

fn described<'a>(action: Action<'a>, fields: &SessionFields) -> Action<'a> {
    action
        .with("TrafficMirrorTargetType", json!(fields.target_type))
        .with("VirtualNetworkId", json!(fields.vni))
        .with("PacketLength", json!(fields.packet_length))
        .with("Enabled", json!(fields.enabled))
        .with("TrafficMirrorSessionName", json!(fields.name))
        .with("TrafficMirrorSessionDescription", json!(fields.description))
}

pub(super) fn service(daemon: Daemon<'_>, command: &ServiceCommand) -> Result<Outcome, CtlError> {
    match command {
        ServiceCommand::Open(tenant) => Action::new("OpenTrafficMirrorService", &tenant.account)
            .done(daemon, |_| format!("the service is open for account {}", tenant.account)),
        ServiceCommand::Status(tenant) => Action::new("GetTrafficMirrorServiceStatus", &tenant.account)
            .done(daemon, |answer| if answer["Enabled"] == true { "open" } else { "not open" }.to_owned()),
    }
}

pub(super) fn tag(daemon: Daemon<'_>, command: &TagCommand) -> Result<Outcome, CtlError> {
    match command {
        TagCommand::List(object) => {
            let answer = tagging("ListTagResources", object).perform(daemon)?;
            Ok(Outcome::table(answer["TagResources"]["TagResource"].clone(), render::TAG))
        }
        TagCommand::Add { object, tags } => {
            let tags: Vec<Value> = tags.iter().map(|(key, value)| json!({ "Key": key, "Value": value })).collect();
            tagging("TagResources", object).with_list("Tag", &tags).done(daemon, |_| format!("{} tagged", object.id))
        }
        TagCommand::Remove { object, keys } => {
            let action = tagging("UnTagResources", object).with_list("TagKey", keys);
            action.done(daemon, |_| format!("{} untagged", object.id))
        }
    }
}

fn tagging<'a>(action: &'static str, object: &'a Tagged) -> Action<'a> {
    let kind = match object.kind {
        TaggedKind::Filter => "TRAFFICMIRRORFILTER",
        TaggedKind::Session => "TRAFFICMIRRORSESSION",
    };
    Action::new(action, &object.account).with("ResourceType", json!(kind)).with("ResourceId", json!([object.id]))
}
