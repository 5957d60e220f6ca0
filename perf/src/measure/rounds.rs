//! A point's rounds: every contender once, then every contender once more, A B A B.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::entrant::{Entrant, Team, teams};
use super::live::{Live, Look, Place};
use crate::contender::Counted;
use crate::generator::{Outcome, Pace};
use crate::report::progress::Progress;
use crate::report::steal::Watch;
use crate::report::{Point, Series};
use crate::scenario::{Peer, PointSpec};
use crate::traffic::Sampling;

/// A generator that found less than a burst of room in fewer than this share of its tries is the bottleneck.
const BOTTLENECK: f64 = 0.2;
/// Share of a contender's rate at which every frame is looked at, and for how long.
const VERIFY_SHARE: f64 = 0.2;
const VERIFY: Duration = Duration::from_millis(700);
/// How long tunings are compared before the rounds.
const AUDITION: Duration = Duration::from_millis(600);
/// One frame in so many carries the time of its sending.
const STAMP_EVERY: u64 = 1024;
/// Rounds that are repeated when the host was busy, at most, as a share of those that were asked for.
const REPEATED: u32 = 2;

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

/// Samples by contender and metric, in the order in which they first came.
#[derive(Default)]
pub(crate) struct Samples {
    series: Vec<Series>,
}

impl Samples {
    pub(crate) fn add(&mut self, contender: &str, metric: &str, unit: &str, value: f64) {
        self.add_bound(contender, metric, unit, value, false);
    }

    fn add_bound(&mut self, contender: &str, metric: &str, unit: &str, value: f64, bound: bool) {
        let at = self.series.iter().position(|s| s.contender == contender && s.metric == metric);
        let series = match at {
            Some(at) => &mut self.series[at],
            None => {
                self.series.push(Series {
                    contender: contender.to_owned(),
                    metric: metric.to_owned(),
                    unit: unit.to_owned(),
                    samples: Vec::new(),
                    lower_bound: false,
                });
                match self.series.last_mut() {
                    Some(last) => last,
                    None => return,
                }
            }
        };
        series.samples.push(value);
        series.lower_bound |= bound;
    }

    /// A run's figures.
    pub(crate) fn outcome(&mut self, label: &str, outcome: &Outcome, mirrors: bool, paced: bool) {
        let bound = !paced && outcome.full_share() < BOTTLENECK;
        self.add_bound(label, "service", "Mpps", outcome.service_mpps(), bound);
        self.add(label, "service_gbps", "Gb/s", outcome.window.arrived_bytes as f64 * 8.0 / outcome.seconds / 1e9);
        if mirrors {
            self.add_bound(label, "copies", "Mpps", outcome.copies_mpps(), bound);
        }
        self.add(label, "ring_full", "%", outcome.full_share() * 100.0);
    }

    pub(crate) fn latency(&mut self, label: &str, outcome: &Outcome) {
        for (metric, percentile) in
            [("latency_p50", 50.0), ("latency_p90", 90.0), ("latency_p99", 99.0), ("latency_p999", 99.9)]
        {
            self.add(label, metric, "us", outcome.latency_us(percentile));
        }
    }

