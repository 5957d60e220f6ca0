//! A point whose guests live in the workers' own threads; peers are measured over two processes in the same rounds.

use std::sync::atomic::{AtomicBool, Ordering};

use super::outside::{Answer, Question, ask};
use crate::generator::Pace;
use crate::measure::{Look, Team};
use crate::measure::{Options, Samples, audition, blank, once, setup, teams};
use crate::report::Point;
use crate::report::progress::Progress;
use crate::scenario::{Peer, PointSpec};
use crate::traffic::Sampling;

/// Seconds of the run in which every frame is looked at.
const VERIFY: f64 = 0.5;

/// Measures a point.
///
/// # Errors
/// One sentence: the switch does not run.
pub fn point(
    spec: &PointSpec,
    peers: &[Peer],
    options: &Options,
    cpus: &[usize],
    progress: &Progress,
    stop: &AtomicBool,
) -> Result<Point, String> {
    let mut point = blank(spec);
    let workers = usize::from(spec.workers);
    if cpus.len() < workers {
        return Err(format!("workers = {workers}: there are only {} CPUs here", cpus.len()));
    }
    let mut question = Question {
        setup: setup(spec),
        cpus: cpus[..workers].to_vec(),
        control_cpu: cpus.last().copied().unwrap_or(0),
        memory_mb: options.place.memory_mb.max(128 * workers as u32),
        hugepages: options.place.hugepages,
        warmup_seconds: options.warmup.as_secs_f64(),
        seconds: options.measure.as_secs_f64(),
        verify_all: false,
    };
    // The idle ports that a scenario counts are shared by the workers.
    let spare = usize::from(question.setup.mirroring != crate::measure::Mirroring::None);
    question.setup.enis = (question.setup.enis - spare).div_ceil(workers) + spare;
    let (mut teams, remarks) = teams(spec, peers);
    point.notes.extend(remarks);
    let rest: Vec<Team> = teams.split_off(1);
    let entrants = audition(rest, options, &mut point, progress, stop);
    let mut samples = Samples::default();
    for round in 0..options.rounds {
        progress.phase(&format!("round {} of {}: vswitch, guests inside", round + 1, options.rounds));
        progress.tick(f64::from(round) / f64::from(options.rounds));
        let answer = match ask(&question, stop) {
            Ok(answer) => answer,
            Err(_) if stop.load(Ordering::Relaxed) => break,
            Err(e) => return Err(e),
        };
        take(&answer, &mut samples);
        point.verified += answer.sets.iter().map(|s| s.verified).sum::<u64>();
        point.wrong.extend(answer.wrong);
        for entrant in &entrants {
            progress.phase(&format!("round {} of {}: {}", round + 1, options.rounds, entrant.label));
            let look = Look { sampling: Sampling::OneIn64, stamp_every: 0 };
            let pace = Pace { warmup: options.warmup, measure: options.measure, rate: None };
            match once(entrant, options, &look, &pace, stop) {
                Ok((outcome, _, wrong)) => {
                    samples.outcome(&entrant.label, &outcome, spec.rules > 0, false);
                    point.verified += outcome.service.verified + outcome.copies.verified;
                    point.wrong.extend(wrong.into_iter().map(|w| format!("{}: {w}", entrant.label)));
                }
                Err(e) => point.notes.push(format!("{}: {e}", entrant.label)),
            }
        }
        if stop.load(Ordering::Relaxed) {
            break;
        }
    }
    if options.verify && !stop.load(Ordering::Relaxed) {
        let every = Question { verify_all: true, seconds: VERIFY, ..question };
        let answer = ask(&every, stop)?;
        point.verified += answer.sets.iter().map(|s| s.verified).sum::<u64>();
        point.wrong.extend(answer.wrong);
    }
    point.notes.push("vswitch: service and copies without the time that the guests in its threads take".to_owned());
    point.series = samples.into_series();
    Ok(point)
}

fn take(answer: &Answer, samples: &mut Samples) {
    let (gross, net) = (answer.service_mpps(), answer.net_mpps());
    samples.add("vswitch", "service", "Mpps", net);
    if answer.copies_mpps() > 0.0 {
        samples.add("vswitch", "copies", "Mpps", answer.copies_mpps() / gross.max(1e-9) * net);
    }
    samples.add("vswitch", "service_with_guests", "Mpps", gross);
    samples.add("vswitch", "cycles", "cycles/packet", answer.mean(|s| s.switch_cycles));
    samples.add("vswitch", "guest_cycles", "cycles/packet", answer.mean(|s| s.guest_cycles));
    samples.add("vswitch", "ring_full", "%", answer.mean(|s| s.full_share) * 100.0);
}
