//! The inventory file: what the platform says exists.

use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;

use ipnet::Ipv4Net;
use serde_json::Value;

use super::config::{Config, SocketMode};
use super::model::{EniSpec, Model, Region, Subnet, Vpc};
use super::quotas::{ENIS, MTUS, QUEUE_PAIRS};
use super::raw::{Object, Sink, boolean, integer, text};
use crate::wire::Mac;

/// The router's MAC in subnets that name none.
const ROUTER_MAC: [u8; 6] = [0xee, 0xff, 0xff, 0xff, 0xff, 0xff];
/// Longest path of a Unix socket (`sockaddr_un` less the NUL).
const SOCKET_PATH: usize = 107;

const ID: &str = "1 to 64 letters, digits, '.', '_' or '-'";
const MAC: &str = "a unicast MAC address such as 02:00:00:00:00:0a";
const ADDRESS: &str = "an IPv4 address such as 10.0.0.10";

/// An id that can be a file name and a metric label.
pub(super) fn id(value: &Value) -> Option<Arc<str>> {
    let s = value.as_str()?;
    let fine = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    let good = (1..=64).contains(&s.len()) && s.bytes().all(fine) && !s.starts_with('.');
    good.then(|| s.into())
}

fn address(value: &Value) -> Option<Ipv4Addr> {
    value.as_str()?.parse().ok()
}

fn mac(value: &Value) -> Option<[u8; 6]> {
    let mac: Mac = value.as_str()?.parse().ok()?;
    (!mac.is_group() && mac != Mac::default()).then_some(mac.0)
}

/// A network without host bits; one with host bits is reported with the corrected text.
pub(super) fn network(object: &Object<'_>, key: &str) -> Option<Ipv4Net> {
    let expected = "an IPv4 network such as 10.0.0.0/24";
    let net = object.required(key, expected, |v| v.as_str()?.parse::<Ipv4Net>().ok())?;
    if net.trunc() == net {
        return Some(net);
    }
    object.report(key, format!("host bits are set; the network is {}", net.trunc()));
    None
}

/// Reads an inventory into an otherwise empty model.
pub(super) fn read(sink: &Sink, tree: &Value, config: &Config) -> Model {
    let mut model = Model::default();
    let known = ["RegionId", "JumboMirroring", "PlatformCidrs", "Vpcs", "VSwitches", "NetworkInterfaces"];
    let Some(root) = Object::new(sink, "", tree, &known, &[]) else {
        return model;
    };
    let own = &config.region.id;
    let region = root.required("RegionId", "a region's id", text).unwrap_or_default();
    if !region.is_empty() && region != *own {
        root.report("RegionId", format!("this process serves region {own} (region.id)"));
    }
    let jumbo_mirroring = root.optional("JumboMirroring", "true or false", boolean).unwrap_or(true);
    model.region = Region { id: region, jumbo_mirroring };
    for (path, value) in root.list("PlatformCidrs") {
        match value.as_str().and_then(|s| s.parse::<Ipv4Net>().ok()) {
            Some(net) if net.trunc() == net => model.platform_cidrs.push(net),
            Some(net) => sink.report(path, Some(value), format!("host bits are set; the network is {}", net.trunc())),
            None => sink.report(path, Some(value), "an IPv4 network such as 100.64.0.0/10"),
        }
    }
    vpcs(&root, &mut model);
    subnets(&root, &mut model);
    enis(&root, &mut model, config);
    model
}

fn vpcs(root: &Object<'_>, model: &mut Model) {
    for (path, value) in root.list("Vpcs") {
        let Some(object) = Object::new(root.sink(), &path, value, &["VpcId", "CidrBlock"], &["VpcName"]) else {
            continue;
        };
        let (id, cidr) = (object.required("VpcId", ID, id), network(&object, "CidrBlock"));
        let (Some(id), Some(cidr)) = (id, cidr) else {
            continue;
        };
        if model.vpcs.iter().any(|v| v.id == id) {
            object.report("VpcId", "another VPC has this id");
            continue;
        }
        model.vpcs.push(Vpc { id, cidr });
    }
}

fn subnets(root: &Object<'_>, model: &mut Model) {
    let known = ["VSwitchId", "VpcId", "CidrBlock", "RouterMac", "GatewayIp"];
    for (path, value) in root.list("VSwitches") {
        let Some(object) = Object::new(root.sink(), &path, value, &known, &["VSwitchName", "ZoneId"]) else {
            continue;
        };
        let id = object.required("VSwitchId", ID, id);
        let cidr = network(&object, "CidrBlock");
        let vpc = object.required("VpcId", "the id of a VPC in Vpcs", |v| {
            model.vpcs.iter().position(|vpc| Some(&*vpc.id) == v.as_str())
        });
        let router_mac = object.optional("RouterMac", MAC, mac).unwrap_or(ROUTER_MAC);
        let gateway = object.optional("GatewayIp", ADDRESS, address);
        let (Some(id), Some(cidr), Some(vpc)) = (id, cidr, vpc) else {
            continue;
        };
        if model.subnets.iter().any(|s| s.id == id) {
            object.report("VSwitchId", "another vSwitch has this id");
        }
        if !model.vpcs[vpc].cidr.contains(&cidr) {
            object.report("CidrBlock", format!("must lie in the VPC's network {}", model.vpcs[vpc].cidr));
        }
        if cidr.prefix_len() > 29 {
            object.report("CidrBlock", "a vSwitch's network has a prefix of at most 29 bits");
            continue;
        }
        let other = |s: &&Subnet| s.vpc == vpc && (s.cidr.contains(&cidr) || cidr.contains(&s.cidr));
        if let Some(other) = model.subnets.iter().find(other) {
            object.report("CidrBlock", format!("overlaps {} of vSwitch {}", other.cidr, other.id));
        }
        let gateway = gateway.unwrap_or_else(|| Ipv4Addr::from_bits(cidr.broadcast().to_bits() - 2));
        if !cidr.contains(&gateway) {
            object.report("GatewayIp", format!("must lie in the vSwitch's network {cidr}"));
        }
        model.subnets.push(Subnet { id, vpc, cidr, router_mac, gateway });
    }
}

