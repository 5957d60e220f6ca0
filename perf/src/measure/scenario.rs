//! A scenario's points, one after another, at the level where its guests are.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::live::Place;
use super::rounds::{self, Options, blank};
use super::{churn, replay};
use crate::report::Point;
use crate::report::progress::Progress;
use crate::scenario::{Kind, Level, Peer, Scenario};
use crate::sys::cpu;

/// Memory of the contenders, MiB of hugepages each.
const MEMORY: u32 = 512;

/// How scenarios are run on this machine.
#[derive(Debug)]
pub struct Run<'a> {
    /// CPUs that may be used.
    pub cpus: Vec<usize>,
    /// Guests' memory in hugepages.
    pub hugepages: bool,
    /// Look at every frame in a slower run.
    pub verify: bool,
    /// Try all tunings of a peer first.
    pub audition: bool,
    /// What is shown meanwhile.
    pub progress: &'a Progress,
    /// Set when the run is to end early.
    pub stop: &'a AtomicBool,
}

impl<'a> Run<'a> {
    /// A run on these CPUs.
    #[must_use]
    pub fn new(cpus: Vec<usize>, progress: &'a Progress, stop: &'a AtomicBool) -> Self {
        Run { cpus, hugepages: true, verify: true, audition: true, progress, stop }
    }

    /// Workers from the first CPU on; the generator, and everything else of the contender, on the last one.
    fn options(&self, scenario: &Scenario, workers: usize) -> Result<Options, String> {
        let [.., last] = self.cpus[..] else {
            return Err("there is no CPU to run on".to_owned());
        };
        let processes = scenario.level == Level::Processes || scenario.kind == Kind::Churn;
        if self.cpus.len() < workers + 1 && processes && scenario.kind != Kind::Replay {
            return Err(format!(
                "{}: {workers} polling workers and a generator need {} CPUs, and there are {}: use a level inside one \
                 process (--level in_process), or more CPUs",
                scenario.name,
                workers + 1,
                self.cpus.len()
            ));
        }
        Ok(Options {
            place: Place {
                worker_cpus: self.cpus[..workers.min(self.cpus.len())].to_vec(),
                control_cpu: last,
                generator_cpu: last,
                memory_mb: MEMORY,
                hugepages: self.hugepages,
            },
            rounds: scenario.rounds,
            warmup: Duration::from_secs_f64(scenario.warmup_seconds),
            measure: Duration::from_secs_f64(scenario.seconds),
            verify: self.verify,
            audition: self.audition,
        })
    }
}

/// Runs a scenario; what was measured before `stop` is kept.
///
/// # Errors
/// One sentence, and the points that were measured before it.
pub fn run(scenario: &Scenario, run: &Run<'_>, mut found: impl FnMut(Point)) -> Result<(), String> {
    if let Some(not_yet) = scenario.not_yet() {
        let mut points = scenario.points();
        points.truncate(1);
        for spec in points {
            let mut point = blank(&spec);
            point.void = Some(not_yet.clone());
            found(point);
        }
        return Ok(());
    }
    let specs = scenario.points();
    // The caller's thread writes files and shows progress: never on a worker's CPU.
    if let Some(last) = run.cpus.last() {
        cpu::pin(*last).map_err(|e| format!("CPU {last}: {e}"))?;
    }
    // Points that are compared with each other take turns.
    if scenario.kind == Kind::Scale && scenario.level == Level::Processes {
        let options = run.options(scenario, specs.iter().map(|s| usize::from(s.workers)).max().unwrap_or(1))?;
        let points = rounds::points(&specs, &scenario.peers, &options, run.progress, run.stop);
        points.map_err(|e| format!("{}: {e}", scenario.name))?.into_iter().for_each(found);
        return Ok(());
    }
    for spec in specs {
        if run.stop.load(Ordering::Relaxed) {
            return Ok(());
        }
        let options = run.options(scenario, usize::from(spec.workers))?;
        let (progress, stop) = (run.progress, run.stop);
        let result = match (spec.kind, spec.level) {
            (Kind::Churn, _) => churn::point(&spec, &scenario.peers, &options, progress, stop).map(|p| vec![p]),
            (Kind::Replay, _) => replay::point(&spec, &options, progress, stop).map(|p| vec![p]),
            (Kind::Classify, _) | (_, Level::Stage) => {
                return Err(format!("{}: stages are measured by `vswitch-perf stages` and `classify`", scenario.name));
            }
            (_, Level::InProcess) => inside(&spec, &scenario.peers, &options, run).map(|p| vec![p]),
            (_, Level::Processes) => {
                rounds::points(std::slice::from_ref(&spec), &scenario.peers, &options, progress, stop)
            }
        };
        match result {
            Ok(points) => points.into_iter().for_each(&mut found),
            Err(_) if run.stop.load(Ordering::Relaxed) => return Ok(()),
            Err(e) => return Err(format!("{}: {e}", scenario.name)),
        }
    }
    Ok(())
}

#[cfg(feature = "dpdk")]
fn inside(
    spec: &crate::scenario::PointSpec,
    peers: &[Peer],
    options: &Options,
    run: &Run<'_>,
) -> Result<Point, String> {
    crate::inprocess::point(spec, peers, options, &run.cpus, run.progress, run.stop)
}

#[cfg(not(feature = "dpdk"))]
fn inside(_: &crate::scenario::PointSpec, _: &[Peer], _: &Options, _: &Run<'_>) -> Result<Point, String> {
    Err("guests inside the workers' threads need the feature dpdk".to_owned())
}
