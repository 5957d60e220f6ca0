//! A ring between two workers: one end sends, the other receives, by ownership.

use std::ffi::CString;
use std::ptr::NonNull;
use std::sync::Arc;

use arrayvec::ArrayVec;

use super::eal::Eal;
use super::last_error;
use super::mbuf::Mbuf;
use crate::packet::BURST;

/// A ring could not be made.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NoRing(String);

#[derive(Debug)]
struct Ring(NonNull<dpdk_sys::rte_ring>);

// SAFETY: the ring is single-producer, single-consumer; `RingTx` and `RingRx` are the only users, one of each.
unsafe impl Send for Ring {}
// SAFETY: as above.
unsafe impl Sync for Ring {}

impl Drop for Ring {
    fn drop(&mut self) {
        let mut left = ArrayVec::new();
        while receive(self.0, &mut left) > 0 {
            left.clear();
        }
        // SAFETY: both ends are gone, the ring is empty and was made by rte_ring_create.
        unsafe { dpdk_sys::rte_ring_free(self.0.as_ptr()) };
    }
}

/// The sending end.
#[derive(Debug)]
pub struct RingTx {
    ring: Arc<Ring>,
    capacity: usize,
}

/// The receiving end.
#[derive(Debug)]
pub struct RingRx(Arc<Ring>);

/// A ring for at least `size` packets, and its two ends.
///
/// # Errors
/// No memory, or the name is taken.
pub fn pair(_eal: &'static Eal, name: &str, size: u32) -> Result<(RingTx, RingRx), NoRing> {
    let name = CString::new(name).map_err(|_| NoRing("a ring's name holds a NUL byte".to_owned()))?;
    let flags = dpdk_sys::RING_F_SP_ENQ | dpdk_sys::RING_F_SC_DEQ;
    let size = (size + 1).next_power_of_two();
    // SAFETY: EAL runs; the name is a NUL-terminated string that DPDK copies; -1 is any memory node.
    let raw = unsafe { dpdk_sys::rte_ring_create(name.as_ptr(), size, -1, flags) };
    let ring = Arc::new(Ring(NonNull::new(raw).ok_or_else(|| NoRing(last_error()))?));
    // A ring is full when one place is left (rte_ring.h).
    Ok((RingTx { ring: ring.clone(), capacity: size as usize - 1 }, RingRx(ring)))
}

impl RingTx {
    /// Packets it holds at most.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    /// Packets there is room for; the other end may make more at any time.
    #[must_use]
    pub fn room(&self) -> usize {
        self.capacity.saturating_sub(count(self.ring.0))
    }

    /// Sends as many as there is room for; the rest stays in `batch`, in order.
    pub fn send(&mut self, batch: &mut ArrayVec<Mbuf, BURST>) -> usize {
        // SAFETY: an Mbuf is a pointer to an rte_mbuf (repr(transparent)), so the batch is an array of object
        // pointers; this is the only producer.
        let sent = unsafe {
            dpdk_sys::ds_ring_sp_enqueue_burst(self.ring.0.as_ptr(), batch.as_ptr().cast(), batch.len() as u32)
        } as usize;
        for mbuf in batch.drain(..sent.min(batch.len())) {
            // The ring owns it now.
            std::mem::forget(mbuf);
        }
        sent
    }
}

impl RingRx {
    /// Takes what is there, as far as `into` has room, and returns how many.
    pub fn receive(&mut self, into: &mut ArrayVec<Option<Mbuf>, BURST>) -> usize {
        receive(self.0.0, into)
    }

    /// Packets waiting.
    #[must_use]
    pub fn waiting(&self) -> usize {
        count(self.0.0)
    }
}

fn count(ring: NonNull<dpdk_sys::rte_ring>) -> usize {
    // SAFETY: both ends keep the ring valid; counting only reads.
    unsafe { dpdk_sys::ds_ring_count(ring.as_ptr()) as usize }
}

fn receive(ring: NonNull<dpdk_sys::rte_ring>, into: &mut ArrayVec<Option<Mbuf>, BURST>) -> usize {
    let room = into.remaining_capacity();
    let start = into.len();
    // SAFETY: an Option<Mbuf> is a pointer to an rte_mbuf or null; `room` of them fit behind `start`; the consumer is
    // the only one; the ring hands over mbufs that `send` forgot, each once, and exactly `taken` become elements.
    unsafe {
        let at = into.as_mut_ptr().add(start).cast();
        let taken = dpdk_sys::ds_ring_sc_dequeue_burst(ring.as_ptr(), at, room as u32) as usize;
        into.set_len(start + taken);
        taken
    }
}
