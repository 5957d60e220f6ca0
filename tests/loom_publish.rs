//! All interleavings of a publication, with loom's model of the memory. `ci/test.sh` also runs it with each ordering
//! weakened (`--cfg vswitch_weaken_publish`, `--cfg vswitch_weaken_ack`) and expects it to fail.
#![cfg(loom)]
#![allow(missing_docs, clippy::unwrap_used)]

use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering::Relaxed};
use loom::thread;
use vswitch::mirror::publish::Publisher;

#[test]
fn who_sees_a_publication_sees_what_was_written_before_it() {
    loom::model(|| {
        let side = Arc::new(AtomicU64::new(0));
        let publisher = Publisher::new(Arc::new(0), 1);
        let reader = publisher.reader(0).unwrap();
        let worker = {
            let side = side.clone();
            thread::spawn(move || {
                if reader.is_stale() {
                    assert_eq!(side.load(Relaxed), 1, "the publication came before its data");
                }
            })
        };
        side.store(1, Relaxed);
        publisher.publish(Arc::new(1));
        worker.join().unwrap();
    });
}

#[test]
fn who_sees_an_epoch_sees_what_the_worker_counted_before_it() {
    loom::model(|| {
        let counter = Arc::new(AtomicU64::new(0));
        let publisher = Publisher::new(Arc::new(0), 1);
        let mut reader = publisher.reader(0).unwrap();
        publisher.publish(Arc::new(1));
        let worker = {
            let counter = counter.clone();
            thread::spawn(move || {
                counter.store(7, Relaxed);
                assert_eq!(*reader.current(), 1);
                std::mem::forget(reader);
            })
        };
        if publisher.epochs() == [Some(1)] {
            assert_eq!(counter.load(Relaxed), 7, "the epoch came before the counter");
        }
        worker.join().unwrap();
    });
}

#[test]
fn a_reader_always_gets_a_whole_value_and_the_newest_in_the_end() {
    loom::model(|| {
        let publisher = Publisher::new(Arc::new((0u64, 0u64)), 1);
        let mut reader = publisher.reader(0).unwrap();
        let worker = thread::spawn(move || {
            let (a, b) = *reader.current();
            assert_eq!(a, b);
            reader
        });
        publisher.publish(Arc::new((1, 1)));
        let mut reader = worker.join().unwrap();
        assert_eq!(*reader.current(), (1, 1));
        publisher.reclaim();
    });
}
