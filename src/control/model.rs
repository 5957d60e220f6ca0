//! What was validated: plain values that refer to each other by index.

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;

use ipnet::Ipv4Net;

pub use super::accounts::{AccessKey, Account, Secret};
pub use super::config::SocketMode;
use crate::classify::rule::Rule;
use crate::mirror::bandwidth::Bandwidth;

/// Everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    /// The region.
    pub region: Region,
    /// Networks of the platform itself; traffic with them is never mirrored.
    pub platform_cidrs: Vec<Ipv4Net>,
    /// VPCs.
    pub vpcs: Vec<Vpc>,
    /// Subnets.
    pub subnets: Vec<Subnet>,
    /// ENIs on this host.
    pub enis: Vec<EniSpec>,
    /// ENIs on other hosts.
    pub remote: Vec<RemoteEni>,
    /// Accounts that the inventory names.
    pub accounts: Vec<Account>,
    /// Filters.
    pub filters: Vec<Filter>,
    /// Sessions.
    pub sessions: Vec<Session>,
}

/// A region and what it can.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Region {
    /// Its id.
    pub id: String,
    /// Copies may be longer than 1,500 bytes of IP.
    pub jumbo_mirroring: bool,
    /// Gateway Load Balancer endpoints may be targets.
    pub gwlb: bool,
    /// It is in the list of regions.
    pub listed: bool,
}

/// A VPC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vpc {
    /// Its id.
    pub id: Arc<str>,
    /// Its network.
    pub cidr: Ipv4Net,
}

/// A subnet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subnet {
    /// Its id.
    pub id: Arc<str>,
    /// Index of its VPC.
    pub vpc: usize,
    /// Its network.
    pub cidr: Ipv4Net,
    /// The router's MAC.
    pub router_mac: [u8; 6],
    /// The router's address.
    pub gateway: Ipv4Addr,
}

/// An ENI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EniSpec {
    /// Its id.
    pub id: Arc<str>,
    /// Index of its subnet.
    pub subnet: usize,
    /// Its MAC.
    pub mac: [u8; 6],
    /// Primary address.
    pub primary: Ipv4Addr,
    /// Secondary addresses.
    pub secondaries: Vec<Ipv4Addr>,
    /// 1500 or 8500.
    pub mtu: u16,
    /// The instance it belongs to.
    pub instance: Option<Arc<str>>,
    /// That instance's bandwidth, which its ENIs share, or the ENI's own without one; `None` is any.
    pub bandwidth: Option<Bandwidth>,
    /// That instance's type.
    pub instance_type: Option<String>,
    /// The account it belongs to.
    pub owner: String,
    /// It belongs to a cloud service and may not be a source.
    pub managed: bool,
    /// Queue pairs, 1 to 8.
    pub queue_pairs: u8,
    /// The vhost-user socket.
    pub socket: PathBuf,
    /// Who owns it.
    pub mode: SocketMode,
}

/// An ENI on another host: it has no port here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteEni {
    /// Its id.
    pub id: Arc<str>,
    /// The host that it is on.
    pub host: Arc<str>,
    /// Index of its subnet.
    pub subnet: usize,
    /// Its MAC.
    pub mac: [u8; 6],
    /// Primary address.
    pub primary: Ipv4Addr,
    /// Secondary addresses.
    pub secondaries: Vec<Ipv4Addr>,
    /// 1500 or 8500.
    pub mtu: u16,
    /// Its instance's type.
    pub instance_type: Option<String>,
    /// The account it belongs to.
    pub owner: String,
    /// It belongs to a cloud service and may be neither source nor target.
    pub managed: bool,
}

/// A rule with its name and rank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterRule {
    /// Its id.
    pub id: Arc<str>,
    /// Smaller goes first; unique in a filter's direction.
    pub priority: u32,
    /// What it matches, and what that means.
    pub rule: Rule,
}

/// A filter; rules are sorted by priority.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Its id.
    pub id: Arc<str>,
    /// Its name.
    pub name: String,
    /// Rules for packets delivered to a source.
    pub ingress: Vec<FilterRule>,
    /// Rules for packets sent by a source.
    pub egress: Vec<FilterRule>,
}

/// Where copies go.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// An ENI, by index.
    Eni(usize),
    /// An ENI that is on another host, or not in the inventory any more, by id.
    Away(String),
    /// An internal CLB, by id.
    Slb(String),
    /// A Gateway Load Balancer endpoint, by id.
    Gwlbe(String),
}

/// A session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its id.
    pub id: Arc<str>,
    /// Its name.
    pub name: String,
    /// It mirrors.
    pub enabled: bool,
    /// The account is locked: it does not mirror.
    pub locked: bool,
    /// Smaller goes first; unique.
    pub priority: u16,
    /// Bytes of a packet that a copy keeps.
    pub packet_length: u16,
    /// VXLAN network identifier.
    pub vni: u32,
    /// Index of its filter.
    pub filter: usize,
    /// Indices of its sources.
    pub sources: Vec<usize>,
    /// Where copies go.
    pub target: Target,
}
