//! Publication under all interleavings of loom's memory model, and the proof that each of its four orderings is needed.
//!
//! The very source of `vswitch::mirror::publish` is compiled here against loom's atomics, through a twin of its `sync`
//! module whose orderings a test may weaken. (Not by `--cfg loom`: that reaches every dependency, and tokio has no
//! sockets under it.) What loom does not model, `Arc`, `OnceLock` and the publisher's lock, orders nothing in its eyes.
#![allow(missing_docs, clippy::unwrap_used)]

use std::sync::Arc;

use loom::sync::atomic::{
    AtomicU64,
    Ordering::{Acquire, Relaxed, Release},
};
use loom::thread;

#[allow(dead_code)]
#[path = "../src/mirror/publish.rs"]
mod publish;

use publish::Publisher;

/// The twin of `src/mirror/sync.rs`.
mod sync {
    use std::cell::Cell;

    use loom::sync::atomic::Ordering;
    pub use loom::sync::atomic::{AtomicBool, AtomicU64};

    #[derive(Clone, Copy, PartialEq, Eq)]
    pub enum Weak {
        Nothing,
        PublishStore,
        PublishLoad,
        AckStore,
        AckLoad,
    }

    // All threads of a loom model run on the thread of its test.
    thread_local!(static WEAK: Cell<Weak> = const { Cell::new(Weak::Nothing) });

    pub fn weaken(which: Weak) {
        WEAK.set(which);
    }

    fn unless(which: Weak, sound: Ordering) -> Ordering {
        if WEAK.get() == which { Ordering::Relaxed } else { sound }
    }

    pub fn publish_store() -> Ordering {
        unless(Weak::PublishStore, Ordering::Release)
    }

    pub fn publish_load() -> Ordering {
        unless(Weak::PublishLoad, Ordering::Acquire)
    }

    pub fn ack_store() -> Ordering {
        unless(Weak::AckStore, Ordering::Release)
    }

    pub fn ack_load() -> Ordering {
        unless(Weak::AckLoad, Ordering::Acquire)
    }
}

/// A value whose making and dropping loom treats as plain writes: a reader that is not ordered between them is a
/// "causality violation".
struct Value {
    n: AtomicU64,
    control: thread::ThreadId,
}

impl Value {
    fn new(n: u64) -> Arc<Value> {
        let mut value = Value { n: AtomicU64::new(0), control: thread::current().id() };
        value.n.with_mut(|plain| *plain = n);
        Arc::new(value)
    }

    fn read(&self) -> u64 {
        self.n.load(Relaxed)
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.n.with_mut(|plain| *plain = u64::MAX);
            assert_eq!(thread::current().id(), self.control, "dropped by a worker");
        }
    }
}

/// One worker runs two turns while the control thread publishes `publications` times and reclaims.
fn publish_and_reclaim(publications: u64) {
    let publisher = Publisher::new(Value::new(0), 1);
    let mut reader = publisher.reader(0).unwrap();
    let worker = thread::spawn(move || {
        let first = reader.current().read();
        let second = reader.current().read();
        assert!(first <= second && second <= publications, "{first}, then {second}");
        reader
    });
    for n in 1..=publications {
        publisher.publish(Value::new(n));
        publisher.reclaim();
    }
    let mut reader = worker.join().unwrap();
    assert_eq!(reader.current().read(), publications, "the newest in the end");
    publisher.reclaim();
}

/// A worker counts under the old value and takes the new one; the control thread folds the count once it sees that.
fn fold_after_the_epoch() {
    let counter = Arc::new(AtomicU64::new(0));
    let publisher = Publisher::new(Value::new(0), 1);
    let mut reader = publisher.reader(0).unwrap();
    let epoch = publisher.publish(Value::new(1));
    let worker = {
        let counter = counter.clone();
        thread::spawn(move || {
            counter.store(7, Relaxed);
            assert_eq!(reader.current().read(), 1);
            reader
        })
    };
    if publisher.epochs() == [Some(epoch)] {
        assert_eq!(counter.load(Relaxed), 7, "the epoch came before the count");
    }
    drop(worker.join().unwrap());
    publisher.reclaim();
}

