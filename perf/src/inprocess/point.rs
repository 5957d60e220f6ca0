//! A point whose guests live in the workers' own threads; peers are measured over two processes in the same rounds.

use std::sync::atomic::{AtomicBool, Ordering};

use super::outside::{Answer, Question, ask};
use crate::generator::Pace;
use crate::measure::{Look, Mirroring, Options, Samples, Weather, audition, blank, once, remark, setup, teams};
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
    let mut question = question(spec, options, cpus)?;
    let (mut teams, remarks) = teams(spec, peers);
    point.notes.extend(remarks);
    let mut rest = teams.split_off(1);
    // Peers are processes: a worker and a generator, each on a CPU of its own.
    let mut options = options.clone();
    options.place.worker_cpus.truncate(1);
    if cpus.len() < 2 && !rest.is_empty() {
        point.notes.push("peers need a second CPU, for the generator".to_owned());
        rest.clear();
    }
    let entrants = audition(rest, &options, &mut point, progress, stop);
    let (mut samples, mut weather) = (Samples::default(), Weather::new(options.rounds));
    while let Some(round) = weather.next() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        progress.phase(&format!("round {} of {}: vswitch, guests inside", round + 1, options.rounds));
        progress.tick(f64::from(round) / f64::from(options.rounds));
        samples.begin_round();
        weather.begin();
        let answer = match ask(&question, stop) {
            Ok(answer) => answer,
            Err(_) if stop.load(Ordering::Relaxed) => break,
            Err(e) if round == 0 => return Err(e),
            Err(e) => {
                point.wrong.push(e);
                break;
            }
        };
        take(&answer, &mut samples);
        point.verified += answer.sets.iter().map(|s| s.verified).sum::<u64>();
        point.wrong.extend(answer.wrong);
        for entrant in &entrants {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            progress.phase(&format!("round {} of {}: {}", round + 1, options.rounds, entrant.label));
            let look = Look { sampling: Sampling::OneIn64, stamp_every: 0 };
            let pace = Pace { warmup: options.warmup, measure: options.measure, rate: None };
            match once(entrant, &options, &look, &pace, stop) {
                Ok((outcome, _, wrong)) => {
                    point.verified += outcome.service.verified + outcome.copies.verified;
                    point.wrong.extend(wrong.into_iter().map(|w| format!("{}: {w}", entrant.label)));
                    if outcome.is_some() {
                        samples.outcome(&entrant.label, &outcome, spec.rules > 0);
                    }
                }
                Err(e) => remark(&mut point, &entrant.label, &e),
            }
        }
        if !stop.load(Ordering::Relaxed) && !weather.end() {
            samples.forget_round();
        }
    }
    if options.verify && !stop.load(Ordering::Relaxed) {
        question = Question { verify_all: true, seconds: VERIFY, ..question };
        match ask(&question, stop) {
            Ok(answer) => {
                point.verified += answer.sets.iter().map(|s| s.verified).sum::<u64>();
                point.wrong.extend(answer.wrong);
            }
            Err(_) if stop.load(Ordering::Relaxed) => {}
            Err(e) => point.wrong.push(format!("every frame: {e}")),
        }
    }
    point.notes.push(
        "vswitch: service and copies are computed from the cycles of its own turns; service_with_guests was observed"
            .to_owned(),
    );
    weather.tell(&mut point);
    point.series = samples.into_series(true);
    Ok(point)
}

fn question(spec: &PointSpec, options: &Options, cpus: &[usize]) -> Result<Question, String> {
    let workers = usize::from(spec.workers);
    if cpus.len() < workers {
        return Err(format!("workers = {workers}: there are only {} CPUs here", cpus.len()));
    }
    let mut setup = setup(spec);
    // The idle ports that a scenario counts are shared by the workers.
    let spare = usize::from(setup.mirroring != Mirroring::None);
    setup.enis = (setup.enis - spare).div_ceil(workers) + spare;
    Ok(Question {
        setup,
        dir: std::path::PathBuf::new(),
        cpus: cpus[..workers].to_vec(),
        control_cpu: cpus.last().copied().unwrap_or(0),
        memory_mb: options.place.memory_mb.max(128 * workers as u32),
        hugepages: options.place.hugepages,
        warmup_seconds: options.warmup.as_secs_f64(),
        seconds: options.measure.as_secs_f64(),
        verify_all: false,
    })
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
