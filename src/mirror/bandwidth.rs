//! Bandwidth: the two-bucket rule (design, section 4).
//!
//! A limit is a rate L and a depth B. Service packets are judged by a bucket (L, B) of their own, exactly as if no
//! session existed. Every byte, service's and copies', also debits a common bucket (L, B). Service may drive that one
//! down to −B; a copy needs it to hold the whole copy.
//!
//! Therefore no window of t seconds sees more than L·t + 2B. What passes in a window is at most L·t plus what the common
//! bucket falls in it, and the common bucket lies between B and −B: right after a copy it is not below 0 while service
//! has at most B; from then on both earn and lose the same, until service's is full, which only brings them closer.
//!
//! Levels are whole numbers of billionths of a bit, so that a nanosecond at one bit a second earns exactly one: nothing
//! is rounded, and nothing drifts.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

/// A byte in a level's unit.
const BYTE: i64 = 8_000_000_000;
/// The highest rate in bits a second.
pub const MAX_BPS: u64 = 400_000_000_000;
/// The smallest depth in bytes: two of the largest frames, or a jumbo frame would leave nothing for its copy.
pub const MIN_BURST: u64 = 2 * 8514;
/// The largest depth in bytes; more than 5 ms of the highest rate.
pub const MAX_BURST: u64 = 1 << 28;
/// A default depth is the rate's bytes of 5 ms: so many make a second.
const DEPTHS_A_SECOND: u64 = 200;

/// A limit as the platform gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bandwidth {
    /// Bits a second of whole frames, encapsulation included.
    pub bps: u64,
    /// Depth of the buckets in bytes.
    pub burst: u64,
}

impl Bandwidth {
    /// A rate with a depth, or with the default one: 5 ms of the rate, but not less than two of the largest frames.
    #[must_use]
    pub fn new(bps: u64, burst: Option<u64>) -> Self {
        Bandwidth { bps, burst: burst.unwrap_or_else(|| (bps / 8 / DEPTHS_A_SECOND).max(MIN_BURST)) }
    }
}

/// How full an instance's two buckets are. The worker that owns the instance's ENIs is the only writer; the levels
/// survive snapshots, which bring only their limits.
#[derive(Debug)]
#[repr(align(128))]
pub struct Bucket {
    service: AtomicI64,
    common: AtomicI64,
    at: AtomicU64,
}

impl Default for Bucket {
    /// Full, whatever its depth.
    fn default() -> Self {
        Bucket { service: AtomicI64::new(i64::MAX), common: AtomicI64::new(i64::MAX), at: AtomicU64::new(0) }
    }
}

impl Bucket {
    /// Another bucket that is as full as this one, for another writer.
    #[must_use]
    pub fn twin(&self) -> Self {
        let [service, common] = [&self.service, &self.common].map(|level| AtomicI64::new(level.load(Relaxed)));
        Bucket { service, common, at: AtomicU64::new(self.at.load(Relaxed)) }
    }
}

/// A limit as a worker reads it.
#[derive(Debug)]
pub struct Limit {
    rate: u64,
    depth: i64,
    bucket: Arc<Bucket>,
}

/// The levels of both buckets for the length of a burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Levels {
    service: i64,
    common: i64,
    at: u64,
}

impl Limit {
    /// A limit over a bucket. Figures beyond what the arithmetic holds count as the largest that it does.
    #[must_use]
    pub fn new(bandwidth: Bandwidth, bucket: Arc<Bucket>) -> Self {
        let depth = bandwidth.burst.clamp(MIN_BURST, MAX_BURST).cast_signed() * BYTE;
        Limit { rate: bandwidth.bps.min(MAX_BPS), depth, bucket }
    }

    /// The levels at a time in nanoseconds. A clock that stands still or goes back earns nothing.
    #[inline]
    #[must_use]
    pub fn levels(&self, now: u64) -> Levels {
        let bucket = &*self.bucket;
        let before = bucket.at.load(Relaxed);
        // Twice the depth fills any bucket.
        let most = 2 * self.depth.cast_unsigned();
        let earned = now.saturating_sub(before).saturating_mul(self.rate).min(most).cast_signed();
        let filled = |level: &AtomicI64| level.load(Relaxed).saturating_add(earned).min(self.depth);
        let service = filled(&bucket.service);
        // Less than this the common bucket only has after a reload that made it less deep.
        let common = filled(&bucket.common).max(service - self.depth);
        Levels { service, common, at: now.max(before) }
    }

    /// Remembers what is left at the end of a burst.
    #[inline]
    pub fn keep(&self, left: Levels) {
        self.bucket.service.store(left.service, Relaxed);
        self.bucket.common.store(left.common, Relaxed);
        self.bucket.at.store(left.at, Relaxed);
    }

    /// Is there enough for a copy of so many bytes?
    #[inline]
    #[must_use]
    pub fn affords(&self, now: u64, bytes: usize) -> bool {
        self.levels(now).common >= cost(bytes)
    }

    /// Pays for a copy.
    #[inline]
    pub fn copied(&self, now: u64, bytes: usize) {
        let mut levels = self.levels(now);
        levels.common -= cost(bytes);
        self.keep(levels);
    }
}

impl Levels {
    /// May a service packet of so many bytes pass? If so, it is paid for.
    #[inline]
    pub fn service(&mut self, bytes: usize) -> bool {
        let cost = cost(bytes);
        let passes = self.service >= cost;
        if passes {
            self.service -= cost;
            self.common -= cost;
        }
        passes
    }
}

/// What a frame costs; no frame has 2²⁴ bytes, and so none overflows.
#[inline]
const fn cost(bytes: usize) -> i64 {
    (bytes & 0xff_ffff) as i64 * BYTE
}
