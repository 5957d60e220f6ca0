//! Which frames of a stream arrived: in order within their flow, once, and how many were lost.

use super::frame::Stream;

/// Which frames are looked at in full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampling {
    /// One flow in 64, all its frames; of fewer than 64 flows one frame in 64 of each. Which one of the 64 changes from
    /// one group to the next, so that every place in a burst and in a ring is looked at.
    OneIn64,
    /// All.
    All,
}

/// What arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Frames looked at in full.
    pub verified: u64,
    /// Frames missing before a later one of the same flow.
    pub lost: u64,
    /// Frames that had arrived before.
    pub twice: u64,
    /// Frames that came after a later one of the same flow.
    pub late: u64,
}

/// The frames of one stream at one place.
#[derive(Clone, Debug)]
pub struct Tracker {
    sampling: Sampling,
    /// By sampled flow: the turn that is expected next, in steps of `step`.
    next: Vec<u32>,
    few_flows: bool,
    seen: Seen,
}

impl Tracker {
    /// For a stream's frames.
    #[must_use]
    pub fn new(stream: &Stream, sampling: Sampling) -> Self {
        let flows = stream.spec().flows as usize;
        let few_flows = flows < 64;
        let tracked = if sampling == Sampling::All || few_flows { flows } else { flows / 64 };
        Tracker { sampling, next: vec![0; tracked], few_flows, seen: Seen::default() }
    }

    /// Is the frame looked at?
    #[inline]
    #[must_use]
    pub const fn samples(&self, stream: &Stream, number: u64) -> bool {
        match self.sampling {
            Sampling::All => true,
            Sampling::OneIn64 if self.few_flows => chosen(stream.turn(number)),
            Sampling::OneIn64 => chosen(stream.flow(number) as u64),
        }
    }

    /// A frame for which [`Tracker::samples`] holds arrived.
    pub fn arrived(&mut self, stream: &Stream, number: u64) {
        let (flow, turn) = (stream.flow(number), stream.turn(number));
        let (at, turn) = match self.sampling {
            Sampling::All => (flow as usize, turn),
            Sampling::OneIn64 if self.few_flows => (flow as usize, turn / 64),
            Sampling::OneIn64 => (flow as usize / 64, turn),
        };
        let Some(next) = self.next.get_mut(at) else {
            return;
        };
        self.seen.verified += 1;
        // Turns are compared modulo 2³²: a run is far shorter.
        let ahead = (turn as u32).wrapping_sub(*next);
        if ahead < 1 << 31 {
            self.seen.lost += u64::from(ahead);
            *next = (turn as u32).wrapping_add(1);
        } else if ahead == u32::MAX {
            self.seen.twice += 1;
        } else {
            self.seen.late += 1;
        }
    }

    /// What arrived so far.
    #[must_use]
    pub const fn seen(&self) -> Seen {
        self.seen
    }
}

/// One in 64, at another place in each group of 64.
#[inline]
const fn chosen(n: u64) -> bool {
    (n ^ n >> 6) & 63 == 0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::frame::{StreamSpec, tests::spec};
    use super::*;
    use proptest::prelude::*;

    fn stream(flows: u32) -> Stream {
        Stream::new(StreamSpec { flows, ..spec() }).unwrap()
    }

    fn feed(stream: &Stream, sampling: Sampling, numbers: impl IntoIterator<Item = u64>) -> Seen {
        let mut tracker = Tracker::new(stream, sampling);
        for number in numbers {
            if tracker.samples(stream, number) {
                tracker.arrived(stream, number);
            }
        }
        tracker.seen()
    }

    #[test]
    fn all_in_order_is_nothing_wrong() {
        for flows in [1, 16, 64, 1024] {
            let stream = stream(flows);
            let whole = feed(&stream, Sampling::All, 0..100_000);
            assert_eq!(whole, Seen { verified: 100_000, ..Seen::default() });
            let sampled = feed(&stream, Sampling::OneIn64, 0..flows as u64 * 64 * 20);
            assert_eq!(sampled, Seen { verified: u64::from(flows) * 20, ..Seen::default() });
        }
    }

    #[test]
    fn samples_come_from_every_place_of_a_burst() {
        for flows in [1, 1024, 4096] {
            let stream = stream(flows);
            let tracker = Tracker::new(&stream, Sampling::OneIn64);
            let mut places = [0u32; 64];
            (0..1 << 18).filter(|n| tracker.samples(&stream, *n)).for_each(|n| places[(n % 64) as usize] += 1);
            let seen = places.iter().filter(|n| **n > 0).count();
            assert!(seen >= if flows == 1024 { 16 } else { 64 }, "{flows} flows: {seen} places");
        }
    }

    #[test]
    fn loss_repetition_and_disorder_are_told_apart() {
        let stream = stream(1);
        assert_eq!(feed(&stream, Sampling::All, [0, 1, 4, 5]), Seen { verified: 4, lost: 2, ..Seen::default() });
        assert_eq!(feed(&stream, Sampling::All, [0, 1, 1, 2]), Seen { verified: 4, twice: 1, ..Seen::default() });
        let late = Seen { verified: 4, lost: 1, late: 1, twice: 0 };
        assert_eq!(feed(&stream, Sampling::All, [0, 2, 3, 1]), late);
    }

    proptest! {
        /// Against a slow twin that keeps every number.
        #[test]
        fn losses_equal_a_plain_count(flows in prop::sample::select(vec![1u32, 4, 64, 256]), gone in prop::collection::btree_set(0u64..2000, 0..50)) {
            let stream = stream(flows);
            let seen = feed(&stream, Sampling::All, (0..2000).filter(|n| !gone.contains(n)));
            // A loss shows by a later frame of its flow.
            let shown = gone.iter().filter(|g| (0..2000).rev().find(|n| !gone.contains(n) && stream.flow(*n) == stream.flow(**g)).is_some_and(|last| last > **g)).count();
            prop_assert_eq!(seen.lost, shown as u64);
            prop_assert_eq!((seen.twice, seen.late), (0, 0));
        }
    }
}
