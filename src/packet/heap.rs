//! The heap twin of an mbuf: for unit tests, replay and oracles.

use std::sync::Arc;

use super::buf::{Meta, PacketBuf};

/// A frame in a `Vec`, or in several. Like an mbuf, it may share its bytes with copies: then nobody may write them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeapBuf {
    /// The first segment.
    bytes: Vec<u8>,
    /// Further segments.
    rest: Vec<Vec<u8>>,
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

    /// A buffer of several segments.
    #[must_use]
    pub fn chained(segments: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let mut segments = segments.into_iter();
        let bytes = segments.next().unwrap_or_default();
        HeapBuf { bytes, rest: segments.collect(), ..HeapBuf::default() }
    }

    /// All segments' bytes, in order.
    pub fn segments(&self) -> impl Iterator<Item = &[u8]> {
        std::iter::once(&self.bytes).chain(&self.rest).map(Vec::as_slice)
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

    /// The frame, if the buffer is linear; otherwise its first segment.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The whole frame, out of its buffer.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        let mut bytes = self.bytes;
        self.rest.iter().for_each(|segment| bytes.extend_from_slice(segment));
        bytes
    }
}

impl PacketBuf for HeapBuf {
    fn len(&self) -> usize {
        self.segments().map(<[u8]>::len).sum()
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
