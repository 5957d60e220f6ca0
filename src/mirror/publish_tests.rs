//! Publication on real threads; `tests/loom_publish.rs` has the interleavings.
#![allow(clippy::unwrap_used)]
use std::sync::{Arc, Weak};
use std::time::Duration;

use super::publish::Publisher;

#[test]
fn old_values_live_until_every_reader_has_moved_and_die_on_the_publisher() {
    let first = Arc::new(1);
    let publisher = Publisher::new(first.clone(), 2);
    let (mut a, mut b) = (publisher.reader(0).unwrap(), publisher.reader(1).unwrap());
    assert!(publisher.reader(0).is_none(), "the seat is taken");
    let epoch = publisher.publish(Arc::new(2));
    assert_eq!(*a.current(), 2);
    assert!(publisher.wait_until_seen(epoch, Duration::ZERO).is_err());
    assert_eq!(Arc::strong_count(&first), 2, "b is still there");
    assert_eq!(*b.current(), 2);
    publisher.wait_until_seen(epoch, Duration::ZERO).unwrap();
    assert_eq!(Arc::strong_count(&first), 1);
}

#[test]
fn a_reader_skips_to_the_newest_and_a_gone_reader_holds_nothing_up() {
    let publisher = Publisher::new(Arc::new(0), 2);
    let mut a = publisher.reader(0).unwrap();
    let b = publisher.reader(1).unwrap();
    for n in 1..=5 {
        publisher.publish(Arc::new(n));
    }
    assert_eq!(*a.current(), 5);
    drop(b);
    publisher.wait_until_seen(5, Duration::ZERO).unwrap();
    assert_eq!(publisher.epochs(), [Some(5), None]);
    assert!(publisher.reader(1).is_some(), "the seat is free again");
}

/// Knows where it is dropped; its halves are equal unless it is torn.
struct Halves(u64, u64, std::thread::ThreadId);

impl Drop for Halves {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(std::thread::current().id(), self.2, "dropped by a worker");
        }
    }
}

#[test]
fn workers_that_come_and_go_see_whole_values_in_order_and_drop_none() {
    const LAST: u64 = 2_000;
    let control = std::thread::current().id();
    let publisher = Publisher::new(Arc::new(Halves(0, 0, control)), 3);
    let mut published: Vec<Weak<Halves>> = Vec::new();
    std::thread::scope(|scope| {
        for seat in 0..3 {
            let mut reader = publisher.reader(seat).unwrap();
            // Seat 2 ends early.
            let end = if seat == 2 { LAST / 4 } else { LAST };
            scope.spawn(move || {
                let mut before = 0;
                while before < end {
                    let Halves(a, b, _) = *reader.current();
                    assert!(a == b && a >= before, "{a} {b} after {before}");
                    before = a;
                }
            });
        }
        let mut epoch = 0;
        for n in 1..=LAST {
            let value = Arc::new(Halves(n, n, control));
            published.push(Arc::downgrade(&value));
            epoch = publisher.publish(value);
            publisher.reclaim();
        }
        publisher.wait_until_seen(epoch, Duration::from_secs(60)).unwrap();
    });
    publisher.reclaim();
    let alive = published.iter().filter(|value| value.strong_count() > 0);
    assert_eq!(alive.count(), 1, "the newest alone");
    assert_eq!(publisher.epochs(), [None, None, None]);
}
