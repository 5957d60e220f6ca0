//! What the ports of the run under way have done: written by the generator's thread, read by the prompt.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::engine::{Engine, PortCounts};

static SENT: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];
static ARRIVED: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];
static COPIES: AtomicU64 = AtomicU64::new(0);

/// Shows an engine's counts.
#[inline]
pub(super) fn publish(engine: &Engine) {
    let counts = engine.port_counts();
    for port in 0..2 {
        SENT[port].store(counts.sent[port], Relaxed);
        ARRIVED[port].store(counts.arrived[port], Relaxed);
    }
    COPIES.store(counts.copies, Relaxed);
}

/// Counts of the run under way, or of the last one.
#[must_use]
pub fn port_counts() -> PortCounts {
    PortCounts {
        sent: [SENT[0].load(Relaxed), SENT[1].load(Relaxed)],
        arrived: [ARRIVED[0].load(Relaxed), ARRIVED[1].load(Relaxed)],
        copies: COPIES.load(Relaxed),
    }
}
