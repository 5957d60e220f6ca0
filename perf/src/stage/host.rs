//! A host as large as the quotas allow: 256 mirror sources with three sessions each, among 20,000 sessions stored.

use serde_json::{Value, json};
use vswitch::classify::rule::{Action, PortRange, Protocol, Rule};
use vswitch::control::config::Config;
use vswitch::control::model::Model;
use vswitch::control::model_from_json;

use super::rules::{Set, generate};

/// ENIs that are mirror sources.
pub(super) const SOURCES: usize = 256;
/// Sessions of a source, the default quota.
pub(super) const SESSIONS_OF_SOURCE: usize = 3;
/// Sessions stored in all.
pub(super) const STORED: usize = 20_000;
/// Filters in all.
pub(super) const FILTERS: usize = 100;
/// Rules of a filter in each direction.
const RULES: usize = 20;
/// ENIs that copies go to.
const COLLECTORS: usize = 16;

/// The objects as texts. Every source has filter 0 and two others, and no two sources the same two.
pub(super) struct Host {
    config: Config,
    inventory: String,
    mirror: String,
}

impl Host {
    pub(super) fn new() -> Self {
        let mut config = Config::default();
        // More than the default quota of 20 in all, so that both directions of a source have 60.
        config.quotas.rules_per_filter = 2 * RULES as u32;
        Host { inventory: inventory(&config.region.id).to_string(), mirror: mirror().to_string(), config }
    }

    /// Reads and validates the texts.
    pub(super) fn model(&self) -> Result<Model, String> {
        model_from_json(("the inventory", &self.inventory), ("the sessions", &self.mirror), &self.config)
            .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    }
}

fn inventory(region: &str) -> Value {
    let eni = |n: usize| {
        let (high, low) = (1 + n / 250, 1 + n % 250);
        json!({"NetworkInterfaceId": format!("eni-{n}"), "VSwitchId": "vsw-1",
               "MacAddress": format!("02:00:00:00:{high:02x}:{low:02x}"), "PrivateIpAddress": format!("10.0.{high}.{low}")})
    };
    json!({
        "RegionId": region,
        "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}],
        "VSwitches": [{"VSwitchId": "vsw-1", "VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}],
        "NetworkInterfaces": (0..SOURCES + COLLECTORS).map(eni).collect::<Vec<_>>(),
    })
}

fn mirror() -> Value {
    let side = |filter: usize, name: &str| -> Vec<Value> {
        let seed = (2 * filter + usize::from(name == "in")) as u64;
        let rules = generate(Set::MirrorLike, RULES, seed);
        rules.iter().enumerate().map(|(n, rule)| rule_json(&format!("r-{filter}-{name}-{n}"), n, rule)).collect()
    };
    let filters: Vec<Value> = (0..FILTERS)
        .map(|n| {
            json!({"TrafficMirrorFilterId": format!("f-{n}"), "EgressRules": side(n, "out"), "IngressRules": side(n, "in")})
        })
        .collect();
    let session = |n: usize| {
        let (source, nth) = (n % SOURCES, n / SOURCES);
        let local = nth < SESSIONS_OF_SOURCE;
        // The second and the third filter of a source: 256 different pairs, by a step and a distance.
        let (step, distance) = (source % (FILTERS - 1), 1 + source / (FILTERS - 1));
        let filter = match nth {
            0 => 0,
            1 => 1 + step,
            2 => 1 + (step + distance) % (FILTERS - 1),
            _ => n % FILTERS,
        };
        // Sources are ENIs of this host; a session whose sources are elsewhere is one without any here.
        let sources = if local { vec![format!("eni-{source}")] } else { Vec::new() };
        json!({"TrafficMirrorSessionId": format!("s-{n}"), "TrafficMirrorFilterId": format!("f-{filter}"),
               "Enabled": true, "Priority": n + 1, "VirtualNetworkId": n, "TrafficMirrorSourceIds": sources,
               "TrafficMirrorTargetId": format!("eni-{}", SOURCES + source % COLLECTORS),
               "TrafficMirrorTargetType": "NetworkInterface"})
    };
    json!({"TrafficMirrorFilters": filters, "TrafficMirrorSessions": (0..STORED).map(session).collect::<Vec<_>>()})
}

fn rule_json(id: &str, n: usize, rule: &Rule) -> Value {
    let ports = |range: Option<PortRange>| range.map_or("-1/-1".to_owned(), |r| format!("{}/{}", r.first, r.last));
    let protocol = match rule.protocol {
        Protocol::All => "ALL",
        Protocol::Icmp => "ICMP",
        Protocol::Tcp => "TCP",
        Protocol::Udp => "UDP",
    };
    json!({
        "TrafficMirrorFilterRuleId": id, "Priority": n + 1, "Protocol": protocol,
        "Action": if rule.action == Action::Accept { "accept" } else { "drop" },
        "SourceCidrBlock": rule.src.to_string(), "DestinationCidrBlock": rule.dst.to_string(),
        "SourcePortRange": ports(rule.src_ports), "DestinationPortRange": ports(rule.dst_ports),
    })
}
