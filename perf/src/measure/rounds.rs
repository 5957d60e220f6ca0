//! A point's rounds: every contender once, then every contender once more, A B A B. Points of one scenario that are
//! compared with each other take turns in the same way.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::entrant::{Entrant, Team, teams};
use super::live::{LOSSLESS, Live, Look, Place};
use super::payable::payable;
use super::samples::Samples;
use super::weather::Weather;
use crate::contender::Counted;
use crate::generator::{Outcome, Pace, Target};
use crate::report::Point;
use crate::report::progress::Progress;
use crate::scenario::{Kind, Overload, Peer, PointSpec};
use crate::traffic::Sampling;

/// Share of a contender's rate at which every frame is looked at, the most packets a second, and for how long.
const VERIFY_SHARE: f64 = 0.2;
const VERIFY_MOST: f64 = 1e6;
const VERIFY: Duration = Duration::from_millis(700);
/// What stands for the lossless maximum, packets a second, where none was found.
const UNSURE: f64 = 1e5;
/// How long tunings are compared before the rounds.
pub(super) const AUDITION: Duration = Duration::from_millis(800);
/// One frame in so many carries the time of its sending: a prime, or it would always be the same flow.
pub(crate) const STAMP_EVERY: u64 = 1021;

/// How a scenario is run.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where.
    pub place: Place,
    /// Rounds.
    pub rounds: u32,
    /// Not measured, each time.
    pub warmup: Duration,
    /// Measured, each time.
    pub measure: Duration,
    /// Look at every frame in a slower run.
    pub verify: bool,
    /// Try all tunings of a peer first and take the best; else the first one.
    pub audition: bool,
}

/// A point without figures.
pub(crate) fn blank(spec: &PointSpec) -> Point {
    Point {
        scenario: spec.scenario.clone(),
        labels: spec.labels.clone(),
        series: Vec::new(),
        verified: 0,
        wrong: Vec::new(),
        void: None,
        notes: Vec::new(),
    }
}

/// A run of one contender from its start to its end.
pub(crate) fn once(
    entrant: &Entrant,
    options: &Options,
    look: &Look,
    pace: &Pace,
    stop: &AtomicBool,
) -> Result<(Outcome, Counted, Vec<String>), String> {
    let mut contender = (entrant.make)();
    let mut live = Live::open(&mut *contender, &entrant.setup, &options.place, look, stop)?;
    let outcome = live.run(pace)?;
    let (counted, wrong) = live.close()?;
    Ok((outcome, counted, wrong))
}

/// A point under way.
struct Course<'a> {
    spec: &'a PointSpec,
    options: &'a Options,
    progress: &'a Progress,
    stop: &'a AtomicBool,
    entrants: Vec<Entrant>,
    rate: Option<f64>,
    /// Copies a second that the time left by service pays for, where copies are given up.
    payable: Option<f64>,
    samples: Samples,
    losses: BTreeMap<String, Vec<f64>>,
    weather: Weather,
    point: Point,
    failed: bool,
}

/// Measures points at the level of processes, round by round in turn.
///
/// # Errors
/// The switch itself does not start at all. A peer that does not is a remark.
pub fn points(
    specs: &[PointSpec],
    peers: &[Peer],
    options: &Options,
    progress: &Progress,
    stop: &AtomicBool,
) -> Result<Vec<Point>, String> {
    let mut courses = Vec::new();
    for spec in specs {
        courses.push(Course::new(spec, peers, options, progress, stop)?);
    }
    while courses.iter().any(Course::goes_on) {
        for course in courses.iter_mut().filter(|c| c.goes_on()) {
            course.round()?;
        }
    }
    Ok(courses.into_iter().map(Course::finish).collect())
}

impl<'a> Course<'a> {
    fn new(
        spec: &'a PointSpec,
        peers: &[Peer],
        options: &'a Options,
        progress: &'a Progress,
        stop: &'a AtomicBool,
    ) -> Result<Self, String> {
        let mut point = blank(spec);
        let (teams, remarks) = teams(spec, peers);
        point.notes.extend(remarks);
        let entrants = audition(teams, options, &mut point, progress, stop);
        let rate = offered(spec, &entrants, options, &mut point, progress, stop)?;
        let payable = match rate {
            Some(rate) if spec.overload == Overload::Shed && entrants.iter().any(|e| e.label == "vswitch-off") => {
                progress.phase("what idle time pays for");
                let paid = payable(&entrants, rate, options, stop)?;
                if paid.is_none() {
                    point.void = Some("the host became slower than the offered rate".to_owned());
                }
                paid
            }
            _ => None,
        };
        let (samples, weather) = (Samples::default(), Weather::new(options.rounds));
        let losses = BTreeMap::new();
        let failed = false;
        Ok(Course { spec, options, progress, stop, entrants, rate, payable, samples, losses, weather, point, failed })
    }

    fn goes_on(&self) -> bool {
        !self.failed && !self.stop.load(Ordering::Relaxed) && self.weather.next().is_some()
    }

