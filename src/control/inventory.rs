//! The inventory file: what the platform says exists. Every field is checked on its own before anything is left out.

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

use ipnet::Ipv4Net;
use serde_json::Value;

use super::broken::{Broken, reference};
use super::config::Config;
use super::enis::enis;
use super::id::{ALLOWED as ID, is_id};
use super::model::{Model, Subnet, Vpc};
use super::raw::{Object, Sink, boolean, text};
use super::regions::{Regions, region};
use crate::wire::Mac;

/// The router's MAC in subnets that name none.
const ROUTER_MAC: [u8; 6] = [0xee, 0xff, 0xff, 0xff, 0xff, 0xff];
/// Networks in which no host can have an address, and what they are.
const NO_HOSTS: [(Ipv4Addr, u8, &str); 4] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8, "\"this network\""),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "loopback"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast"),
    (Ipv4Addr::BROADCAST, 32, "broadcast"),
];

pub(super) const MAC: &str = "a unicast MAC address such as 02:00:00:00:00:0a";
pub(super) const ADDRESS: &str = "an IPv4 address such as 10.0.0.10";

/// An id that can be a file name and a metric label.
pub(super) fn id(value: &Value) -> Option<Arc<str>> {
    value.as_str().filter(|s| is_id(s)).map(Into::into)
}

pub(super) fn address(value: &Value) -> Option<Ipv4Addr> {
    value.as_str()?.parse().ok()
}

pub(super) fn mac(value: &Value) -> Option<[u8; 6]> {
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

/// A network whose addresses hosts can have.
fn host_network(object: &Object<'_>, key: &str) -> Option<Ipv4Net> {
    let net = network(object, key)?;
    for (address, prefix, what) in NO_HOSTS {
        let special = Ipv4Net::new(address, prefix).ok()?;
        if net.contains(&special) || special.contains(&net) {
            object.report(key, format!("hosts need unicast addresses; it overlaps {special} ({what})"));
            return None;
        }
    }
    Some(net)
}

/// Reads an inventory into an otherwise empty model, and which ENIs exist but are broken.
pub(super) fn read(sink: &Sink, tree: &Value, config: &Config, regions: &Regions) -> (Model, Broken) {
    let mut model = Model::default();
    let known = ["RegionId", "JumboMirroring", "PlatformCidrs", "Vpcs", "VSwitches", "NetworkInterfaces", "Instances"];
    let Some(root) = Object::new(sink, "", tree, &known, &[]) else {
        return (model, Broken::everything());
    };
    let own = &config.region.id;
    let id = root.required("RegionId", "a region's id", text).unwrap_or_default();
    if !id.is_empty() && id != *own {
        root.report("RegionId", format!("this process serves region {own} (region.id)"));
    }
    // What a region can is known by its id; an inventory may say otherwise.
    model.region = region(regions, id, root.optional("JumboMirroring", "true or false", boolean));
    for (path, value) in root.list("PlatformCidrs") {
        match value.as_str().and_then(|s| s.parse::<Ipv4Net>().ok()) {
            Some(net) if net.trunc() == net => model.platform_cidrs.push(net),
            Some(net) => sink.report(path, Some(value), format!("host bits are set; the network is {}", net.trunc())),
            None => sink.report(path, Some(value), "an IPv4 network such as 100.64.0.0/10"),
        }
    }
    let broken = vpcs(&root, &mut model);
    let broken = subnets(&root, &mut model, &broken);
    let broken = enis(&root, &mut model, config, &broken);
    (model, broken)
}

fn vpcs(root: &Object<'_>, model: &mut Model) -> Broken {
    let (mut broken, mut ids) = (Broken::of(root, "Vpcs"), HashSet::new());
    for (path, value) in root.list("Vpcs") {
        match vpc(root.sink(), &path, value, &mut ids) {
            Some(vpc) => model.vpcs.push(vpc),
            None => broken.note(value, "VpcId"),
        }
    }
    broken
}

fn vpc(sink: &Sink, path: &str, value: &Value, ids: &mut HashSet<Arc<str>>) -> Option<Vpc> {
    let object = Object::new(sink, path, value, &["VpcId", "CidrBlock"], &["VpcName"])?;
    let id = object.required("VpcId", ID, id);
    let cidr = host_network(&object, "CidrBlock");
    unique(&object, "VpcId", id.as_ref(), ids, "another VPC has this id");
    Some(Vpc { id: id?, cidr: cidr? })
}

/// An id that nothing of the same kind has.
pub(super) fn unique(
    object: &Object<'_>,
    key: &str,
    id: Option<&Arc<str>>,
    ids: &mut HashSet<Arc<str>>,
    complaint: &str,
) {
    if id.is_some_and(|id| !ids.insert(id.clone())) {
        object.report(key, complaint);
    }
}

fn subnets(root: &Object<'_>, model: &mut Model, broken_vpcs: &Broken) -> Broken {
    let (mut broken, mut ids) = (Broken::of(root, "VSwitches"), HashSet::new());
    for (path, value) in root.list("VSwitches") {
        match subnet(root.sink(), &path, value, model, broken_vpcs, &mut ids) {
            Some(subnet) => model.subnets.push(subnet),
            None => broken.note(value, "VSwitchId"),
        }
    }
    broken
}

fn subnet(
    sink: &Sink,
    path: &str,
    value: &Value,
    model: &Model,
    broken_vpcs: &Broken,
    ids: &mut HashSet<Arc<str>>,
) -> Option<Subnet> {
    let known = ["VSwitchId", "VpcId", "CidrBlock", "RouterMac", "GatewayIp"];
    let object = Object::new(sink, path, value, &known, &["VSwitchName", "ZoneId"])?;
    let id = object.required("VSwitchId", ID, id);
    let cidr = network(&object, "CidrBlock");
    let vpc = reference(&object, "VpcId", "the id of a VPC in Vpcs", broken_vpcs, |id| {
        model.vpcs.iter().position(|vpc| *vpc.id == *id)
    });
    let router_mac = object.optional("RouterMac", MAC, mac).unwrap_or(ROUTER_MAC);
    let gateway = object.optional("GatewayIp", ADDRESS, address);
    unique(&object, "VSwitchId", id.as_ref(), ids, "another vSwitch has this id");
    let cidr = cidr?;
    let small = cidr.prefix_len() > 29;
    if small {
        object.report("CidrBlock", "a vSwitch's network has a prefix of at most 29 bits");
    }
    if let Some(ip) = gateway {
        if !cidr.contains(&ip) {
            object.report("GatewayIp", format!("must lie in the vSwitch's network {cidr}"));
        } else if !small && (ip == cidr.network() || ip == cidr.broadcast()) {
            object.report("GatewayIp", format!("is the network or the broadcast address of {cidr}, not a host's"));
        }
    }
    let vpc = vpc?;
    if !model.vpcs[vpc].cidr.contains(&cidr) {
        object.report("CidrBlock", format!("must lie in the VPC's network {}", model.vpcs[vpc].cidr));
    }
    let other = |s: &&Subnet| s.vpc == vpc && (s.cidr.contains(&cidr) || cidr.contains(&s.cidr));
    if let Some(other) = model.subnets.iter().find(other) {
        object.report("CidrBlock", format!("overlaps {} of vSwitch {}", other.cidr, other.id));
    }
    let gateway = gateway.unwrap_or_else(|| Ipv4Addr::from_bits(cidr.broadcast().to_bits().saturating_sub(2)));
    (!small).then_some(Subnet { id: id?, vpc, cidr, router_mac, gateway })
}
