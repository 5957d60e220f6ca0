//! temp
#![allow(missing_docs)]
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
#[derive(Clone, Debug, Default)]
pub struct Region {
    pub id: String,
    pub jumbo_mirroring: bool,
}
#[derive(Clone, Debug)]
pub struct Vpc {
    pub id: Arc<str>,
    pub cidr: Ipv4Net,
}
#[derive(Clone, Debug)]
pub struct SubnetSpec {
    pub id: Arc<str>,
    pub vpc: usize,
    pub cidr: Ipv4Net,
    pub router_mac: [u8; 6],
    pub gateway: Ipv4Addr,
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SocketMode {
    Client,
    Server,
}
#[derive(Clone, Debug)]
pub struct EniSpec {
    pub id: Arc<str>,
    pub subnet: usize,
    pub mac: [u8; 6],
    pub primary: Ipv4Addr,
    pub secondaries: Vec<Ipv4Addr>,
    pub mtu: u16,
    pub instance: Option<Arc<str>>,
    pub managed: bool,
    pub queue_pairs: u8,
    pub socket: PathBuf,
    pub mode: SocketMode,
}
#[derive(Clone, Debug)]
pub struct FilterRule {
    pub id: Arc<str>,
    pub priority: u32,
    pub rule: crate::classify::rule::Rule,
}
#[derive(Clone, Debug)]
pub struct Filter {
    pub id: Arc<str>,
    pub ingress: Vec<FilterRule>,
    pub egress: Vec<FilterRule>,
}
#[derive(Clone, Debug)]
pub enum Target {
    Eni(usize),
    Slb(String),
    Gwlbe(String),
}
#[derive(Clone, Debug)]
pub struct Session {
    pub id: Arc<str>,
    pub enabled: bool,
    pub locked: bool,
    pub priority: u32,
    pub packet_length: u16,
    pub vni: u32,
    pub filter: usize,
    pub sources: Vec<usize>,
    pub target: Target,
}
#[derive(Clone, Debug, Default)]
pub struct Model {
    pub region: Region,
    pub platform_cidrs: Vec<Ipv4Net>,
    pub vpcs: Vec<Vpc>,
    pub subnets: Vec<SubnetSpec>,
    pub enis: Vec<EniSpec>,
    pub filters: Vec<Filter>,
    pub sessions: Vec<Session>,
}
