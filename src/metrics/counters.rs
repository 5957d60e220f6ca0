//! Plain counters. Each worker has its own block of every set and is its only writer, so an increment is a load, an
//! add and a store, without a lock or a shared cache line; readers sum the blocks.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::packet::{Direction, Reason};

/// A number that one thread writes and all may read.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds; only the owning worker calls this.
    #[inline]
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    /// The value, possibly a moment old.
    #[inline]
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// A level that one thread writes and all may read.
#[derive(Debug, Default)]
pub struct Gauge(AtomicU64);

impl Gauge {
    /// Sets it; only the owning worker calls this.
    #[inline]
    pub fn set(&self, level: u64) {
        self.0.store(level, Relaxed);
    }

    /// The level, possibly a moment old.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// One counter a reason.
#[derive(Debug)]
pub struct ByReason([Counter; Reason::COUNT]);

impl Default for ByReason {
    fn default() -> Self {
        ByReason(std::array::from_fn(|_| Counter::default()))
    }
}

impl ByReason {
    /// Adds to a reason's counter.
    #[inline]
    pub fn add(&self, reason: Reason, n: u64) {
        if let Some(counter) = self.0.get(reason as usize) {
            counter.add(n);
        }
    }

    /// A reason's counter.
    #[must_use]
    pub fn get(&self, reason: Reason) -> u64 {
        self.0.get(reason as usize).map_or(0, Counter::get)
    }
}

/// What one worker counted for an ENI. Arrays of two are by [`Direction`].
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct EniBlock {
    /// Frames taken from the guest.
    pub rx_packets: Counter,
    /// Their bytes.
    pub rx_bytes: Counter,
    /// Frames that the switch itself made and sent towards this ENI.
    pub generated: Counter,
    /// Frames that the guest's ring took: service, generated and copies.
    pub tx_packets: Counter,
    /// Their bytes.
    pub tx_bytes: Counter,
    /// How many of them were copies.
    pub tx_copies: Counter,
    /// Service packets that left for another worker.
    pub crossed_out: Counter,
    /// Service packets of this ENI that arrived on the worker that counts here.
    pub crossed_in: Counter,
    /// Copies that left for another worker.
    pub copies_out: Counter,
    /// Copies of this ENI's packets that arrived on the worker that counts here.
    pub copies_in: Counter,
    /// Ring entries that the vhost library took and did not hand over.
    pub ring_rejected: Counter,
    /// Times a queue became stuck.
    pub ring_stuck: Counter,
    /// First fragments forgotten before their time, for want of room.
    pub fragment_evictions: Counter,
    /// Service packets dropped, seen from this ENI.
    pub drops: [ByReason; 2],
    /// Packets whose receiver was the switch.
    pub consumed: ByReason,
    /// As a mirror source: packets that the mirror stage looked at.
    pub seen: [Counter; 2],
    /// Packets that are never mirrored.
    pub excluded: [ByReason; 2],
    /// Packets that no rule of any session matched.
    pub unmatched: [Counter; 2],
    /// Packets that a drop rule ended.
    pub refused: [Counter; 2],
    /// Packets that an accept rule matched.
    pub matched: [Counter; 2],
}

/// What one worker counted for a session and one of its sources.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct RowBlock {
    /// Packets matched.
    pub matched: [Counter; 2],
    /// Copies that the target's ring took.
    pub sent: [Counter; 2],
    /// Their bytes, encapsulation included.
    pub bytes: [Counter; 2],
    /// Bytes kept of the IPv4 packets.
    pub inner_bytes: [Counter; 2],
    /// Copies cut by the session's PacketLength.
    pub cut_packet_length: [Counter; 2],
    /// Copies cut by the path MTU.
    pub cut_path_mtu: [Counter; 2],
    /// Matched packets without a copy.
    pub skips: [ByReason; 2],
}

/// A block for every worker.
#[derive(Debug)]
pub struct PerWorker<T>(Box<[T]>);

/// Counters of an ENI.
pub type EniCounters = PerWorker<EniBlock>;
/// Counters of a session and one of its sources.
pub type RowCounters = PerWorker<RowBlock>;

impl<T: Default> PerWorker<T> {
    /// Blocks for `workers` workers, at least one.
    #[must_use]
    pub fn new(workers: usize) -> Self {
        PerWorker((0..workers.max(1)).map(|_| T::default()).collect())
    }
}

impl<T> PerWorker<T> {
    /// The block of a worker; one that does not exist counts in the last.
    #[inline]
    #[must_use]
    pub fn of(&self, worker: usize) -> &T {
        &self.0[worker.min(self.0.len() - 1)]
    }

    /// Sum over the workers.
    pub fn sum(&self, read: impl Fn(&T) -> u64) -> u64 {
        self.0.iter().map(read).fold(0, u64::wrapping_add)
    }
}

impl EniCounters {
    /// Service packets under way to other workers.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.sum(|b| b.crossed_out.get()).saturating_sub(self.sum(|b| b.crossed_in.get()))
    }

    /// Copies under way to other workers.
    #[must_use]
    pub fn copies_in_flight(&self) -> u64 {
        self.sum(|b| b.copies_out.get()).saturating_sub(self.sum(|b| b.copies_in.get()))
    }

    /// Drops of one reason and direction.
    #[must_use]
    pub fn drops(&self, direction: Direction, reason: Reason) -> u64 {
        self.sum(|b| b.drops[direction.index()].get(reason))
    }
}
