//! The atomics and memory orderings that [`publish`](super::publish) is written against.
//!
//! `tests/loom_publish.rs` compiles the same source against a twin of this module with loom's atomics, and with each of
//! the four orderings weakened in turn to show that none can be.

use std::sync::atomic::Ordering;
pub(super) use std::sync::atomic::{AtomicBool, AtomicU64};

/// Storing the flag that a publication has a successor: after everything written before it was published.
pub(super) const fn publish_store() -> Ordering {
    Ordering::Release
}

/// A reader's load of that flag: before it reads anything of the successor.
pub(super) const fn publish_load() -> Ordering {
    Ordering::Acquire
}

/// A reader's store of its epoch: after its last use of the older value.
pub(super) const fn ack_store() -> Ordering {
    Ordering::Release
}

/// The publisher's load of a reader's epoch: before it drops older values, or adds up what was counted under them.
pub(super) const fn ack_load() -> Ordering {
    Ordering::Acquire
}
