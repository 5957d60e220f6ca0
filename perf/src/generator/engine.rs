//! All guests of a run, a turn at a time.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::port::PolledPort;
use crate::sys::cpu::tsc;
use crate::traffic::{Outer, Sampling, Seen, Stamp, Stream, Tracker, check_copy, outer_of};

/// Frames that a guest puts into its ring, or takes out, in one go.
const BURST: usize = 32;
/// Frames taken from one port a turn.
const TAKE: usize = 96;
/// Descriptions kept of what was wrong.
const WRONG: usize = 8;

/// How the collector takes its copies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Target {
    /// As fast as it can.
    Fast,
    /// So many a second.
    Slow(f64),
    /// Not at all: its receive buffers are used up after one ring.
    Blocked,
}

/// What the guests do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What port 0 sends to port 1, and port 1 to port 0.
    pub streams: [Stream; 2],
    /// The collector's port, and what its copies look like.
    pub collector: Option<(usize, Outer)>,
    /// Which frames are looked at in full.
    pub sampling: Sampling,
    /// Every so many frames carry the time of their sending; 0: none.
    pub stamp_every: u64,
    /// How the collector takes its copies.
    pub target: Target,
}

/// What happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Frames put into the rings.
    pub sent: u64,
    /// Those of them whose flow matches the scenario's rules.
    pub matching: u64,
    /// Frames that arrived at the other port.
    pub arrived: u64,
    /// Their bytes.
    pub arrived_bytes: u64,
    /// Copies that arrived.
    pub copies: u64,
    /// Their bytes.
    pub copy_bytes: u64,
    /// TSC cycles between senders' looks for room.
    pub looked: u64,
    /// Those of them that ended with less than a burst of room.
    pub full: u64,
}

/// The same by port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortCounts {
    /// Frames that ports 0 and 1 sent.
    pub sent: [u64; 2],
    /// Frames that arrived at ports 0 and 1.
    pub arrived: [u64; 2],
    /// Copies that arrived at the collector's.
    pub copies: u64,
}

impl Counts {
    /// What happened since `before`.
    #[must_use]
    pub const fn since(&self, before: &Counts) -> Counts {
        Counts {
            sent: self.sent - before.sent,
            matching: self.matching - before.matching,
            arrived: self.arrived - before.arrived,
            arrived_bytes: self.arrived_bytes - before.arrived_bytes,
            copies: self.copies - before.copies,
            copy_bytes: self.copy_bytes - before.copy_bytes,
            looked: self.looked - before.looked,
            full: self.full - before.full,
        }
    }
}

/// When frames are due.
#[derive(Clone, Copy, Debug)]
struct Schedule {
    begin: u64,
    interval: f64,
    first: [u64; 2],
}

impl Schedule {
    /// TSC at which a frame was to be sent.
    fn due(&self, from: usize, number: u64) -> u64 {
        self.begin + ((number - self.first[from]) as f64 * self.interval) as u64
    }
}

/// The guests.
pub struct Engine {
    ports: Vec<PolledPort>,
    plan: Plan,
    next: [u64; 2],
    arrived: [u64; 2],
    /// Frames by stream, where they go and at the collector.
    service: [Tracker; 2],
    copied: [Tracker; 2],
    counts: Counts,
    wrong: Vec<String>,
    faults: u64,
    latency: Histogram<u64>,
    /// Frames that each sender may still send; `u64::MAX`: no limit.
    allowed: [u64; 2],
    /// When each frame of a paced run is due.
    schedule: Option<Schedule>,
    /// Frames until the next one that carries a time.
    stamp_in: [u64; 2],
    /// When each sender last looked for room.
    looked_at: [u64; 2],
    collect: u64,
    collect_from: u64,
}

