//! The time-stamp counter as nanoseconds.

/// Nanoseconds since a clock was made.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    began: u64,
    /// Nanoseconds a cycle, times 2³².
    scale: u64,
}

impl Clock {
    /// A clock that is at 0 at the counter's value `began`, of a counter that took `cycles` cycles for `nanoseconds`.
    #[must_use]
    pub fn new(began: u64, cycles: u64, nanoseconds: u64) -> Self {
        let scale = (u128::from(nanoseconds) << 32) / u128::from(cycles.max(1));
        Clock { began, scale: u64::try_from(scale).unwrap_or(u64::MAX) }
    }

    /// A clock of this machine, measured against the monotonic one for 20 ms.
    #[cfg(feature = "dpdk")]
    #[must_use]
    pub fn measured() -> Self {
        let (began, from) = reading();
        std::thread::sleep(std::time::Duration::from_millis(20));
        let (end, to) = reading();
        let nanoseconds = to.duration_since(from).as_nanos();
        Clock::new(began, end.wrapping_sub(began), u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }

    /// The time at a value of the counter.
    #[inline]
    #[must_use]
    pub fn at(&self, counter: u64) -> u64 {
        let cycles = counter.saturating_sub(self.began);
        ((u128::from(cycles) * u128::from(self.scale)) >> 32) as u64
    }
}

/// The counter and the monotonic clock at one moment: the reading out of a few that took the least time, in which
/// nobody else had the CPU.
#[cfg(feature = "dpdk")]
fn reading() -> (u64, std::time::Instant) {
    use crate::dpdk::lcore::tsc;
    let readings = (0..16).map(|_| {
        let (before, now) = (tsc(), std::time::Instant::now());
        (tsc().wrapping_sub(before), before, now)
    });
    let (_, counter, now) = readings.min_by_key(|(took, ..)| *took).unwrap_or((0, 0, std::time::Instant::now()));
    (counter, now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_nanoseconds_without_drift() {
        // 2.5 GHz, for 100 years; and counters that are slow, fast, or did not move.
        let year = 365 * 24 * 3600 * 1_000_000_000u64;
        let clock = Clock::new(1000, 50_000_000, 20_000_000);
        assert_eq!((clock.at(1000), clock.at(999), clock.at(3500)), (0, 0, 999));
        let at = clock.at(1000 + 100 * (year / 2 * 5));
        assert!((100 * year).abs_diff(at) < 100 * year / 1_000_000_000, "{at}");
        assert_eq!(Clock::new(0, 20, 20).at(u64::MAX), u64::MAX);
        assert_eq!(Clock::new(0, 0, 0).at(7), 0);
    }

    #[cfg(feature = "dpdk")]
    #[test]
    fn it_keeps_up_with_the_monotonic_clock() {
        let clock = Clock::measured();
        let (counter, began) = reading();
        std::thread::sleep(std::time::Duration::from_millis(50));
        let (end, now) = reading();
        let (ours, theirs) = (clock.at(end) - clock.at(counter), now.duration_since(began).as_nanos() as u64);
        assert!(ours.abs_diff(theirs) < theirs / 100, "{ours} {theirs}");
    }
}
