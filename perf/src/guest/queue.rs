//! A virtqueue with its buffers: frames in, frames out.

use vmm_sys_util::eventfd::EventFd;

use super::conversation::RingAddress;
use super::packed::PackedRing;
use super::ring::{Ring, WRITABLE};
use super::split::SplitRing;
use crate::sys::memory::Memory;

/// Bytes of `virtio_net_hdr_v1`, which every modern device has.
pub const HEADER: usize = 12;

/// One virtqueue of a port.
pub struct Queue {
    ring: Box<dyn Ring>,
    size: u16,
    buffers: usize,
    buffer_len: usize,
    free: Vec<u16>,
    /// The device tells us here that it is done with buffers.
    pub call: EventFd,
    /// We tell the device here that there are buffers.
    pub kick: EventFd,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("size", &self.size).field("free", &self.free.len()).finish_non_exhaustive()
    }
}

impl Queue {
    /// Bytes of guest memory that a queue takes.
    pub fn bytes(packed: bool, size: u16, buffer_len: usize) -> usize {
        let ring = if packed { PackedRing::bytes(size) } else { SplitRing::bytes(size) };
        ring.next_multiple_of(4096) + (usize::from(size) * buffer_len).next_multiple_of(4096)
    }

    /// A queue at `offset`, a multiple of 4096.
    pub fn new(packed: bool, offset: usize, size: u16, buffer_len: usize) -> std::io::Result<Self> {
        let (ring, bytes): (Box<dyn Ring>, usize) = if packed {
            (Box::new(PackedRing::new(offset, size)), PackedRing::bytes(size))
        } else {
            (Box::new(SplitRing::new(offset, size)), SplitRing::bytes(size))
        };
        Ok(Queue {
            ring,
            size,
            buffers: offset + bytes.next_multiple_of(4096),
            buffer_len,
            free: Vec::with_capacity(usize::from(size)),
            call: EventFd::new(libc::EFD_NONBLOCK | libc::EFD_CLOEXEC)?,
            kick: EventFd::new(libc::EFD_NONBLOCK | libc::EFD_CLOEXEC)?,
        })
    }

    /// What the switch must know of the ring.
    pub fn address(&self) -> RingAddress<'_> {
        RingAddress {
            size: self.size,
            base: self.ring.base(),
            areas: self.ring.areas(),
            call: &self.call,
            kick: &self.kick,
        }
    }

    /// Starts anew with all buffers in our hands.
    pub fn reset(&mut self, memory: &Memory) {
        self.ring.reset(memory);
        self.free = (0..self.size).rev().collect();
    }

    fn buffer(&self, id: u16) -> usize {
        self.buffers + usize::from(id) * self.buffer_len
    }

    /// Sends a frame; `false` when no buffer is free or it does not fit.
    pub fn send(&mut self, memory: &Memory, frame: &[u8]) -> bool {
        while let Some((id, _)) = self.ring.pop(memory) {
            self.free.push(id);
        }
        if HEADER + frame.len() > self.buffer_len {
            return false;
        }
        let Some(id) = self.free.pop() else {
            return false;
        };
        let at = self.buffer(id);
        memory.clear(at, HEADER);
        memory.write(at + HEADER, frame);
        self.ring.add(memory, id, memory.address() + at as u64, (HEADER + frame.len()) as u32, 0);
        true
    }

    /// Offers a buffer that lies outside guest memory: for tests of the switch.
    pub fn send_broken(&mut self, memory: &Memory) -> bool {
        let Some(id) = self.free.pop() else {
            return false;
        };
        self.ring.add(memory, id, memory.address() + (1 << 40), 100, 0);
        true
    }

    /// Buffers that the device still holds.
    pub fn outstanding(&mut self, memory: &Memory) -> usize {
        while let Some((id, _)) = self.ring.pop(memory) {
            self.free.push(id);
        }
        usize::from(self.size) - self.free.len()
    }

    /// Gives all free buffers to the device to be filled.
    pub fn post(&mut self, memory: &Memory) {
        while let Some(id) = self.free.pop() {
            let at = memory.address() + self.buffer(id) as u64;
            self.ring.add(memory, id, at, self.buffer_len as u32, WRITABLE);
        }
    }

    /// The next frame that the device delivered, over as many buffers as it took. The buffers are free afterwards.
    pub fn receive(&mut self, memory: &Memory) -> Option<Vec<u8>> {
        let (id, written) = self.ring.pop(memory)?;
        let first = self.buffer(id);
        let mut header = [0u8; HEADER];
        memory.read(first, &mut header);
        let mut frame = Vec::new();
        self.take(memory, id, written, HEADER, &mut frame);
        for _ in 1..u16::from_le_bytes([header[10], header[11]]) {
            let (id, written) = self.ring.pop(memory)?;
            self.take(memory, id, written, 0, &mut frame);
        }
        Some(frame)
    }

    fn take(&mut self, memory: &Memory, id: u16, written: u32, skip: usize, frame: &mut Vec<u8>) {
        let len = (written as usize).min(self.buffer_len).saturating_sub(skip);
        let start = frame.len();
        frame.resize(start + len, 0);
        memory.read(self.buffer(id) + skip, &mut frame[start..]);
        self.free.push(id);
    }

    /// Asks to be told of buffers that the device is done with, or not.
    pub fn interrupts(&mut self, memory: &Memory, on: bool) {
        self.ring.interrupts(memory, on);
    }

    /// Tells the device that there are buffers, if it wants to know.
    pub fn kick(&self, memory: &Memory) {
        if self.ring.wants_kick(memory) {
            // A full counter means that the device has not looked yet: it will.
            let _ = self.kick.write(1);
        }
    }
}