/// A worker ends while the control thread publishes and reclaims.
fn reader_ends() {
    let publisher = Publisher::new(Value::new(0), 1);
    let mut reader = publisher.reader(0).unwrap();
    let worker = thread::spawn(move || {
        assert!(reader.current().read() <= 1);
        drop(reader);
    });
    publisher.publish(Value::new(1));
    publisher.reclaim();
    worker.join().unwrap();
    assert_eq!(publisher.epochs(), [None]);
    publisher.reclaim();
}

/// Two workers; the old value goes only when both have moved on.
fn two_readers() {
    let publisher = Publisher::new(Value::new(0), 2);
    let workers: Vec<_> = (0..2)
        .map(|seat| {
            let mut reader = publisher.reader(seat).unwrap();
            thread::spawn(move || {
                assert!(reader.current().read() <= 1);
                reader
            })
        })
        .collect();
    publisher.publish(Value::new(1));
    publisher.reclaim();
    for worker in workers {
        assert_eq!(worker.join().unwrap().current().read(), 1);
    }
    publisher.reclaim();
}

/// A worker takes the new value and then sends a packet; another one that takes the packet and then looks has it too.
fn packet_after_the_value() {
    let publisher = Publisher::new(Value::new(0), 2);
    let (mut a, mut b) = (publisher.reader(0).unwrap(), publisher.reader(1).unwrap());
    // The ring's tail: a store with release, a load with acquire (rte_ring_c11_pvt.h). 0 is empty.
    let tail = Arc::new(AtomicU64::new(0));
    let sender = {
        let tail = tail.clone();
        thread::spawn(move || {
            let sent_under = a.current().read();
            tail.store(1 + sent_under, Release);
            a
        })
    };
    let receiver = thread::spawn(move || {
        let before = b.current().read();
        let packet = tail.load(Acquire);
        let judged_by = b.current().read();
        assert!(packet <= 1 + judged_by, "sent under {}, judged by {judged_by}, {before} before", packet - 1);
        b
    });
    publisher.publish(Value::new(1));
    publisher.reclaim();
    drop((sender.join().unwrap(), receiver.join().unwrap()));
    publisher.reclaim();
}

#[test]
fn a_packet_is_judged_by_a_snapshot_as_new_as_its_sender_s() {
    loom::model(packet_after_the_value);
}

#[test]
fn a_worker_reads_whole_values_in_order_and_none_that_was_dropped() {
    loom::model(|| publish_and_reclaim(2));
}

#[test]
fn who_sees_an_epoch_sees_what_was_counted_before_it() {
    loom::model(fold_after_the_epoch);
}

#[test]
fn a_worker_that_ends_holds_nothing_up() {
    loom::model(reader_ends);
}

#[test]
fn the_slower_of_two_workers_keeps_the_old_value() {
    loom::model(two_readers);
}

#[test]
#[should_panic(expected = "Causality violation")]
fn relaxed_publish_store_is_caught() {
    sync::weaken(sync::Weak::PublishStore);
    loom::model(|| publish_and_reclaim(1));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn relaxed_publish_load_is_caught() {
    sync::weaken(sync::Weak::PublishLoad);
    loom::model(|| publish_and_reclaim(1));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn relaxed_ack_store_is_caught() {
    sync::weaken(sync::Weak::AckStore);
    loom::model(|| publish_and_reclaim(1));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn relaxed_ack_load_is_caught() {
    sync::weaken(sync::Weak::AckLoad);
    loom::model(|| publish_and_reclaim(1));
}

#[test]
#[should_panic(expected = "the epoch came before the count")]
fn a_count_read_after_a_relaxed_ack_is_caught() {
    sync::weaken(sync::Weak::AckStore);
    loom::model(fold_after_the_epoch);
}
