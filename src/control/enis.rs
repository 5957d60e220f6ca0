//! ENIs of the inventory: what each says of itself, and what no two may share.

use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

use serde_json::Value;

use super::broken::{Broken, reference};
use super::config::{Config, SocketMode};
use super::id::ALLOWED as ID;
use super::instances::{instances, limit_of_eni};
use super::inventory::{ADDRESS, Inventory, MAC, address, by_id, id, mac, unique};
use super::model::{EniSpec, Model, RemoteEni};
use super::quotas::{ENIS, MTUS, QUEUE_PAIRS, REGION_ENIS};
use super::raw::{Object, Sink, boolean, integer, text};
use super::sockets::Sockets;
use crate::mirror::bandwidth::Bandwidth;

/// What no two ENIs may share.
struct Taken {
    ids: HashSet<Arc<str>>,
    addresses: HashMap<(usize, Ipv4Addr), String>,
    macs: HashSet<(usize, [u8; 6])>,
    sockets: Sockets,
}

/// What an ENI may refer to.
#[derive(Clone, Copy)]
struct World<'a> {
    config: &'a Config,
    broken_subnets: &'a Broken,
    subnets: &'a HashMap<Arc<str>, usize>,
    instances: &'a HashMap<Arc<str>, Bandwidth>,
}

/// An ENI, with a port here or on another host.
enum Read {
    Here(EniSpec),
    Elsewhere(RemoteEni),
}

/// Adds the ENIs to the model; returns those that exist but are broken.
pub(super) fn enis(inventory: &Inventory<'_>, model: &mut Model, config: &Config, broken_subnets: &Broken) -> Broken {
    let (sink, list) = (inventory.root.sink(), &inventory.enis.items);
    let mut broken = Broken::of(&inventory.enis);
    let sockets = Sockets::of(config);
    let mut taken = Taken { ids: HashSet::new(), addresses: HashMap::new(), macs: HashSet::new(), sockets };
    let subnets = by_id(model.subnets.iter().map(|subnet| &subnet.id));
    let world = World { config, broken_subnets, subnets: &subnets, instances: &instances(inventory) };
    let here = list.iter().filter(|(_, value)| is_here(value, config)).count();
    if here > ENIS {
        sink.report("NetworkInterfaces", None, format!("{here} ENIs; at most {ENIS} fit a process"));
    }
    if list.len() > REGION_ENIS {
        let text = format!("{} ENIs; at most {REGION_ENIS} fit an inventory", list.len());
        sink.report("NetworkInterfaces", None, text);
    }
    for (path, value) in list {
        match eni(sink, path, value, model, world, &mut taken) {
            Some(Read::Here(eni)) => model.enis.push(eni),
            Some(Read::Elsewhere(eni)) => model.remote.push(eni),
            None => broken.note(value, "NetworkInterfaceId"),
        }
    }
    broken
}

/// Whether an ENI's port is on this host: it names this host, or none.
fn is_here(eni: &Value, config: &Config) -> bool {
    eni.get("HostId").is_none_or(|host| host.is_null() || host.as_str() == Some(&config.store.host))
}

const ENI_KEYS: [&str; 17] = [
    "NetworkInterfaceId",
    "VSwitchId",
    "MacAddress",
    "PrivateIpAddress",
    "SecondaryPrivateIpAddresses",
    "Mtu",
    "InstanceId",
    "InstanceType",
    "OwnerId",
    "Managed",
    "QueuePairs",
    "Socket",
    "SocketMode",
    "NetworkInterfaceName",
    "BandwidthBps",
    "BurstBytes",
    "HostId",
];

