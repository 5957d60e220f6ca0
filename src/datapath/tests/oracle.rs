//! What must become of a packet, as the specification reads: plain code on plain values, which shares nothing with what
//! the switch compiles and runs. [`super::oracle_runs`] compares.

use std::collections::HashMap;

/// An IPv4 address.
pub type Address = [u8; 4];

/// A network: address and prefix length.
pub type Network = (Address, usize);

#[derive(Clone, Debug)]
pub struct Rule {
    pub id: String,
    pub priority: u32,
    pub accept: bool,
    /// A protocol number; `None` is any.
    pub protocol: Option<u8>,
    pub source: Network,
    pub destination: Network,
    /// First and last port; `None` is any.
    pub source_ports: Option<(u16, u16)>,
    pub destination_ports: Option<(u16, u16)>,
}

#[derive(Clone, Debug)]
pub struct Session {
    pub priority: u32,
    pub enabled: bool,
    pub vni: u32,
    pub packet_length: usize,
    /// Indices of ENIs.
    pub sources: Vec<usize>,
    pub target: usize,
    pub ingress: Vec<Rule>,
    pub egress: Vec<Rule>,
}

#[derive(Clone, Debug)]
pub struct Eni {
    pub addresses: Vec<Address>,
    pub mtu: usize,
}

#[derive(Clone, Debug)]
pub struct Configuration {
    pub enis: Vec<Eni>,
    pub sessions: Vec<Session>,
    pub platform: Vec<Network>,
    pub jumbo_mirroring: bool,
    /// Security of all ENIs refuses this destination port, outbound or inbound.
    pub denied: Option<(bool, u16)>,
}

/// What a packet is to its datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece {
    Whole,
    First,
    /// Too short for its ports.
    ShortFirst,
    Later,
    /// Eight bytes into the datagram.
    Second,
}

#[derive(Clone, Debug)]
pub struct Packet {
    pub from: usize,
    pub source: Address,
    pub destination: Address,
    pub protocol: u8,
    /// Of the datagram; a protocol without ports has none whatever stands here.
    pub ports: (u16, u16),
    pub id: u16,
    pub piece: Piece,
    /// IP total length.
    pub total: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Dhcp,
    Platform,
    Orphan,
    Unmatched,
    Refused {
        rule: String,
    },
    /// `cut` is 'p' by PacketLength, 'm' by the path's MTU, '-' if the copy is whole.
    Mirrored {
        session: usize,
        rule: String,
        kept: usize,
        cut: char,
    },
}

/// Where a packet ends, and what the mirror says at both of its ends; nothing at an ENI that is no source.
#[derive(Clone, Debug, Default)]
pub struct Fate {
    pub delivered_to: Option<usize>,
    pub outbound: Option<Outcome>,
    pub inbound: Option<Outcome>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ports {
    Known(u16, u16),
    Absent,
    Unknown,
}

/// An ENI, a direction and a datagram.
type Remembered = (usize, bool, Address, Address, u8, u16);

pub struct Oracle {
    configuration: Configuration,
    /// First fragments' ports, and when they were seen, in nanoseconds.
    remembered: HashMap<Remembered, ((u16, u16), u64)>,
}

impl Oracle {
    pub fn new(configuration: &Configuration) -> Self {
        Oracle { configuration: configuration.clone(), remembered: HashMap::new() }
    }

    pub fn judge(&mut self, packet: &Packet, now: u64) -> Fate {
        let mut fate = Fate::default();
        if packet.protocol == 6 && packet.piece == Piece::Second {
            return fate;
        }
        let ports = self.ports(packet.from, true, packet, now);
        if self.denies(true, ports) {
            return fate;
        }
        fate.outbound = self.mirror(packet.from, true, packet, ports);
        let enis = &self.configuration.enis;
        let Some(to) = enis.iter().position(|eni| eni.addresses.contains(&packet.destination)) else {
            return fate;
        };
        if to == packet.from {
            return fate;
        }
        let ports = self.ports(to, false, packet, now);
        if self.denies(false, ports) || packet.total > self.configuration.enis[to].mtu {
            return fate;
        }
        fate.delivered_to = Some(to);
        fate.inbound = self.mirror(to, false, packet, ports);
        fate
    }

