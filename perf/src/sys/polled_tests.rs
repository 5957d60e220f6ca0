//! Polled rings against a plain device that reads and writes them as VIRTIO 1.2 says.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

/// The other side: one buffer at a time, from the specification's text.
struct Device {
    memory: Arc<Memory>,
    layout: Layout,
    areas: [usize; 3],
    next: u64,
}

impl Device {
    fn new(memory: &Arc<Memory>, layout: Layout, offset: usize) -> Self {
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

    fn use_it(&mut self, id: u16, written: u32) {
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
    fn take(&mut self) -> Option<Vec<u8>> {
        let (id, offset, len, flags) = self.available()?;
        assert_eq!(flags & WRITABLE, 0);
        let mut bytes = vec![0; len as usize];
        self.memory.read(offset, &mut bytes);
        assert!(bytes[..HEADER].iter().all(|b| *b == 0), "the header asks for nothing");
        self.use_it(id, 0);
        Some(bytes.split_off(HEADER))
    }

    /// Delivers a frame, over as many buffers as it takes; `false` when there are too few.
    fn give(&mut self, frame: &[u8]) -> bool {
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

fn layout(packed: bool) -> Layout {
    Layout { packed, size: 8, frame: 100 }
}

fn frame(n: usize) -> Vec<u8> {
    (0..20 + n % 81).map(|i| (i + n) as u8).collect()
}

proptest! {
    #[test]
    fn every_frame_reaches_the_device_once_and_in_order(packed: bool, steps in prop::collection::vec((0usize..10, 0usize..10), 1..200)) {
        let layout = layout(packed);
        let memory = Arc::new(Memory::new(layout.bytes()).unwrap());
        let mut tx = PolledTx::new(memory.clone(), 0, layout);
        tx.reset(&[0; 100]);
        let mut device = Device::new(&memory, layout, 0);
        let (mut sent, mut got) = (0, 0);
        for (send, take) in steps {
            for _ in 0..send.min(tx.room(8)) {
                let bytes = frame(sent);
                tx.put(bytes.len(), |f| f.copy_from_slice(&bytes));
                sent += 1;
            }
            tx.flush();
            for _ in 0..take {
                if let Some(bytes) = device.take() {
                    prop_assert_eq!(bytes, frame(got));
                    got += 1;
                }
            }
            prop_assert_eq!(tx.outstanding(), (sent - got) as u64);
        }
        prop_assert!(!tx.disorder());
    }

    #[test]
    fn every_frame_of_the_device_arrives_once_and_in_order(
        packed: bool, long: bool, steps in prop::collection::vec((0usize..10, 0usize..10), 1..200)
    ) {
        let layout = layout(packed);
        let memory = Arc::new(Memory::new(layout.bytes()).unwrap());
        let mut rx = PolledRx::new(memory.clone(), 0, layout);
        rx.reset();
        let mut device = Device::new(&memory, layout, 0);
        let big = |n: usize| if long && n % 3 == 1 { (0..150 + n % 100).map(|i| (i * n) as u8).collect() } else { frame(n) };
        let (mut given, mut got) = (0, 0);
        for (give, take) in steps {
            for _ in 0..give {
                given += usize::from(device.give(&big(given)));
            }
            for _ in 0..take {
                let mut bytes = None;
                if rx.next(|f| bytes = Some(f.to_vec())) {
                    prop_assert_eq!(bytes.unwrap(), big(got));
                    got += 1;
                }
            }
            rx.give_back();
        }
        while rx.next(|_| ()) {
            got += 1;
        }
        prop_assert_eq!(given, got);
        prop_assert!(!rx.disorder());
    }
}

#[test]
fn a_device_that_returns_buffers_out_of_order_is_noticed() {
    for packed in [false, true] {
        let layout = layout(packed);
        let memory = Arc::new(Memory::new(layout.bytes()).unwrap());
        let mut rx = PolledRx::new(memory.clone(), 0, layout);
        rx.reset();
        let mut device = Device::new(&memory, layout, 0);
        device.use_it(3, 40);
        assert!(rx.next(|_| ()));
        assert!(rx.disorder());
    }
}

#[test]
fn nothing_is_there_before_the_device_gives_it_and_a_ring_not_given_back_runs_dry() {
    for packed in [false, true] {
        let layout = layout(packed);
        let memory = Arc::new(Memory::new(layout.bytes()).unwrap());
        let mut rx = PolledRx::new(memory.clone(), 0, layout);
        rx.reset();
        let mut device = Device::new(&memory, layout, 0);
        assert!(!rx.next(|_| ()));
        let given = (0..20).filter(|n| device.give(&frame(*n))).count();
        assert_eq!(given, 8);
        for _ in 0..8 {
            assert!(rx.next(|_| ()));
        }
        assert!(!rx.next(|_| ()) && !device.give(&frame(0)));
        rx.give_back();
        assert!(device.give(&frame(0)) && rx.next(|_| ()));
    }
}