impl Engine {
    /// Guests that are connected, with nothing under way.
    ///
    /// # Errors
    /// A sentence.
    pub fn new(ports: Vec<PolledPort>, plan: Plan) -> Result<Self, String> {
        let latency = Histogram::new_with_bounds(1, 1 << 40, 3).map_err(|e| e.to_string())?;
        let trackers = |sampling| {
            let [a, b] = &plan.streams;
            [Tracker::new(a, sampling), Tracker::new(b, sampling)]
        };
        let (service, copied) = (trackers(plan.sampling), trackers(plan.sampling));
        Ok(Engine {
            ports,
            next: [0; 2],
            arrived: [0; 2],
            service,
            copied,
            counts: Counts::default(),
            wrong: Vec::new(),
            faults: 0,
            latency,
            allowed: [u64::MAX; 2],
            schedule: None,
            stamp_in: [0; 2],
            looked_at: [tsc(); 2],
            collect: u64::MAX,
            collect_from: tsc(),
            plan,
        })
    }

    /// From now on each sender may send so many more frames.
    pub const fn allow(&mut self, frames: u64) {
        self.allowed = [frames; 2];
    }

    /// From now on frames are due every `interval` TSC cycles at each sender, and stamps say when they were: a sender that
    /// comes late makes no latency disappear.
    pub fn due_every(&mut self, interval: Option<f64>) {
        self.schedule = interval.map(|interval| Schedule { begin: tsc(), interval, first: self.next });
    }

    /// One look at every ring; `false` when nothing moved.
    #[inline]
    pub fn turn(&mut self) -> bool {
        let mut moved = false;
        for from in 0..2 {
            moved |= self.send(from);
        }
        for to in 0..2 {
            moved |= self.take(to);
        }
        moved | self.collect()
    }

    #[inline]
    fn send(&mut self, from: usize) -> bool {
        let want = (BURST as u64).min(self.allowed[from]) as usize;
        if want == 0 {
            return false;
        }
        let stream = &self.plan.streams[from];
        let tx = &mut self.ports[from].tx;
        let room = tx.room(BURST);
        let now = tsc();
        let since = now.wrapping_sub(self.looked_at[from]);
        self.looked_at[from] = now;
        self.counts.looked += since;
        self.counts.full += if room < BURST { since } else { 0 };
        let n = want.min(room);
        for number in self.next[from]..self.next[from] + n as u64 {
            let mut time = 0;
            if self.plan.stamp_every != 0 {
                if self.stamp_in[from] == 0 {
                    self.stamp_in[from] = self.plan.stamp_every;
                    time = self.schedule.map_or_else(tsc, |s| s.due(from, number));
                }
                self.stamp_in[from] -= 1;
            }
            tx.put(stream.len(number), |frame| stream.write(number, time, frame));
            self.counts.matching += u64::from(stream.matches(stream.flow(number)));
        }
        if n > 0 {
            tx.flush();
        }
        self.next[from] += n as u64;
        self.counts.sent += n as u64;
        if self.allowed[from] != u64::MAX {
            self.allowed[from] -= n as u64;
        }
        n > 0
    }

    /// Frames that arrive at port `to` come from the other one.
    #[inline]
    fn take(&mut self, to: usize) -> bool {
        let (from, counts) = (1 - to, &mut self.counts);
        let (stream, tracker) = (&self.plan.streams[from], &mut self.service[from]);
        let (wrong, faults, latency) = (&mut self.wrong, &mut self.faults, &mut self.latency);
        let mut taken = 0;
        while taken < TAKE
            && self.ports[to].rx.next(|frame| {
                counts.arrived += 1;
                counts.arrived_bytes += frame.len() as u64;
                let Some(stamp) = Stamp::read(frame).filter(|s| s.stream == stream.spec().id) else {
                    return fault(wrong, faults, || format!("port {to} got a frame that was not sent to it"));
                };
                if stamp.time != 0 {
                    latency.saturating_record(tsc().saturating_sub(stamp.time));
                }
                if tracker.samples(stream, stamp.number) {
                    tracker.arrived(stream, stamp.number);
                    if frame.len() != stream.len(stamp.number) || !stream.is_prefix(&stamp, frame) {
                        fault(wrong, faults, || format!("port {to}: frame {} arrived changed", stamp.number));
                    }
                }
            })
        {
            taken += 1;
        }
        if taken > 0 {
            self.ports[to].rx.give_back();
            self.arrived[to] += taken as u64;
        }
        taken > 0
    }