    fn round(&mut self) -> Result<(), String> {
        let (number, all) = (self.weather.next().unwrap_or_default(), self.options.rounds);
        let look = Look { sampling: Sampling::OneIn64, stamp_every: STAMP_EVERY };
        let pace = Pace { warmup: self.options.warmup, measure: self.options.measure, rate: self.rate };
        self.samples.begin_round();
        self.weather.begin();
        let mut lost = Vec::new();
        for (n, entrant) in self.entrants.iter().enumerate() {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            self.progress.phase(&format!("round {} of {all}: {}", number + 1, entrant.label));
            self.progress
                .tick((number as usize * self.entrants.len() + n) as f64 / (all as usize * self.entrants.len()) as f64);
            match once(entrant, self.options, &look, &pace, self.stop) {
                Ok((outcome, counted, wrong)) => {
                    // Whatever the weather: what is wrong is wrong.
                    self.point.verified += outcome.service.verified + outcome.copies.verified;
                    self.point.wrong.extend(wrong.into_iter().map(|w| format!("{}: {w}", entrant.label)));
                    if outcome.is_some() {
                        take(self.spec, entrant, &outcome, &counted, &mut self.samples);
                        if let Some(payable) = self.payable.filter(|_| n == 0) {
                            self.samples.add(&entrant.label, "copies_payable", "Mpps", payable / 1e6);
                        }
                        lost.push((entrant.label.clone(), outcome.lost_share()));
                    }
                }
                Err(e) if n == 0 && number == 0 => return Err(format!("{}: {e}", entrant.label)),
                Err(e) if n == 0 => {
                    self.failed = true;
                    self.point.wrong.push(format!("{}: {e}", entrant.label));
                    break;
                }
                Err(e) => remark(&mut self.point, &entrant.label, &e),
            }
        }
        let interrupted = self.stop.load(Ordering::Relaxed);
        if !interrupted && !self.weather.end() {
            self.samples.forget_round();
            return Ok(());
        }
        if self.rate.is_some() {
            lost.into_iter().for_each(|(label, share)| self.losses.entry(label).or_default().push(share));
            self.extra_loss();
        }
        Ok(())
    }

    /// The share of packets that the switch lost beyond what it loses without any session, less what counts as lossless.
    fn extra_loss(&mut self) {
        let last = |label: &str| self.losses.get(label).and_then(|l| l.last()).copied();
        if let (Some(ours), Some(off)) = (last("vswitch"), last("vswitch-off")) {
            self.samples.add("vswitch", "extra_loss", "%", (ours - off - LOSSLESS).max(0.0) * 100.0);
        }
    }

    fn finish(mut self) -> Point {
        self.weather.tell(&mut self.point);
        self.point.series = self.samples.into_series(self.rate.is_some());
        if self.options.verify {
            verify(&self.entrants, self.options, &mut self.point, self.progress, self.stop);
        }
        self.point.wrong.dedup();
        self.point
    }
}

pub(crate) fn remark(point: &mut Point, label: &str, text: &str) {
    let text = format!("{label}: {text}");
    if !point.notes.contains(&text) {
        point.notes.push(text);
    }
}

fn take(spec: &PointSpec, entrant: &Entrant, outcome: &Outcome, counted: &Counted, samples: &mut Samples) {
    let mirrors = spec.rules > 0 && entrant.label != "vswitch-off";
    samples.outcome(&entrant.label, outcome, mirrors);
    samples.latency(&entrant.label, outcome);
    if let Some((busy, idle)) = counted.cycles {
        samples.add(&entrant.label, "busy", "%", busy as f64 / (busy + idle).max(1) as f64 * 100.0);
        samples.add(&entrant.label, "cycles", "cycles/packet", busy as f64 / outcome.total.arrived.max(1) as f64);
    }
    if mirrors && entrant.label == "vswitch" {
        let matched = outcome.total.matching.max(1) as f64;
        let overload = counted.skipped.iter().filter(|(r, _)| r == "overload").map(|(_, n)| *n).sum::<u64>();
        samples.add(&entrant.label, "skipped_overload", "%", overload as f64 / matched * 100.0);
    }
}

