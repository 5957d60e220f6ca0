//! Virtqueues as a generator drives them: no notifications, static descriptors, buffers used in ring order.
//!
//! Every buffer is one descriptor, and stays at its place of the ring for ever. A device that returns buffers in the
//! order in which it got them (all that are measured here do) is enough for that; one that does not is noticed, and the
//! run says so. Frames start on a cache line, as a driver's do whose header goes into the headroom before them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering, compiler_fence};

use super::memory::Memory;
use crate::guest::queue::HEADER;

/// Bytes from a buffer's start to the frame: the header ends where a cache line begins.
const FRAME_AT: usize = 64;
/// Places by which reading ahead of use is worth it.
const AHEAD: u64 = 6;
/// Descriptor flags (VIRTIO 1.2, sections 2.7.5 and 2.8.1).
const WRITABLE: u16 = 2;
const AVAILABLE: u16 = 1 << 7;
const USED: u16 = 1 << 15;
/// `VRING_AVAIL_F_NO_INTERRUPT` and `RING_EVENT_FLAGS_DISABLE`: the same number for both kinds of ring.
const NO_INTERRUPT: u16 = 1;

/// What a ring is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// A packed ring.
    pub packed: bool,
    /// Places, a power of two up to 32,768.
    pub size: u16,
    /// Bytes of the longest frame that one buffer holds.
    pub frame: usize,
}

impl Layout {
    fn stride(self) -> usize {
        (FRAME_AT + self.frame).next_multiple_of(64)
    }

    fn ring_bytes(self) -> usize {
        let n = usize::from(self.size);
        let bytes = if self.packed { 16 * n + 128 } else { 16 * n + (6 + 2 * n).next_multiple_of(64) + 6 + 8 * n };
        bytes.next_multiple_of(4096)
    }

    /// Bytes of memory that ring and buffers take.
    #[must_use]
    pub fn bytes(self) -> usize {
        (self.ring_bytes() + usize::from(self.size) * self.stride()).next_multiple_of(4096)
    }

    /// Offsets of the three areas in a ring at `offset`: descriptors, driver (available), device (used).
    #[must_use]
    pub fn areas(self, offset: usize) -> [usize; 3] {
        let n = usize::from(self.size);
        let second = offset + 16 * n;
        if self.packed {
            [offset, second, second + 64]
        } else {
            [offset, second, second + (6 + 2 * n).next_multiple_of(64)]
        }
    }

    /// The base that a backend starts from (vhost-user specification, "Vring descriptor indices").
    #[must_use]
    pub const fn base(self) -> u16 {
        if self.packed { 1 << 15 } else { 0 }
    }
}

/// What both directions share: where things are. Counters run freely; a place is a counter modulo the ring's size.
struct Ring {
    memory: Arc<Memory>,
    base: *mut u8,
    layout: Layout,
    mask: u64,
    descriptors: usize,
    available: usize,
    used: usize,
    buffers: usize,
    stride: usize,
    disorder: bool,
}

// SAFETY: the pointer is into the mapping that `memory` keeps; the ring has one owner.
unsafe impl Send for Ring {}

impl Ring {
    /// A ring at `offset`, with its buffers behind it.
    fn new(memory: Arc<Memory>, offset: usize, layout: Layout) -> Self {
        assert!(layout.size.is_power_of_two() && layout.size <= 1 << 15 && offset.is_multiple_of(4096));
        // Checks that everything below is inside the memory.
        let base = memory.at(0, offset + layout.bytes());
        let [descriptors, available, used] = layout.areas(offset);
        Ring {
            memory,
            base,
            mask: u64::from(layout.size) - 1,
            descriptors,
            available,
            used,
            buffers: offset + layout.ring_bytes(),
            stride: layout.stride(),
            layout,
            disorder: false,
        }
    }

    #[inline]
    fn at(&self, offset: usize) -> *mut u8 {
        // SAFETY: every offset that is used here lies in the range that `new` checked: places are masked.
        unsafe { self.base.add(offset) }
    }

    #[inline]
    fn word(&self, offset: usize) -> &AtomicU16 {
        // SAFETY: inside the mapping, even, and shared only through atomics.
        unsafe { AtomicU16::from_ptr(self.at(offset).cast()) }
    }

