//! The inventory: what the platform says exists. Every field is checked on its own before anything is left out.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::net::Ipv4Addr;
use std::sync::Arc;

use ipnet::Ipv4Net;
use serde_json::Value;

use super::accounts::accounts;
use super::broken::{Broken, reference};
use super::config::Config;
use super::enis::enis;
use super::id::{ALLOWED as ID, is_id};
use super::model::{Model, Subnet, Vpc};
use super::raw::{List, Object, Sink, boolean, text};
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

/// The facts of a region.
pub(super) const REGION_KEYS: [&str; 3] = ["RegionId", "JumboMirroring", "PlatformCidrs"];

/// An inventory of which nothing but its outline is known.
pub(super) struct Inventory<'a> {
    /// Holds the region's facts.
    pub(super) root: Object<'a>,
    pub(super) accounts: List<'a>,
    pub(super) vpcs: List<'a>,
    pub(super) subnets: List<'a>,
    pub(super) instances: List<'a>,
    pub(super) enis: List<'a>,
    /// Its objects come one by one, so that an instance may be there before its ENIs.
    pub(super) one_by_one: bool,
}

/// Reads an inventory's tree into an otherwise empty model, and which ENIs exist but are broken.
pub(super) fn read(sink: &Sink, tree: &Value, config: &Config, regions: &Regions) -> (Model, Broken) {
    let lists = ["Accounts", "Vpcs", "VSwitches", "NetworkInterfaces", "Instances"];
    let known: Vec<&str> = REGION_KEYS.into_iter().chain(lists).collect();
    let Some(root) = Object::new(sink, "", tree, &known, &[]) else {
        return (Model::default(), Broken::everything());
    };
    let inventory = Inventory {
        accounts: root.listed("Accounts"),
        vpcs: root.listed("Vpcs"),
        subnets: root.listed("VSwitches"),
        instances: root.listed("Instances"),
        enis: root.listed("NetworkInterfaces"),
        root,
        one_by_one: false,
    };
    inventory.read(config, regions)
}

impl Inventory<'_> {
    /// The model, and which ENIs exist but are broken.
    pub(super) fn read(&self, config: &Config, regions: &Regions) -> (Model, Broken) {
        let mut model = Model::default();
        region_facts(&self.root, config, regions, &mut model);
        model.accounts = accounts(self.root.sink(), &self.accounts, config);
        let broken = vpcs(self, &mut model);
        let broken = subnets(self, &mut model, &broken);
        let broken = enis(self, &mut model, config, &broken);
        (model, broken)
    }
}

fn region_facts(root: &Object<'_>, config: &Config, regions: &Regions, model: &mut Model) {
    let sink = root.sink();
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
}

fn vpcs(inventory: &Inventory<'_>, model: &mut Model) -> Broken {
    let (mut broken, mut ids) = (Broken::of(&inventory.vpcs), HashSet::new());
    for (path, value) in &inventory.vpcs.items {
        match vpc(inventory.root.sink(), path, value, &mut ids) {
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

/// Places by id; of two things with one id, the first's.
pub(super) fn by_id<'a>(ids: impl Iterator<Item = &'a Arc<str>>) -> HashMap<Arc<str>, usize> {
    let mut places = HashMap::new();
    for (place, id) in ids.enumerate() {
        places.entry(id.clone()).or_insert(place);
    }
    places
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

/// What a subnet may refer to, and what no two may share.
struct Others<'a> {
    vpcs: HashMap<Arc<str>, usize>,
    broken_vpcs: &'a Broken,
    ids: HashSet<Arc<str>>,
    /// Networks that do not overlap, by VPC and first address.
    networks: BTreeMap<(usize, Ipv4Addr), (Ipv4Net, Arc<str>)>,
}

impl Others<'_> {
    /// The network of the VPC that this one overlaps. Of two networks that overlap, one begins in the other.
    fn overlapping(&self, vpc: usize, cidr: Ipv4Net) -> Option<&(Ipv4Net, Arc<str>)> {
        let up_to_its_end = ..=(vpc, cidr.broadcast());
        let last = self.networks.range(up_to_its_end).next_back().filter(|((of, _), _)| *of == vpc);
        last.map(|(_, other)| other).filter(|(other, _)| other.contains(&cidr) || cidr.contains(other))
    }
}

fn subnets(inventory: &Inventory<'_>, model: &mut Model, broken_vpcs: &Broken) -> Broken {
    let mut broken = Broken::of(&inventory.subnets);
    let vpcs = by_id(model.vpcs.iter().map(|vpc| &vpc.id));
    let mut others = Others { vpcs, broken_vpcs, ids: HashSet::new(), networks: BTreeMap::new() };
    for (path, value) in &inventory.subnets.items {
        match subnet(inventory.root.sink(), path, value, model, &mut others) {
            Some(subnet) => model.subnets.push(subnet),
            None => broken.note(value, "VSwitchId"),
        }
    }
    broken
}

fn subnet(sink: &Sink, path: &str, value: &Value, model: &Model, others: &mut Others<'_>) -> Option<Subnet> {
    let known = ["VSwitchId", "VpcId", "CidrBlock", "RouterMac", "GatewayIp"];
    let object = Object::new(sink, path, value, &known, &["VSwitchName", "ZoneId"])?;
    let id = object.required("VSwitchId", ID, id);
    let cidr = network(&object, "CidrBlock");
    let vpc =
        reference(&object, "VpcId", "the id of a VPC in Vpcs", others.broken_vpcs, |id| others.vpcs.get(id).copied());
    let router_mac = object.optional("RouterMac", MAC, mac).unwrap_or(ROUTER_MAC);
    let gateway = object.optional("GatewayIp", ADDRESS, address);
    unique(&object, "VSwitchId", id.as_ref(), &mut others.ids, "another vSwitch has this id");
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
    if let Some((other, whose)) = others.overlapping(vpc, cidr) {
        object.report("CidrBlock", format!("overlaps {other} of vSwitch {whose}"));
    } else if let Some(id) = &id {
        others.networks.insert((vpc, cidr.network()), (cidr, id.clone()));
    }
    let gateway = gateway.unwrap_or_else(|| Ipv4Addr::from_bits(cidr.broadcast().to_bits().saturating_sub(2)));
    (!small).then_some(Subnet { id: id?, vpc, cidr, router_mac, gateway })
}
