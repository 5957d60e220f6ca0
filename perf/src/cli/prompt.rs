//! A prompt in the manner of testpmd: `set` what is to be measured, `start`, look, `stop`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;

use super::{Session, lines, plain};
use crate::generator::port_counts;
use crate::measure::{self, Run};
use crate::report::Point;
use crate::report::progress::Progress;
use crate::report::table::{self, Table};

const HELP: &str = "\
start [forward|mirror|latency|churn|replay|SCENARIO]   measure in the background
stop                                                   end it early, and show what it has
wait                                                   until it is over
set NAME VALUE      size 64 · flows 1024 · match 50 · rules 20 · enis 2 · target fast · overload share · workers 1 · ring split
                    packet_length 1500 · mtu 1500 · offered 100 · rounds 5 · seconds 2 · warmup 1 · peers ovs,cloop
show port stats all    what the ports do now, and the last finished point
show config            what is set
show scenarios         what there is
clear                  forget what is set
quit";

/// A run is under way.
static RUNNING: AtomicBool = AtomicBool::new(false);
/// How long rates are looked at.
const GLANCE: Duration = Duration::from_millis(200);

/// Waits until no run is under way: what it made is gone then.
pub fn wait_for_the_end() {
    while RUNNING.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// What runs in the background.
struct Running {
    thread: JoinHandle<Result<(), String>>,
}

struct Prompt<'a> {
    session: &'a Session,
    set: Vec<(String, String)>,
    points: Arc<Mutex<Vec<Point>>>,
    running: Option<Running>,
    /// The first thing that was wrong.
    wrong: Option<String>,
}

/// Reads commands until `quit` or the end of the input.
///
/// # Errors
/// The terminal's.
pub fn run(session: &Session) -> Result<(), String> {
    let mut editor = DefaultEditor::new().map_err(|e| format!("no prompt: {e}"))?;
    let mut prompt = Prompt { session, set: Vec::new(), points: Arc::default(), running: None, wrong: None };
    loop {
        match editor.readline("vswitch-perf> ") {
            Ok(line) => {
                let _ = editor.add_history_entry(&line);
                let words: Vec<&str> = line.split_whitespace().collect();
                if matches!(words[..], ["quit" | "exit" | "q"]) {
                    break;
                }
                if let Err(e) = prompt.obey(&words) {
                    println!("{e}");
                }
            }
            Err(ReadlineError::Interrupted) => prompt.stop(),
            Err(_) => {
                // The input ended: a script's run is let come to its end.
                prompt.wait();
                break;
            }
        }
    }
    prompt.stop();
    prompt.wrong.map_or(Ok(()), Err)
}

