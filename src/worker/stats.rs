//! A worker's own figures.

use crate::metrics::counters::Counter;

/// What a worker counts about itself; it is the only writer.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct WorkerStats {
    /// TSC cycles of turns that moved packets.
    pub busy_cycles: Counter,
    /// TSC cycles of turns that moved none.
    pub idle_cycles: Counter,
    /// Packets taken from queues and rings.
    pub packets: Counter,
}

impl WorkerStats {
    /// A turn moved `packets` packets in `cycles` cycles.
    #[inline]
    pub fn turn(&self, packets: u64, cycles: u64) {
        if packets == 0 {
            self.idle_cycles.add(cycles);
        } else {
            self.busy_cycles.add(cycles);
            self.packets.add(packets);
        }
    }
}