    #[inline]
    const fn place(&self, counter: u64) -> usize {
        (counter & self.mask) as usize
    }

    /// Address of the header of a place's buffer, as an offset.
    #[inline]
    const fn header(&self, place: usize) -> usize {
        self.buffers + place * self.stride + FRAME_AT - HEADER
    }

    /// Flags of a packed descriptor that is made available in the lap of `counter`.
    #[inline]
    const fn phase(&self, counter: u64) -> u16 {
        if counter & (self.mask + 1) == 0 { AVAILABLE } else { USED }
    }

    #[inline]
    fn write_descriptor(&self, place: usize, len: u32) {
        let at = self.at(self.descriptors + 16 * place);
        let address = self.memory.address() + self.header(place) as u64;
        // SAFETY: a descriptor's 16 bytes, aligned to 16; it is the driver's until it is published.
        unsafe {
            at.cast::<u64>().write_volatile(address.to_le());
            at.add(8).cast::<u32>().write_volatile(len.to_le());
        }
    }

    /// Gives a packed descriptor to the device.
    #[inline]
    fn give(&self, counter: u64, len: u32, flags: u16) {
        let place = self.place(counter);
        self.write_descriptor(place, len);
        self.word(self.descriptors + 16 * place + 12).store((place as u16).to_le(), Ordering::Relaxed);
        self.word(self.descriptors + 16 * place + 14).store((flags | self.phase(counter)).to_le(), Ordering::Release);
    }

    /// Is the packed descriptor of `counter` back from the device? Its id and length then.
    #[inline]
    fn returned(&self, counter: u64) -> Option<(u16, u32)> {
        let at = self.descriptors + 16 * self.place(counter);
        let flags = u16::from_le(self.word(at + 14).load(Ordering::Acquire));
        let wrap = counter & (self.mask + 1) == 0;
        if (flags & AVAILABLE != 0) != wrap || (flags & USED != 0) != wrap {
            return None;
        }
        let id = u16::from_le(self.word(at + 12).load(Ordering::Relaxed));
        // SAFETY: the descriptor's length, aligned to 4; the device is done with it.
        let len = unsafe { self.at(at + 8).cast::<u32>().read_volatile() };
        Some((id, u32::from_le(len)))
    }

    /// The entry of `counter` in a split ring's used area: id and length.
    #[inline]
    fn used_entry(&self, counter: u64) -> (u32, u32) {
        let at = self.at(self.used + 4 + 8 * self.place(counter));
        // SAFETY: eight bytes of the used ring, aligned to 4; the device wrote them before its index.
        unsafe {
            (u32::from_le(at.cast::<u32>().read_volatile()), u32::from_le(at.add(4).cast::<u32>().read_volatile()))
        }
    }

    /// Counts up to the device's 16-bit index, from a counter that is at most a ring behind.
    #[inline]
    fn used_index(&self, behind: u64) -> u64 {
        let index = u16::from_le(self.word(self.used + 2).load(Ordering::Acquire));
        behind + u64::from(index.wrapping_sub(behind as u16))
    }

    #[inline]
    fn publish(&self, counter: u64) {
        self.word(self.available + 2).store((counter as u16).to_le(), Ordering::Release);
    }

    fn clear(&mut self, flags: u16) {
        self.memory.clear(self.descriptors, self.buffers - self.descriptors);
        self.disorder = false;
        for place in 0..usize::from(self.layout.size) {
            self.memory.clear(self.header(place), HEADER);
            if !self.layout.packed {
                self.write_descriptor(place, 0);
                self.word(self.descriptors + 16 * place + 12).store(flags.to_le(), Ordering::Relaxed);
                self.word(self.available + 4 + 2 * place).store((place as u16).to_le(), Ordering::Relaxed);
            }
        }
        let suppression = if self.layout.packed { self.available + 2 } else { self.available };
        self.word(suppression).store(NO_INTERRUPT.to_le(), Ordering::Release);
    }
}

