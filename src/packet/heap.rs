//! The heap twin of an mbuf: for unit tests, replay and oracles.

use std::sync::Arc;

use super::buf::{Meta, PacketBuf};

/// A frame in a `Vec`. Like an mbuf, it may share its bytes with copies: then nobody may write them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeapBuf {
    bytes: Vec<u8>,
    meta: Meta,
    /// Held by all that share the bytes.
    sharers: Arc<()>,
}

impl HeapBuf {
    /// A buffer with these bytes.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        HeapBuf { bytes: bytes.into(), ..HeapBuf::default() }
    }

    /// Says that this buffer's bytes are those of `other`, which holds for as long as both live.
    #[must_use]
    pub fn sharing_with(self, other: &HeapBuf) -> Self {
        HeapBuf { sharers: other.sharers.clone(), ..self }
    }

    /// Bytes of its own from now on.
    pub fn unshare(&mut self) {
        self.sharers = Arc::default();
    }

    /// The frame.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The frame, out of its buffer.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl PacketBuf for HeapBuf {
    fn len(&self) -> usize {
        self.bytes.len()
    }

    fn head(&self) -> &[u8] {
        &self.bytes
    }

    fn head_mut(&mut self) -> Option<&mut [u8]> {
        (Arc::strong_count(&self.sharers) == 1).then_some(&mut self.bytes)
    }

    fn meta(&self) -> Meta {
        self.meta
    }

    fn set_meta(&mut self, meta: Meta) {
        self.meta = meta;
    }
}