/// Of each team the tuning that is fastest in a short run; all that a team of one has.
pub(crate) fn audition(
    teams: Vec<Team>,
    options: &Options,
    point: &mut Point,
    progress: &Progress,
    stop: &AtomicBool,
) -> Vec<Entrant> {
    let mut chosen = Vec::new();
    for mut team in teams {
        if team.tunings.len() == 1 || !options.audition {
            team.tunings.truncate(1);
            chosen.append(&mut team.tunings);
            continue;
        }
        let mut best: Option<(f64, usize)> = None;
        for (n, entrant) in team.tunings.iter().enumerate() {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            progress.phase(&format!("choosing a tuning: {}", entrant.label));
            let look = Look { sampling: Sampling::OneIn64, stamp_every: 0 };
            let pace = Pace { warmup: options.warmup, measure: AUDITION, rate: None };
            match once(entrant, options, &look, &pace, stop) {
                // Whoever is fast and wrong is not the best.
                Ok((_, _, wrong)) if !wrong.is_empty() => remark(point, &entrant.label, &wrong[0]),
                Ok((outcome, ..)) => {
                    // What the goals ask for: service, and where there are copies the smaller of the two.
                    let mirrors = outcome.total.copies > 0;
                    let service = outcome.service_mpps();
                    let rate = if mirrors { service.min(outcome.copies_mpps()) } else { service };
                    if best.is_none_or(|(b, _)| rate > b) {
                        best = Some((rate, n));
                    }
                }
                Err(e) => remark(point, &entrant.label, &e),
            }
        }
        match best {
            Some((_, n)) => {
                let winner = team.tunings.swap_remove(n);
                point.notes.push(format!("{}: the best of its tunings is {}", team.label, winner.label));
                chosen.push(winner);
            }
            None => point.notes.push(format!("{} is not measured", team.label)),
        }
    }
    chosen
}

/// The offered rate, where it is not "as fast as it goes": a share of the switch's own lossless maximum, without any
/// session, and for latencies with the point's own.
fn offered(
    spec: &PointSpec,
    entrants: &[Entrant],
    options: &Options,
    point: &mut Point,
    progress: &Progress,
    stop: &AtomicBool,
) -> Result<Option<f64>, String> {
    if spec.offered_percent == 100 {
        return Ok(None);
    }
    let wanted = if spec.kind == Kind::Latency { "vswitch" } else { "vswitch-off" };
    let entrant = entrants.iter().find(|e| e.label == wanted).or_else(|| entrants.first());
    let entrant = entrant.ok_or("nobody takes part")?;
    progress.phase(&format!("the lossless maximum of {}", entrant.label));
    let most = match lossless(entrant, options, stop) {
        Ok(most) => most,
        // A machine that others keep busy: what the point's contenders do is still checked, and no figure counts.
        Err(e) => {
            point.void = Some(e);
            UNSURE
        }
    };
    point.notes.push(format!("lossless maximum of {}: {:.2} Mpps", entrant.label, most / 1e6));
    Ok(Some(most * f64::from(spec.offered_percent) / 100.0))
}

/// The highest rate, packets a second, at which a contender loses nothing to speak of.
pub(crate) fn lossless(entrant: &Entrant, options: &Options, stop: &AtomicBool) -> Result<f64, String> {
    let mut contender = (entrant.make)();
    let look = Look { sampling: Sampling::OneIn64, stamp_every: 0 };
    let mut live = Live::open(&mut *contender, &entrant.setup, &options.place, &look, stop)?;
    let first = live.run(&Pace { warmup: options.warmup, measure: AUDITION, rate: None })?;
    let most = live.lossless(first.service_mpps() * 1e6)?;
    live.close()?;
    Ok(most)
}

/// Once more, slower, and every frame and every copy is looked at.
fn verify(entrants: &[Entrant], options: &Options, point: &mut Point, progress: &Progress, stop: &AtomicBool) {
    for (n, entrant) in entrants.iter().enumerate() {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        progress.phase(&format!("looking at every frame: {}", entrant.label));
        let rate = point.series.iter().find(|s| s.contender == entrant.label && s.metric == "service");
        let rate = rate.and_then(|s| crate::report::stats::median(&s.samples)).unwrap_or(1.0) * 1e6 * VERIFY_SHARE;
        let look = Look { sampling: Sampling::All, stamp_every: 0 };
        let pace = Pace { warmup: Duration::from_millis(100), measure: VERIFY, rate: Some(rate.min(VERIFY_MOST)) };
        match once(entrant, options, &look, &pace, stop) {
            Ok((outcome, counted, wrong)) => {
                point.verified += outcome.service.verified + outcome.copies.verified;
                point.wrong.extend(wrong.into_iter().map(|w| format!("{}, every frame: {w}", entrant.label)));
                let (lost, sent) = (outcome.total.sent.saturating_sub(outcome.total.arrived), outcome.total.sent);
                if lost > 0 {
                    // The switch's have a counted reason, or the ledger above says so: somebody's CPU was away.
                    let reasons: Vec<String> = counted.dropped.iter().map(|(r, n)| format!("{r} {n}")).collect();
                    let text = format!("{lost} of {sent} frames were lost at a slow rate: {}", reasons.join(", "));
                    remark(point, &entrant.label, text.trim_end_matches(": "));
                }
                let missing = outcome.total.matching.saturating_sub(outcome.total.copies + lost);
                if n > 0
                    && entrant.setup.target == Target::Fast
                    && !outcome.interrupted
                    && outcome.copies.verified > 0
                    && missing > 0
                {
                    remark(point, &entrant.label, &format!("{missing} copies are missing at a slow rate"));
                }
            }
            Err(e) if n == 0 => point.wrong.push(format!("{}, every frame: {e}", entrant.label)),
            Err(e) => remark(point, &entrant.label, &e),
        }
    }
}