/// A transmit queue.
pub struct PolledTx {
    ring: Ring,
    /// Frames put into the ring, and those that the device has returned.
    put: u64,
    back: u64,
    /// Length that each place's descriptor has.
    lengths: Vec<u32>,
}

impl PolledTx {
    /// A queue at `offset` (a multiple of 4096) with [`Layout::bytes`] behind it inside `memory`.
    #[must_use]
    pub fn new(memory: Arc<Memory>, offset: usize, layout: Layout) -> Self {
        let lengths = vec![0; usize::from(layout.size)];
        PolledTx { ring: Ring::new(memory, offset, layout), put: 0, back: 0, lengths }
    }

    /// Starts anew; every buffer holds `pattern`, as far as it reaches.
    pub fn reset(&mut self, pattern: &[u8]) {
        self.ring.clear(0);
        (self.put, self.back) = (0, 0);
        self.lengths.fill(0);
        let pattern = &pattern[..pattern.len().min(self.ring.layout.frame)];
        for place in 0..usize::from(self.ring.layout.size) {
            self.ring.memory.write(self.ring.header(place) + HEADER, pattern);
        }
    }

    /// Places that are free now; looks at the device's progress when fewer than `wanted` are known to be.
    #[inline]
    pub fn room(&mut self, wanted: usize) -> usize {
        let size = self.ring.mask + 1;
        if ((size - (self.put - self.back)) as usize) < wanted {
            self.take_back();
        }
        (size - (self.put - self.back)) as usize
    }

    fn take_back(&mut self) {
        if self.ring.layout.packed {
            while self.back < self.put
                && let Some((id, _)) = self.ring.returned(self.back)
            {
                self.ring.disorder |= usize::from(id) != self.ring.place(self.back);
                self.back += 1;
            }
            return;
        }
        let now = self.ring.used_index(self.back);
        if now != self.back {
            let (id, _) = self.ring.used_entry(now - 1);
            self.ring.disorder |= id as usize != self.ring.place(now - 1);
            self.back = now;
        }
    }

    /// Puts a frame of `len` bytes into the ring; the caller has seen that there is [`PolledTx::room`]. `write` gets the
    /// buffer's frame, which holds what was there before. Split rings show it to the device at [`PolledTx::flush`].
    #[inline]
    pub fn put(&mut self, len: usize, write: impl FnOnce(&mut [u8])) {
        let place = self.ring.place(self.put);
        let len = len.min(self.ring.layout.frame);
        // SAFETY: the buffer is inside the mapping and is the driver's until it is given to the device below.
        write(unsafe { std::slice::from_raw_parts_mut(self.ring.at(self.ring.header(place) + HEADER), len) });
        compiler_fence(Ordering::Release);
        let total = (HEADER + len) as u32;
        if self.ring.layout.packed {
            self.ring.give(self.put, total, 0);
        } else if self.lengths[place] != total {
            self.lengths[place] = total;
            self.ring.write_descriptor(place, total);
        }
        self.put += 1;
    }

    /// Shows what was put to the device.
    #[inline]
    pub fn flush(&mut self) {
        if !self.ring.layout.packed {
            self.ring.publish(self.put);
        }
    }

    /// Frames that the device holds.
    pub fn outstanding(&mut self) -> u64 {
        self.take_back();
        self.put - self.back
    }

    /// The device returned buffers out of order: what was measured cannot be trusted.
    #[must_use]
    pub const fn disorder(&self) -> bool {
        self.ring.disorder
    }
}

/// A receive queue.
pub struct PolledRx {
    ring: Ring,
    /// Buffers given to the device, those of the device's that were seen, and those that were taken.
    given: u64,
    seen: u64,
    taken: u64,
    /// A frame over several buffers, put together.
    whole: Vec<u8>,
}

impl PolledRx {
    /// A queue at `offset` (a multiple of 4096) with [`Layout::bytes`] behind it inside `memory`.
    #[must_use]
    pub fn new(memory: Arc<Memory>, offset: usize, layout: Layout) -> Self {
        PolledRx {
            ring: Ring::new(memory, offset, layout),
            given: 0,
            seen: 0,
            taken: 0,
            whole: Vec::with_capacity(1 << 16),
        }
    }

