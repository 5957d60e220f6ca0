//! An engine on a CPU of its own: warm-up, a measured window, and a quiet end at which everything is counted.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::engine::{Counts, Engine};
use crate::sys::cpu::{tsc, tsc_hz};
use crate::traffic::Seen;

/// Turns between two looks at the clock and at `stop`.
const LOOK: u32 = 64;
/// Nothing has arrived for so long: everything has.
const QUIET: Duration = Duration::from_millis(30);
/// Longest wait for that.
const DRAIN: Duration = Duration::from_secs(3);

/// How long, and how fast.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Not measured.
    pub warmup: Duration,
    /// Measured.
    pub measure: Duration,
    /// Packets a second, both senders together; `None`: as fast as there is room.
    pub rate: Option<f64>,
}

/// What a run showed.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Seconds of the measured window.
    pub seconds: f64,
    /// What happened inside it.
    pub window: Counts,
    /// What happened from the first frame to the quiet end.
    pub total: Counts,
    /// Service frames looked at.
    pub service: Seen,
    /// Copies looked at.
    pub copies: Seen,
    /// What was wrong, the first few, and how often.
    pub wrong: (Vec<String>, u64),
    /// TSC cycles from sending to arrival, of the stamped frames inside the window.
    pub latency: Histogram<u64>,
    /// TSC cycles a second.
    pub hz: f64,
    /// It was asked to stop before its end.
    pub interrupted: bool,
}

impl Outcome {
    /// Service packets a second, in millions.
    #[must_use]
    pub fn service_mpps(&self) -> f64 {
        self.window.arrived as f64 / self.seconds / 1e6
    }

    /// Copies a second, in millions.
    #[must_use]
    pub fn copies_mpps(&self) -> f64 {
        self.window.copies as f64 / self.seconds / 1e6
    }

    /// Share of the senders' looks at which the ring was full: below 0.2 the generator is the bottleneck.
    #[must_use]
    pub fn full_share(&self) -> f64 {
        if self.window.tries == 0 { 0.0 } else { self.window.full as f64 / self.window.tries as f64 }
    }

    /// Latency at a percentile, in microseconds.
    #[must_use]
    pub fn latency_us(&self, percentile: f64) -> f64 {
        self.latency.value_at_percentile(percentile) as f64 / self.hz * 1e6
    }
}

/// Runs the engine on the calling thread. `stop` is asked every few microseconds.
pub fn run(engine: &mut Engine, pace: &Pace, stop: &dyn Fn() -> bool) -> Outcome {
    let hz = tsc_hz();
    let cycles = |d: Duration| (d.as_secs_f64() * hz) as u64;
    let begin = tsc();
    let (from, until) = (begin + cycles(pace.warmup), begin + cycles(pace.warmup + pace.measure));
    let mut opened = None;
    let mut interrupted = false;
    let mut now = begin;
    engine.allow(if pace.rate.is_some() { 0 } else { u64::MAX });
    while now < until {
        if opened.is_none() && now >= from {
            engine.take_latency();
            opened = Some((now, engine.counts()));
        }
        if let Some(rate) = pace.rate {
            for _ in 0..LOOK / 8 {
                pace_senders(engine, rate, tsc() - begin, hz);
                engine.turn();
            }
        } else {
            for _ in 0..LOOK {
                engine.turn();
            }
        }
        engine.pace_collector(hz);
        if stop() {
            interrupted = true;
            break;
        }
        now = tsc();
    }
    let (start, before) = opened.unwrap_or((begin, Counts::default()));
    let (seconds, window) = ((tsc() - start) as f64 / hz, difference(&engine.counts(), &before));
    let latency = engine.take_latency();
    drain(engine, hz);
    let (service, copies) = engine.seen();
    Outcome {
        seconds,
        window,
        total: engine.counts(),
        service,
        copies,
        wrong: engine.wrong(),
        latency,
        hz,
        interrupted,
    }
}

/// Each sender may have sent its share of what the rate allows in `elapsed` cycles, and not a ring more than that.
fn pace_senders(engine: &mut Engine, rate: f64, elapsed: u64, hz: f64) {
    let due = (elapsed as f64 / hz * rate) as u64;
    let sent = engine.counts().sent;
    engine.allow(due.saturating_sub(sent).div_ceil(2));
}

/// Nothing more is sent; what is under way arrives.
fn drain(engine: &mut Engine, hz: f64) {
    engine.allow(0);
    let (began, mut last) = (tsc(), tsc());
    loop {
        let moved = engine.turn();
        engine.pace_collector(hz);
        let now = tsc();
        if moved {
            last = now;
        }
        let quiet = (now - last) as f64 / hz > QUIET.as_secs_f64();
        if quiet && engine.outstanding() == 0 || (now - began) as f64 / hz > DRAIN.as_secs_f64() {
            return;
        }
    }
}

fn difference(now: &Counts, before: &Counts) -> Counts {
    Counts {
        sent: now.sent - before.sent,
        matching: now.matching - before.matching,
        arrived: now.arrived - before.arrived,
        arrived_bytes: now.arrived_bytes - before.arrived_bytes,
        copies: now.copies - before.copies,
        copy_bytes: now.copy_bytes - before.copy_bytes,
        tries: now.tries - before.tries,
        full: now.full - before.full,
    }
}
