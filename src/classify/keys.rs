//! The 5-tuples of a burst, side by side.

use crate::packet::BURST;
use crate::wire::ipv4::{Ports, protocol};

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

    /// There are no ports.
    pub(super) const fn is_portless(self) -> bool {
        matches!(self, Kind::Icmp | Kind::Other)
    }
}

/// Kind by protocol number, ports known where they exist.
const KINDS: [u8; 256] = {
    let mut kinds = [Kind::Other as u8; 256];
    kinds[protocol::TCP as usize] = Kind::Tcp as u8;
    kinds[protocol::UDP as usize] = Kind::Udp as u8;
    kinds[protocol::ICMP as usize] = Kind::Icmp as u8;
    kinds
};

/// Up to 64 keys in structure-of-arrays form.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub struct Keys {
    pub(super) src: [u32; BURST],
    pub(super) dst: [u32; BURST],
    pub(super) src_port: [u16; BURST],
    pub(super) dst_port: [u16; BURST],
    pub(super) kind: [u8; BURST],
    pub(super) protocol: [u8; BURST],
    /// Lanes whose ports are in the arrays.
    pub(super) known: u64,
    /// Lanes whose ports exist and are not known.
    pub(super) unknown: u64,
    pub(super) len: usize,
}

impl Default for Keys {
    fn default() -> Self {
        Keys {
            src: [0; BURST],
            dst: [0; BURST],
            src_port: [0; BURST],
            dst_port: [0; BURST],
            kind: [0; BURST],
            protocol: [0; BURST],
            known: 0,
            unknown: 0,
            len: 0,
        }
    }
}

impl Keys {
    /// Adds a key; the 65th and later are ignored. Ports exist for TCP and UDP only: those of other protocols count as
    /// none, and TCP or UDP without any as unknown.
    #[inline]
    pub fn push(&mut self, key: Key) {
        let at = self.len;
        if at >= BURST {
            return;
        }
        (self.src[at], self.dst[at], self.protocol[at]) = (key.src, key.dst, key.protocol);
        let kind = KINDS[usize::from(key.protocol)];
        let has_ports = kind < Kind::TcpUnknown as u8;
        let (known, source, destination) = match key.ports {
            Ports::Known(source, destination) => (has_ports, source, destination),
            Ports::None | Ports::Unknown => (false, 0, 0),
        };
        let unknown = has_ports & !known;
        (self.src_port[at], self.dst_port[at]) = (source, destination);
        self.kind[at] = kind + 2 * u8::from(unknown);
        self.known |= u64::from(known) << at;
        self.unknown |= u64::from(unknown) << at;
        self.len = at + 1;
    }

    /// Forgets the keys, for the next batch.
    #[inline]
    pub const fn clear(&mut self) {
        (self.known, self.unknown, self.len) = (0, 0, 0);
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

    /// The key at `at`, below [`Keys::len`].
    pub(super) fn get(&self, at: usize) -> Key {
        let is = |lanes: u64| lanes >> at & 1 == 1;
        let ports = match (is(self.known), is(self.unknown)) {
            (true, _) => Ports::Known(self.src_port[at], self.dst_port[at]),
            (false, true) => Ports::Unknown,
            (false, false) => Ports::None,
        };
        Key { src: self.src[at], dst: self.dst[at], protocol: self.protocol[at], ports }
    }
}
