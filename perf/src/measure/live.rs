//! A contender that runs, with guests that are connected to it: runs follow each other, then all of it goes away.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::setup::{Mirroring, Setup};
use crate::contender::{Contender, Counted};
use crate::generator::{Counts, Engine, Outcome, Pace, PolledPort, Target, run};
use crate::sys::cpu::pin;
use crate::traffic::Sampling;

/// Longest wait for a contender to come up, and to take the guests' memory.
const PATIENCE: Duration = Duration::from_secs(30);
/// Loss below which a rate counts as lossless: on a machine that is shared a CPU is away for a millisecond now and
/// then, and a ring of 1,024 holds less than that. One in a thousand.
pub const LOSSLESS: f64 = 1e-3;
/// Steps and seconds of the search for the highest lossless rate.
const SEARCH_STEPS: u32 = 7;
const SEARCH_SECONDS: f64 = 0.4;

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

/// How frames are looked at.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Which frames are looked at in full.
    pub sampling: Sampling,
    /// Every so many frames carry the time of their sending; 0: none.
    pub stamp_every: u64,
}

/// A contender under test.
pub struct Live<'a> {
    contender: &'a mut dyn Contender,
    engine: Option<Engine>,
    setup: Setup,
    cpu: usize,
    stop: &'a AtomicBool,
    before: Counts,
    // Sockets lie in it: it goes last.
    _dir: tempfile::TempDir,
}

impl<'a> Live<'a> {
    /// Starts `contender` and connects the guests.
    ///
    /// # Errors
    /// One sentence.
    pub fn open(
        contender: &'a mut dyn Contender,
        setup: &Setup,
        place: &Place,
        look: &Look,
        stop: &'a AtomicBool,
    ) -> Result<Self, String> {
        let name = contender.name();
        let dir = tempfile::Builder::new().prefix("vswitch-perf-").tempdir().map_err(|e| format!("no folder: {e}"))?;
        // Pools of jumbo buffers: OVS has one of 100 MB for every port.
        let memory_mb = if setup.mtu.max(setup.collector_mtu) > 1500 { 2 * place.memory_mb } else { place.memory_mb };
        let job = setup.job(dir.path(), place.worker_cpus.clone(), place.control_cpu, memory_mb);
        let plan = setup.plan(0, look.sampling, look.stamp_every, name == "vswitch")?;
        let mut ports = Vec::new();
        for port in setup.port_setups(&job.ports, place.hugepages) {
            ports.push(PolledPort::listen(port).map_err(|e| no_memory(&e.to_string(), place.hugepages))?);
        }
        contender.start(&job, PATIENCE)?;
        let served = contender.ports(&job);
        for (index, port) in ports.iter_mut().enumerate().filter(|(index, _)| served.contains(index)) {
            port.connect(plan.streams[0].pattern(), PATIENCE)
                .map_err(|e| format!("{name} does not serve port {index}: {e}"))?;
        }
        let engine = Some(Engine::new(ports, plan)?);
        let (setup, cpu) = (setup.clone(), place.generator_cpu);
        Ok(Live { contender, engine, setup, cpu, stop, before: Counts::default(), _dir: dir })
    }

