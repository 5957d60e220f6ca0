//! The program: commands, the prompt, and where results go.

mod args;
mod output;
mod prompt;

use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use clap::Parser;

use crate::measure::{self, Run};
use crate::race;
use crate::report::anchors::Anchors;
use crate::report::json::Report;
use crate::report::machine::Machine;
use crate::report::progress::Progress;
use crate::report::{Point, table};
use crate::scenario::{Scenario, builtin};
use crate::sys::{cpu, poll, signals};
use args::{Cli, Command, Overrides};

/// Everything that a command needs.
pub(crate) struct Session {
    progress: Progress,
    stop: Arc<AtomicBool>,
    anchors: Anchors,
    /// The CPUs at the start: EAL pins the thread that starts it.
    cpus: Vec<usize>,
    cli: Cli,
}

/// Runs the program; its exit code.
#[must_use]
pub fn main() -> u8 {
    let cli = Cli::parse();
    if matches!(cli.command, Some(Command::Inside)) {
        return told(crate::inprocess::serve());
    }
    told(start(cli))
}

fn told(result: Result<(), String>) -> u8 {
    match result {
        Ok(()) => 0,
        Err(e) => {
            eprintln!("vswitch-perf: {e}");
            1
        }
    }
}

fn start(mut cli: Cli) -> Result<(), String> {
    let command = cli.command.take();
    let stop = Arc::new(AtomicBool::new(false));
    watch_signals(&stop, matches!(command, None | Some(Command::Prompt)))?;
    let anchors = Anchors::builtin().map_err(lines)?;
    let progress = if cli.quiet { Progress::hidden() } else { Progress::new() };
    let session = Session { progress, stop, anchors, cpus: cpu::allowed(), cli };
    match command {
        None | Some(Command::Prompt) => prompt::run(&session),
        Some(Command::List) => {
            list();
            Ok(())
        }
        Some(Command::Run { scenario, overrides }) => session.scenarios(&[named(&scenario)?], &overrides),
        Some(Command::Stages { short }) => session.stages(short),
        Some(Command::Classify { short }) => session.classify(short),
        Some(Command::Race { short, only, overrides }) => session.race(short, only.as_deref(), &overrides),
        Some(Command::Inside) => Ok(()),
        Some(kind) => session.scenarios(&[plain(kind.kind())?], kind.overrides()),
    }
}

/// Ctrl-C and SIGTERM end the run early; what it made goes away as always. At the prompt, which waits for its user, the
/// program ends by itself once the run under way has.
fn watch_signals(stop: &Arc<AtomicBool>, at_prompt: bool) -> Result<(), String> {
    let event = signals::stop_event().map_err(|e| format!("no signal handling: {e}"))?;
    let stop = stop.clone();
    std::thread::spawn(move || {
        while !poll::wait(&[event.as_raw_fd()], None).is_ok_and(|r| r.first() == Some(&true)) {}
        stop.store(true, Ordering::Relaxed);
        if at_prompt {
            prompt::wait_for_the_end();
            std::process::exit(130);
        }
    });
    Ok(())
}

fn lines<T: ToString>(problems: Vec<T>) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// A scenario by its name, or from a file.
fn named(name: &str) -> Result<Scenario, String> {
    if name.ends_with(".toml") {
        return Scenario::load(std::path::Path::new(name)).map_err(lines);
    }
    builtin::named(name).map_err(lines)
}

/// The scenario of a kind with nothing but defaults.
pub(crate) fn plain(kind: &str) -> Result<Scenario, String> {
    let level = if kind == "classify" { "stage" } else { "processes" };
    let text = format!("name = \"{kind}\"\nkind = \"{kind}\"\nabout = \"as asked for\"\nlevel = \"{level}\"\n");
    Scenario::from_text(&text, &format!("{kind}.toml")).map_err(lines)
}

