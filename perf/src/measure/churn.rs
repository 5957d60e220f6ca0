//! The configuration changes while packets flow: what that costs them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::entrant::{setup, teams};
use super::live::{Live, Look};
use super::rounds::{Options, Samples, blank, lossless};
use crate::generator::Pace;
use crate::report::Point;
use crate::report::progress::Progress;
use crate::scenario::PointSpec;
use crate::traffic::Sampling;

/// Share of the lossless maximum that is offered where the scenario says 100, percent.
const OFFERED: f64 = 50.0;

/// Measures a point: in each round a run in which nothing changes, then one with reloads back to back.
///
/// # Errors
/// One sentence.
pub fn point(spec: &PointSpec, options: &Options, progress: &Progress, stop: &AtomicBool) -> Result<Point, String> {
    let mut point = blank(spec);
    let (mut teams, _) = teams(spec, &[]);
    let entrant = teams.remove(0).tunings.remove(0);
    progress.phase("the lossless maximum");
    let most = lossless(&entrant, options, stop)?;
    let share = if spec.offered_percent == 100 { OFFERED } else { f64::from(spec.offered_percent) };
    let pace = Pace { warmup: options.warmup, measure: options.measure, rate: Some(most * share / 100.0) };
    point.notes.push(format!("lossless maximum {:.2} Mpps, offered {share} % of it", most / 1e6));
    let mut samples = Samples::default();
    let look = Look { sampling: Sampling::OneIn64, stamp_every: 1024 };
    for round in 0..options.rounds {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        progress.phase(&format!("round {} of {}", round + 1, options.rounds));
        progress.tick(f64::from(round) / f64::from(options.rounds));
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
        for (label, outcome) in [("still", &still), ("changing", &changing)] {
            samples.outcome(label, outcome, spec.rules > 0, true);
            samples.latency(label, outcome);
            samples.add(label, "lost", "packets", (outcome.total.sent - outcome.total.arrived) as f64);
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
    point.series = samples.into_series();
    Ok(point)
}
