//! Bursts of mbufs that are warm (in the first-level cache) or cold (a working set beyond the second level).

use std::collections::VecDeque;

use arrayvec::ArrayVec;
use vswitch::dpdk::eal::Eal;
use vswitch::dpdk::mbuf::Mbuf;
use vswitch::dpdk::mempool::{Mempool, SizeClass};
use vswitch::packet::BURST;

use super::BURST_SIZE;
use super::random::Random;
use super::world::World;

/// Whether a burst's frames were touched a moment ago.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Warmth {
    /// Written right before.
    Warm,
    /// All other frames of the working set were touched since.
    Cold,
}

impl Warmth {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Warmth::Warm => "warm",
            Warmth::Cold => "cold",
        }
    }
}

/// A burst of buffers.
pub(super) type Bufs = ArrayVec<Option<Mbuf>, BURST>;

/// A pool, and filled buffers that wait for their turn.
pub(super) struct Frames {
    /// Where frames and copies come from.
    pub pool: Mempool,
    waiting: VecDeque<Mbuf>,
    /// Frames of the working set: at least three lines each of what a stage touches, 64 bytes a line.
    cold: usize,
    /// Frames of 64 flows, all of one size.
    templates: (usize, Vec<Vec<u8>>),
    random: Random,
}

impl Frames {
    /// A pool for a working set of `cold` frames and their copies. Its name must be free.
    pub(super) fn new(eal: &'static Eal, name: &str, cold: usize) -> Result<Self, String> {
        let count = (cold + 4096) as u32;
        let pool = Mempool::new(eal, name, SizeClass::Std1500, count, 256)
            .map_err(|e| format!("no memory for {count} buffers: {e}"))?;
        Ok(Frames { pool, waiting: VecDeque::new(), cold, templates: (0, Vec::new()), random: Random::new(1) })
    }

    /// The next burst, its frames of `size` bytes.
    pub(super) fn next(&mut self, world: &World, warmth: Warmth, size: usize, into: &mut Bufs) -> Result<(), String> {
        if self.waiting.len() < BURST_SIZE {
            let count = if warmth == Warmth::Warm { BURST_SIZE } else { self.cold };
            self.fill(world, count, size)?;
        }
        into.clear();
        into.extend(self.waiting.drain(..BURST_SIZE.min(self.waiting.len())).map(Some));
        Ok(())
    }

    /// Forgets frames of another size.
    pub(super) fn empty(&mut self) {
        self.waiting.clear();
    }

    fn fill(&mut self, world: &World, count: usize, size: usize) -> Result<(), String> {
        if self.templates.0 != size {
            self.templates = (size, (0..64).map(|n| world.frame(n * 17, size)).collect());
        }
        let templates = &self.templates.1;
        let mut bufs = Vec::with_capacity(count);
        for n in 0..count {
            let mut buf = self.pool.alloc().map_err(|e| e.to_string())?;
            buf.append(&templates[n % templates.len()]).map_err(|e| e.to_string())?;
            bufs.push(buf);
        }
        // Buffers of a pool that has run for a while are in no order that a prefetcher knows.
        self.random.shuffle(&mut bufs);
        self.waiting.extend(bufs);
        Ok(())
    }
}
