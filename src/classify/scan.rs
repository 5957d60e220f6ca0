//! Every field of a rule as a mask-and-compare over arrays, eight rules a step, no branch inside a step: the fallback.

use super::Verdict;
use super::keys::{Key, Keys};
use super::rule::{PortRange, Rule};
use crate::packet::BURST;
use crate::wire::ipv4::Ports;

/// Rules a step looks at.
const STEP: usize = 8;

/// Eight rules, field by field. A place without a rule never matches.
#[derive(Clone, Debug)]
#[repr(align(64))]
struct Block {
    src: [u32; STEP],
    src_mask: [u32; STEP],
    dst: [u32; STEP],
    dst_mask: [u32; STEP],
    protocol: [u8; STEP],
    protocol_mask: [u8; STEP],
    /// First source port, and last less first: one compare after a wrapping subtraction.
    src_port: [u16; STEP],
    src_span: [u16; STEP],
    dst_port: [u16; STEP],
    dst_span: [u16; STEP],
    /// Places whose rule asks for ports.
    asks: u8,
    /// Places with a rule.
    used: u8,
    /// Places with a port range that is upside down: no port is inside.
    empty: u8,
}

impl Default for Block {
    fn default() -> Self {
        Block {
            src: [0; STEP],
            src_mask: [0; STEP],
            dst: [0; STEP],
            dst_mask: [0; STEP],
            protocol: [0; STEP],
            protocol_mask: [0; STEP],
            src_port: [0; STEP],
            src_span: [0; STEP],
            dst_port: [0; STEP],
            dst_span: [0; STEP],
            asks: 0,
            used: 0,
            empty: 0,
        }
    }
}

impl Block {
    fn set(&mut self, at: usize, rule: &Rule) {
        self.src[at] = rule.src.network().to_bits();
        self.src_mask[at] = rule.src.netmask().to_bits();
        self.dst[at] = rule.dst.network().to_bits();
        self.dst_mask[at] = rule.dst.netmask().to_bits();
        (self.protocol[at], self.protocol_mask[at]) = rule.protocol.number().map_or((0, 0), |p| (p, u8::MAX));
        (self.src_port[at], self.src_span[at]) = span(rule.src_ports);
        (self.dst_port[at], self.dst_span[at]) = span(rule.dst_ports);
        self.used |= 1 << at;
        if rule.src_ports.is_some() || rule.dst_ports.is_some() {
            self.asks |= 1 << at;
        }
        let upside_down = |range: Option<PortRange>| range.is_some_and(|r| r.first > r.last);
        if upside_down(rule.src_ports) || upside_down(rule.dst_ports) {
            self.empty |= 1 << at;
        }
    }

    /// Places whose addresses and protocol match.
    #[inline]
    fn match_fields(&self, src: u32, dst: u32, protocol: u8) -> u8 {
        let mut places = 0;
        for at in 0..STEP {
            let differs = (src & self.src_mask[at]) ^ self.src[at]
                | (dst & self.dst_mask[at]) ^ self.dst[at]
                | u32::from((protocol & self.protocol_mask[at]) ^ self.protocol[at]);
            places |= u8::from(differs == 0) << at;
        }
        places & self.used
    }

    /// Places whose port ranges hold these ports.
    #[inline]
    fn match_ports(&self, src: u16, dst: u16) -> u8 {
        let mut places = 0;
        for at in 0..STEP {
            let inside = (src.wrapping_sub(self.src_port[at]) <= self.src_span[at])
                & (dst.wrapping_sub(self.dst_port[at]) <= self.dst_span[at]);
            places |= u8::from(inside) << at;
        }
        places & !self.empty
    }
}

/// First port and distance to the last; a range that is upside down is for [`Block::set`] to mark.
fn span(range: Option<PortRange>) -> (u16, u16) {
    range.map_or((0, u16::MAX), |r| (r.first, r.last.saturating_sub(r.first)))
}

/// Rules in search order, compiled.
#[derive(Clone, Debug)]
pub(super) struct Scan {
    blocks: Box<[Block]>,
}

impl Scan {
    /// Compiles rules in search order.
    pub(super) fn new(rules: &[Rule]) -> Self {
        let mut blocks = vec![Block::default(); rules.len().div_ceil(STEP)];
        for (index, rule) in rules.iter().enumerate() {
            blocks[index / STEP].set(index % STEP, rule);
        }
        Scan { blocks: blocks.into_boxed_slice() }
    }

    /// Judges each key of a batch; verdicts behind the last key are left alone.
    pub(super) fn classify(&self, keys: &Keys, verdicts: &mut [Verdict; BURST]) {
        for (at, verdict) in verdicts.iter_mut().enumerate().take(keys.len()) {
            *verdict = self.judge(keys, at);
        }
    }

    #[inline]
    fn judge(&self, keys: &Keys, at: usize) -> Verdict {
        let Key { src, dst, protocol, ports } = keys.get(at);
        let unknown = ports == Ports::Unknown;
        for (index, block) in self.blocks.iter().enumerate() {
            let fields = block.match_fields(src, dst, protocol);
            if fields == 0 {
                continue;
            }
            let found = match ports {
                Ports::Known(source, destination) => fields & block.match_ports(source, destination),
                Ports::Unknown => fields,
                Ports::None => fields & !block.asks,
            };
            if found == 0 {
                continue;
            }
            let first = found.trailing_zeros() as usize;
            if unknown && block.asks >> first & 1 == 1 {
                return Verdict::Unknown;
            }
            return Verdict::Match((index * STEP + first) as u16);
        }
        Verdict::None
    }

    /// Bytes of the compiled form.
    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.blocks)
    }
}
