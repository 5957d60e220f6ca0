//! A plain device for tests: it reads and writes rings as VIRTIO 1.2 says, one buffer at a time.
#![allow(clippy::unwrap_used)]

use super::*;

/// The other side: one buffer at a time, from the specification's text.
#[derive(Debug)]
pub struct Device {
    memory: Arc<Memory>,
    layout: Layout,
    areas: [usize; 3],
    next: u64,
}

impl Device {
    /// A device on the ring at `offset`.
    pub fn new(memory: &Arc<Memory>, layout: Layout, offset: usize) -> Self {
        Device { memory: memory.clone(), layout, areas: layout.areas(offset), next: 0 }
    }

    fn place(&self) -> usize {
        (self.next % u64::from(self.layout.size)) as usize
    }

    fn wrap(&self) -> bool {
        (self.next / u64::from(self.layout.size)).is_multiple_of(2)
    }

    /// The next available buffer: id, offset in memory, length, flags.
    fn available(&self) -> Option<(u16, usize, u32, u16)> {
        let m = &self.memory;
        let descriptor = if self.layout.packed {
            let at = self.areas[0] + 16 * self.place();
            let flags = m.load(at + 14);
            if (flags & AVAILABLE != 0) != self.wrap() || (flags & USED != 0) == self.wrap() {
                return None;
            }
            at
        } else {
            if m.load(self.areas[1] + 2) == self.next as u16 {
                return None;
            }
            self.areas[0] + 16 * usize::from(m.load(self.areas[1] + 4 + 2 * self.place()))
        };
        let mut address = [0; 8];
        m.read(descriptor, &mut address);
        let offset = (u64::from_le_bytes(address) - m.address()) as usize;
        let id = if self.layout.packed { m.load(descriptor + 12) } else { ((descriptor - self.areas[0]) / 16) as u16 };
        let flags = m.load(descriptor + if self.layout.packed { 14 } else { 12 });
        Some((id, offset, m.read_u32(descriptor + 8), flags))
    }

    /// Returns a buffer to the driver.
    pub fn use_it(&mut self, id: u16, written: u32) {
        let m = &self.memory;
        if self.layout.packed {
            let at = self.areas[0] + 16 * self.place();
            m.write(at + 8, &written.to_le_bytes());
            m.store(at + 12, id);
            m.store(at + 14, if self.wrap() { AVAILABLE | USED } else { 0 });
        } else {
            let at = self.areas[2] + 4 + 8 * self.place();
            m.write(at, &u32::from(id).to_le_bytes());
            m.write(at + 4, &written.to_le_bytes());
            m.store(self.areas[2] + 2, self.next as u16 + 1);
        }
        self.next += 1;
    }

    /// Takes a frame that the driver sent.
    pub fn take(&mut self) -> Option<Vec<u8>> {
        let (id, offset, len, flags) = self.available()?;
        assert_eq!(flags & WRITABLE, 0);
        let mut bytes = vec![0; len as usize];
        self.memory.read(offset, &mut bytes);
        assert!(bytes[..HEADER].iter().all(|b| *b == 0), "the header asks for nothing");
        self.use_it(id, 0);
        Some(bytes.split_off(HEADER))
    }

    /// Delivers a frame, over as many buffers as it takes; `false` when there are too few.
    pub fn give(&mut self, frame: &[u8]) -> bool {
        let mut bytes = vec![0; HEADER];
        bytes.extend_from_slice(frame);
        let room = HEADER + self.layout.frame;
        let buffers = bytes.len().div_ceil(room);
        bytes[10..12].copy_from_slice(&(buffers as u16).to_le_bytes());
        let began = self.next;
        for _ in 0..buffers {
            if self.available().is_none() {
                self.next = began;
                return false;
            }
            self.next += 1;
        }
        self.next = began;
        for part in bytes.chunks(room) {
            let (id, offset, len, flags) = self.available().unwrap();
            assert!(flags & WRITABLE != 0 && len as usize == room);
            self.memory.write(offset, part);
            self.use_it(id, part.len() as u32);
        }
        true
    }
}
