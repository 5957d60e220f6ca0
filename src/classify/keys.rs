//! The 5-tuples of a burst, side by side.

use crate::packet::BURST;
use crate::wire::ipv4::{Ipv4, Ports, protocol};

/// One packet's 5-tuple; addresses are integers, host order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Source address.
    pub src: u32,
    /// Destination address.
    pub dst: u32,
    /// IP protocol number.
    pub protocol: u8,
    /// Transport ports.
    pub ports: Ports,
}

/// What a rule's protocol and its ports mean for a key: an index into tables of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    Tcp,
    Udp,
    /// TCP whose ports exist and are not known: a fragment without its first one.
    TcpUnknown,
    UdpUnknown,
    /// Without ports: rules that ask for some do not match.
    Icmp,
    Other,
}

impl Kind {
    /// All, in index order.
    pub(super) const ALL: [Kind; 6] =
        [Kind::Tcp, Kind::Udp, Kind::TcpUnknown, Kind::UdpUnknown, Kind::Icmp, Kind::Other];

    /// The protocol's number, where rules can name it.
    pub(super) const fn protocol(self) -> Option<u8> {
        match self {
            Kind::Tcp | Kind::TcpUnknown => Some(protocol::TCP),
            Kind::Udp | Kind::UdpUnknown => Some(protocol::UDP),
            Kind::Icmp => Some(protocol::ICMP),
            Kind::Other => None,
        }
    }

    /// A bit that the kinds with unknown ports have, and no other.
    const UNKNOWN: u8 = 2;

    /// The ports are known.
    pub(super) const fn is_known(self) -> bool {
        matches!(self, Kind::Tcp | Kind::Udp)
    }

    /// There are no ports.
    pub(super) const fn is_portless(self) -> bool {
        matches!(self, Kind::Icmp | Kind::Other)
    }
}

/// Kinds by whether there are ports (as [`Ipv4::ports_form`]) and protocol number.
const KINDS: [[u8; 256]; 3] = {
    let mut kinds = [[Kind::Other as u8; 256]; 3];
    let mut form = 0;
    while form < 3 {
        kinds[form][protocol::ICMP as usize] = Kind::Icmp as u8;
        kinds[form][protocol::TCP as usize] = Kind::TcpUnknown as u8;
        kinds[form][protocol::UDP as usize] = Kind::UdpUnknown as u8;
        form += 1;
    }
    kinds[KNOWN][protocol::TCP as usize] = Kind::Tcp as u8;
    kinds[KNOWN][protocol::UDP as usize] = Kind::Udp as u8;
    kinds
};
/// [`Ipv4::ports_form`] of known ports.
const KNOWN: usize = 1;

/// Up to 64 keys in structure-of-arrays form.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub struct Keys {
    pub(super) src: [u32; BURST],
    pub(super) dst: [u32; BURST],
    /// Source port in the upper half, destination port in the lower.
    pub(super) ports: [u32; BURST],
    pub(super) kind: [u8; BURST],
    pub(super) len: usize,
    /// All kinds together.
    seen: u8,
}

impl Default for Keys {
    fn default() -> Self {
        Keys { src: [0; BURST], dst: [0; BURST], ports: [0; BURST], kind: [0; BURST], len: 0, seen: 0 }
    }
}

impl Keys {
    /// Adds a key; the 65th and later are ignored. Ports exist for TCP and UDP only: those of other protocols count as
    /// none, and TCP or UDP without any as unknown.
    #[inline]
    pub fn push(&mut self, key: Key) {
        let (form, ports) = match key.ports {
            Ports::Known(source, destination) => (KNOWN, u32::from(source) << 16 | u32::from(destination)),
            Ports::None | Ports::Unknown => (0, 0),
        };
        if self.len < BURST {
            let kind = KINDS[form][usize::from(key.protocol)];
            self.set(self.len, key.src, key.dst, ports, kind);
            self.seen |= kind;
            self.len += 1;
        }
    }

    /// Forgets the keys and takes those of packets instead, as many as there is room for.
    #[inline]
    pub fn gather<'a>(&mut self, packets: impl Iterator<Item = &'a Ipv4>) {
        let (mut len, mut seen) = (0, 0);
        for ip in packets.take(BURST) {
            let (form, ports) = ip.ports_form();
            let kind = KINDS[usize::from(form.min(2))][usize::from(ip.protocol)];
            self.set(len, ip.source, ip.destination, ports, kind);
            seen |= kind;
            len += 1;
        }
        (self.len, self.seen) = (len, seen);
    }

    #[inline]
    fn set(&mut self, at: usize, src: u32, dst: u32, ports: u32, kind: u8) {
        let at = at % BURST;
        (self.src[at], self.dst[at], self.ports[at], self.kind[at]) = (src, dst, ports, kind);
    }

    /// Forgets the keys, for the next batch.
    #[inline]
    pub const fn clear(&mut self) {
        (self.len, self.seen) = (0, 0);
    }

    /// Number of keys.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// No keys.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Lanes whose ports exist and are not known.
    #[inline]
    pub(super) fn unknown(&self) -> u64 {
        // No kind with ports that are known or absent has the bit.
        if self.seen & Kind::UNKNOWN == 0 {
            return 0;
        }
        let lanes = self.kind[..self.len.min(BURST)].iter().enumerate();
        lanes.fold(0, |lanes, (at, kind)| lanes | u64::from(kind & Kind::UNKNOWN != 0) << at)
    }

    /// The key at `at`, below [`Keys::len`]; every protocol that no rule can name is 255.
    pub(super) fn get(&self, at: usize) -> Key {
        let kind = Kind::ALL[usize::from(self.kind[at])];
        let ports = match kind {
            Kind::Tcp | Kind::Udp => Ports::Known((self.ports[at] >> 16) as u16, self.ports[at] as u16),
            Kind::TcpUnknown | Kind::UdpUnknown => Ports::Unknown,
            Kind::Icmp | Kind::Other => Ports::None,
        };
        Key { src: self.src[at], dst: self.dst[at], protocol: kind.protocol().unwrap_or(u8::MAX), ports }
    }
}
