//! How the vhost thread knows that a worker has left a guest: the worker counts its turns.

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use crate::dpdk::lcore::{self, ThreadId};

/// A worker's turn counter. The worker is its only writer.
#[derive(Debug, Default)]
#[repr(align(128))]
pub struct Turn {
    count: AtomicU64,
    running: AtomicBool,
    thread: AtomicI32,
}

impl Turn {
    /// The worker begins its loop, on the current thread.
    pub fn start(&self) {
        self.thread.store(lcore::interruptible().0, SeqCst);
        self.running.store(true, SeqCst);
    }

    /// The worker ended its loop.
    pub fn end(&self) {
        self.running.store(false, SeqCst);
    }

    /// Gets the worker out of a system call: the library writes to a descriptor that the guest's VMM handed over, and
    /// a hostile VMM makes that wait.
    pub fn interrupt(&self) {
        if self.running.load(SeqCst) {
            lcore::interrupt(ThreadId(self.thread.load(SeqCst)));
        }
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