    /// The ports that an ENI's side knows of the packet.
    fn ports(&mut self, eni: usize, outbound: bool, packet: &Packet, now: u64) -> Ports {
        if packet.protocol != 6 && packet.protocol != 17 {
            return Ports::Absent;
        }
        let key = (eni, outbound, packet.source, packet.destination, packet.protocol, packet.id);
        match packet.piece {
            Piece::Whole => Ports::Known(packet.ports.0, packet.ports.1),
            Piece::First => {
                self.remembered.insert(key, (packet.ports, now));
                Ports::Known(packet.ports.0, packet.ports.1)
            }
            Piece::ShortFirst => {
                self.remembered.remove(&key);
                Ports::Unknown
            }
            Piece::Later | Piece::Second => match self.remembered.get(&key) {
                Some((ports, seen)) if now - seen < 15_000_000_000 => Ports::Known(ports.0, ports.1),
                _ => Ports::Unknown,
            },
        }
    }

    fn denies(&self, outbound: bool, ports: Ports) -> bool {
        match (self.configuration.denied, ports) {
            (Some((way, port)), Ports::Known(_, to)) => way == outbound && port == to,
            _ => false,
        }
    }

    fn mirror(&self, eni: usize, outbound: bool, packet: &Packet, ports: Ports) -> Option<Outcome> {
        let mut sessions: Vec<usize> = Vec::new();
        for (index, session) in self.configuration.sessions.iter().enumerate() {
            if session.enabled && session.sources.contains(&eni) {
                sessions.push(index);
            }
        }
        if sessions.is_empty() {
            return None;
        }
        if packet.protocol == 17 && (ports == Ports::Known(67, 68) || ports == Ports::Known(68, 67)) {
            return Some(Outcome::Dhcp);
        }
        let remote = if outbound { packet.destination } else { packet.source };
        if self.configuration.platform.iter().any(|network| holds(*network, remote)) {
            return Some(Outcome::Platform);
        }
        sessions.sort_by_key(|index| self.configuration.sessions[*index].priority);
        for index in sessions {
            let session = &self.configuration.sessions[index];
            let mut rules: Vec<&Rule> = Vec::new();
            rules.extend(if outbound { &session.egress } else { &session.ingress });
            rules.sort_by_key(|rule| rule.priority);
            for rule in rules {
                if rule.protocol.is_some() && rule.protocol != Some(packet.protocol) {
                    continue;
                }
                if !holds(rule.source, packet.source) || !holds(rule.destination, packet.destination) {
                    continue;
                }
                if rule.source_ports.is_some() || rule.destination_ports.is_some() {
                    match ports {
                        Ports::Absent => continue,
                        Ports::Unknown => return Some(Outcome::Orphan),
                        Ports::Known(source, destination) => {
                            if !within(rule.source_ports, source) || !within(rule.destination_ports, destination) {
                                continue;
                            }
                        }
                    }
                }
                if !rule.accept {
                    return Some(Outcome::Refused { rule: rule.id.clone() });
                }
                return Some(self.copied(index, rule, packet.total));
            }
        }
        Some(Outcome::Unmatched)
    }

    fn copied(&self, index: usize, rule: &Rule, total: usize) -> Outcome {
        let session = &self.configuration.sessions[index];
        let mtu = self.configuration.enis[session.target].mtu;
        let path = if self.configuration.jumbo_mirroring { mtu } else { mtu.min(1500) };
        let kept = total.min(session.packet_length).min(path - 50);
        let cut = match () {
            () if kept == total => '-',
            () if kept == session.packet_length => 'p',
            () => 'm',
        };
        Outcome::Mirrored { session: index, rule: rule.id.clone(), kept, cut }
    }
}

/// Do the first bits agree?
fn holds(network: Network, address: Address) -> bool {
    let bit = |address: Address, at: usize| address[at / 8] >> (7 - at % 8) & 1;
    (0..network.1).all(|at| bit(network.0, at) == bit(address, at))
}

fn within(range: Option<(u16, u16)>, port: u16) -> bool {
    match range {
        None => true,
        Some((first, last)) => first <= port && port <= last,
    }
}