impl Prompt<'_> {
    fn obey(&mut self, words: &[&str]) -> Result<(), String> {
        match words {
            [] => Ok(()),
            ["help" | "?"] => {
                println!("{HELP}");
                Ok(())
            }
            ["start"] => self.start("forward"),
            ["start", what] => self.start(what),
            ["stop"] => {
                self.stop();
                Ok(())
            }
            ["wait"] => {
                self.wait();
                Ok(())
            }
            ["set", name, value] => self.set(name, value),
            ["clear"] => {
                self.set.clear();
                Ok(())
            }
            ["show", "port", "stats", "all"] | ["show"] => {
                self.show();
                Ok(())
            }
            ["show", "config"] => {
                self.set.iter().for_each(|(name, value)| println!("{name} {value}"));
                Ok(())
            }
            ["show", "scenarios"] => {
                super::list();
                Ok(())
            }
            _ => Err(format!("{}: not a command; `help` tells what is", words.join(" "))),
        }
    }

    /// Refuses what no scenario would take together with what is set already, now and not at the start.
    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let mut all: Vec<(String, String)> = self.set.iter().filter(|(known, _)| known != name).cloned().collect();
        all.push((name.to_owned(), value.to_owned()));
        plain("forward")?.with_overrides(all.iter().map(|(n, v)| (n.as_str(), v.as_str()))).map_err(lines)?;
        self.set = all;
        Ok(())
    }

    fn start(&mut self, what: &str) -> Result<(), String> {
        if self.running.as_ref().is_some_and(|r| !r.thread.is_finished()) {
            return Err("a run is under way: stop it first".to_owned());
        }
        self.wait();
        let base = plain(what).or_else(|_| super::named(what))?;
        if base.kind == crate::scenario::Kind::Classify {
            return Err("the classifier is measured by `vswitch-perf classify`, outside the prompt".to_owned());
        }
        let overrides = self.set.iter().map(|(n, v)| (n.as_str(), v.as_str()));
        let scenario = base.with_overrides(overrides).map_err(lines)?;
        let points = self.points.clone();
        if let Ok(mut points) = points.lock() {
            points.clear();
        }
        let (verify, hugepages) = (!self.session.cli.no_verify, !self.session.cli.no_hugepages);
        let (stop, cpus) = (self.session.stop.clone(), self.session.cpus.clone());
        stop.store(false, Ordering::Relaxed);
        RUNNING.store(true, Ordering::SeqCst);
        let thread = std::thread::spawn(move || {
            let progress = Progress::hidden();
            let mut run = Run::new(cpus, &progress, &stop);
            (run.verify, run.hugepages) = (verify, hugepages);
            let ended = measure::run(&scenario, &run, |point| {
                if let Ok(mut points) = points.lock() {
                    points.push(point);
                }
            });
            RUNNING.store(false, Ordering::SeqCst);
            ended
        });
        self.running = Some(Running { thread });
        println!("{what} started; `show port stats all`, `stop`");
        Ok(())
    }

    fn stop(&mut self) {
        if self.running.is_some() {
            self.session.stop.store(true, Ordering::Relaxed);
        }
        self.wait();
    }

    /// Waits for the end of a run, and shows what it has.
    fn wait(&mut self) {
        let Some(running) = self.running.take() else {
            return;
        };
        match running.thread.join() {
            Ok(Ok(())) => {}
            Ok(Err(e)) => println!("{e}"),
            Err(_) => println!("the run ended with a fault of this program"),
        }
        if let Ok(points) = self.points.lock() {
            let (summary, verdict) = super::verdict(&points);
            println!("{}\n{summary}", table::points(&points, &self.session.anchors));
            self.wrong = self.wrong.take().or(verdict.err());
        }
    }

    fn show(&self) {
        let state = match &self.running {
            Some(r) if !r.thread.is_finished() => "running",
            Some(_) => "finished; `stop` shows all of it",
            None => "idle",
        };
        println!("{state}");
        if state == "running" {
            ports();
        }
        let Ok(points) = self.points.lock() else {
            return;
        };
        let Some(point) = points.last() else {
            return println!("no point is finished yet");
        };
        let mut table = Table::new(["contender", "figure", "last round", "unit"]);
        for series in &point.series {
            let last = series.samples.last().copied().unwrap_or_default();
            table.row([series.contender.clone(), series.metric.clone(), table::figure(last), series.unit.clone()]);
        }
        println!("{table}");
    }
}

/// What ports 0 and 1 and the collector's do now.
fn ports() {
    let (began, before) = (Instant::now(), port_counts());
    std::thread::sleep(GLANCE);
    let (now, seconds) = (port_counts(), began.elapsed().as_secs_f64());
    let rate = |now: u64, before: u64| table::figure(now.saturating_sub(before) as f64 / seconds / 1e6);
    let mut table = Table::new(["port", "RX packets", "RX Mpps", "TX packets", "TX Mpps"]);
    for port in 0..2 {
        table.row([
            port.to_string(),
            now.arrived[port].to_string(),
            rate(now.arrived[port], before.arrived[port]),
            now.sent[port].to_string(),
            rate(now.sent[port], before.sent[port]),
        ]);
    }
    table.row(["collector".to_owned(), now.copies.to_string(), rate(now.copies, before.copies)]);
    println!("{table}");
}
