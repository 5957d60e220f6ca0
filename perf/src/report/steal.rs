//! Was the machine ours? The share of time that the host took away, and a loop of fixed work whose time must not drift.

use std::hint::black_box;
use std::time::{Duration, Instant};

use serde::Serialize;

/// A round with a larger share of stolen time does not count.
pub const MOST_STEAL: f64 = 0.01;
/// A round after which the fixed work takes longer or shorter than at first, by more than this share, does not count.
pub const MOST_DRIFT: f64 = 0.03;

/// Steps of one run of the calibration loop: about 5 ms.
const STEPS: u64 = 2_000_000;
/// Runs of which the quickest counts: an interrupt in one of them says nothing.
const RUNS: usize = 7;

/// Jiffies of all CPUs since boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CpuTimes {
    total: u64,
    steal: u64,
}

impl CpuTimes {
    /// Reads `/proc/stat`; `None` where there is none.
    #[must_use]
    pub fn now() -> Option<Self> {
        std::fs::read_to_string("/proc/stat").ok().as_deref().and_then(Self::parse)
    }

    /// The sum over all CPUs in a text like `/proc/stat`'s.
    #[must_use]
    pub fn parse(stat: &str) -> Option<Self> {
        let line = stat.lines().find(|l| l.starts_with("cpu "))?;
        // user nice system idle iowait irq softirq steal; guest time, behind them, is part of user time.
        let fields: Vec<u64> = line.split_whitespace().skip(1).take(8).map_while(|f| f.parse().ok()).collect();
        Some(CpuTimes { total: fields.iter().sum(), steal: *fields.get(7)? })
    }

    /// Share of the time since `earlier` that the host took away, 0 to 1.
    #[must_use]
    pub fn steal_since(&self, earlier: &CpuTimes) -> f64 {
        let total = self.total.saturating_sub(earlier.total);
        if total == 0 { 0.0 } else { self.steal.saturating_sub(earlier.steal) as f64 / total as f64 }
    }
}

/// Time of a fixed amount of work in registers: multiply, shift and add, each step waiting for the one before. The
/// quickest of a few runs.
#[must_use]
pub fn calibration_loop() -> Duration {
    let once = || {
        let begun = Instant::now();
        let mut x = black_box(0x2545_f491_4f6c_dd1du64);
        for _ in 0..STEPS {
            x = (x ^ (x >> 29)).wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        }
        black_box(x);
        begun.elapsed()
    };
    (0..RUNS).map(|_| once()).min().unwrap_or_default()
}

/// What a round was like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Weather {
    /// Share of all CPUs' time that the host took away, 0 to 1.
    pub steal: f64,
    /// How much longer (above 0) or shorter the fixed work takes than at the run's start, as a share.
    pub drift: f64,
}

impl Weather {
    /// Why the round must not count; `None` if it may.
    #[must_use]
    pub fn objection(&self) -> Option<String> {
        if self.steal > MOST_STEAL {
            let share = self.steal * 100.0;
            Some(format!("the host took {share:.1} % of the CPU time away (allowed: {:.0} %)", MOST_STEAL * 100.0))
        } else if self.drift.abs() > MOST_DRIFT {
            let share = self.drift.abs() * 100.0;
            let how = if self.drift > 0.0 { "slower" } else { "faster" };
            Some(format!("the CPU is {share:.1} % {how} than at the start (allowed: {:.0} %)", MOST_DRIFT * 100.0))
        } else {
            None
        }
    }
}

/// Watches a whole run, round by round.
#[derive(Clone, Copy, Debug)]
pub struct Watch {
    first: Duration,
    since: Option<CpuTimes>,
}

impl Watch {
    /// Begins; takes about 30 ms of this thread's CPU, which should be the one that later calls come from.
    #[must_use]
    pub fn new() -> Self {
        Watch { first: calibration_loop(), since: CpuTimes::now() }
    }

    /// A round begins.
    pub fn begin(&mut self) {
        self.since = CpuTimes::now();
    }

    /// It is over. Call when nothing polls on this thread's CPU any more, or the loop measures that.
    #[must_use]
    pub fn end(&self) -> Weather {
        let steal = match (CpuTimes::now(), &self.since) {
            (Some(now), Some(since)) => now.steal_since(since),
            _ => 0.0,
        };
        Weather { steal, drift: drift(self.first, calibration_loop()) }
    }
}

impl Default for Watch {
    fn default() -> Self {
        Self::new()
    }
}

fn drift(first: Duration, now: Duration) -> f64 {
    if first.is_zero() { 0.0 } else { now.as_secs_f64() / first.as_secs_f64() - 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steal_is_a_share_of_all_time_between_two_instants() {
        let a = CpuTimes::parse("cpu  100 0 100 700 0 0 0 100 55 0\ncpu0 1 2 3\n").unwrap();
        let b = CpuTimes::parse("intr 1\ncpu  150 0 150 780 0 0 0 120 99 0\n").unwrap();
        assert!((b.steal_since(&a) - 0.1).abs() < 1e-12);
        assert_eq!(a.steal_since(&a), 0.0);
        assert_eq!(a.steal_since(&b), 0.0);
        assert!(CpuTimes::parse("cpu  1 2 3\n").is_none());
        assert!(CpuTimes::parse("").is_none());
        assert!(CpuTimes::now().is_some());
    }

    #[test]
    fn objections_say_what_and_how_much() {
        assert_eq!(Weather { steal: 0.009, drift: -0.029 }.objection(), None);
        let steal = Weather { steal: 0.042, drift: 0.5 }.objection();
        assert_eq!(steal.as_deref(), Some("the host took 4.2 % of the CPU time away (allowed: 1 %)"));
        let drift = Weather { steal: 0.0, drift: 0.051 }.objection();
        assert_eq!(drift.as_deref(), Some("the CPU is 5.1 % slower than at the start (allowed: 3 %)"));
        assert!(Weather { steal: 0.0, drift: -0.05 }.objection().unwrap().contains("faster"));
    }

    #[test]
    fn drift_compares_with_the_first() {
        let ms = Duration::from_millis;
        assert!((drift(ms(100), ms(110)) - 0.1).abs() < 1e-9);
        assert_eq!(drift(Duration::ZERO, ms(1)), 0.0);
        assert!(calibration_loop() > Duration::from_micros(500));
        let mut watch = Watch::default();
        watch.begin();
        assert!(watch.end().steal <= 1.0);
    }
}
