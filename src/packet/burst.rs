//! A burst: up to 64 packets side by side, and which of them are still on their way.

use arrayvec::ArrayVec;

use super::buf::PacketBuf;
use super::headers::Headers;

/// Packets in a burst at most: one bit each in a [`Lanes`].
pub const BURST: usize = 64;

/// A set of places in a burst.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lanes(pub u64);

impl Lanes {
    /// No lane.
    pub const NONE: Lanes = Lanes(0);

    /// The first `n` lanes, `n` at most 64.
    #[must_use]
    pub const fn first_n(n: usize) -> Lanes {
        if n >= BURST { Lanes(u64::MAX) } else { Lanes((1 << n) - 1) }
    }

    /// Only this lane.
    #[must_use]
    pub const fn one(lane: usize) -> Lanes {
        Lanes(1 << lane)
    }

    /// How many.
    #[must_use]
    pub const fn count(self) -> u32 {
        self.0.count_ones()
    }

    /// None.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Is this lane in?
    #[must_use]
    pub const fn contains(self, lane: usize) -> bool {
        self.0 >> lane & 1 == 1
    }

    /// Adds a lane.
    pub const fn insert(&mut self, lane: usize) {
        self.0 |= 1 << lane;
    }

    /// Takes a lane out.
    pub const fn remove(&mut self, lane: usize) {
        self.0 &= !(1 << lane);
    }

    /// Lanes here that are not in `other`.
    #[must_use]
    pub const fn without(self, other: Lanes) -> Lanes {
        Lanes(self.0 & !other.0)
    }

    /// The lowest lane.
    #[must_use]
    pub const fn first(self) -> Option<usize> {
        if self.0 == 0 { None } else { Some(self.0.trailing_zeros() as usize) }
    }
}

impl Iterator for Lanes {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        let lane = self.first()?;
        self.0 &= self.0 - 1;
        Some(lane)
    }
}

/// Packets side by side: buffers, their headers, and where they go.
pub struct Burst<B> {
    /// The buffers; a lane that was given away is `None`.
    pub bufs: ArrayVec<Option<B>, BURST>,
    /// Headers of the lanes that passed admission.
    pub headers: [Headers; BURST],
    /// Slot of the receiving ENI, for lanes that were routed.
    pub to: [u32; BURST],
    /// Lanes still on their way.
    pub live: Lanes,
    /// Lanes whose headers say that they are fragments.
    pub fragments: Lanes,
    /// Lanes whose senders are over their share of a saturated worker.
    pub over: Lanes,
}

impl<B: PacketBuf> Default for Burst<B> {
    fn default() -> Self {
        Burst {
            bufs: ArrayVec::new(),
            headers: [Headers::default(); BURST],
            to: [0; BURST],
            live: Lanes::NONE,
            fragments: Lanes::NONE,
            over: Lanes::NONE,
        }
    }
}

impl<B: PacketBuf> Burst<B> {
    /// All buffers are on their way.
    pub fn start(&mut self) {
        self.live = Lanes::first_n(self.bufs.len());
        self.fragments = Lanes::NONE;
        self.over = Lanes::NONE;
    }

    /// Frees what was not given away.
    pub fn finish(&mut self) {
        B::free_all(&mut self.bufs);
        self.live = Lanes::NONE;
    }

    /// The buffer of a lane, unless it was given away.
    #[inline]
    #[must_use]
    pub fn buf(&self, lane: usize) -> Option<&B> {
        self.bufs.get(lane)?.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_are_a_set() {
        let mut lanes = Lanes::first_n(3);
        lanes.insert(63);
        lanes.remove(1);
        assert_eq!(lanes.collect::<Vec<_>>(), [0, 2, 63]);
        assert_eq!(lanes.count(), 3);
        assert!(lanes.contains(63) && !lanes.contains(1));
        assert_eq!(lanes.without(Lanes::one(0)).first(), Some(2));
        assert_eq!(Lanes::first_n(64).count(), 64);
        assert_eq!(Lanes::NONE.first(), None);
    }
}
