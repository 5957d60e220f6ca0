//! ENIs of the inventory: what each says of itself, and what no two may share.

use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::broken::{Broken, reference};
use super::config::{Config, SocketMode};
use super::id::ALLOWED as ID;
use super::instances::{instances, limit_of_eni};
use super::inventory::{ADDRESS, MAC, address, id, mac, unique};
use super::model::{EniSpec, Model};
use super::quotas::{ENIS, MTUS, QUEUE_PAIRS};
use super::raw::{Object, Sink, boolean, integer, text};
use crate::mirror::bandwidth::Bandwidth;

/// Longest path of a Unix socket (`sockaddr_un` less the NUL).
const SOCKET_PATH: usize = 107;

/// What no two ENIs may share.
struct Taken {
    ids: HashSet<Arc<str>>,
    addresses: HashMap<(usize, Ipv4Addr), String>,
    macs: HashSet<(usize, [u8; 6])>,
    /// Who listens or connects there; paths are [`normal`].
    sockets: HashMap<PathBuf, String>,
}

/// What an ENI may refer to.
#[derive(Clone, Copy)]
struct World<'a> {
    config: &'a Config,
    broken_subnets: &'a Broken,
    instances: &'a HashMap<Arc<str>, Bandwidth>,
}

/// Adds the ENIs to the model; returns those that exist but are broken.
pub(super) fn enis(root: &Object<'_>, model: &mut Model, config: &Config, broken_subnets: &Broken) -> Broken {
    let mut broken = Broken::of(root, "NetworkInterfaces");
    let ops = (normal(&config.ops.socket), "the operations API (ops.socket)".to_owned());
    let mut taken =
        Taken { ids: HashSet::new(), addresses: HashMap::new(), macs: HashSet::new(), sockets: HashMap::from([ops]) };
    let world = World { config, broken_subnets, instances: &instances(root) };
    let list = root.list("NetworkInterfaces");
    if list.len() > ENIS {
        root.sink().report("NetworkInterfaces", None, format!("{} ENIs; at most {ENIS} fit a process", list.len()));
    }
    for (path, value) in list {
        match eni(root.sink(), &path, value, model, world, &mut taken) {
            Some(eni) => model.enis.push(eni),
            None => broken.note(value, "NetworkInterfaceId"),
        }
    }
    broken
}

const ENI_KEYS: [&str; 16] = [
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
];

fn eni(sink: &Sink, path: &str, value: &Value, model: &Model, world: World<'_>, taken: &mut Taken) -> Option<EniSpec> {
    let config = world.config;
    let object = Object::new(sink, path, value, &ENI_KEYS, &["VpcId", "ZoneId", "Description"])?;
    let id = object.required("NetworkInterfaceId", ID, id);
    let subnet = reference(&object, "VSwitchId", "the id of a vSwitch in VSwitches", world.broken_subnets, |id| {
        model.subnets.iter().position(|s| *s.id == *id)
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
    let socket = socket(&object, id.as_deref(), name, config, taken);
    Some(EniSpec {
        id: id?,
        subnet: subnet?,
        mac: mac?,
        primary: primary?,
        secondaries,
        mtu: mtu.unwrap_or(1500),
        instance,
        bandwidth,
        instance_type,
        owner,
        managed,
        queue_pairs: queue_pairs.unwrap_or(1),
        socket: socket?,
        mode: mode.unwrap_or(config.ports.mode),
    })
}

/// The named socket or the one that goes by the id; a relative path starts at ports.socket_dir.
fn socket(object: &Object<'_>, id: Option<&str>, name: &str, config: &Config, taken: &mut Taken) -> Option<PathBuf> {
    let named = object.optional("Socket", "a path", |v| text(v).filter(|s| !s.contains('\0')));
    let file = match (named, object.raw("Socket")) {
        (Some(named), _) => named,
        (None, Some(_)) => return None,
        (None, None) => format!("{}.sock", id?),
    };
    let socket = config.ports.socket_dir.join(file);
    let report = |what: String| {
        object.sink().report(object.path_of("Socket"), Some(&Value::from(socket.display().to_string())), what);
    };
    if socket.as_os_str().len() > SOCKET_PATH {
        report(format!("a socket's path has at most {SOCKET_PATH} bytes"));
    }
    if let Some(other) = taken.sockets.insert(normal(&socket), format!("ENI {name}")) {
        report(format!("{other} has this socket"));
    }
    Some(socket)
}

/// One spelling of a path: absolute, without `.`, `..` and doubled slashes.
fn normal(path: &Path) -> PathBuf {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    absolute.components().fold(PathBuf::new(), |mut normal, part| {
        match part {
            Component::CurDir => {}
            Component::ParentDir => drop(normal.pop()),
            part => normal.push(part),
        }
        normal
    })
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