    /// Starts anew, with all buffers given to the device.
    pub fn reset(&mut self) {
        self.ring.clear(WRITABLE);
        (self.given, self.seen, self.taken) = (0, 0, 0);
        if !self.ring.layout.packed {
            for place in 0..usize::from(self.ring.layout.size) {
                self.ring.write_descriptor(place, self.buffer_len());
            }
        }
        self.give_back();
    }

    const fn buffer_len(&self) -> u32 {
        (HEADER + self.ring.layout.frame) as u32
    }

    /// Length of the next buffer that the device filled, if there is one.
    #[inline]
    fn advance(&mut self) -> Option<(usize, usize)> {
        let (id, len) = if self.ring.layout.packed {
            self.ring.returned(self.taken)?
        } else {
            if self.taken == self.seen {
                self.seen = self.ring.used_index(self.taken);
                if self.taken == self.seen {
                    return None;
                }
            }
            let (id, len) = self.ring.used_entry(self.taken);
            (id as u16, len)
        };
        let place = self.ring.place(self.taken);
        self.ring.disorder |= usize::from(id) != place;
        self.taken += 1;
        Some((place, (len as usize).min(self.buffer_len() as usize)))
    }

    /// The next frame, until [`PolledRx::give_back`]. Calls `look` with its bytes; `false` when there is none.
    #[inline]
    pub fn next(&mut self, look: impl FnOnce(&[u8])) -> bool {
        if self.taken - self.given_floor() > self.ring.mask {
            return false;
        }
        let Some((place, len)) = self.advance() else {
            return false;
        };
        let ahead = self.ring.at(self.ring.header(self.ring.place(self.taken + AHEAD)) + HEADER);
        // SAFETY: a prefetch of an address inside the mapping has no effect but on caches.
        unsafe { core::arch::x86_64::_mm_prefetch::<{ core::arch::x86_64::_MM_HINT_T0 }>(ahead.cast()) };
        if len < self.buffer_len() as usize {
            // SAFETY: `len` bytes of a buffer inside the mapping, which is the driver's since the device returned it.
            look(unsafe {
                std::slice::from_raw_parts(self.ring.at(self.ring.header(place) + HEADER), len.saturating_sub(HEADER))
            });
            return true;
        }
        look(self.gather(place, len));
        true
    }

    /// Counter of the oldest buffer that is not given to the device.
    const fn given_floor(&self) -> u64 {
        self.given - (self.ring.mask + 1)
    }

    /// A full first buffer: the header tells over how many the frame goes.
    #[cold]
    fn gather(&mut self, place: usize, len: usize) -> &[u8] {
        let mut header = [0; HEADER];
        self.ring.memory.read(self.ring.header(place), &mut header);
        self.whole.clear();
        self.copy_out(place, HEADER, len);
        for _ in 1..u16::from_le_bytes([header[10], header[11]]) {
            // The device shows all buffers of a frame at once; anything else is disorder.
            match self.advance() {
                Some((place, len)) => self.copy_out(place, 0, len),
                None => self.ring.disorder = true,
            }
        }
        &self.whole
    }

    fn copy_out(&mut self, place: usize, skip: usize, len: usize) {
        let start = self.whole.len();
        self.whole.resize(start + len.saturating_sub(skip), 0);
        self.ring.memory.read(self.ring.header(place) + skip, &mut self.whole[start..]);
    }

    /// Gives the taken buffers to the device again.
    #[inline]
    pub fn give_back(&mut self) {
        let until = self.taken + self.ring.mask + 1;
        if self.given == until {
            return;
        }
        if self.ring.layout.packed {
            for counter in self.given..until {
                self.ring.give(counter, self.buffer_len(), WRITABLE);
            }
        } else {
            self.ring.publish(until);
        }
        self.given = until;
    }

    /// The device filled buffers out of order: what was measured cannot be trusted.
    #[must_use]
    pub const fn disorder(&self) -> bool {
        self.ring.disorder
    }
}

#[cfg(test)]
#[path = "polled_device.rs"]
pub mod device;
#[cfg(test)]
#[path = "polled_tests.rs"]
mod tests;
