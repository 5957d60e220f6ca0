//! The packed ring.

use super::ring::Ring;
use crate::sys::memory::{Memory, fence};

const AVAILABLE: u16 = 1 << 7;
const USED: u16 = 1 << 15;
/// `RING_EVENT_FLAGS_DISABLE`.
const DISABLED: u16 = 1;

/// A packed ring at an offset in guest memory.
#[derive(Debug)]
pub struct PackedRing {
    size: u16,
    offset: usize,
    next_available: u16,
    available_wrap: bool,
    next_used: u16,
    used_wrap: bool,
}

impl PackedRing {
    /// A ring of `size` places at `offset`, which is a multiple of 4096.
    pub fn new(offset: usize, size: u16) -> Self {
        PackedRing { size, offset, next_available: 0, available_wrap: true, next_used: 0, used_wrap: true }
    }

    const fn step(&self, at: u16, wrap: bool) -> (u16, bool) {
        if at + 1 == self.size { (0, !wrap) } else { (at + 1, wrap) }
    }
}

impl Ring for PackedRing {
    fn bytes(size: u16) -> usize {
        16 * usize::from(size) + 8
    }

    fn reset(&mut self, memory: &Memory) {
        memory.clear(self.offset, Self::bytes(self.size));
        (self.next_available, self.available_wrap) = (0, true);
        (self.next_used, self.used_wrap) = (0, true);
    }

    fn add(&mut self, memory: &Memory, id: u16, address: u64, len: u32, flags: u16) {
        let at = self.offset + 16 * usize::from(self.next_available);
        memory.write(at, &address.to_le_bytes());
        memory.write(at + 8, &len.to_le_bytes());
        memory.write(at + 12, &id.to_le_bytes());
        let phase = if self.available_wrap { AVAILABLE } else { USED };
        memory.store(at + 14, flags | phase);
        (self.next_available, self.available_wrap) = self.step(self.next_available, self.available_wrap);
    }

    fn pop(&mut self, memory: &Memory) -> Option<(u16, u32)> {
        let at = self.offset + 16 * usize::from(self.next_used);
        let flags = memory.load(at + 14);
        let (available, used) = (flags & AVAILABLE != 0, flags & USED != 0);
        if available != used || used != self.used_wrap {
            return None;
        }
        (self.next_used, self.used_wrap) = self.step(self.next_used, self.used_wrap);
        Some((memory.load(at + 12), memory.read_u32(at + 8)))
    }

    fn wants_kick(&self, memory: &Memory) -> bool {
        fence();
        let device = self.offset + 16 * usize::from(self.size) + 4;
        memory.load(device + 2) & 3 != DISABLED
    }

    fn interrupts(&mut self, memory: &Memory, on: bool) {
        let driver = self.offset + 16 * usize::from(self.size);
        memory.store(driver + 2, if on { 0 } else { DISABLED });
        fence();
    }

    fn areas(&self) -> [usize; 3] {
        let events = self.offset + 16 * usize::from(self.size);
        [self.offset, events, events + 4]
    }

    /// Index 0 and a wrap counter of 1 (vhost-user specification, "Vring descriptor indices").
    fn base(&self) -> u16 {
        1 << 15
    }
}
