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

/// How a key's ports are: an index into bit tables of rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) enum PortsAre {
    /// There are none: a rule with a port range does not match.
    #[default]
    Absent,
    /// They are in the arrays.
    Known,
    /// They exist and are not known.
    Unknown,
}

/// Up to 64 keys in structure-of-arrays form.
#[derive(Clone, Debug)]
pub struct Keys {
    pub(super) len: usize,
    pub(super) src: [u32; BURST],
    pub(super) dst: [u32; BURST],
    /// Source port in the upper half, destination port in the lower.
    pub(super) ports: [u32; BURST],
    pub(super) protocol: [u8; BURST],
    pub(super) ports_are: [PortsAre; BURST],
}

impl Default for Keys {
    fn default() -> Self {
        Keys {
            len: 0,
            src: [0; BURST],
            dst: [0; BURST],
            ports: [0; BURST],
            protocol: [0; BURST],
            ports_are: [PortsAre::Absent; BURST],
        }
    }
}

impl Keys {
    /// Adds a key; the 65th and later are ignored. Ports exist for TCP and UDP only: those of other protocols count as
    /// none, and TCP or UDP without any as unknown.
    #[inline]
    pub fn push(&mut self, key: Key) {
        let at = self.len;
        if at == BURST {
            return;
        }
        (self.src[at], self.dst[at], self.protocol[at]) = (key.src, key.dst, key.protocol);
        let has_ports = matches!(key.protocol, protocol::TCP | protocol::UDP);
        (self.ports_are[at], self.ports[at]) = match key.ports {
            _ if !has_ports => (PortsAre::Absent, 0),
            Ports::Known(source, destination) => (PortsAre::Known, u32::from(source) << 16 | u32::from(destination)),
            Ports::None | Ports::Unknown => (PortsAre::Unknown, 0),
        };
        self.len += 1;
    }

    /// Forgets the keys, for the next batch.
    #[inline]
    pub const fn clear(&mut self) {
        self.len = 0;
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
        let ports = match self.ports_are[at] {
            PortsAre::Absent => Ports::None,
            PortsAre::Known => Ports::Known((self.ports[at] >> 16) as u16, self.ports[at] as u16),
            PortsAre::Unknown => Ports::Unknown,
        };
        Key { src: self.src[at], dst: self.dst[at], protocol: self.protocol[at], ports }
    }
}