fn list() {
    for name in builtin::names() {
        match builtin::named(name) {
            Ok(s) => {
                let remark = s.not_yet().map_or(String::new(), |n| format!(" ({n})"));
                println!("{name:24} {:3} points  {}{remark}", s.points().len(), s.about);
            }
            Err(problems) => println!("{name:24} {}", lines(problems)),
        }
    }
}

impl Session {
    fn run(&self) -> Run<'_> {
        let mut run = Run::new(self.cpus.clone(), &self.progress, &self.stop);
        run.verify = !self.cli.no_verify;
        run.hugepages = !self.cli.no_hugepages;
        run
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Runs scenarios and reports them.
    fn scenarios(&self, scenarios: &[Scenario], overrides: &Overrides) -> Result<(), String> {
        let (points, ended) = self.measure(scenarios, overrides)?;
        let reported = self.report(&points, &[]);
        ended.and(reported)
    }

    /// Measures scenarios: the points, and why it ended before the last one if it did.
    fn measure(
        &self,
        scenarios: &[Scenario],
        overrides: &Overrides,
    ) -> Result<(Vec<Point>, Result<(), String>), String> {
        let changed: Result<Vec<_>, _> = scenarios.iter().map(|s| s.with_overrides(overrides.pairs())).collect();
        let mut points = Vec::new();
        let mut ended = Ok(());
        for scenario in changed.map_err(lines)? {
            let result = if scenario.kind == crate::scenario::Kind::Classify {
                self.classifiers(&scenario, &mut points)
            } else {
                measure::run(&scenario, &self.run(), |point| points.push(point))
            };
            if result.is_err() || self.stopped() {
                ended = result;
                break;
            }
        }
        Ok((points, ended))
    }

    fn cpu(&self) -> usize {
        self.cpus.first().copied().unwrap_or(0)
    }

    fn classifier(&self, options: &crate::stage::ClassifyOptions) -> Result<Vec<Point>, String> {
        let eal = crate::stage::eal(self.cpu())?;
        crate::stage::classify(eal, options, &|| self.stopped(), &mut |what| self.progress.phase(what))
    }

    /// A scenario of the classifier: up to 100 rules as tenants write them, more in the manner of ClassBench.
    fn classifiers(&self, scenario: &Scenario, points: &mut Vec<Point>) -> Result<(), String> {
        use crate::stage::rules::Set;
        let full = crate::stage::ClassifyOptions::full();
        let rounds = scenario.rounds as usize;
        for rules in scenario.rules.iter().map(|n| *n as usize) {
            let (sets, max_sizes) = if rules <= 100 {
                (vec![(Set::MirrorLike, rules)], full.max_sizes.clone())
            } else {
                // With its larger bound librte_acl takes minutes to build such sets, and is no faster then.
                ([Set::Acl1, Set::Fw1, Set::Ipc1].map(|set| (set, rules)).to_vec(), vec![0])
            };
            let options =
                crate::stage::ClassifyOptions { sets, max_sizes, rounds, batches: vec![1, 32], ..full.clone() };
            points.extend(self.classifier(&options)?.into_iter().map(|mut point| {
                point.scenario.clone_from(&scenario.name);
                point
            }));
        }
        Ok(())
    }

    fn classify(&self, short: bool) -> Result<(), String> {
        let full = crate::stage::ClassifyOptions::full;
        let options = if short { crate::stage::ClassifyOptions::short() } else { full() };
        self.report(&self.classifier(&options)?, &[])
    }

    fn stages(&self, short: bool) -> Result<(), String> {
        let options = if short { crate::stage::StageOptions::short() } else { crate::stage::StageOptions::full() };
        let eal = crate::stage::eal(self.cpu())?;
        let points = crate::stage::stages(eal, &options, &|| self.stopped(), &mut |what| self.progress.phase(what))?;
        self.report(&points, &[])
    }

