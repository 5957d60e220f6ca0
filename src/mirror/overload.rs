//! Overload: which copies a saturated worker gives up (design, section 4, row CPU).

use serde::Serialize;

/// What a worker does with copies when it has more to do than it can.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Overload {
    /// Gives up copies, so that service keeps its rate.
    #[default]
    Shed,
    /// Nothing is given up: service and copies share the worker, and both become slower.
    Share,
}

/// Steps from nothing given up to everything.
pub const STEPS: u8 = 64;
/// Steps that a first saturated window gives up; each further one in a row gives up twice as many.
const FIRST: u8 = 2;
/// Windows in a row after which the step no longer grows.
const LONGEST_RUN: u8 = 5;
/// 2³² divided by the golden ratio: multiples of it spread evenly, and so does every n-th of them. Packets that take
/// turns (two flows, two sources) therefore lose equal shares.
const GOLDEN: u32 = 0x9e37_79b9;

/// The share of the copies that is given up, in steps. It grows quickly while a worker stays saturated and falls by one
/// step with each window in which it is not: at a constant load it moves by a few steps around what the load needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GivenUp {
    steps: u8,
    run: u8,
    drawn: u32,
}

impl GivenUp {
    /// A window of saturation has passed.
    pub fn saturated(&mut self) {
        self.steps = self.steps.saturating_add(FIRST << self.run).min(STEPS);
        self.run = (self.run + 1).min(LONGEST_RUN);
    }

    /// A window without saturation has passed.
    pub fn relaxed(&mut self) {
        self.steps = self.steps.saturating_sub(1);
        self.run = 0;
    }

    /// How much is given up, in [`STEPS`]ths.
    #[inline]
    #[must_use]
    pub const fn steps(&self) -> u8 {
        self.steps
    }

    /// Is the next copy one of those?
    #[inline]
    pub fn draw(&mut self) -> bool {
        self.drawn = self.drawn.wrapping_add(GOLDEN);
        (self.drawn >> 26) < u32::from(self.steps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_twice_as_fast_each_time_and_falls_step_by_step() {
        let mut given = GivenUp::default();
        let grown: Vec<u8> = (0..7)
            .map(|_| {
                given.saturated();
                given.steps()
            })
            .collect();
        assert_eq!(grown, [2, 6, 14, 30, 62, 64, 64]);
        for left in (0..64).rev() {
            given.relaxed();
            assert_eq!(given.steps(), left);
        }
        given.relaxed();
        assert_eq!(given.steps(), 0);
        given.saturated();
        assert_eq!(given.steps(), 2, "a run ends with the first window that is not saturated");
    }

    #[test]
    fn every_nth_packet_loses_the_same_share() {
        for steps in [1, 7, 32, 63] {
            for every in 1..=12 {
                let mut given = GivenUp { steps, ..GivenUp::default() };
                let mut lost = vec![0u32; every];
                (0..64_000 * every).for_each(|n| lost[n % every] += u32::from(given.draw()));
                let share = 1000 * u32::from(steps);
                assert!(lost.iter().all(|l| l.abs_diff(share) <= 10), "{steps} of 64, every {every}: {lost:?}");
            }
        }
        let mut all = GivenUp { steps: STEPS, ..GivenUp::default() };
        assert!((0..1000).all(|_| all.draw()));
        let mut none = GivenUp::default();
        assert!((0..1000).all(|_| !none.draw()));
    }
}