fn eni(sink: &Sink, path: &str, value: &Value, model: &Model, world: World<'_>, taken: &mut Taken) -> Option<Read> {
    let config = world.config;
    let object = Object::new(sink, path, value, &ENI_KEYS, &["VpcId", "ZoneId", "Description"])?;
    let id = object.required("NetworkInterfaceId", ID, id);
    let subnet = reference(&object, "VSwitchId", "the id of a vSwitch in VSwitches", world.broken_subnets, |id| {
        world.subnets.get(id).copied()
    });
    let mac = object.required("MacAddress", MAC, mac);
    let primary = object.required("PrivateIpAddress", ADDRESS, address);
    let mtu = object.optional("Mtu", "1500 or 8500", |v| {
        integer(v, 0, 65535).filter(|n| MTUS.contains(n)).and_then(|n| u16::try_from(n).ok())
    });
    let queue_pairs = object.optional("QueuePairs", "a whole number from 1 to 8", |v| {
        integer(v, *QUEUE_PAIRS.start(), *QUEUE_PAIRS.end()).and_then(|n| u8::try_from(n).ok())
    });
    let mode = object.optional("SocketMode", "\"client\" or \"server\"", |v| match v.as_str()? {
        "client" => Some(SocketMode::Client),
        "server" => Some(SocketMode::Server),
        _ => None,
    });
    let instance = object.optional("InstanceId", ID, self::id);
    let bandwidth = limit_of_eni(&object, instance.as_ref(), world.instances);
    let instance_type = object.optional("InstanceType", "an instance type", text);
    let owner = object.optional("OwnerId", "an account's id", text).unwrap_or_default();
    let host = object.optional("HostId", ID, self::id);
    let managed = object.optional("Managed", "true or false", boolean).unwrap_or(false);
    unique(&object, "NetworkInterfaceId", id.as_ref(), &mut taken.ids, "another ENI has this id");
    if let (Some(mac), Some(subnet)) = (mac, subnet) {
        if mac == model.subnets[subnet].router_mac {
            object.report("MacAddress", "is the MAC of the subnet's router");
        }
        if !taken.macs.insert((subnet, mac)) {
            object.report("MacAddress", "another ENI of the subnet has this MAC");
        }
    }
    // In complaints of others, an ENI without a good id goes by its place in the file.
    let name = id.as_deref().unwrap_or(path);
    if let (Some(ip), Some(value)) = (primary, object.raw("PrivateIpAddress")) {
        claim(sink, &object.path_of("PrivateIpAddress"), value, ip, (model, subnet), name, taken);
    }
    let mut secondaries = Vec::new();
    for (at, value) in object.list("SecondaryPrivateIpAddresses") {
        match address(value) {
            Some(ip) => {
                claim(sink, &at, value, ip, (model, subnet), name, taken);
                secondaries.push(ip);
            }
            None => sink.report(at, Some(value), ADDRESS),
        }
    }
    let mtu = mtu.unwrap_or(1500);
    if !is_here(value, config) {
        let (id, host, subnet, mac, primary) = (id?, host?, subnet?, mac?, primary?);
        let eni = RemoteEni { id, host, subnet, mac, primary, secondaries, mtu, instance_type, owner, managed };
        return Some(Read::Elsewhere(eni));
    }
    let socket = taken.sockets.claim(&object, id.as_deref(), name, config);
    Some(Read::Here(EniSpec {
        id: id?,
        subnet: subnet?,
        mac: mac?,
        primary: primary?,
        secondaries,
        mtu,
        instance,
        bandwidth,
        instance_type,
        owner,
        managed,
        queue_pairs: queue_pairs.unwrap_or(1),
        socket: socket?,
        mode: mode.unwrap_or(config.ports.mode),
    }))
}

/// An address must be a host's in the subnet, and nobody else's in the VPC.
fn claim(
    sink: &Sink,
    path: &str,
    value: &Value,
    ip: Ipv4Addr,
    (model, subnet): (&Model, Option<usize>),
    eni: &str,
    taken: &mut Taken,
) {
    let Some(spec) = subnet.map(|s| &model.subnets[s]) else { return };
    if !spec.cidr.contains(&ip) {
        sink.report(path, Some(value), format!("must lie in the vSwitch's network {}", spec.cidr));
    } else if ip == spec.cidr.network() || ip == spec.cidr.broadcast() || ip == spec.gateway {
        sink.report(path, Some(value), "is the subnet's network, broadcast or gateway address");
    }
    if let Some(other) = taken.addresses.insert((spec.vpc, ip), eni.to_owned()) {
        sink.report(path, Some(value), format!("ENI {other} of the VPC has this address"));
    }
}