/// What no two ENIs may share.
#[derive(Default)]
struct Taken {
    ids: HashSet<Arc<str>>,
    addresses: HashMap<(usize, Ipv4Addr), Arc<str>>,
    macs: HashSet<(usize, [u8; 6])>,
    sockets: HashSet<PathBuf>,
    /// Ids of vSwitches that have problems of their own: their ENIs need not complain again.
    broken_subnets: HashSet<String>,
}

fn enis(root: &Object<'_>, model: &mut Model, config: &Config) {
    let ids = root.list("VSwitches").into_iter().filter_map(|(_, v)| v.get("VSwitchId")?.as_str());
    let broken_subnets = ids.filter(|id| !model.subnets.iter().any(|s| *s.id == **id)).map(str::to_owned).collect();
    let mut taken = Taken { broken_subnets, ..Taken::default() };
    let list = root.list("NetworkInterfaces");
    if list.len() > ENIS {
        root.sink().report("NetworkInterfaces", None, format!("{} ENIs; at most {ENIS} fit a process", list.len()));
        return;
    }
    for (path, value) in list {
        if let Some(eni) = eni(root.sink(), &path, value, model, config, &mut taken) {
            model.enis.push(eni);
        }
    }
}

const ENI_KEYS: [&str; 14] = [
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
];

fn eni(sink: &Sink, path: &str, value: &Value, model: &Model, config: &Config, taken: &mut Taken) -> Option<EniSpec> {
    let object = Object::new(sink, path, value, &ENI_KEYS, &["VpcId", "ZoneId", "Description"])?;
    if object.raw("VSwitchId").and_then(Value::as_str).is_some_and(|id| taken.broken_subnets.contains(id)) {
        return None;
    }
    let id = object.required("NetworkInterfaceId", ID, id);
    let subnet = object.required("VSwitchId", "the id of a vSwitch in VSwitches", |v| {
        model.subnets.iter().position(|s| Some(&*s.id) == v.as_str())
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
    let instance_type = object.optional("InstanceType", "an instance type", text);
    let owner = object.optional("OwnerId", "an account's id", text).unwrap_or_default();
    let managed = object.optional("Managed", "true or false", boolean).unwrap_or(false);
    let socket = object.optional("Socket", "a path", text).map(PathBuf::from);
    let (id, subnet, mac, primary) = (id?, subnet?, mac?, primary?);
    if !taken.ids.insert(id.clone()) {
        object.report("NetworkInterfaceId", "another ENI has this id");
    }
    if mac == model.subnets[subnet].router_mac {
        object.report("MacAddress", "is the MAC of the subnet's router");
    }
    if !taken.macs.insert((subnet, mac)) {
        object.report("MacAddress", "another ENI of the subnet has this MAC");
    }
    claim(&object, "PrivateIpAddress", primary, (model, subnet), &id, taken);
    let mut secondaries = Vec::new();
    for (at, value) in object.list("SecondaryPrivateIpAddresses") {
        match address(value) {
            Some(ip) => {
                claim_at(sink, &at, value, ip, (model, subnet), &id, taken);
                secondaries.push(ip);
            }
            None => sink.report(at, Some(value), ADDRESS),
        }
    }
    let socket = socket.unwrap_or_else(|| config.ports.socket_dir.join(format!("{id}.sock")));
    if socket.as_os_str().len() > SOCKET_PATH {
        sink.report(
            object.path_of("Socket"),
            Some(&Value::from(socket.display().to_string())),
            format!("a socket's path has at most {SOCKET_PATH} bytes"),
        );
    }
    if !taken.sockets.insert(socket.clone()) {
        object.report("Socket", format!("another ENI has the socket {}", socket.display()));
    }
    Some(EniSpec {
        id,
        subnet,
        mac,
        primary,
        secondaries,
        mtu: mtu.unwrap_or(1500),
        instance,
        instance_type,
        owner,
        managed,
        queue_pairs: queue_pairs.unwrap_or(1),
        socket,
        mode: mode.unwrap_or(config.ports.mode),
    })
}

fn claim(object: &Object<'_>, key: &str, ip: Ipv4Addr, place: (&Model, usize), eni: &Arc<str>, taken: &mut Taken) {
    let value = object.raw(key).unwrap_or(&Value::Null);
    claim_at(object.sink(), &object.path_of(key), value, ip, place, eni, taken);
}

/// An address must be a host's in the subnet, and nobody else's in the VPC.
fn claim_at(
    sink: &Sink,
    path: &str,
    value: &Value,
    ip: Ipv4Addr,
    (model, subnet): (&Model, usize),
    eni: &Arc<str>,
    taken: &mut Taken,
) {
    let spec = &model.subnets[subnet];
    if !spec.cidr.contains(&ip) {
        sink.report(path, Some(value), format!("must lie in the vSwitch's network {}", spec.cidr));
    } else if ip == spec.cidr.network() || ip == spec.cidr.broadcast() || ip == spec.gateway {
        sink.report(path, Some(value), "is the subnet's network, broadcast or gateway address");
    }
    if let Some(other) = taken.addresses.insert((spec.vpc, ip), eni.clone()) {
        sink.report(path, Some(value), format!("ENI {other} of the VPC has this address"));
    }
}
