//! A prompt in the manner of testpmd: `set` what is to be measured, `start`, look, `stop`.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustyline::DefaultEditor;
use rustyline::error::ReadlineError;

use super::{Session, lines, plain};
use crate::measure::{self, Run};
use crate::report::Point;
use crate::report::progress::Progress;
use crate::report::table::{self, Table};
use crate::scenario::builtin;

const HELP: &str = "\
start [forward|mirror|latency|churn|replay|SCENARIO]   measure in the background
stop                                                   end it early, and show what it has
wait                                                   until it is over
set NAME VALUE      size 64 · flows 1024 · match 50 · rules 20 · enis 2 · target fast · workers 1 · ring split
                    packet_length 1500 · mtu 1500 · offered 100 · rounds 5 · seconds 2 · warmup 1 · peers ovs,cloop
show port stats all    rates of the last finished point, and of each contender
show config            what is set
show scenarios         what there is
clear                  forget what is set
quit";

/// What runs in the background.
struct Running {
    thread: JoinHandle<Result<(), String>>,
    stop: Arc<AtomicBool>,
}

struct Prompt<'a> {
    session: &'a Session,
    set: Vec<(String, String)>,
    points: Arc<Mutex<Vec<Point>>>,
    running: Option<Running>,
}

/// Reads commands until `quit` or the end of the input.
///
/// # Errors
/// The terminal's.
pub fn run(session: &Session) -> Result<(), String> {
    let mut editor = DefaultEditor::new().map_err(|e| format!("no prompt: {e}"))?;
    let mut prompt = Prompt { session, set: Vec::new(), points: Arc::default(), running: None };
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
    Ok(())
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

    /// Refuses what no scenario would take, now and not at the start.
    fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        plain("forward")?.with_overrides([(name, value)]).map_err(lines)?;
        self.set.retain(|(known, _)| known != name);
        self.set.push((name.to_owned(), value.to_owned()));
        Ok(())
    }

    fn start(&mut self, what: &str) -> Result<(), String> {
        if self.running.as_ref().is_some_and(|r| !r.thread.is_finished()) {
            return Err("a run is under way: stop it first".to_owned());
        }
        self.wait();
        let base = plain(what).or_else(|_| builtin::named(what).map_err(lines))?;
        let overrides = self.set.iter().map(|(n, v)| (n.as_str(), v.as_str()));
        let scenario = base.with_overrides(overrides).map_err(lines)?;
        let (points, stop) = (self.points.clone(), Arc::new(AtomicBool::new(false)));
        if let Ok(mut points) = points.lock() {
            points.clear();
        }
        let (verify, hugepages) = (!self.session.cli.no_verify, !self.session.cli.no_hugepages);
        let flag = stop.clone();
        let thread = std::thread::spawn(move || {
            let progress = Progress::hidden();
            let mut run = Run::new(&progress, &flag);
            (run.verify, run.hugepages) = (verify, hugepages);
            measure::run(&scenario, &run, |point| {
                if let Ok(mut points) = points.lock() {
                    points.push(point);
                }
            })
        });
        self.running = Some(Running { thread, stop });
        println!("{what} started; `show port stats all`, `stop`");
        Ok(())
    }

    fn stop(&mut self) {
        if let Some(running) = &self.running {
            running.stop.store(true, Ordering::Relaxed);
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
            println!("{}", table::points(&points, &self.session.anchors));
        }
    }

    fn show(&self) {
        let state = match &self.running {
            Some(r) if !r.thread.is_finished() => "running",
            Some(_) => "finished; `stop` shows all of it",
            None => "idle",
        };
        println!("{state}");
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
