//! An owned packet buffer, of one or more segments.
//!
//! The per-packet inlines of DPDK are written again over the fields, whose places `dpdk-sys` asserts at compile time.

use std::ptr::NonNull;

use arrayvec::ArrayVec;
use dpdk_sys::rte_mbuf;

use super::mempool::Mempool;
use crate::packet::{BURST, Exhausted};

/// Bytes beside each buffer for what travels with the packet.
pub const META: usize = 64;
/// The mbuf's bytes belong to another one (`RTE_MBUF_F_INDIRECT`), or to nobody in DPDK (`RTE_MBUF_F_EXTERNAL`).
const NOT_OWN: u64 = 1 << 62 | 1 << 61;

/// The bytes are shared with another buffer: they may be read only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the buffer's bytes are shared")]
pub struct Shared;

/// No room left in the segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no room in the buffer")]
pub struct NoRoom;

/// A packet buffer with exactly one owner. Dropping it frees all its segments.
#[derive(Debug)]
#[repr(transparent)]
pub struct Mbuf(NonNull<rte_mbuf>);

// SAFETY: an mbuf is plain memory with one owner; its pool is made for use from several threads.
unsafe impl Send for Mbuf {}

impl Drop for Mbuf {
    fn drop(&mut self) {
        // SAFETY: this is the only owner; the chain is valid.
        unsafe { dpdk_sys::ds_pktmbuf_free(self.0.as_ptr()) };
    }
}

impl Mbuf {
    /// Takes ownership of a chain that nobody else owns.
    pub(super) const fn from_raw(raw: NonNull<rte_mbuf>) -> Self {
        Mbuf(raw)
    }

    /// Gives ownership away.
    pub(super) const fn into_raw(self) -> NonNull<rte_mbuf> {
        let raw = self.0;
        std::mem::forget(self);
        raw
    }

    /// For calls that only read.
    #[inline]
    pub(super) const fn as_ptr(&self) -> *mut rte_mbuf {
        self.0.as_ptr()
    }

    #[inline]
    const fn raw(&self) -> &rte_mbuf {
        // SAFETY: the owner's mbuf is valid; fields that others change (the refcnt) are not read through this.
        unsafe { self.0.as_ref() }
    }

    /// Frame length over all segments, bytes.
    #[inline]
    #[must_use]
    pub const fn len(&self) -> usize {
        self.raw().pkt_len as usize
    }

    /// No bytes.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of segments, at least one.
    #[must_use]
    pub const fn segment_count(&self) -> usize {
        self.raw().nb_segs as usize
    }

    /// The first segment's bytes.
    #[inline]
    #[must_use]
    pub const fn head(&self) -> &[u8] {
        segment_bytes(self.raw())
    }

    /// All segments' bytes, in order.
    pub fn segments(&self) -> impl Iterator<Item = &[u8]> {
        let mut next = Some(self.raw());
        std::iter::from_fn(move || {
            let segment = next?;
            // SAFETY: `next` of an owned chain is null or a valid segment of the same chain.
            next = unsafe { segment.next.as_ref() };
            Some(segment_bytes(segment))
        })
    }

    /// The first segment's bytes for writing.
    ///
    /// # Errors
    /// [`Shared`] when a clone looks at the same bytes, or this is one.
    #[inline]
    pub fn data_mut(&mut self) -> Result<&mut [u8], Shared> {
        if !self.is_exclusive() {
            return Err(Shared);
        }
        let raw = self.raw();
        let (at, len) = (data_start(raw), raw.data_len as usize);
        // SAFETY: the segment's bytes are inside its buffer, and exclusive: refcnt is 1 and the buffer is its own.
        Ok(unsafe { std::slice::from_raw_parts_mut(at, len) })
    }

