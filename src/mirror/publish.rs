//! Publication of a value to workers that never wait for it.
//!
//! Publications form a list: each holds its successor, once there is one. A reader looks at one flag a turn; when it
//! is set, the reader steps on to the newest publication and tells its epoch. The publisher keeps every publication
//! that a reader may still be at, so the last reference is always dropped on the publisher's thread: a worker frees
//! nothing. The successor's place is written once, before the flag, so a reader never waits for it.
//!
//! Two pairs of orderings (in `sync`) carry it: what was written before a publication is seen by whoever sees the flag,
//! and what a worker wrote under the old value is seen by whoever sees its epoch. `OnceLock` and `Arc` bring orderings of
//! their own, being the only way for safe code to share a pointer; the protocol does not lean on them, and loom, which
//! does not see them, checks exactly that: `tests/loom_publish.rs` fails when any of the four is weakened.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::sync::{AtomicBool, AtomicU64, ack_load, ack_store, publish_load, publish_store};

/// One published value.
#[derive(Debug)]
struct Publication<T> {
    value: Arc<T>,
    epoch: u64,
    followed: AtomicBool,
    next: OnceLock<Arc<Publication<T>>>,
}

impl<T> Publication<T> {
    fn new(value: Arc<T>, epoch: u64) -> Arc<Self> {
        Arc::new(Publication { value, epoch, followed: AtomicBool::new(false), next: OnceLock::new() })
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
    // Fields drop in this order: a reader that ends lets go of its value before its seat says so, and so never holds
    // the last reference to it.
    at: Arc<Publication<T>>,
    place: Place,
}

/// The seat a reader sits on; free again when dropped.
#[derive(Debug)]
struct Place {
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

    /// The reading end of seat `seat`; `None` when there is no such seat, or somebody sits there.
    #[must_use]
    pub fn reader(&self, seat: usize) -> Option<Reader<T>> {
        let kept = self.kept.lock();
        let at = kept.back()?.clone();
        let free = &self.seats.get(seat)?.0;
        if free.load(ack_load()) != GONE {
            return None;
        }
        free.store(at.epoch, ack_store());
        Some(Reader { at, place: Place { seats: self.seats.clone(), seat } })
    }

    /// Publishes a value and returns its epoch.
    pub fn publish(&self, value: Arc<T>) -> u64 {
        let mut kept = self.kept.lock();
        let epoch = kept.back().map_or(0, |last| last.epoch + 1);
        let new = Publication::new(value, epoch);
        if let Some(last) = kept.back() {
            // The newest has no successor yet: its place is free.
            let _free = last.next.set(new.clone());
            last.followed.store(true, publish_store());
        }
        kept.push_back(new);
        epoch
    }

    /// Each seat's epoch; `None` where nobody sits.
    #[must_use]
    pub fn epochs(&self) -> Vec<Option<u64>> {
        self.seats.iter().map(|s| Some(s.0.load(ack_load())).filter(|e| *e != GONE)).collect()
    }

    /// Drops what no reader is at any more.
    pub fn reclaim(&self) {
        // Locked first: no reader sits down between the look at the seats and the drop.
        let mut kept = self.kept.lock();
        let oldest = self.epochs().into_iter().flatten().min();
        let newest = kept.back().map_or(0, |last| last.epoch);
        let needed = oldest.unwrap_or(newest).min(newest);
        let passed = kept.partition_point(|p| p.epoch < needed);
        let passed: Vec<_> = kept.drain(..passed).collect();
        // Values may be large: they are dropped after the lock.
        drop(kept);
        drop(passed);
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
    /// The newest value, for one turn. Allocates and frees nothing.
    #[inline]
    pub fn current(&mut self) -> &T {
        if self.at.followed.load(publish_load()) {
            self.step();
        }
        &self.at.value
    }

    #[cold]
    fn step(&mut self) {
        while self.at.followed.load(publish_load()) {
            let Some(next) = self.at.next.get().cloned() else {
                break;
            };
            // Never the last reference: the publisher keeps it until the epoch below is seen.
            self.at = next;
        }
        self.place.tell(self.at.epoch);
    }
}

impl Place {
    fn tell(&self, epoch: u64) {
        if let Some(seat) = self.seats.get(self.seat) {
            seat.0.store(epoch, ack_store());
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.tell(GONE);
    }
}