    pub(crate) fn into_series(self) -> Vec<Series> {
        self.series
    }
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

/// Measures a point at the level of processes.
///
/// # Errors
/// The switch itself does not run. A peer that does not is a remark.
pub fn point(
    spec: &PointSpec,
    peers: &[Peer],
    options: &Options,
    progress: &Progress,
    stop: &AtomicBool,
) -> Result<Point, String> {
    let mut point = blank(spec);
    let (teams, remarks) = teams(spec, peers);
    point.notes.extend(remarks);
    let entrants = audition(teams, options, &mut point, progress, stop);
    let rates = offered(spec, &entrants, options, &mut point, progress, stop)?;
    let look = Look { sampling: Sampling::OneIn64, stamp_every: STAMP_EVERY };
    let mut watch = Watch::new();
    let mut samples = Samples::default();
    let (mut done, mut repeated) = (0, 0);
    let mut losses: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    while done < options.rounds && !stop.load(Ordering::Relaxed) {
        let mut round = Vec::new();
        watch.begin();
        for (n, entrant) in entrants.iter().enumerate() {
            progress.phase(&format!("round {} of {}: {}", done + 1, options.rounds, entrant.label));
            progress
                .tick((done as usize * entrants.len() + n) as f64 / (options.rounds as usize * entrants.len()) as f64);
            let pace = Pace { warmup: options.warmup, measure: options.measure, rate: rates };
            match once(entrant, options, &look, &pace, stop) {
                Ok(result) => round.push((entrant, result)),
                Err(e) if n == 0 => return Err(format!("{}: {e}", entrant.label)),
                Err(e) => remark(&mut point, &entrant.label, &e),
            }
        }
        // A round during which the host took the CPUs away says nothing: it is done again, a few times.
        if let Some(objection) = watch.end().objection() {
            if repeated < options.rounds.div_ceil(REPEATED) && !stop.load(Ordering::Relaxed) {
                repeated += 1;
                continue;
            }
            remark(&mut point, "host", &objection);
        }
        for (entrant, (outcome, counted, wrong)) in round {
            take(spec, entrant, &outcome, &counted, &mut samples, rates.is_some());
            let lost = outcome.total.sent.saturating_sub(outcome.total.arrived) as f64;
            losses.entry(entrant.label.clone()).or_default().push(lost);
            point.verified += outcome.service.verified + outcome.copies.verified;
            point.wrong.extend(wrong.into_iter().map(|w| format!("{}: {w}", entrant.label)));
        }
        done += 1;
    }
    if rates.is_some() {
        extra_loss(&losses, &mut samples);
    }
    if repeated > 0 {
        point.notes.push(format!("{repeated} rounds were repeated: the host was busy"));
    }
    point.series = samples.into_series();
    if options.verify {
        verify(&entrants, options, &mut point, progress, stop);
    }
    point.wrong.dedup();
    Ok(point)
}

fn remark(point: &mut Point, label: &str, text: &str) {
    let text = format!("{label}: {text}");
    if !point.notes.contains(&text) {
        point.notes.push(text);
    }
}

fn take(spec: &PointSpec, entrant: &Entrant, outcome: &Outcome, counted: &Counted, samples: &mut Samples, paced: bool) {
    let mirrors = spec.rules > 0 && entrant.label != "vswitch-off";
    samples.outcome(&entrant.label, outcome, mirrors, paced);
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

/// Packets that the switch lost beyond what it loses without any session, round by round.
fn extra_loss(losses: &BTreeMap<String, Vec<f64>>, samples: &mut Samples) {
    let (Some(ours), Some(off)) = (losses.get("vswitch"), losses.get("vswitch-off")) else {
        return;
    };
    for (a, b) in ours.iter().zip(off) {
        samples.add("vswitch", "extra_loss", "packets", (a - b).max(0.0));
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
            progress.phase(&format!("choosing a tuning: {}", entrant.label));
            let look = Look { sampling: Sampling::OneIn64, stamp_every: 0 };
            let pace = Pace { warmup: options.warmup.min(AUDITION), measure: AUDITION, rate: None };
            match once(entrant, options, &look, &pace, stop) {
                // Whoever is fast and wrong is not the best.
                Ok((_, _, wrong)) if !wrong.is_empty() => remark(point, &entrant.label, &wrong[0]),
                Ok((outcome, ..)) => {
                    let rate = outcome.service_mpps() + outcome.copies_mpps();
                    if best.is_none_or(|(b, _)| rate > b) {
                        best = Some((rate, n));
                    }
                }
                Err(e) => remark(point, &entrant.label, &e),
            }
            if stop.load(Ordering::Relaxed) {
                break;
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
    let own = spec.kind == crate::scenario::Kind::Latency;
    let wanted = if own { "vswitch" } else { "vswitch-off" };
    let entrant = entrants.iter().find(|e| e.label == wanted).or_else(|| entrants.first());
    let entrant = entrant.ok_or("nobody takes part")?;
    progress.phase(&format!("the lossless maximum of {}", entrant.label));
    let most = lossless(entrant, options, stop)?;
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

/// Once more, slower, and every frame and every copy is looked at: nothing may be lost then.
fn verify(entrants: &[Entrant], options: &Options, point: &mut Point, progress: &Progress, stop: &AtomicBool) {
    for (n, entrant) in entrants.iter().enumerate() {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        progress.phase(&format!("looking at every frame: {}", entrant.label));
        let rate = point.series.iter().find(|s| s.contender == entrant.label && s.metric == "service");
        let rate = rate.and_then(|s| crate::report::stats::median(&s.samples)).unwrap_or(1.0) * 1e6 * VERIFY_SHARE;
        let look = Look { sampling: Sampling::All, stamp_every: 0 };
        let pace = Pace { warmup: Duration::from_millis(100), measure: VERIFY, rate: Some(rate.min(1e6)) };
        match once(entrant, options, &look, &pace, stop) {
            Ok((outcome, _, wrong)) => {
                point.verified += outcome.service.verified + outcome.copies.verified;
                point.wrong.extend(wrong.into_iter().map(|w| format!("{}, every frame: {w}", entrant.label)));
                let lost = outcome.total.sent - outcome.total.arrived;
                if lost > 0 {
                    remark(
                        point,
                        &entrant.label,
                        &format!("{lost} of {} frames lost at a slow rate", outcome.total.sent),
                    );
                }
            }
            Err(e) if n == 0 => point.wrong.push(format!("{}, every frame: {e}", entrant.label)),
            Err(e) => remark(point, &entrant.label, &e),
        }
    }
}
