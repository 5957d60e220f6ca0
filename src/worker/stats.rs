//! A worker's own figures.

use super::load::Load;
use crate::metrics::counters::{Counter, Gauge};

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
    /// Windows of saturation.
    pub saturated_windows: Counter,
    /// Share of the copies given up at the moment, of senders over their share, in 64ths.
    pub given_up: Gauge,
}

impl WorkerStats {
    /// A window ended.
    #[cold]
    pub fn window(&self, load: &Load) {
        self.saturated_windows.add(load.saturated() - self.saturated_windows.get());
        self.given_up.set(load.steps().into());
    }

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
