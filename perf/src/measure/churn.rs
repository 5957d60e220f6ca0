//! The configuration changes while packets flow: what that costs them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::entrant::{setup, teams};
use super::live::LOSSLESS;
use super::live::{Live, Look};
use super::rounds::{Options, STAMP_EVERY, blank, lossless};
use super::samples::Samples;
use super::weather::Weather;
use crate::generator::Pace;
use crate::report::Point;
use crate::report::progress::Progress;
use crate::scenario::{Peer, PointSpec};
use crate::traffic::Sampling;

/// Share of the lossless maximum that is offered where the scenario says 100, percent.
const OFFERED: f64 = 50.0;

/// Measures a point: in each round a run in which nothing changes, then one with reloads back to back.
///
/// # Errors
/// One sentence.
pub fn point(
    spec: &PointSpec,
    peers: &[Peer],
    options: &Options,
    progress: &Progress,
    stop: &AtomicBool,
) -> Result<Point, String> {
    let mut point = blank(spec);
    if peers.iter().any(|p| *p != Peer::Off) {
        point.notes.push("peers have no configuration that changes while packets flow".to_owned());
    }
    let (mut teams, _) = teams(spec, &[]);
    let entrant = teams.remove(0).tunings.remove(0);
    progress.phase("the lossless maximum");
    let most = lossless(&entrant, options, stop)?;
    let share = if spec.offered_percent == 100 { OFFERED } else { f64::from(spec.offered_percent) };
    let pace = Pace { warmup: options.warmup, measure: options.measure, rate: Some(most * share / 100.0) };
    point.notes.push(format!("lossless maximum {:.2} Mpps, offered {share} % of it", most / 1e6));
    let mut samples = Samples::default();
    let look = Look { sampling: Sampling::OneIn64, stamp_every: STAMP_EVERY };
    let mut weather = Weather::new(options.rounds);
    while let Some(round) = weather.next() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        progress.phase(&format!("round {} of {}", round + 1, options.rounds));
        progress.tick(f64::from(round) / f64::from(options.rounds));
        samples.begin_round();
        weather.begin();
        let mut contender = (entrant.make)();
        let mut live = Live::open(&mut *contender, &setup(spec), &options.place, &look, stop)?;
        let still = live.run(&pace)?;
        let mut took = Vec::new();
        let mut refused = None;
        let changing = live.run_beside(&pace, |contender, over| {
            let mut variation = 0;
            while !over.load(Ordering::Relaxed) && refused.is_none() {
                match contender.reload(variation) {
                    Ok(time) => took.push(time),
                    Err(e) => refused = Some(e),
                }
                variation += 1;
            }
        })?;
        if let Some(e) = refused {
            return Err(e);
        }
        let (_, wrong) = live.close()?;
        point.wrong.extend(wrong);
        point.verified += changing.service.verified + changing.copies.verified;
        if !changing.is_some() {
            samples.forget_round();
            break;
        }
        for (label, outcome) in [("still", &still), ("changing", &changing)] {
            samples.outcome(label, outcome, spec.rules > 0);
            samples.latency(label, outcome);
        }
        if !weather.end() {
            samples.forget_round();
            continue;
        }
        let extra = changing.lost_share() - still.lost_share();
        if extra > LOSSLESS {
            point.wrong.push(format!("{:.3} % of the packets were lost because of changes", extra * 100.0));
        }
        took.sort_unstable();
        let at = |share: f64| took.get(((took.len() as f64 - 1.0) * share) as usize).map_or(0.0, Duration::as_secs_f64);
        samples.add(
            "changing",
            "reloads",
            "1/s",
            took.len() as f64 / (changing.seconds + options.warmup.as_secs_f64()),
        );
        for (metric, share) in [("reload_p50", 0.5), ("reload_p99", 0.99), ("reload_max", 1.0)] {
            samples.add("changing", metric, "ms", at(share) * 1e3);
        }
    }
    weather.tell(&mut point);
    point.series = samples.into_series(true);
    Ok(point)
}
