//! ENIs: how they are, new ones, and those that go.

use std::fmt::Write;

use hyper::Method;
use serde_json::{Map, Value, json};

use super::changes::{last_line, path};
use super::client::{CtlError, Daemon};
use super::outcome::Outcome;
use super::{files, inventory, render};
use crate::cli::{EniArgs, EniCommand, InventoryKind, NewEni, SocketOwner};

pub(super) fn run(daemon: Daemon<'_>, args: &EniArgs) -> Result<Outcome, CtlError> {
    match &args.command {
        None => Ok(Outcome::listed(daemon.get(&render::path("enis", args.id.as_deref()))?, render::ENI)),
        Some(EniCommand::Add(new)) => add(daemon, new),
        Some(EniCommand::Delete { id, dry_run }) => {
            inventory::delete(daemon, InventoryKind::NetworkInterfaces, id, *dry_run)
        }
    }
}

fn add(daemon: Daemon<'_>, new: &NewEni) -> Result<Outcome, CtlError> {
    let object = match &new.file {
        Some(file) => files::document(file)?,
        None => fields(new),
    };
    let id = object["NetworkInterfaceId"].as_str().unwrap_or_default();
    if !crate::control::id::is_id(id) {
        let wrong = format!("NetworkInterfaceId: an id has {}", crate::control::id::ALLOWED);
        return Err(CtlError::refused(wrong));
    }
    inventory::must_be_new(daemon, InventoryKind::NetworkInterfaces, id)?;
    let place = path(&inventory::of(InventoryKind::NetworkInterfaces, id), new.dry_run);
    let answer = daemon.ask(Method::PUT, &place, Some(&object))?;
    Ok(Outcome::new(added(id, &answer), answer))
}

/// The object of the inventory that options describe.
fn fields(new: &NewEni) -> Value {
    let mode = new.socket_mode.map(|mode| match mode {
        SocketOwner::Client => "client",
        SocketOwner::Server => "server",
    });
    let fields = [
        ("NetworkInterfaceId", json!(new.id)),
        ("VSwitchId", json!(new.vswitch)),
        ("MacAddress", json!(new.mac)),
        ("PrivateIpAddress", json!(new.ip)),
        ("SecondaryPrivateIpAddresses", json!((!new.secondary_ip.is_empty()).then_some(&new.secondary_ip))),
        ("Mtu", json!(new.mtu)),
        ("InstanceId", json!(new.instance)),
        ("OwnerId", json!(new.owner)),
        ("HostId", json!(new.host)),
        ("QueuePairs", json!(new.queue_pairs)),
        ("Socket", json!(new.socket_path)),
        ("SocketMode", json!(mode)),
        ("BandwidthBps", json!(new.bandwidth_bps)),
    ];
    let given = fields.into_iter().filter(|(_, value)| !value.is_null());
    Value::Object(given.map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
}

fn added(id: &str, answer: &Value) -> String {
    let mut text = String::new();
    if answer["dry_run"] != true {
        let _ = writeln!(text, "{id} added");
    }
    for key in ["socket", "qemu", "libvirt"] {
        let lines: Vec<String> = match &answer[key] {
            Value::Array(items) => items.iter().map(render::cell).collect(),
            Value::String(lines) => lines.lines().map(|line| render::clean(line).into_owned()).collect(),
            _ => continue,
        };
        let _ = writeln!(text, "{key}:");
        for line in lines {
            let _ = writeln!(text, "  {line}");
        }
    }
    text + &last_line(answer)
}
