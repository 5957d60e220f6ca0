//! The two buckets against a slow and obvious twin, in simulated time, over every scale that the arithmetic must bear.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::select;

use super::bandwidth::{Bandwidth, Bucket, Limit, MAX_BPS, MAX_BURST, MIN_BURST};

const SECOND: u64 = 1_000_000_000;
const YEAR: u64 = 365 * 24 * 3600 * SECOND;

/// What came: when, how many bytes, and whether it was a copy and passed.
#[derive(Clone, Copy, Debug)]
struct Event {
    at: u64,
    bytes: u64,
    copy: bool,
    passed: bool,
}

/// Levels from the whole history, in billionths of a bit, in numbers that are large enough for anything.
struct Twin {
    rate: i128,
    depth: i128,
    history: Vec<Event>,
}

impl Twin {
    fn new(limit: Bandwidth) -> Self {
        let unit = |n: u64| i128::from(n) * 1_000_000_000;
        Twin { rate: i128::from(limit.bps), depth: unit(limit.burst * 8), history: Vec::new() }
    }

    /// A bucket that what passed and `counts` debits, at a time.
    fn level(&self, at: u64, counts: impl Fn(&Event) -> bool) -> i128 {
        let (mut level, mut now) = (self.depth, 0);
        for event in self.history.iter().filter(|e| e.passed && counts(e)) {
            level = self.depth.min(level + self.rate * i128::from(event.at - now)) - cost(event.bytes);
            now = event.at;
        }
        self.depth.min(level + self.rate * i128::from(at - now))
    }

    /// Judges a packet, and remembers it.
    fn came(&mut self, at: u64, bytes: u64, copy: bool) -> bool {
        let level = if copy { self.level(at, |_| true) } else { self.level(at, |e| !e.copy) };
        let passed = level >= cost(bytes);
        self.history.push(Event { at, bytes, copy, passed });
        passed
    }

    /// No window saw more than L·t + 2B.
    fn assert_windows(&self) {
        for (n, first) in self.history.iter().enumerate() {
            let mut sum = 0;
            for last in &self.history[n..] {
                sum += if last.passed { cost(last.bytes) } else { 0 };
                let most = self.rate * i128::from(last.at - first.at) + 2 * self.depth;
                assert!(sum <= most, "{first:?} to {last:?}: {sum} > {most}");
            }
        }
    }
}

fn cost(bytes: u64) -> i128 {
    i128::from(bytes) * 8_000_000_000
}

/// Lets something come to the real thing.
fn comes(limit: &Limit, at: u64, bytes: u64, copy: bool) -> bool {
    let bytes = bytes as usize;
    if !copy {
        let mut levels = limit.levels(at);
        let passed = levels.service(bytes);
        limit.keep(levels);
        return passed;
    }
    let passed = limit.affords(at, bytes);
    if passed {
        limit.copied(at, bytes);
    }
    passed
}

fn fresh(limit: Bandwidth) -> Limit {
    Limit::new(limit, Arc::new(Bucket::default()))
}

fn any_limit() -> impl Strategy<Value = Bandwidth> {
    let rates = prop_oneof![select(vec![1, 999, MAX_BPS, 10 * SECOND]), 1..=MAX_BPS, 1..1_000_000u64];
    let bursts = prop_oneof![select(vec![MIN_BURST, MAX_BURST]), MIN_BURST..MAX_BURST, MIN_BURST..100_000];
    (rates, proptest::option::of(bursts)).prop_map(|(bps, burst)| Bandwidth::new(bps, burst))
}

/// Gaps in bits of the rate, so that every rate is tight now and then; sizes; copies.
fn traffic() -> impl Strategy<Value = Vec<(u64, u64, bool)>> {
    let gaps = prop_oneof![Just(0), 0..20_000u64, select(vec![1, 1_000_000, 100_000_000_000])];
    proptest::collection::vec((gaps, select(vec![14u64, 60, 64, 1514, 8514]), any::<bool>()), 1..120)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]
    #[test]
    fn judges_as_the_twin_does(limit in any_limit(), traffic in traffic(), stretch in 0u64..3) {
        let (real, alone, mut twin) = (fresh(limit), fresh(limit), Twin::new(limit));
        let mut now = 0;
        for (gap, bytes, copy) in traffic {
            // So many bits' time, of the rate, of half of it, or none at all: the clock stands still.
            let gap = u128::from(gap * stretch) * u128::from(SECOND) / u128::from(limit.bps);
            now += gap.min(u128::from(YEAR)) as u64;
            let passed = comes(&real, now, bytes, copy);
            prop_assert_eq!(passed, twin.came(now, bytes, copy));
            if !copy {
                prop_assert_eq!(passed, comes(&alone, now, bytes, false), "service is judged as if there were no copy");
            }
            prop_assert!(twin.level(now, |_| true) >= -twin.depth, "below -B");
        }
        twin.assert_windows();
    }
}

