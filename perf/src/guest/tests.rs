//! Rings against a device that does what the specification says, slowly.

use super::packed::PackedRing;
use super::queue::{HEADER, Queue};
use super::ring::{Ring, WRITABLE};
use super::split::SplitRing;
use crate::sys::memory::Memory;

const SIZE: u16 = 8;

/// A device: takes the next available buffer, and says that it is done with it.
trait Device {
    fn take(&mut self, memory: &Memory) -> Option<(u16, u64, u32, u16)>;
    fn done(&mut self, memory: &Memory, id: u16, written: u32);
}

struct SplitDevice {
    areas: [usize; 3],
    available: u16,
    used: u16,
}

impl Device for SplitDevice {
    fn take(&mut self, memory: &Memory) -> Option<(u16, u64, u32, u16)> {
        let [descriptors, available, _] = self.areas;
        if memory.load(available + 2) == self.available {
            return None;
        }
        let id = memory.load(available + 4 + 2 * usize::from(self.available % SIZE));
        self.available = self.available.wrapping_add(1);
        let at = descriptors + 16 * usize::from(id);
        let address = u64::from(memory.read_u32(at)) | u64::from(memory.read_u32(at + 4)) << 32;
        Some((id, address, memory.read_u32(at + 8), memory.load(at + 12)))
    }

    fn done(&mut self, memory: &Memory, id: u16, written: u32) {
        let at = self.areas[2] + 4 + 8 * usize::from(self.used % SIZE);
        memory.write(at, &u32::from(id).to_le_bytes());
        memory.write(at + 4, &written.to_le_bytes());
        self.used = self.used.wrapping_add(1);
        memory.store(self.areas[2] + 2, self.used);
    }
}

struct PackedDevice {
    areas: [usize; 3],
    available: (u16, bool),
    used: (u16, bool),
}

fn step((at, wrap): (u16, bool)) -> (u16, bool) {
    if at + 1 == SIZE { (0, !wrap) } else { (at + 1, wrap) }
}

impl Device for PackedDevice {
    fn take(&mut self, memory: &Memory) -> Option<(u16, u64, u32, u16)> {
        let at = self.areas[0] + 16 * usize::from(self.available.0);
        let flags = memory.load(at + 14);
        let (available, used) = (flags >> 7 & 1 == 1, flags >> 15 & 1 == 1);
        if available != self.available.1 || used == available {
            return None;
        }
        self.available = step(self.available);
        let address = u64::from(memory.read_u32(at)) | u64::from(memory.read_u32(at + 4)) << 32;
        Some((memory.load(at + 12), address, memory.read_u32(at + 8), flags & WRITABLE))
    }

    fn done(&mut self, memory: &Memory, id: u16, written: u32) {
        let at = self.areas[0] + 16 * usize::from(self.used.0);
        memory.write(at + 8, &written.to_le_bytes());
        memory.write(at + 12, &id.to_le_bytes());
        memory.store(at + 14, if self.used.1 { 1 << 7 | 1 << 15 } else { 0 });
        self.used = step(self.used);
    }
}

/// A queue over a ring of either kind, and its device.
fn pair(packed: bool) -> (Memory, Queue, Box<dyn Device>) {
    let memory = Memory::new(Queue::bytes(packed, SIZE, 256)).unwrap();
    let mut queue = Queue::new(packed, 0, SIZE, 256).unwrap();
    queue.reset(&memory);
    let areas = queue.address().areas;
    let device: Box<dyn Device> = if packed {
        Box::new(PackedDevice { areas, available: (0, true), used: (0, true) })
    } else {
        Box::new(SplitDevice { areas, available: 0, used: 0 })
    };
    (memory, queue, device)
}

#[test]
fn the_areas_of_a_ring_do_not_overlap() {
    for size in [1u16, 8, 256, 1024] {
        let [descriptors, available, used] = SplitRing::new(4096, size).areas();
        assert_eq!(descriptors, 4096);
        assert!(available >= descriptors + 16 * usize::from(size));
        assert!(used >= available + 6 + 2 * usize::from(size));
        assert!(used + 6 + 8 * usize::from(size) <= 4096 + SplitRing::bytes(size));
        let [descriptors, driver, device] = PackedRing::new(4096, size).areas();
        assert!(driver >= descriptors + 16 * usize::from(size) && device == driver + 4);
        assert!(device + 4 <= 4096 + PackedRing::bytes(size));
    }
}

#[test]
fn frames_go_out_whole_through_many_turns_of_the_ring() {
    for packed in [false, true] {
        let (memory, mut queue, mut device) = pair(packed);
        let mut sent = 0u32;
        for round in 0..40 {
            while queue.send(&memory, &sent.to_be_bytes()) {
                sent += 1;
            }
            assert_eq!(queue.outstanding(&memory), usize::from(SIZE), "packed {packed}, round {round}");
            for n in 0..SIZE {
                let (id, address, len, flags) = device.take(&memory).unwrap();
                assert_eq!((len as usize, flags & WRITABLE), (HEADER + 4, 0));
                let at = (address - memory.address()) as usize;
                let expected = sent - u32::from(SIZE - n);
                assert_eq!(memory.read_u32(at + HEADER), u32::from_le_bytes(expected.to_be_bytes()));
                device.done(&memory, id, 0);
            }
            assert!(device.take(&memory).is_none());
        }
        assert!(!queue.send(&memory, &[0; 245]), "longer than a buffer");
    }
}

#[test]
fn frames_come_in_over_one_buffer_or_several() {
    for packed in [false, true] {
        let (memory, mut queue, mut device) = pair(packed);
        queue.post(&memory);
        for round in 0..30u8 {
            let long: Vec<u8> = (0..600u32).map(|n| (n as u8).wrapping_add(round)).collect();
            for frame in [&long[..100], &long[..]] {
                let pieces = (HEADER + frame.len()).div_ceil(256);
                let mut rest = frame;
                for piece in 0..pieces {
                    let (id, address, len, flags) = device.take(&memory).unwrap();
                    assert_eq!((len, flags & WRITABLE), (256, WRITABLE));
                    let at = (address - memory.address()) as usize;
                    let skip = if piece == 0 { HEADER } else { 0 };
                    memory.clear(at, skip);
                    if piece == 0 {
                        memory.write(at + 10, &(pieces as u16).to_le_bytes());
                    }
                    let n = rest.len().min(256 - skip);
                    memory.write(at + skip, &rest[..n]);
                    rest = &rest[n..];
                    device.done(&memory, id, (skip + n) as u32);
                }
                assert_eq!(queue.receive(&memory).as_deref(), Some(frame), "packed {packed}, round {round}");
                assert_eq!(queue.receive(&memory), None);
                queue.post(&memory);
            }
        }
    }
}

#[test]
fn a_device_that_wants_no_kicks_gets_none() {
    let (memory, queue, _) = pair(false);
    queue.kick(&memory);
    assert_eq!(queue.kick.read().unwrap(), 1);
    memory.store(queue.address().areas[2], 1);
    queue.kick(&memory);
    assert!(queue.kick.read().is_err());
    let (memory, queue, _) = pair(true);
    memory.store(queue.address().areas[2] + 2, 1);
    queue.kick(&memory);
    assert!(queue.kick.read().is_err());
}
