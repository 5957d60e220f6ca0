//! Rules.
/// Action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action { /// a
Accept, /// d
Drop }
/// Protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol { /// a
All, /// i
Icmp, /// t
Tcp, /// u
Udp }
/// Range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortRange { /// f
pub first: u16, /// l
pub last: u16 }
/// Rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule { /// s
pub src: ipnet::Ipv4Net, /// d
pub dst: ipnet::Ipv4Net, /// p
pub protocol: Protocol, /// s
pub src_ports: Option<PortRange>, /// d
pub dst_ports: Option<PortRange>, /// a
pub action: Action }
