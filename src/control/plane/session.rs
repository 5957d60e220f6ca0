//! A traffic mirror session as it is kept and listed.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::labels::{Labels, created_text};
use super::status::Status;

/// Kinds of target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TargetType {
    /// An ENI.
    NetworkInterface,
    /// An internal CLB.
    #[serde(rename = "SLB")]
    Slb,
    /// A Gateway Load Balancer endpoint; no document of the cloud names this value.
    GatewayLoadBalancerEndpoint,
}

impl TargetType {
    /// What is allowed.
    pub const ALLOWED: &'static str = "NetworkInterface, SLB or GatewayLoadBalancerEndpoint";

    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            TargetType::NetworkInterface => "NetworkInterface",
            TargetType::Slb => "SLB",
            TargetType::GatewayLoadBalancerEndpoint => "GatewayLoadBalancerEndpoint",
        }
    }

    /// The type of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let all = [TargetType::NetworkInterface, TargetType::Slb, TargetType::GatewayLoadBalancerEndpoint];
        all.into_iter().find(|t| t.name() == name)
    }
}

/// Where copies go: type and id.
pub type Target = (TargetType, Arc<str>);

/// A session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct MirrorSession {
    /// Its id, `tms-…`.
    #[serde(rename = "TrafficMirrorSessionId")]
    pub id: Arc<str>,
    /// Whose it is.
    #[serde(rename = "AccountId")]
    pub account: Arc<str>,
    /// Name, description, tags, resource group and age.
    #[serde(flatten)]
    pub labels: Labels,
    /// It mirrors.
    pub enabled: bool,
    /// Smaller goes first; unique in the account.
    pub priority: u16,
    /// Bytes of a packet that a copy keeps.
    pub packet_length: u16,
    /// VXLAN network identifier.
    #[serde(rename = "VirtualNetworkId")]
    pub vni: u32,
    /// Its filter's id.
    #[serde(rename = "TrafficMirrorFilterId")]
    pub filter: Arc<str>,
    /// Its sources' ids.
    #[serde(rename = "TrafficMirrorSourceIds")]
    pub sources: Box<[Arc<str>]>,
    /// Where copies go.
    pub target: Target,
}

impl MirrorSession {
    /// They differ in nothing but their labels.
    #[must_use]
    pub fn same_but_labels(&self, other: &Self) -> bool {
        let relabelled = MirrorSession { labels: other.labels.clone(), ..self.clone() };
        relabelled == *other
    }

    /// As List answers show it.
    pub(super) fn listed(&self, status: Status, locked: bool) -> Value {
        json!({
            "TrafficMirrorSessionId": &*self.id,
            "TrafficMirrorSessionName": self.labels.name,
            "TrafficMirrorSessionDescription": self.labels.description,
            "TrafficMirrorSessionStatus": status.name(),
            "TrafficMirrorSessionBusinessStatus": if locked { "FinancialLocked" } else { "Normal" },
            "Enabled": self.enabled,
            "Priority": self.priority,
            "PacketLength": self.packet_length,
            "VirtualNetworkId": self.vni,
            "TrafficMirrorFilterId": &*self.filter,
            "TrafficMirrorSourceIds": self.sources.iter().map(|s| json!(&**s)).collect::<Value>(),
            "TrafficMirrorTargetId": &*self.target.1,
            "TrafficMirrorTargetType": self.target.0.name(),
            "ResourceGroupId": &*self.labels.resource_group,
            "Tags": self.labels.tags_answer(),
            "CreationTime": created_text(self.labels.created),
        })
    }
}
