//! What a rule matches, as one interval a field, and how nibbles of the key cut it.

use super::super::rule::{PortRange, Rule};

/// Nibbles of a key that nodes can look at: 0 to 7 source, 8 to 15 destination, 16 to 19 destination port, 20 to 23
/// source port; the lowest of a field first.
pub const NIBBLES: u32 = 24;
/// The first nibble of a port.
pub const PORT_NIBBLES: u32 = 16;

/// All values of source, destination, destination port and source port.
const WIDTH: [u32; 4] = [u32::MAX, u32::MAX, 0xffff, 0xffff];

/// The field of a nibble, and the place of its lowest bit there.
pub const fn place(nibble: u32) -> (usize, u32) {
    if nibble < PORT_NIBBLES {
        ((nibble / 8) as usize, nibble % 8 * 4)
    } else {
        ((nibble / 4 - 2) as usize, nibble % 4 * 4)
    }
}

/// Source, destination, destination port, source port: the lowest and the highest value of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Space {
    pub lo: [u32; 4],
    pub hi: [u32; 4],
}

impl Space {
    /// Of a rule; `None` if no port can be inside.
    pub fn new(rule: &Rule) -> Option<Self> {
        let range = |range: Option<PortRange>| range.map_or((0, 0xffff), |r| (u32::from(r.first), u32::from(r.last)));
        let (dst_port, src_port) = (range(rule.dst_ports), range(rule.src_ports));
        let space = Space {
            lo: [rule.src.network().to_bits(), rule.dst.network().to_bits(), dst_port.0, src_port.0],
            hi: [rule.src.broadcast().to_bits(), rule.dst.broadcast().to_bits(), dst_port.1, src_port.1],
        };
        (dst_port.0 <= dst_port.1 && src_port.0 <= src_port.1).then_some(space)
    }

    /// Of a rule whose ports are not looked at.
    pub fn without_ports(rule: &Rule) -> Self {
        Space {
            lo: [rule.src.network().to_bits(), rule.dst.network().to_bits(), 0, 0],
            hi: [rule.src.broadcast().to_bits(), rule.dst.broadcast().to_bits(), 0xffff, 0xffff],
        }
    }

    /// Not all ports match.
    pub const fn has_ports(&self) -> bool {
        self.lo[2] > 0 || self.lo[3] > 0 || self.hi[2] < 0xffff || self.hi[3] < 0xffff
    }

    /// Bits of a field that vary, from 0 for one value to 32.
    pub const fn free(&self, field: usize) -> u32 {
        32 - (self.lo[field] ^ self.hi[field]).leading_zeros()
    }
}

/// The keys that reach a node: some nibbles of theirs are known.
#[derive(Clone, Copy, Debug, Default)]
pub struct Region {
    mask: [u32; 4],
    value: [u32; 4],
    /// Nibbles that were cut on the way, known or not.
    pub cut: u32,
}

impl Region {
    /// Below a node that looks at `nibble`, in the child of `value`, or in a child of several values.
    pub fn child(&self, nibble: u32, value: Option<u32>) -> Self {
        let (field, shift) = place(nibble);
        let mut child = *self;
        child.cut |= 1 << nibble;
        if let Some(value) = value {
            child.mask[field] |= 15 << shift;
            child.value[field] |= value << shift;
        }
        child
    }

    /// All keys of the region match.
    pub fn inside(&self, space: &Space) -> bool {
        (0..4).all(|f| space.lo[f] <= self.value[f] && space.hi[f] >= self.value[f] | (WIDTH[f] & !self.mask[f]))
    }

    /// The values of `nibble` with which a key of this region can match, as a set of bits. There may be values too many
    /// (for port ranges), never too few.
    #[inline]
    pub fn values(&self, space: &Space, field: usize, shift: u32) -> u16 {
        let (mut lo, mut hi) = (space.lo[field], space.hi[field]);
        if field >= 2 {
            // The nibbles that are known from the top on bound the interval.
            let known = (self.mask[field] << 16).leading_ones();
            let rest = 0xffff_u32.checked_shr(known).unwrap_or(0);
            let base = self.value[field] & !rest;
            (lo, hi) = (lo.max(base), hi.min(base | rest));
            if lo > hi {
                return 0;
            }
        }
        let (lo, hi) = (lo >> shift, hi >> shift);
        if hi - lo >= 15 {
            return u16::MAX;
        }
        let run = (1u32 << (hi - lo + 1)) - 1;
        (run as u16).rotate_left(lo & 15)
    }
}