    #[inline]
    fn collect(&mut self) -> bool {
        let Some((port, outer)) = self.plan.collector else {
            return false;
        };
        let most = match self.plan.target {
            Target::Fast => 2 * TAKE,
            Target::Blocked => return false,
            Target::Slow(_) => (self.collect as usize).min(BURST),
        };
        let counts = &mut self.counts;
        let (streams, trackers) = (&self.plan.streams, &mut self.copied);
        let (wrong, faults) = (&mut self.wrong, &mut self.faults);
        let mut taken = 0;
        while taken < most
            && self.ports[port].rx.next(|frame| {
                counts.copies += 1;
                counts.copy_bytes += frame.len() as u64;
                let stamp = outer_of(frame);
                let found = stamp.and_then(|s| Some((s, streams.iter().position(|t| t.spec().id == s.stream)?)));
                let Some((stamp, which)) = found else {
                    return fault(wrong, faults, || "the collector got a frame that is no copy".to_owned());
                };
                let (stream, tracker) = (&streams[which], &mut trackers[which]);
                if tracker.samples(stream, stamp.number) {
                    tracker.arrived(stream, stamp.number);
                    if let Err(e) = check_copy(frame, &outer, stream, &stamp) {
                        fault(wrong, faults, || format!("copy of frame {}: {e}", stamp.number));
                    }
                }
            })
        {
            taken += 1;
        }
        if taken > 0 {
            self.ports[port].rx.give_back();
            self.collect = self.collect.saturating_sub(taken as u64);
        }
        taken > 0
    }

    /// Lets a slow collector take what its rate allows until now, `hz` being the TSC's.
    pub fn pace_collector(&mut self, hz: f64) {
        if let Target::Slow(rate) = self.plan.target {
            let now = tsc();
            let more = now.wrapping_sub(self.collect_from) as f64 / hz * rate;
            if more >= 1.0 {
                self.collect = if self.collect == u64::MAX { 0 } else { (self.collect + more as u64).min(1024) };
                self.collect_from = now;
            }
        }
    }

    /// Frames sent and taken by the two that talk, and copies collected.
    #[must_use]
    pub const fn port_counts(&self) -> PortCounts {
        PortCounts { sent: self.next, arrived: self.arrived, copies: self.counts.copies }
    }

    /// What happened so far.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// What arrived of the service streams, and of their copies.
    #[must_use]
    pub fn seen(&self) -> (Seen, Seen) {
        let sum = |t: &[Tracker; 2]| {
            let (a, b) = (t[0].seen(), t[1].seen());
            Seen {
                verified: a.verified + b.verified,
                lost: a.lost + b.lost,
                twice: a.twice + b.twice,
                late: a.late + b.late,
            }
        };
        (sum(&self.service), sum(&self.copied))
    }

    /// What was wrong, the first few, and how often.
    #[must_use]
    pub fn wrong(&self) -> (Vec<String>, u64) {
        let mut wrong = self.wrong.clone();
        if self.ports.iter().any(|p| p.tx.disorder() || p.rx.disorder()) {
            wrong.push("buffers came back out of order".to_owned());
        }
        (wrong, self.faults)
    }

    /// Latencies in TSC cycles since the last call, which are forgotten.
    pub fn take_latency(&mut self) -> Histogram<u64> {
        let taken = self.latency.clone();
        self.latency.reset();
        taken
    }

    /// A histogram with nothing in it.
    #[must_use]
    pub(super) fn no_latency(&self) -> Histogram<u64> {
        Histogram::new_from(&self.latency)
    }

    /// Frames that the contender holds of the senders'.
    pub fn outstanding(&mut self) -> u64 {
        self.ports.iter_mut().take(2).map(|p| p.tx.outstanding()).sum()
    }

    /// Did the contender hang up on any port?
    #[must_use]
    pub fn was_left(&self) -> bool {
        self.ports.iter().any(PolledPort::was_left)
    }

    /// The ports, when the run is over.
    #[must_use]
    pub fn into_ports(self) -> Vec<PolledPort> {
        self.ports
    }
}

#[cold]
fn fault(wrong: &mut Vec<String>, faults: &mut u64, text: impl FnOnce() -> String) {
    *faults += 1;
    if wrong.len() < WRONG {
        wrong.push(text());
    }
}