#[test]
fn service_below_the_limit_loses_nothing_and_copies_get_the_rest() {
    for (bps, percent, bytes) in
        [(1_000_000, 60, 1000), (100_000_000, 90, 1514), (1_000_000_000, 55, 64), (MAX_BPS, 75, 8514)]
    {
        let limit = Bandwidth::new(bps, None);
        let real = fresh(limit);
        // A service packet every so often; a copy of 50 bytes more is wanted, then another.
        let at = |n: u64| (u128::from(n * bytes * 800) * u128::from(SECOND) / (u128::from(bps) * percent)) as u64;
        let (mut service, mut copies) = (0, 0);
        let wanted = (60 * limit.burst / bytes).max(5000);
        let mut counted_from = 0;
        for n in 0..wanted {
            let now = at(n);
            if n == wanted / 5 {
                (service, copies, counted_from) = (0, 0, now);
            }
            assert!(comes(&real, now, bytes, false), "{bps}: service packet {n} lost");
            service += bytes;
            for _ in 0..2 {
                copies += if comes(&real, now, bytes.min(8464) + 50, true) { bytes.min(8464) + 50 } else { 0 };
            }
        }
        let rest =
            u128::from(bps) * u128::from(at(wanted) - counted_from) / 8 / u128::from(SECOND) - u128::from(service);
        assert!(u128::from(copies).abs_diff(rest) * 100 <= rest, "{bps}: copies got {copies}, there were {rest}");
    }
}

#[test]
fn nothing_is_rounded_away_and_nothing_overflows() {
    // One bit a second, asked for every nanosecond of the second byte's last microsecond.
    let slow = fresh(Bandwidth { bps: 1, burst: MIN_BURST });
    for _ in 0..MIN_BURST {
        assert!(comes(&slow, 0, 1, false));
    }
    for now in 8 * SECOND - 1000..8 * SECOND {
        assert!(!comes(&slow, now, 1, false));
    }
    assert!(comes(&slow, 8 * SECOND, 1, false), "eight seconds make a byte");
    // A byte of the fastest takes a fiftieth of a nanosecond: 50 of them come with every tick.
    let fast = fresh(Bandwidth { bps: MAX_BPS, burst: MAX_BURST });
    let mut levels = fast.levels(5);
    for _ in 0..MAX_BURST / 8192 {
        assert!(levels.service(8192));
    }
    assert!(!levels.service(1));
    fast.keep(levels);
    assert!(comes(&fast, 6, 50, false) && !comes(&fast, 6, 1, false));
    // What is earned in this gap is 2⁶⁴ units: more than full, and not nothing.
    let wraps = fresh(Bandwidth { bps: 1 << 38, burst: MIN_BURST });
    while comes(&wraps, 0, 1000, false) {}
    assert!(comes(&wraps, 1 << 26, MIN_BURST, false));
    // Centuries later both are full, and no fuller.
    for limit in [&slow, &fast] {
        let full = fresh(Bandwidth { bps: 1, burst: if std::ptr::eq(limit, &slow) { MIN_BURST } else { MAX_BURST } });
        assert_eq!(limit.levels(u64::MAX), full.levels(u64::MAX));
    }
}

#[test]
fn a_clock_that_goes_back_earns_nothing() {
    let limit = fresh(Bandwidth::new(1_000_000, None));
    while comes(&limit, 10 * SECOND, 1000, false) {}
    assert!(!comes(&limit, 0, 1000, false));
    assert!(!comes(&limit, 10 * SECOND, 1000, false), "what it went back by is not earned twice");
    assert!(comes(&limit, 10 * SECOND + 8_000_000, 1000, false));
}

#[test]
fn new_limits_keep_the_fill() {
    let bucket = Arc::new(Bucket::default());
    let with = |bps, burst| Limit::new(Bandwidth { bps, burst }, bucket.clone());
    let (narrow, wide) = (with(1_000_000, MIN_BURST), with(1_000_000, MAX_BURST));
    while comes(&narrow, 0, 1000, false) {}
    assert!(!comes(&wide, 0, 1000, false), "a deeper bucket is not fuller");
    // What copies took of a deep bucket, and service after them, is not owed under a shallow limit.
    while comes(&wide, 100_000 * SECOND, 8514, true) {}
    while comes(&wide, 100_000 * SECOND, 8514, false) {}
    let before = 100_001 * SECOND;
    let mut passed = 0;
    while comes(&narrow, before, 1000, false) {
        passed += 1000;
    }
    assert!((MIN_BURST - 1000..=MIN_BURST).contains(&passed), "{passed}");
    // Now the common bucket is at the new −B, and what the rate earns in B and a copy's time brings the next copy.
    let after = |bytes: u64| before + bytes * 8 * 1000;
    assert!(!comes(&narrow, after(passed + 800), 1000, true));
    assert!(comes(&narrow, after(passed + 1000), 1000, true));
}

#[test]
fn default_depths() {
    for (bps, burst) in [(1000, MIN_BURST), (27_244_799, MIN_BURST), (1_000_000_000, 625_000), (MAX_BPS, 250_000_000)] {
        assert_eq!(Bandwidth::new(bps, None).burst, burst);
    }
}
