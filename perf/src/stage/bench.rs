//! How a stage is measured: the counter is read around each burst, and the median of many bursts is a sample.

use std::collections::BTreeMap;

use super::{BURST_SIZE, median};
use crate::report::{Point, Series};
use crate::sys::tsc;

/// How long to measure stages, and over what.
#[derive(Clone, Debug)]
pub struct StageOptions {
    /// Bursts of 32 packets of which a sample is the median.
    pub bursts: usize,
    /// Samples of each stage.
    pub rounds: usize,
    /// Lengths of frames in bytes, 64 to 1514.
    pub sizes: Vec<usize>,
    /// Frames of a working set that the second-level cache does not hold.
    pub cold_frames: usize,
}

impl StageOptions {
    /// What the stage budget is calibrated with.
    #[must_use]
    pub fn full() -> Self {
        StageOptions { bursts: 10_000, rounds: 5, sizes: vec![64, 1400], cold_frames: 16_384 }
    }

    /// A second or two, which shows that every stage does its work.
    #[must_use]
    pub fn short() -> Self {
        StageOptions { bursts: 100, rounds: 1, cold_frames: 1024, ..StageOptions::full() }
    }
}

/// Measures, and collects what came out.
pub(super) struct Bench<'a> {
    pub options: &'a StageOptions,
    stop: &'a dyn Fn() -> bool,
    progress: &'a mut dyn FnMut(&str),
    /// Cycles between two readings of the counter with nothing between them.
    clock: f64,
    pub points: Vec<Point>,
}

impl<'a> Bench<'a> {
    /// Measures the clock first: its cost is the first point, and is subtracted from everything else.
    pub(super) fn new(
        options: &'a StageOptions,
        stop: &'a dyn Fn() -> bool,
        progress: &'a mut dyn FnMut(&str),
    ) -> Self {
        let sample = || {
            let readings = (0..options.bursts.max(1000)).map(|_| {
                let began = tsc::cycles();
                tsc::cycles().wrapping_sub(began) as f64
            });
            median(&readings.collect::<Vec<_>>())
        };
        let samples: Vec<f64> = (0..options.rounds.max(1)).map(|_| sample()).collect();
        let clock = median(&samples);
        let mut bench = Bench { options, stop, progress, clock, points: Vec::new() };
        bench.push("tsc", &[], "cycles/reading", samples, 0, Ok(()));
        bench
    }

    pub(super) fn stopped(&self) -> bool {
        (self.stop)()
    }

    /// Measures `run` over bursts that `prepare` makes ready; `check` looks at the state afterwards, and is told how
    /// many bursts there were.
    pub(super) fn stage<S>(
        &mut self,
        name: &str,
        labels: &[(&str, String)],
        state: &mut S,
        mut prepare: impl FnMut(&mut S) -> Result<(), String>,
        mut run: impl FnMut(&mut S),
        check: impl FnOnce(&S, u64) -> Result<(), String>,
    ) -> Result<(), String> {
        if self.stopped() {
            return Ok(());
        }
        (self.progress)(&format!("stage {name}"));
        let (mut samples, mut bursts) = (Vec::new(), 0);
        for _ in 0..self.options.rounds.max(1) {
            let mut spent = Vec::with_capacity(self.options.bursts);
            // The first bursts of a sample find caches and predictors as another stage left them: not counted.
            let unmeasured = self.options.bursts / 20;
            for n in 0..self.options.bursts + unmeasured {
                prepare(state)?;
                let began = tsc::cycles();
                run(state);
                let cycles = tsc::cycles().wrapping_sub(began);
                bursts += 1;
                if n >= unmeasured {
                    spent.push(cycles as f64);
                }
            }
            samples.push((median(&spent) - self.clock).max(0.0) / BURST_SIZE as f64);
            if self.stopped() {
                break;
            }
        }
        let verdict = check(state, bursts);
        self.push(name, labels, "cycles/packet", samples, bursts * BURST_SIZE as u64, verdict);
        Ok(())
    }

    /// Says what comes next.
    pub(super) fn tell(&mut self, what: &str) {
        (self.progress)(what);
    }

    /// Adds what was measured; `verified` things were looked at, and `verdict` says whether they were right.
    pub(super) fn push(
        &mut self,
        name: &str,
        labels: &[(&str, String)],
        unit: &str,
        samples: Vec<f64>,
        verified: u64,
        verdict: Result<(), String>,
    ) {
        let mut all = BTreeMap::from([("stage".to_owned(), name.to_owned())]);
        all.extend(labels.iter().map(|(key, value)| ((*key).to_owned(), value.clone())));
        let series = Series {
            contender: "vswitch".to_owned(),
            metric: "stage".to_owned(),
            unit: unit.to_owned(),
            samples,
            lower_bound: false,
        };
        self.points.push(Point {
            scenario: "stages".to_owned(),
            labels: all,
            series: vec![series],
            verified,
            wrong: verdict.err().into_iter().collect(),
            void: None,
            notes: Vec::new(),
        });
    }
}