    /// One run. `meanwhile` is done on the calling thread while it lasts.
    ///
    /// # Errors
    /// One sentence.
    pub fn run_beside(
        &mut self,
        pace: &Pace,
        meanwhile: impl FnOnce(&mut dyn Contender, &AtomicBool),
    ) -> Result<Outcome, String> {
        let mut engine = self.engine.take().ok_or("the guests are gone")?;
        let (cpu, stop, pace) = (self.cpu, self.stop, *pace);
        let over = AtomicBool::new(false);
        let (outcome, engine) = std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let pinned = pin(cpu).map_err(|e| format!("CPU {cpu} for the generator: {e}"));
                let outcome = pinned.map(|()| run(&mut engine, &pace, &|| stop.load(Ordering::Relaxed)));
                over.store(true, Ordering::Relaxed);
                (outcome, engine)
            });
            meanwhile(self.contender, &over);
            thread.join().map_err(|_| "the generator ended".to_owned())
        })?;
        let left = engine.was_left();
        self.engine = Some(engine);
        let mut outcome = outcome?;
        if left && !outcome.interrupted {
            return Err(format!("{} hung up during the run", self.contender.name()));
        }
        let total = outcome.total;
        outcome.total = total.since(&self.before);
        self.before = total;
        Ok(outcome)
    }

    /// One run.
    ///
    /// # Errors
    /// One sentence.
    pub fn run(&mut self, pace: &Pace) -> Result<Outcome, String> {
        self.run_beside(pace, |_, _| ())
    }

    /// The highest rate, packets a second, at which no more than [`LOSSLESS`] is lost, up to `most`.
    ///
    /// # Errors
    /// One sentence.
    pub fn lossless(&mut self, most: f64) -> Result<f64, String> {
        let (mut low, mut high) = (0.0, most);
        let (warmup, measure) = (Duration::from_millis(100), Duration::from_secs_f64(SEARCH_SECONDS));
        for _ in 0..SEARCH_STEPS {
            let rate = if low == 0.0 { high * 0.75 } else { (low + high) / 2.0 };
            let pace = Pace { warmup, measure, rate: Some(rate) };
            // One stolen millisecond does not decide: a rate that fails is tried once more.
            let lossless = self.run(&pace)?.lost_share() <= LOSSLESS || self.run(&pace)?.lost_share() <= LOSSLESS;
            if lossless {
                low = rate;
            } else {
                high = rate;
            }
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
        }
        if low > 0.0 { Ok(low) } else { Err(format!("{} loses packets at any rate", self.contender.name())) }
    }

    /// Ends it. Its own counters, and what they and the guests' counts cannot be together.
    ///
    /// # Errors
    /// One sentence.
    pub fn close(mut self) -> Result<(Counted, Vec<String>), String> {
        let counted = self.contender.counted()?;
        let interrupted = self.stop.load(Ordering::Relaxed);
        let ours = self.contender.name() == "vswitch";
        let ledger = |e| ledger(&self.setup, e, &counted, ours, interrupted);
        let mut wrong = self.engine.as_ref().map(ledger).unwrap_or_default();
        self.contender.stop();
        let ports: Vec<PolledPort> = self.engine.take().map(Engine::into_ports).unwrap_or_default();
        drop(ports);
        wrong.truncate(12);
        Ok((counted, wrong))
    }
}

/// Why the guests have no memory, and what to do.
#[must_use]
pub fn no_memory(why: &str, hugepages: bool) -> String {
    if !hugepages {
        return format!("no memory for the guests: {why}");
    }
    let free = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let free = free.lines().find_map(|l| l.strip_prefix("HugePages_Free:")).map_or("?", str::trim).to_owned();
    format!(
        "no hugepages for the guests' memory ({why}; {free} pages are free): sysctl -w vm.nr_hugepages=1024, or \
         --no-hugepages"
    )
}

/// What the figures of all runs say that cannot be.
fn ledger(setup: &Setup, engine: &Engine, counted: &Counted, ours: bool, interrupted: bool) -> Vec<String> {
    let (mut wrong, faults) = engine.wrong();
    let (total, (service, copies)) = (engine.counts(), engine.seen());
    if faults > wrong.len() as u64 {
        wrong.push(format!("… {faults} faults in all"));
    }
    let mut claim = |holds: bool, text: String| {
        if !holds {
            wrong.push(text);
        }
    };
    for (what, seen) in [("service", &service), ("copies", &copies)] {
        claim(seen.twice == 0, format!("{what}: {} frames arrived twice", seen.twice));
        claim(seen.late == 0, format!("{what}: {} frames came behind a later one of their flow", seen.late));
    }
    claim(total.arrived <= total.sent, format!("{} frames sent, {} arrived", total.sent, total.arrived));
    claim(interrupted || total.arrived > 0, "no frame arrived".to_owned());
    let dropped: u64 = counted.dropped.iter().map(|(_, n)| n).sum();
    if ours {
        let told = total.arrived + dropped;
        claim(
            told == total.sent,
            format!("{} frames sent, {told} arrived or were dropped for a counted reason", total.sent),
        );
    }
    if setup.mirroring == Mirroring::None {
        return wrong;
    }
    claim(total.copies <= total.matching, format!("{} frames match, {} copies", total.matching, total.copies));
    let fast = setup.target == Target::Fast;
    claim(!fast || total.copies > 0 || total.matching == 0, "no copy arrived".to_owned());
    if ours {
        // Each matching frame was copied, or its copy has a counted reason, or it was itself dropped before.
        let skipped: u64 = counted.skipped.iter().map(|(_, n)| n).sum();
        let told = total.copies + skipped + dropped;
        claim(
            !fast || told >= total.matching,
            format!("{} frames match, only {told} are accounted for", total.matching),
        );
    }
    if let Some(copies) = counted.copies
        && fast
    {
        claim(copies == total.copies, format!("{copies} copies by its counters, {} arrived", total.copies));
    }
    wrong
}
