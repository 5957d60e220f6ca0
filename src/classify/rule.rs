//! A 5-tuple rule, as filters hold them.

use ipnet::Ipv4Net;

/// What a match means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The packet is mirrored.
    Accept,
    /// The search ends: the packet is not mirrored.
    Drop,
}

/// The protocol of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Any.
    All,
    /// ICMP, number 1.
    Icmp,
    /// TCP, number 6.
    Tcp,
    /// UDP, number 17.
    Udp,
}

impl Protocol {
    /// The IP protocol number; `None` for any.
    #[must_use]
    pub const fn number(self) -> Option<u8> {
        match self {
            Protocol::All => None,
            Protocol::Icmp => Some(1),
            Protocol::Tcp => Some(6),
            Protocol::Udp => Some(17),
        }
    }
}

/// Ports from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange {
    /// Lowest port.
    pub first: u16,
    /// Highest port.
    pub last: u16,
}

/// A 5-tuple rule. A port range of `None` is any, also for protocols without ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Source addresses.
    pub src: Ipv4Net,
    /// Destination addresses.
    pub dst: Ipv4Net,
    /// Protocol.
    pub protocol: Protocol,
    /// Source ports.
    pub src_ports: Option<PortRange>,
    /// Destination ports.
    pub dst_ports: Option<PortRange>,
    /// What a match means.
    pub action: Action,
}
