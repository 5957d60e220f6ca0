//! The heap twin of an mbuf: for unit tests, replay and oracles.

use super::buf::{Meta, PacketBuf};

/// A frame in a `Vec`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeapBuf {
    bytes: Vec<u8>,
    meta: Meta,
}

impl HeapBuf {
    /// A buffer with these bytes.
    #[must_use]
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        HeapBuf { bytes: bytes.into(), meta: Meta::default() }
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
        Some(&mut self.bytes)
    }

    fn meta(&self) -> Meta {
        self.meta
    }

    fn set_meta(&mut self, meta: Meta) {
        self.meta = meta;
    }
}
