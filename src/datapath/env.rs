//! What the datapath asks of the world around it.

use arrayvec::ArrayVec;

use crate::mirror::cut::Kept;
use crate::mirror::snapshot::Eni;
use crate::packet::{BURST, Direction, Exhausted, Headers, Lanes, PacketBuf, Reason};
use crate::wire::vxlan::OUTER;

/// A copy that keeps at most so many bytes has them all for itself; a longer one may share its original's, which makes
/// copying cheap and rewriting the original dear.
pub const FLAT_COPY: usize = 1024;

/// What an ENI's queues made of the frames they were offered. The buffers stay with the caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// No guest, or no enabled queue.
    Down,
    /// The guest has these lanes; there was no room for the others.
    Taken(Lanes),
}

/// What happened to one packet; told to [`Env::trace`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The service packet was dropped.
    Dropped(Reason),
    /// The switch was the receiver.
    Consumed(Reason),
    /// The guest has it.
    Delivered,
    /// Left for another worker.
    Crossed,
    /// Never a candidate for mirroring.
    Excluded(Direction, Reason),
    /// No rule matched.
    Unmatched(Direction),
    /// A drop rule matched.
    Refused {
        /// Slot of the mirror source.
        source: u32,
        /// Of the packet, seen from the source.
        direction: Direction,
        /// Index of the rule.
        rule: u16,
    },
    /// An accept rule matched.
    Matched {
        /// Slot of the mirror source.
        source: u32,
        /// Of the packet, seen from the source.
        direction: Direction,
        /// Row of the session.
        row: u16,
        /// Index of the rule.
        rule: u16,
        /// How much the copy holds.
        kept: Kept,
    },
    /// The matched packet's copy came to nothing.
    Skipped(Direction, Reason),
}

/// Queues, pools and rings, as one worker has them.
pub trait Env {
    /// The buffers it works with.
    type Buf: PacketBuf;

    /// Index of the worker that runs this.
    fn worker(&self) -> usize;

    /// Nanoseconds since some fixed point, read once a burst.
    fn now(&self) -> u64;

    /// Offers the frames of `lanes` to `to`'s queues, in order; frames of equal `hash` use the same queue.
    fn deliver(&mut self, to: &Eni, bufs: &[Option<Self::Buf>], lanes: Lanes, hash: impl Fn(usize) -> u64) -> Delivery;

    /// A copy: `outer`, then the first `keep` bytes of the frame in `source`.
    ///
    /// # Errors
    /// [`Exhausted`] when the pool is empty.
    fn copy(&mut self, source: &Self::Buf, outer: &[u8; OUTER], keep: usize) -> Result<Self::Buf, Exhausted>;

    /// A buffer with these bytes, for frames that the switch makes itself.
    ///
    /// # Errors
    /// [`Exhausted`] when the pool is empty.
    fn generate(&mut self, frame: &[u8]) -> Result<Self::Buf, Exhausted>;

    /// Gives `buf` bytes of its own when it shares them with a copy, so that it may be rewritten.
    ///
    /// # Errors
    /// [`Exhausted`] when the pool is empty.
    fn unshare(&mut self, buf: &mut Self::Buf) -> Result<(), Exhausted>;

    /// Copies that may go to another worker now: they leave half of the ring to service packets.
    fn room_for_copies(&self, worker: usize) -> usize;

    /// Sends buffers to another worker, as far as the ring has room; the rest stays in `batch`, in order.
    fn cross(&mut self, worker: usize, batch: &mut ArrayVec<Self::Buf, BURST>);

    /// Does an ENI of this worker send more than its share of a saturated worker, so that copies of its packets may be
    /// given up?
    #[inline]
    fn is_over(&self, _sender: &Eni) -> bool {
        false
    }

    /// The same for an ENI of another worker, by what it has under way of its credit.
    #[inline]
    fn is_over_on_ring(&mut self, _under_way: impl FnOnce() -> u64, _credit: u64) -> bool {
        false
    }

    /// Is the next copy given up? Asked for packets whose sender is over its share.
    #[inline]
    fn gives_up(&mut self) -> bool {
        false
    }

    /// Security's judgement. Everything passes until security groups have their issue; tests put a stage here.
    #[inline]
    fn admits(&mut self, _eni: &Eni, _direction: Direction, _headers: &Headers) -> bool {
        true
    }

    /// Told what became of a lane; the switch itself does not listen.
    #[inline]
    fn trace(&mut self, _lane: usize, _verdict: Verdict) {}
}

/// Counts a dropped service packet of `eni` and tells the tracer.
#[inline]
pub(super) fn drop_packet<E: Env>(env: &mut E, eni: &Eni, direction: Direction, lane: usize, reason: Reason) {
    eni.counters.of(env.worker()).drops[direction.index()].add(reason, 1);
    env.trace(lane, Verdict::Dropped(reason));
}
