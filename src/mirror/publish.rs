//! Publication of a value to workers that never wait for it.
//!
//! Publications form a list: each holds its successor, once there is one. A reader looks at one flag a turn; when it
//! is set, the reader steps on to the newest publication and tells its epoch. The publisher keeps every publication
//! that a reader may still be at, so the last reference is always dropped on the publisher's thread: a worker frees
//! nothing. The successor's place is written before the flag and never after it, so its lock is never contended by the
//! publisher when a reader takes it.
//!
//! Two orderings carry it: what was written before a publication is seen by whoever sees the flag, and what a worker
//! wrote under the old value is seen by whoever sees its epoch. The loom test fails when either is weakened.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use sync::{Arc, AtomicBool, AtomicU64, Mutex, Ordering, RwLock};

/// The flag's store and the epoch's store.
#[cfg(not(vswitch_weaken_publish))]
const PUBLISH: Ordering = Ordering::Release;
#[cfg(vswitch_weaken_publish)]
const PUBLISH: Ordering = Ordering::Relaxed;
#[cfg(not(vswitch_weaken_ack))]
const ACKNOWLEDGE: Ordering = Ordering::Release;
#[cfg(vswitch_weaken_ack)]
const ACKNOWLEDGE: Ordering = Ordering::Relaxed;

/// The primitives: the ordinary ones, or loom's when a model is checked.
mod sync {
    #[cfg(loom)]
    pub use loom::sync::{
        Arc, Mutex, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    };
    #[cfg(not(loom))]
    pub use std::sync::{
        Arc, Mutex, RwLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    };
}

/// One published value.
#[derive(Debug)]
struct Publication<T> {
    value: Arc<T>,
    epoch: u64,
    followed: AtomicBool,
    next: RwLock<Option<Arc<Publication<T>>>>,
}

impl<T> Publication<T> {
    fn new(value: Arc<T>, epoch: u64) -> Arc<Self> {
        Arc::new(Publication { value, epoch, followed: AtomicBool::new(false), next: RwLock::new(None) })
    }

    fn next(&self) -> Option<Arc<Self>> {
        // A poisoned lock still holds what was written: nothing panics between writing and unlocking.
        match self.next.read() {
            Ok(next) => next.clone(),
            Err(poisoned) => poisoned.into_inner().clone(),
        }
    }
}

/// A worker's epoch, on a cache line of its own.
#[derive(Debug)]
#[repr(align(128))]
struct Seat(AtomicU64);

/// The epoch of a seat whose reader is gone.
const GONE: u64 = u64::MAX;

/// A worker did not take a publication in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("worker {worker} has not taken the new configuration in {waited:?}; it will at its next turn")]
pub struct Lagging {
    /// The worker.
    pub worker: usize,
    /// How long it was waited for.
    pub waited: Duration,
}

/// The publishing end: one thread at a time.
#[derive(Debug)]
pub struct Publisher<T> {
    /// Publications that a reader may be at, oldest first; the newest is last.
    kept: Mutex<VecDeque<Arc<Publication<T>>>>,
    seats: Arc<Vec<Seat>>,
}

/// A worker's end.
#[derive(Debug)]
pub struct Reader<T> {
    at: Arc<Publication<T>>,
    seats: Arc<Vec<Seat>>,
    seat: usize,
}

impl<T> Publisher<T> {
    /// A publisher with a first value, for `readers` readers.
    #[must_use]
    pub fn new(first: Arc<T>, readers: usize) -> Self {
        Publisher {
            kept: Mutex::new(VecDeque::from([Publication::new(first, 0)])),
            seats: Arc::new((0..readers).map(|_| Seat(AtomicU64::new(GONE))).collect()),
        }
    }

    fn kept(&self) -> impl std::ops::DerefMut<Target = VecDeque<Arc<Publication<T>>>> {
        match self.kept.lock() {
            Ok(kept) => kept,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    /// The reading end of seat `seat`; `None` when there is no such seat, or somebody sits there.
    #[must_use]
    pub fn reader(&self, seat: usize) -> Option<Reader<T>> {
        let kept = self.kept();
        let at = kept.back()?.clone();
        let free = &self.seats.get(seat)?.0;
        if free.load(Ordering::Acquire) != GONE {
            return None;
        }
        free.store(at.epoch, ACKNOWLEDGE);
        Some(Reader { at, seats: self.seats.clone(), seat })
    }

    /// Publishes a value and returns its epoch.
    pub fn publish(&self, value: Arc<T>) -> u64 {
        let mut kept = self.kept();
        let epoch = kept.back().map_or(0, |last| last.epoch + 1);
        let new = Publication::new(value, epoch);
        if let Some(last) = kept.back() {
            match last.next.write() {
                Ok(mut next) => *next = Some(new.clone()),
                Err(poisoned) => *poisoned.into_inner() = Some(new.clone()),
            }
            last.followed.store(true, PUBLISH);
        }
        kept.push_back(new);
        epoch
    }

    /// Each seat's epoch; `None` where nobody sits.
    #[must_use]
    pub fn epochs(&self) -> Vec<Option<u64>> {
        self.seats.iter().map(|s| Some(s.0.load(Ordering::Acquire)).filter(|e| *e != GONE)).collect()
    }

    /// Drops what no reader is at any more.
    pub fn reclaim(&self) {
        let oldest = self.epochs().into_iter().flatten().min();
        let mut kept = self.kept();
        while kept.len() > 1 && kept.front().is_some_and(|p| oldest.is_none_or(|o| p.epoch < o)) {
            kept.pop_front();
        }
    }

    /// Waits until every reader has reached `epoch`, then reclaims.
    ///
    /// # Errors
    /// [`Lagging`] after `patience`; nothing is lost then, a later call reclaims.
    pub fn wait_until_seen(&self, epoch: u64, patience: Duration) -> Result<(), Lagging> {
        let deadline = Instant::now() + patience;
        while let Some(worker) = self.epochs().iter().position(|e| e.is_some_and(|e| e < epoch)) {
            if Instant::now() >= deadline {
                return Err(Lagging { worker, waited: patience });
            }
            std::thread::sleep(Duration::from_micros(50));
        }
        self.reclaim();
        Ok(())
    }
}

impl<T> Reader<T> {
    /// Is there something newer? One load.
    #[inline]
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.at.followed.load(Ordering::Acquire)
    }

    /// The newest value, for one turn. Allocates and frees nothing.
    #[inline]
    pub fn current(&mut self) -> &T {
        if self.is_stale() {
            self.step();
        }
        &self.at.value
    }

    #[cold]
    fn step(&mut self) {
        while self.is_stale() {
            let Some(next) = self.at.next() else { break };
            // Never the last reference: the publisher keeps it until the epoch below is seen.
            self.at = next;
        }
        if let Some(seat) = self.seats.get(self.seat) {
            seat.0.store(self.at.epoch, ACKNOWLEDGE);
        }
    }
}

impl<T> Drop for Reader<T> {
    fn drop(&mut self) {
        if let Some(seat) = self.seats.get(self.seat) {
            seat.0.store(GONE, ACKNOWLEDGE);
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

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
}
