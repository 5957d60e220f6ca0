//! Leaves: blocks of sixteen rules, field by field. A leaf decides fully, whatever the way to it looked at.

use super::space::Space;

/// Places in a block.
pub const LANES: usize = 16;
/// Rules in a block: the last place stays empty, so that a search that finds nothing ends there.
pub const RULES: usize = LANES - 1;
/// What a search that finds nothing yields; no rule has this index.
pub const NONE: u16 = u16::MAX;

/// Fifteen rules of one leaf in search order: five cache lines. Places without a rule are at the end; they match keys
/// like others do and then yield [`NONE`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[repr(C, align(64))]
pub struct Block {
    /// Addresses.
    pub src: [u32; LANES],
    pub dst: [u32; LANES],
    /// First port, and last less first: one compare after a wrapping subtraction.
    pub src_port: [u16; LANES],
    pub src_span: [u16; LANES],
    pub dst_port: [u16; LANES],
    pub dst_span: [u16; LANES],
    /// Indices of the rules.
    pub index: [u16; LANES],
    /// Leading bits of the addresses that count, 0 to 32.
    pub src_bits: [u8; LANES],
    pub dst_bits: [u8; LANES],
}

impl Block {
    /// No rule.
    pub const EMPTY: Block = Block {
        src: [0; LANES],
        dst: [0; LANES],
        src_port: [0; LANES],
        src_span: [0; LANES],
        dst_port: [0; LANES],
        dst_span: [0; LANES],
        index: [NONE; LANES],
        src_bits: [0; LANES],
        dst_bits: [0; LANES],
    };

    /// Up to fifteen rules, of which `index` are the indices and `spaces` the fields.
    pub fn new<'a>(rules: impl Iterator<Item = (u16, &'a Space)>) -> Self {
        let mut block = Block::EMPTY;
        for (at, (index, space)) in rules.take(RULES).enumerate() {
            let bits = |field: usize| (space.lo[field] ^ space.hi[field]).leading_zeros() as u8;
            let port = |field: usize| (space.lo[field] as u16, (space.hi[field] - space.lo[field]) as u16);
            (block.src[at], block.src_bits[at]) = (space.lo[0], bits(0));
            (block.dst[at], block.dst_bits[at]) = (space.lo[1], bits(1));
            (block.dst_port[at], block.dst_span[at]) = port(2);
            (block.src_port[at], block.src_span[at]) = port(3);
            block.index[at] = index;
        }
        block
    }

    /// The index at the first of these places, and [`NONE`] without one.
    #[inline]
    pub const fn at(&self, places: u32) -> u16 {
        self.index[(places | 1 << RULES).trailing_zeros() as usize % LANES]
    }

    /// The index of the first rule that matches.
    #[inline]
    pub fn first(&self, src: u32, dst: u32, ports: u32) -> u16 {
        let (src_port, dst_port) = ((ports >> 16) as u16, ports as u16);
        let differs = |a: u32, b: u32, bits: u8| (a ^ b).leading_zeros() < u32::from(bits);
        for at in 0..RULES {
            if differs(src, self.src[at], self.src_bits[at]) || differs(dst, self.dst[at], self.dst_bits[at]) {
                continue;
            }
            if src_port.wrapping_sub(self.src_port[at]) <= self.src_span[at]
                && dst_port.wrapping_sub(self.dst_port[at]) <= self.dst_span[at]
            {
                return self.index[at];
            }
        }
        NONE
    }
}