    /// The race: every goal's scenario, then one table.
    fn race(&self, short: bool, only: Option<&str>, overrides: &Overrides) -> Result<(), String> {
        let goals = race::goals::builtin().map_err(lines)?;
        let wanted = |name: &str| only.is_none_or(|o| name.contains(o));
        let mut names: Vec<&str> = Vec::new();
        for goal in &goals {
            if wanted(&goal.scenario) && !names.contains(&&*goal.scenario) {
                names.push(&goal.scenario);
            }
        }
        if names.is_empty() {
            return Err(format!("no goal's scenario has {} in its name", only.unwrap_or_default()));
        }
        let mut scenarios = Vec::new();
        for name in names {
            scenarios.push(named(name)?);
        }
        if short {
            return self.short_race(scenarios);
        }
        let (points, ended) = self.measure(&scenarios, overrides)?;
        let goals: Vec<_> = goals.into_iter().filter(|g| wanted(&g.scenario)).collect();
        let reported = self.report(&points, &goals);
        ended.and(reported)
    }

    /// Every goal's scenario for a moment: what comes out must be right, however fast. Peers that are not installed are
    /// remarks; the switch must be there.
    fn short_race(&self, scenarios: Vec<Scenario>) -> Result<(), String> {
        let mut points = Vec::new();
        let ended = self.short_points(scenarios, &mut points);
        let reported = self.report(&points, &[]);
        ended.and(reported)
    }

    fn short_points(&self, scenarios: Vec<Scenario>, points: &mut Vec<Point>) -> Result<(), String> {
        let moment = [("rounds", "1"), ("seconds", "0.2"), ("warmup", "0.1")];
        for scenario in scenarios {
            if self.stopped() {
                return Ok(());
            }
            if scenario.kind == crate::scenario::Kind::Classify {
                points.extend(self.classifier(&crate::stage::ClassifyOptions::short())?);
                continue;
            }
            let scenario = scenario.with_overrides(moment).map_err(lines)?;
            let mut run = self.run();
            run.audition = false;
            measure::run(&scenario, &run, |point| points.push(point))?;
        }
        let eal = crate::stage::eal(self.cpu())?;
        let options = crate::stage::StageOptions::short();
        points.extend(crate::stage::stages(eal, &options, &|| self.stopped(), &mut |_| ())?);
        Ok(())
    }

    /// Text on standard output, and what was asked for in files. Anything wrong in the points is a failure.
    fn report(&self, points: &[Point], goals: &[race::Goal]) -> Result<(), String> {
        self.progress.done();
        let mut report = Report::begin(Machine::read(&dpdk_version(), Some(&cpu::tsc)));
        report.points = points.to_vec();
        report.goals = race::verdicts(goals, points, &self.anchors);
        report.seconds = self.cli.began.elapsed().as_secs_f64();
        let race = (!goals.is_empty()).then(|| race::table(goals, points, &self.anchors));
        if self.cli.json {
            println!("{}", report.to_json().map_err(|e| e.to_string())?);
        } else {
            println!("{}\n{}", report.machine, table::points(points, &self.anchors));
            race.iter().for_each(|race| println!("{race}"));
        }
        if let Some(folder) = &self.cli.out {
            output::write(folder, &report, race.as_deref(), &self.anchors)?;
        }
        if self.stopped() {
            eprintln!("vswitch-perf: interrupted; the above is what was measured until then");
        }
        let (summary, verdict) = verdict(points);
        if !self.cli.json {
            println!("{summary}");
        }
        verdict
    }
}

/// How much was checked, and whether anything was wrong.
pub(crate) fn verdict(points: &[Point]) -> (String, Result<(), String>) {
    let verified: u64 = points.iter().map(|p| p.verified).sum();
    let wrong: Vec<&String> = points.iter().flat_map(|p| &p.wrong).collect();
    let summary = format!("{verified} frames, copies and answers were checked, {} findings", wrong.len());
    let verdict = match wrong.first() {
        None => Ok(()),
        Some(first) => Err(format!("{} wrong results, the first: {first}", wrong.len())),
    };
    (summary, verdict)
}

fn dpdk_version() -> String {
    vswitch::dpdk::eal::version()
}

/// When the program began.
pub(crate) fn now() -> Instant {
    Instant::now()
}
