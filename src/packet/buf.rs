//! The buffer that the datapath is generic over: DPDK's mbuf in the switch, a heap twin in tests and replay.

use arrayvec::ArrayVec;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::burst::BURST;

/// A buffer pool has nothing left. An ordinary outcome, counted as `no_buffer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the buffer pool is exhausted")]
pub struct Exhausted;

/// What travels with a packet across a ring to another worker. Plain bytes, kept beside the packet's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub struct Meta {
    /// Slot of the ENI that shall get the packet.
    pub to: u32,
    /// Generation of that slot when the packet was sent.
    pub to_generation: u32,
    /// Slot of the ENI that the packet came from.
    pub from: u32,
    /// Generation of that slot.
    pub from_generation: u32,
    /// For a copy: slot of its session-and-source row.
    pub row: u32,
    /// Generation of that slot.
    pub row_generation: u32,
    /// For a copy: bytes kept of the IPv4 packet.
    pub kept: u16,
    /// 1 for a copy, 0 for a service packet.
    pub copy: u8,
    /// For a copy: direction of the original, 0 outbound, 1 inbound.
    pub direction: u8,
    /// For a copy: what made it shorter than its original, as [`CutCause::code`](crate::mirror::cut::CutCause::code).
    pub cut: u8,
    /// No meaning; the struct has no hidden bytes.
    pub padding: [u8; 3],
}

/// An owned packet buffer. The bytes start with the destination MAC.
pub trait PacketBuf: Sized {
    /// Frame length in bytes, over all segments.
    fn len(&self) -> usize;

    /// No bytes at all.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first segment. Linear buffers hold the whole frame in it.
    fn head(&self) -> &[u8];

    /// The first segment for writing; `None` when the bytes are shared with another buffer.
    fn head_mut(&mut self) -> Option<&mut [u8]>;

    /// What travels with the packet.
    fn meta(&self) -> Meta;

    /// Sets what travels with the packet.
    fn set_meta(&mut self, meta: Meta);

    /// Frees what is left of a burst, in bulk where the buffer can.
    fn free_all(bufs: &mut ArrayVec<Option<Self>, BURST>) {
        bufs.clear();
    }
}
