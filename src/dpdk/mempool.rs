//! Pools of packet buffers, one a worker and size class. A pool lives as long as the process: buffers may be in a
//! guest's, a ring's or another worker's hands at any time.

use std::ffi::CString;
use std::ptr::NonNull;

use super::eal::Eal;
use super::last_error;
use super::mbuf::{META, Mbuf};
use crate::packet::Exhausted;

/// Room before the frame: the outer headers of a copy fit.
const HEADROOM: usize = dpdk_sys::RTE_PKTMBUF_HEADROOM as usize;

/// What a pool's buffers hold in one piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SizeClass {
    /// Frames of MTU 1500, with room for frames that are somewhat too long, so that the switch itself refuses them.
    Std1500,
    /// Frames of MTU 8500.
    Jumbo8500,
}

impl SizeClass {
    /// Bytes of a frame that fit.
    #[must_use]
    pub const fn room(self) -> usize {
        match self {
            SizeClass::Std1500 => 2048,
            SizeClass::Jumbo8500 => 9216,
        }
    }

    /// Memory that a pool of `count` buffers takes, bytes: for each buffer DPDK's object header, the mbuf, our own part
    /// of it, headroom, room and spreading over memory channels; and the caches of all lcores. DPDK lets no buffer lie
    /// across two pages of `page` bytes unless it is longer than one, and then counts whole pages.
    #[must_use]
    pub const fn memory(self, count: u32, page: usize) -> usize {
        const LINE: usize = 64;
        const CACHES: usize = 2 << 20;
        let buffer = LINE + size_of::<dpdk_sys::rte_mbuf>() + META + HEADROOM + self.room() + LINE;
        let buffers = match page / buffer {
            0 => count as usize * buffer.next_multiple_of(page),
            n => (count as usize).div_ceil(n) * page,
        };
        // The pool's own ring holds a pointer a buffer, in a power of two.
        buffers + (count as usize + 1).next_power_of_two() * size_of::<usize>() + CACHES
    }
}

/// A pool could not be made.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct NoPool(String);

/// A pool of buffers.
#[derive(Debug)]
pub struct Mempool {
    raw: NonNull<dpdk_sys::rte_mempool>,
}

// SAFETY: rte_mempool is made for concurrent use: threads with an lcore id use their own cache, others the shared ring.
unsafe impl Send for Mempool {}
// SAFETY: as above.
unsafe impl Sync for Mempool {}

impl Mempool {
    /// A pool of `count` buffers, of which each lcore may keep `cache` for itself.
    ///
    /// # Errors
    /// No memory, or the name is taken.
    pub fn new(_eal: &'static Eal, name: &str, class: SizeClass, count: u32, cache: u32) -> Result<Self, NoPool> {
        let name = CString::new(name).map_err(|_| NoPool("a pool's name holds a NUL byte".to_owned()))?;
        let room = (HEADROOM + class.room()) as u16;
        // SAFETY: EAL runs; the name is a NUL-terminated string that DPDK copies.
        let raw = unsafe {
            dpdk_sys::rte_pktmbuf_pool_create(name.as_ptr(), count, cache.min(count / 2), META as u16, room, 0)
        };
        NonNull::new(raw).map(|raw| Mempool { raw }).ok_or_else(|| NoPool(last_error()))
    }

    pub(super) const fn as_ptr(&self) -> *mut dpdk_sys::rte_mempool {
        self.raw.as_ptr()
    }

    /// An empty buffer.
    ///
    /// # Errors
    /// [`Exhausted`]: an ordinary value.
    #[inline]
    pub fn alloc(&self) -> Result<Mbuf, Exhausted> {
        // SAFETY: the pool is valid; the result is null or a fresh mbuf that nobody else owns.
        let raw = unsafe { dpdk_sys::ds_pktmbuf_alloc(self.as_ptr()) };
        NonNull::new(raw).map(Mbuf::from_raw).ok_or(Exhausted)
    }

    /// Buffers that can be had, caches included.
    #[must_use]
    pub fn available(&self) -> u32 {
        // SAFETY: the pool is valid.
        unsafe { dpdk_sys::rte_mempool_avail_count(self.as_ptr()) }
    }

    /// Buffers in somebody's hands.
    #[must_use]
    pub fn in_use(&self) -> u32 {
        // SAFETY: the pool is valid.
        unsafe { dpdk_sys::rte_mempool_in_use_count(self.as_ptr()) }
    }
}
