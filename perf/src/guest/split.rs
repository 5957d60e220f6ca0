//! The split ring.

use super::ring::Ring;
use crate::sys::memory::{Memory, fence};

/// `VRING_USED_F_NO_NOTIFY`.
const NO_NOTIFY: u16 = 1;

/// A split ring at an offset in guest memory.
#[derive(Debug)]
pub struct SplitRing {
    size: u16,
    descriptors: usize,
    available: usize,
    used: usize,
    next_available: u16,
    next_used: u16,
}

impl SplitRing {
    /// A ring of `size` places (a power of two) at `offset`, which is a multiple of 4096.
    pub fn new(offset: usize, size: u16) -> Self {
        let n = usize::from(size);
        let available = offset + 16 * n;
        let used = (available + 6 + 2 * n).next_multiple_of(64);
        SplitRing { size, descriptors: offset, available, used, next_available: 0, next_used: 0 }
    }
}

impl Ring for SplitRing {
    fn bytes(size: u16) -> usize {
        let n = usize::from(size);
        (16 * n + 6 + 2 * n).next_multiple_of(64) + 6 + 8 * n
    }

    fn reset(&mut self, memory: &Memory) {
        memory.clear(self.descriptors, Self::bytes(self.size));
        (self.next_available, self.next_used) = (0, 0);
    }

    fn add(&mut self, memory: &Memory, id: u16, address: u64, len: u32, flags: u16) {
        let at = self.descriptors + 16 * usize::from(id);
        memory.write(at, &address.to_le_bytes());
        memory.write(at + 8, &len.to_le_bytes());
        memory.write(at + 12, &flags.to_le_bytes());
        let place = usize::from(self.next_available % self.size);
        memory.write(self.available + 4 + 2 * place, &id.to_le_bytes());
        self.next_available = self.next_available.wrapping_add(1);
        memory.store(self.available + 2, self.next_available);
    }

    fn pop(&mut self, memory: &Memory) -> Option<(u16, u32)> {
        if memory.load(self.used + 2) == self.next_used {
            return None;
        }
        let at = self.used + 4 + 8 * usize::from(self.next_used % self.size);
        self.next_used = self.next_used.wrapping_add(1);
        Some((memory.read_u32(at) as u16, memory.read_u32(at + 4)))
    }

    fn wants_kick(&self, memory: &Memory) -> bool {
        fence();
        memory.load(self.used) & NO_NOTIFY == 0
    }

    fn interrupts(&mut self, memory: &Memory, on: bool) {
        memory.store(self.available, u16::from(!on));
        fence();
    }

    fn areas(&self) -> [usize; 3] {
        [self.descriptors, self.available, self.used]
    }

    fn base(&self) -> u16 {
        0
    }
}
