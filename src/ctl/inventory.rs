//! The inventory as one document, and its objects.

use hyper::{Method, StatusCode};
use serde_json::Value;

use super::changes::{changes, path};
use super::client::{CtlError, Daemon};
use super::outcome::Outcome;
use super::{accounts, files, render};
use crate::cli::{InventoryCommand, InventoryKind};

/// The header with the revision at which an object was read.
const REVISION: &str = "x-vswitch-revision";
/// How often an object is read again that others write.
const TRIES: u32 = 10;

pub(super) fn run(daemon: Daemon<'_>, command: &InventoryCommand) -> Result<Outcome, CtlError> {
    match command {
        // A document is for people what it is for programs: it can be edited and applied.
        InventoryCommand::Show { kind: None, .. } => {
            let document = daemon.get("/v1/inventory")?;
            Ok(Outcome::new(format!("{document:#}\n"), document))
        }
        InventoryCommand::Show { kind: Some(kind), id: None } => {
            let list = daemon.get(&format!("/v1/{}", segment(*kind)))?;
            let rows = list.as_array().into_iter().flatten().map(accounts::row).collect();
            Ok(Outcome::new(render::table(&rows, columns(*kind)), list))
        }
        InventoryCommand::Show { kind: Some(kind), id: Some(id) } => {
            Ok(Outcome::listed(daemon.get(&of(*kind, id))?, &[]))
        }
        InventoryCommand::Apply { file, dry_run } => {
            let document = files::document(file)?;
            Ok(changes(daemon.ask(Method::PUT, &path("/v1/inventory", *dry_run), Some(&document))?))
        }
        InventoryCommand::Diff { file } => {
            let document = files::document(file)?;
            Ok(changes(daemon.ask(Method::PUT, &path("/v1/inventory", true), Some(&document))?))
        }
        InventoryCommand::Delete { kind, id, dry_run } => delete(daemon, *kind, id, *dry_run),
    }
}

/// Deletes an object.
pub(super) fn delete(daemon: Daemon<'_>, kind: InventoryKind, id: &str, dry: bool) -> Result<Outcome, CtlError> {
    Ok(changes(daemon.ask(Method::DELETE, &path(&of(kind, id), dry), None)?))
}

/// Changes an object, and only as it was read: what others write meanwhile is read again, not lost.
pub(super) fn edit(
    daemon: Daemon<'_>,
    kind: InventoryKind,
    id: &str,
    dry_run: bool,
    change: impl Fn(&mut Value),
) -> Result<Outcome, CtlError> {
    let mut tries = 0;
    loop {
        let read = daemon.reply(Method::GET, &of(kind, id), Vec::new().into())?;
        let expected = read.header(REVISION).map(|revision| format!("revision={revision}"));
        let mut object = daemon.json(&read.accepted()?)?;
        change(&mut object);
        let query = [dry_run.then(|| "dry_run=true".to_owned()), expected].into_iter().flatten();
        let query = query.collect::<Vec<_>>().join("&");
        let written = daemon.reply(Method::PUT, &format!("{}?{query}", of(kind, id)), object.to_string().into())?;
        tries += 1;
        if written.status != StatusCode::CONFLICT || tries == TRIES {
            return Ok(changes(daemon.json(&written.accepted()?)?));
        }
    }
}

/// Where an object is.
pub(super) fn of(kind: InventoryKind, id: &str) -> String {
    format!("/v1/{}/{id}", segment(kind))
}

const fn segment(kind: InventoryKind) -> &'static str {
    match kind {
        InventoryKind::Accounts => "accounts",
        InventoryKind::Vpcs => "vpcs",
        InventoryKind::Vswitches => "vswitches",
        InventoryKind::Instances => "instances",
        InventoryKind::NetworkInterfaces => "network-interfaces",
    }
}

const fn columns(kind: InventoryKind) -> &'static [(&'static str, &'static str)] {
    match kind {
        InventoryKind::Accounts => render::ACCOUNT,
        InventoryKind::Vpcs => &[("VPC", "VpcId"), ("CIDR", "CidrBlock")],
        InventoryKind::Vswitches => {
            &[("VSWITCH", "VSwitchId"), ("VPC", "VpcId"), ("CIDR", "CidrBlock"), ("GATEWAY", "GatewayIp")]
        }
        InventoryKind::Instances => &[("INSTANCE", "InstanceId"), ("BPS", "BandwidthBps"), ("BURST", "BurstBytes")],
        InventoryKind::NetworkInterfaces => &[
            ("ENI", "NetworkInterfaceId"),
            ("OWNER", "OwnerId"),
            ("VSWITCH", "VSwitchId"),
            ("INSTANCE", "InstanceId"),
            ("HOST", "HostId"),
            ("MAC", "MacAddress"),
            ("ADDRESS", "PrivateIpAddress"),
            ("MTU", "Mtu"),
        ],
    }
}

/// Refuses to put an object where there is one: a put would replace it unasked.
pub(super) fn must_be_new(daemon: Daemon<'_>, kind: InventoryKind, id: &str) -> Result<(), CtlError> {
    let reply = daemon.reply(Method::GET, &of(kind, id), Vec::new().into())?;
    if !reply.status.is_success() {
        return Ok(());
    }
    Err(CtlError::refused(format!(
        "{id} is there already; delete it first, or change it with `vswitchctl inventory show` and `inventory apply`"
    )))
}
