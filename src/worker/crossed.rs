//! What comes over a ring from another worker, and the snapshot it is judged by.
//!
//! A packet names ENIs and sessions by slot and generation; the receiver looks up their counters in its own snapshot.
//! Workers take a new snapshot one after the other, so a packet may name what an older snapshot does not know: then
//! nobody would ever count its arrival, nor give its credit back. Hence the order here: first the packets are taken off
//! the ring, then the newest snapshot is taken, and only then the packets are looked at. That suffices. The sender had
//! seen its snapshot published before it put the packet on the ring; a ring orders what its sender did before what its
//! receiver does after (it stores its tail with release and loads it with acquire); so whoever took the packet sees
//! that publication too. `tests/loom_publish.rs` has the interleavings.
//!
//! The other way round, a packet may name what is gone from the receiver's newer snapshot. It is counted with what is
//! gone: `Snapshot::departed` and `departed_rows`, which stand for no ENI and no session.

use arrayvec::ArrayVec;

use crate::mirror::publish::Reader;
use crate::packet::BURST;

/// Takes what `receive` finds on a ring into `bufs`, and afterwards the newest published value: how many came, and what
/// they are judged by. `None` when nothing came.
#[inline]
pub fn take<'a, B, T>(
    bufs: &mut ArrayVec<Option<B>, BURST>,
    receive: impl FnOnce(&mut ArrayVec<Option<B>, BURST>) -> usize,
    reader: &'a mut Reader<T>,
) -> Option<(usize, &'a T)> {
    match receive(bufs) {
        0 => None,
        came => Some((came, reader.current())),
    }
}