    /// Bytes put before the first segment's, zeroed by nobody: the caller writes all `n`.
    ///
    /// # Errors
    /// [`PrependError`].
    pub fn prepend(&mut self, n: u16) -> Result<&mut [u8], PrependError> {
        if !self.is_exclusive() {
            return Err(PrependError::Shared);
        }
        // SAFETY: exclusive owner.
        let raw = unsafe { self.0.as_mut() };
        raw.data_off = raw.data_off.checked_sub(n).ok_or(PrependError::NoRoom)?;
        raw.data_len += n;
        raw.pkt_len += u32::from(n);
        let at = data_start(raw);
        // SAFETY: the new bytes lie between the buffer's start and the old data, in exclusive memory.
        Ok(unsafe { std::slice::from_raw_parts_mut(at, n as usize) })
    }

    /// Appends bytes to a single-segment buffer.
    ///
    /// # Errors
    /// [`NoRoom`] when they do not fit, or the buffer is shared or has several segments.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), NoRoom> {
        let tail = self.tail(bytes.len()).ok_or(NoRoom)?;
        tail.copy_from_slice(bytes);
        Ok(())
    }

    /// Makes a single-segment buffer longer by `n` bytes and returns them.
    #[inline]
    fn tail(&mut self, n: usize) -> Option<&mut [u8]> {
        if !self.is_exclusive() || self.raw().nb_segs != 1 {
            return None;
        }
        // SAFETY: exclusive owner.
        let raw = unsafe { self.0.as_mut() };
        let used = raw.data_off as usize + raw.data_len as usize;
        if n > (raw.buf_len as usize).saturating_sub(used) {
            return None;
        }
        // SAFETY: `used` is inside the buffer.
        let at = unsafe { raw.buf_addr.cast::<u8>().add(used) };
        raw.data_len += n as u16;
        raw.pkt_len += n as u32;
        // SAFETY: `n` bytes from `used` are inside the buffer, in exclusive memory.
        Some(unsafe { std::slice::from_raw_parts_mut(at, n) })
    }

    /// Cuts the frame to `len` bytes; segments that hold none of them are freed. A shorter frame stays as it is.
    pub fn truncate(&mut self, len: usize) {
        if len >= self.len() {
            return;
        }
        let mut left = len;
        let mut segments = 1;
        let mut at = self.0;
        loop {
            // SAFETY: a valid segment of this owner's chain; lengths belong to the segment itself, not to shared bytes.
            let segment = unsafe { at.as_mut() };
            segment.data_len = segment.data_len.min(left as u16);
            left -= segment.data_len as usize;
            let next = NonNull::new(segment.next);
            match next {
                Some(next) if left > 0 => {
                    at = next;
                    segments += 1;
                }
                rest => {
                    segment.next = std::ptr::null_mut();
                    if let Some(rest) = rest {
                        drop(Mbuf(rest));
                    }
                    break;
                }
            }
        }
        // SAFETY: exclusive owner of the first segment's own fields.
        let raw = unsafe { self.0.as_mut() };
        raw.pkt_len = len as u32;
        raw.nb_segs = segments;
    }

    /// What travels with the packet: the first segment's private area.
    #[inline]
    #[must_use]
    pub const fn meta(&self) -> &[u8; META] {
        // SAFETY: all pools are made with META bytes of private area right behind the mbuf.
        unsafe { self.0.add(1).cast::<[u8; META]>().as_ref() }
    }

    /// The private area for writing.
    #[inline]
    pub const fn meta_mut(&mut self) -> &mut [u8; META] {
        // SAFETY: as in `meta`; the owner is exclusive, and a clone has a private area of its own.
        unsafe { self.0.add(1).cast::<[u8; META]>().as_mut() }
    }

    #[inline]
    fn is_exclusive(&self) -> bool {
        let raw = self.raw();
        // SAFETY: refcnt is a u16 that DPDK changes atomically.
        let references = unsafe {
            std::sync::atomic::AtomicU16::from_ptr((&raw const raw.refcnt).cast_mut())
                .load(std::sync::atomic::Ordering::Acquire)
        };
        references == 1 && raw.ol_flags & NOT_OWN == 0
    }
}

