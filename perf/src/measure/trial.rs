//! One trial: a contender starts, guests talk through it, everything is counted, and all of it goes away again.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::setup::{Mirroring, Setup};
use crate::contender::{Contender, Counted};
use crate::generator::{Engine, Outcome, Pace, PolledPort, Target, run};
use crate::sys::cpu::pin;
use crate::traffic::Sampling;

/// Longest wait for a contender to come up and to take the guests' memory.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where a trial runs.
#[derive(Clone, Debug)]
pub struct Place {
    /// CPUs of the contender's workers.
    pub worker_cpus: Vec<usize>,
    /// CPU of everything else of the contender.
    pub control_cpu: usize,
    /// CPU of the generator.
    pub generator_cpu: usize,
    /// Hugepages for the contender, MiB.
    pub memory_mb: u32,
    /// Guests' memory in hugepages.
    pub hugepages: bool,
}

/// What a trial showed.
#[derive(Clone, Debug)]
pub struct Trial {
    /// What the guests saw.
    pub outcome: Outcome,
    /// What the contender counted.
    pub counted: Counted,
    /// What does not fit.
    pub wrong: Vec<String>,
}

/// How a trial looks at frames.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Which frames are looked at in full.
    pub sampling: Sampling,
    /// Every so many frames carry the time of their sending; 0: none.
    pub stamp_every: u64,
    /// Nothing may be lost.
    pub lossless: bool,
}

/// Runs `contender` once.
///
/// # Errors
/// One sentence: it does not start, or the guests cannot reach it.
pub fn trial(
    contender: &mut dyn Contender,
    setup: &Setup,
    place: &Place,
    pace: &Pace,
    look: &Look,
    stop: &AtomicBool,
) -> Result<Trial, String> {
    let name = contender.name();
    let dir = tempfile::Builder::new().prefix("vswitch-perf-").tempdir().map_err(|e| format!("no folder: {e}"))?;
    let job = setup.job(dir.path(), place.worker_cpus.clone(), place.control_cpu, place.memory_mb);
    let plan = setup.plan(0, look.sampling, look.stamp_every, name == "vswitch")?;
    let mut ports = Vec::new();
    for port in setup.port_setups(&job.ports, place.hugepages) {
        ports.push(PolledPort::listen(port).map_err(|e| format!("guest memory: {e}"))?);
    }
    contender.start(&job, PATIENCE).map_err(|e| format!("{name}: {e}"))?;
    for port in &mut ports {
        port.connect(plan.streams[0].pattern(), PATIENCE)
            .map_err(|e| format!("{name} does not serve {}: {e}", file_name(&port.setup().socket)))?;
    }
    let (pace, cpu) = (*pace, place.generator_cpu);
    let mut engine = Engine::new(ports, plan)?;
    let (outcome, connected, ports) = std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            pin(cpu).map_err(|e| format!("CPU {cpu} for the generator: {e}"))?;
            let outcome = run(&mut engine, &pace, &|| stop.load(Ordering::Relaxed));
            let connected = engine.is_connected();
            Ok::<_, String>((outcome, connected, engine.into_ports()))
        });
        thread.join().map_err(|_| "the generator ended".to_owned())?
    })?;
    if !connected && !outcome.interrupted {
        return Err(format!("{name} hung up during the run"));
    }
    let counted = contender.counted().map_err(|e| format!("{name}: {e}"))?;
    contender.stop();
    drop(ports);
    let wrong = verdict(setup, look, &outcome, &counted);
    Ok(Trial { outcome, counted, wrong })
}

fn file_name(path: &std::path::Path) -> String {
    path.file_name().map_or_else(|| PathBuf::from(path), PathBuf::from).display().to_string()
}

/// What the figures say that cannot be.
fn verdict(setup: &Setup, look: &Look, outcome: &Outcome, counted: &Counted) -> Vec<String> {
    let (mut wrong, faults) = outcome.wrong.clone();
    let total = &outcome.total;
    if faults > wrong.len() as u64 {
        wrong.push(format!("… {faults} faults in all"));
    }
    let mut claim = |holds: bool, text: String| {
        if !holds {
            wrong.push(text);
        }
    };
    for (what, seen) in [("service", &outcome.service), ("copies", &outcome.copies)] {
        claim(seen.twice == 0, format!("{what}: {} frames arrived twice", seen.twice));
        claim(seen.late == 0, format!("{what}: {} frames came behind a later one of their flow", seen.late));
    }
    claim(total.arrived <= total.sent, format!("{} frames sent, {} arrived", total.sent, total.arrived));
    if outcome.interrupted {
        return wrong;
    }
    claim(total.arrived > 0, "no frame arrived".to_owned());
    if look.lossless {
        claim(total.arrived == total.sent, format!("{} frames sent, {} arrived", total.sent, total.arrived));
    }
    if setup.mirroring == Mirroring::None {
        return wrong;
    }
    let fast = setup.target == Target::Fast;
    claim(total.copies <= total.matching, format!("{} frames match, {} copies", total.matching, total.copies));
    if look.lossless && fast {
        claim(total.copies == total.matching, format!("{} frames match, {} copies", total.matching, total.copies));
    }
    if let Some(copies) = counted.copies
        && fast
    {
        claim(copies == total.copies, format!("{copies} copies by the counters, {} arrived", total.copies));
    }
    wrong
}
