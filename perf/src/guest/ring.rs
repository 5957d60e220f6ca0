//! What a driver asks of a ring, split or packed (VIRTIO 1.2, sections 2.7 and 2.8).

use crate::sys::memory::Memory;

/// A buffer that the device may write.
pub const WRITABLE: u16 = 2;

/// A virtqueue as its driver sees it. Every buffer is one descriptor.
pub trait Ring: Send {
    /// Bytes of memory it takes.
    fn bytes(size: u16) -> usize
    where
        Self: Sized;

    /// Forgets everything and starts anew.
    fn reset(&mut self, memory: &Memory);

    /// Makes a buffer available under a number below the ring's size; there is a free place, since the caller has no
    /// more buffers than places.
    fn add(&mut self, memory: &Memory, id: u16, address: u64, len: u32, flags: u16);

    /// The next buffer that the device is done with: its number and the bytes written.
    fn pop(&mut self, memory: &Memory) -> Option<(u16, u32)>;

    /// Does the device want to be told of new buffers?
    fn wants_kick(&self, memory: &Memory) -> bool;

    /// Asks the device to tell us of buffers it is done with, or not to.
    fn interrupts(&mut self, memory: &Memory, on: bool);

    /// Offsets of the three areas: descriptors, driver (available), device (used).
    fn areas(&self) -> [usize; 3];

    /// The base that a backend starts from after a reset.
    fn base(&self) -> u16;
}
