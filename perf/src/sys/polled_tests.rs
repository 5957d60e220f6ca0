//! Polled rings against a plain device that reads and writes them as VIRTIO 1.2 says.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::device::Device;
use super::*;

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
