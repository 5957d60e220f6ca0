//! How the vhost thread knows that a worker has left a guest: the worker counts its turns.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

/// A worker's turn counter. The worker is its only writer.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Turn {
    count: AtomicU64,
    running: AtomicBool,
}

impl Turn {
    /// The worker begins or ends its loop.
    pub fn set_running(&self, running: bool) {
        self.running.store(running, SeqCst);
    }

    /// The worker begins a turn. Sequentially consistent with the loads of device ids that follow: a turn that begins
    /// after [`Turn::wait_for_next`] looked sees the device as gone.
    #[inline]
    pub fn begin(&self) {
        self.count.store(self.count.load(SeqCst).wrapping_add(1), SeqCst);
    }

    /// Turns begun so far.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count.load(SeqCst)
    }

    /// Waits until the worker has begun another turn or has stopped; `false` when it did neither for `patience`.
    #[must_use]
    pub fn wait_for_next(&self, patience: Duration) -> bool {
        let seen = self.count.load(SeqCst);
        let deadline = Instant::now() + patience;
        while self.running.load(SeqCst) && self.count.load(SeqCst) == seen {
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(Duration::from_micros(20));
        }
        true
    }
}
