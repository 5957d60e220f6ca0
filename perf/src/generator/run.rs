//! The course of a run: warm-up, a measured window, and a quiet end at which everything is counted.

use std::time::Duration;

use hdrhistogram::Histogram;

use super::engine::{Counts, Engine};
use super::live;
use crate::sys::cpu::tsc;
use crate::sys::tsc::hertz;
use crate::traffic::Seen;

/// Turns between two looks at the clock, of an engine with a thread of its own.
const LOOK: u32 = 64;
/// The same where packets are sent at a rate: they are to leave one by one.
const LOOK_PACED: u32 = 1;
/// Nothing has arrived for so long: everything has.
const QUIET: Duration = Duration::from_millis(50);
/// And in so many turns.
const QUIET_TURNS: u32 = 1000;
/// A window that was cut to less than this many seconds says nothing.
const SHORTEST: f64 = 0.02;
/// Longest wait for that.
const DRAIN: Duration = Duration::from_secs(3);

/// How long, and how fast.
#[derive(Clone, Copy, Debug, PartialEq)]
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
    /// Frames that were due until nothing more was sent, where a rate was set.
    pub due: Option<u64>,
    /// TSC cycles a second.
    pub hz: f64,
    /// It was asked to stop before its end.
    pub interrupted: bool,
}

impl Outcome {
    /// Was anything measured?
    #[must_use]
    pub fn is_some(&self) -> bool {
        self.seconds > SHORTEST
    }

    /// Service packets a second, in millions.
    #[must_use]
    pub fn service_mpps(&self) -> f64 {
        self.rate(self.window.arrived)
    }

    /// Copies a second, in millions.
    #[must_use]
    pub fn copies_mpps(&self) -> f64 {
        self.rate(self.window.copies)
    }

    fn rate(&self, packets: u64) -> f64 {
        if self.seconds > 0.0 { packets as f64 / self.seconds / 1e6 } else { 0.0 }
    }

    /// Service packets that were lost from the first frame to the quiet end, as a share of those sent; at a fixed rate of
    /// those that were due, since what a full ring does not take is lost to the guest as well.
    #[must_use]
    pub fn lost_share(&self) -> f64 {
        let offered = self.due.unwrap_or(0).max(self.total.sent);
        offered.saturating_sub(self.total.arrived) as f64 / offered.max(1) as f64
    }

    /// Share of the time during which the senders' rings were full: below 0.2 the generator is the bottleneck.
    #[must_use]
    pub fn full_share(&self) -> f64 {
        if self.window.looked == 0 { 0.0 } else { self.window.full as f64 / self.window.looked as f64 }
    }

    /// Latency at a percentile, in microseconds; not a number where nothing was stamped.
    #[must_use]
    pub fn latency_us(&self, percentile: f64) -> f64 {
        if self.latency.is_empty() {
            return f64::NAN;
        }
        self.latency.value_at_percentile(percentile) as f64 / self.hz * 1e6
    }
}

/// Where a run is on its course. Whoever owns the engine's thread calls [`Course::step`] until it is over.
#[derive(Debug)]
pub struct Course {
    pace: Pace,
    hz: f64,
    begin: u64,
    /// Frames sent before it.
    sent: u64,
    from: u64,
    until: u64,
    opened: Option<(u64, Counts)>,
    window: Option<(f64, Counts, Histogram<u64>)>,
    /// Frames that were due when the window closed.
    due: Option<u64>,
    /// When the drain began, and when something last moved.
    drain: Option<(u64, u64)>,
    /// Turns of the drain in which nothing moved.
    idle: u32,
    interrupted: bool,
}

impl Course {
    /// A course that begins now; `hz` is the TSC's.
    #[must_use]
    pub fn new(pace: &Pace, hz: f64, engine: &mut Engine) -> Self {
        let cycles = |d: Duration| (d.as_secs_f64() * hz) as u64;
        let begin = tsc();
        engine.allow(if pace.rate.is_some() { 0 } else { u64::MAX });
        // Both senders together have the rate.
        engine.due_every(pace.rate.map(|rate| hz / (rate / 2.0)));
        Course {
            pace: *pace,
            hz,
            begin,
            sent: engine.counts().sent,
            from: begin + cycles(pace.warmup),
            until: begin + cycles(pace.warmup + pace.measure),
            opened: None,
            window: None,
            due: None,
            drain: None,
            idle: 0,
            interrupted: false,
        }
    }

    /// Sends nothing more; what was measured so far counts.
    pub const fn interrupt(&mut self) {
        self.interrupted = true;
    }

    /// So many turns of the engine; `false` when the run is over.
    #[inline]
    pub fn step(&mut self, engine: &mut Engine, turns: u32) -> bool {
        let now = tsc();
        if let Some((began, last)) = self.drain {
            return self.drain(engine, now, began, last);
        }
        if self.opened.is_none() && now >= self.from {
            engine.take_latency();
            self.opened = Some((now, engine.counts()));
        }
        if now >= self.until || self.interrupted {
            // Who is interrupted in the warm-up has measured nothing.
            self.window = self.opened.map(|(start, before)| {
                let seconds = (now - start) as f64 / self.hz;
                (seconds, engine.counts().since(&before), engine.take_latency())
            });
            self.due = self.pace.rate.map(|rate| ((now - self.begin) as f64 / self.hz * rate) as u64);
            engine.allow(0);
            self.drain = Some((now, now));
            return true;
        }
        if let Some(rate) = self.pace.rate {
            let due = ((now - self.begin) as f64 / self.hz * rate) as u64;
            engine.allow(due.saturating_sub(engine.counts().sent - self.sent).div_ceil(2));
        }
        for _ in 0..turns {
            engine.turn();
        }
        engine.pace_collector(self.hz);
        true
    }

    /// Nothing more is sent; what is under way arrives.
    fn drain(&mut self, engine: &mut Engine, now: u64, began: u64, last: u64) -> bool {
        let moved = engine.turn();
        engine.pace_collector(self.hz);
        let last = if moved { now } else { last };
        self.idle = if moved { 0 } else { self.idle + 1 };
        self.drain = Some((began, last));
        // Turns, too: this thread's CPU may have been away for the whole time.
        let quiet = self.idle > QUIET_TURNS && now.saturating_sub(last) as f64 / self.hz > QUIET.as_secs_f64();
        !(quiet && engine.outstanding() == 0 || (now - began) as f64 / self.hz > DRAIN.as_secs_f64())
    }

    /// What it showed, once it is over.
    #[must_use]
    pub fn outcome(self, engine: &Engine) -> Outcome {
        let nothing = || (0.0, Counts::default(), engine.no_latency());
        let (seconds, window, latency) = self.window.unwrap_or_else(nothing);
        let (service, copies) = engine.seen();
        Outcome {
            seconds,
            window,
            total: engine.counts(),
            service,
            copies,
            wrong: engine.wrong(),
            latency,
            due: self.due,
            hz: self.hz,
            interrupted: self.interrupted,
        }
    }
}

/// Runs the engine on the calling thread. `stop` is asked every few microseconds.
pub fn run(engine: &mut Engine, pace: &Pace, stop: &dyn Fn() -> bool) -> Outcome {
    let turns = if pace.rate.is_some() { LOOK_PACED } else { LOOK };
    let mut course = Course::new(pace, hertz(), engine);
    while course.step(engine, turns) {
        live::publish(engine);
        if stop() {
            course.interrupt();
        }
    }
    course.outcome(engine)
}