/// Why nothing was prepended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrependError {
    /// A clone looks at the same bytes.
    #[error("the buffer's bytes are shared")]
    Shared,
    /// The headroom is used up.
    #[error("no headroom in the buffer")]
    NoRoom,
}

#[inline]
const fn data_start(raw: &rte_mbuf) -> *mut u8 {
    // SAFETY: data_off is inside the buffer by DPDK's invariant.
    unsafe { raw.buf_addr.cast::<u8>().add(raw.data_off as usize) }
}

#[inline]
const fn segment_bytes(raw: &rte_mbuf) -> &[u8] {
    // SAFETY: the segment's bytes are initialised and inside its buffer; whoever shares them only reads.
    unsafe { std::slice::from_raw_parts(data_start(raw), raw.data_len as usize) }
}

/// One buffer with `header` and the first `keep` bytes of `source`.
///
/// # Errors
/// [`Exhausted`], also when the pool's buffers are too small.
#[inline]
pub fn flat_copy(source: &Mbuf, keep: usize, header: &[u8], pool: &Mempool) -> Result<Mbuf, Exhausted> {
    let mut copy = pool.alloc()?;
    let keep = keep.min(source.len());
    let room = copy.tail(header.len() + keep).ok_or(Exhausted)?;
    let (front, mut rest) = room.split_at_mut(header.len());
    front.copy_from_slice(header);
    for segment in source.segments() {
        let n = segment.len().min(rest.len());
        let (now, later) = rest.split_at_mut(n);
        now.copy_from_slice(&segment[..n]);
        rest = later;
        if rest.is_empty() {
            break;
        }
    }
    Ok(copy)
}

/// Another view of a buffer's bytes: it can be cut and put behind a header, never written.
#[derive(Debug)]
pub struct ClonedBody(Mbuf);

/// A clone of the first `keep` bytes of `source`; its descriptors come from `pool`.
///
/// # Errors
/// [`Exhausted`].
pub fn clone_body(source: &Mbuf, keep: usize, pool: &Mempool) -> Result<ClonedBody, Exhausted> {
    // SAFETY: source is valid and stays so: the clone counts as a reference on its buffers.
    let raw = unsafe { dpdk_sys::rte_pktmbuf_clone(source.0.as_ptr(), pool.as_ptr()) };
    let mut body = Mbuf(NonNull::new(raw).ok_or(Exhausted)?);
    body.truncate(keep);
    Ok(ClonedBody(body))
}

/// A packet: `header` in a buffer of its own, `body` behind it.
///
/// # Errors
/// [`Exhausted`].
pub fn headed(body: ClonedBody, header: &[u8], pool: &Mempool) -> Result<Mbuf, Exhausted> {
    let mut head = pool.alloc()?;
    head.append(header).map_err(|_| Exhausted)?;
    let body = body.0.into_raw();
    // SAFETY: both chains are valid and owned here; afterwards the head owns the body.
    unsafe {
        let (first, rest) = (head.0.as_mut(), body.as_ref());
        first.nb_segs += rest.nb_segs;
        first.pkt_len += rest.pkt_len;
        first.next = body.as_ptr();
    }
    Ok(head)
}

/// Frees all buffers of a burst in one call; lanes that were given away are skipped.
#[inline]
pub fn free_bulk(bufs: &mut ArrayVec<Option<Mbuf>, BURST>) {
    // SAFETY: an Option<Mbuf> is a pointer or null, and rte_pktmbuf_free_bulk skips nulls. The vector forgets its
    // elements first, so each buffer is freed once.
    unsafe {
        let count = bufs.len() as u32;
        bufs.set_len(0);
        dpdk_sys::rte_pktmbuf_free_bulk(bufs.as_mut_ptr().cast(), count);
    }
}
