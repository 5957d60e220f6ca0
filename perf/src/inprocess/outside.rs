//! A trial in a process of its own: the question goes in as JSON, the answer comes out as JSON.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::measure::Setup;
use crate::sys::process::{Leash, leash};

/// The program's hidden command that serves a question.
pub const COMMAND: &str = "__inside";
/// How often the trial's process is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// Longest time over what a run was to take.
const OVERTIME: Duration = Duration::from_secs(60);

/// What is to be tried.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Question {
    /// The guests of each worker.
    pub setup: Setup,
    /// The trial's folder; [`ask`] makes it, and removes it.
    pub dir: PathBuf,
    /// CPUs of the workers; each has a set of guests of its own.
    pub cpus: Vec<usize>,
    /// CPU of everything else.
    pub control_cpu: usize,
    /// Hugepages for the switch, MiB.
    pub memory_mb: u32,
    /// Guests' memory, too, in hugepages.
    pub hugepages: bool,
    /// Seconds before the measured window, and of it.
    pub warmup_seconds: f64,
    /// Seconds of the measured window.
    pub seconds: f64,
    /// Look at every frame.
    pub verify_all: bool,
}

/// What one worker and its guests did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Set {
    /// Service packets a second, in millions, the guests' work included in the time.
    pub service_mpps: f64,
    /// Copies a second, in millions.
    pub copies_mpps: f64,
    /// TSC cycles that the switch spent on each service packet, its copy included.
    pub switch_cycles: f64,
    /// TSC cycles that the guests spent on each.
    pub guest_cycles: f64,
    /// Share of the senders' looks at which the ring was full.
    pub full_share: f64,
    /// Frames looked at in full.
    pub verified: u64,
}

/// What came out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// A worker each.
    pub sets: Vec<Set>,
    /// TSC cycles a second.
    pub hz: f64,
    /// What was wrong.
    pub wrong: Vec<String>,
}

impl Answer {
    /// Service packets a second of all workers, in millions.
    #[must_use]
    pub fn service_mpps(&self) -> f64 {
        self.sets.iter().map(|s| s.service_mpps).sum()
    }

    /// Copies a second of all workers, in millions.
    #[must_use]
    pub fn copies_mpps(&self) -> f64 {
        self.sets.iter().map(|s| s.copies_mpps).sum()
    }

    /// What the workers would have moved in the time that the guests took from them, in millions a second.
    #[must_use]
    pub fn net_mpps(&self) -> f64 {
        self.sets.iter().filter(|s| s.switch_cycles > 0.0).map(|s| self.hz / s.switch_cycles / 1e6).sum()
    }

    /// The median-free mean of a figure over the workers.
    #[must_use]
    pub fn mean(&self, figure: impl Fn(&Set) -> f64) -> f64 {
        if self.sets.is_empty() { 0.0 } else { self.sets.iter().map(figure).sum::<f64>() / self.sets.len() as f64 }
    }
}

/// Runs a trial in a process of its own.
///
/// # Errors
/// One sentence: the trial's own, or that it did not come to an answer.
pub fn ask(question: &Question, stop: &AtomicBool) -> Result<Answer, String> {
    // The folder is ours: whatever ends the trial, it goes away here.
    let dir = tempfile::Builder::new().prefix("vswitch-perf-").tempdir().map_err(|e| format!("no folder: {e}"))?;
    let question = Question { dir: dir.path().to_owned(), ..question.clone() };
    let program = std::env::current_exe().map_err(|e| format!("this program's own path: {e}"))?;
    let text = serde_json::to_string(&question).map_err(|e| e.to_string())?;
    let [log, answer] = ["log", "answer"].map(|name| dir.path().join(name));
    let file = |path: &Path| File::create(path).map_err(|e| format!("{}: {e}", path.display()));
    let mut command = Command::new(program);
    command.arg(COMMAND).stdin(Stdio::piped()).stdout(file(&answer)?).stderr(file(&log)?);
    // DPDK's run-time files, too, lie there.
    command.env("RUNTIME_DIRECTORY", dir.path());
    let mut cpus = question.cpus.clone();
    cpus.push(question.control_cpu);
    leash(&mut command, &Leash { cpus, own_network: false });
    let mut child = command.spawn().map_err(|e| format!("no process for the trial: {e}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(text.as_bytes()).map_err(|e| format!("the trial does not listen: {e}"))?;
    }
    let patience = Duration::from_secs_f64(question.warmup_seconds + question.seconds) + OVERTIME;
    let ended = wait(&mut child, Instant::now() + patience, stop);
    if ended.is_err() {
        let _ = child.kill();
        let _ = child.wait();
    }
    if !ended? {
        let errors = std::fs::read_to_string(&log).unwrap_or_default();
        let last = errors.lines().rev().find(|l| !l.trim().is_empty()).unwrap_or("it ended without a word");
        return Err(format!("in-process guests: {last}"));
    }
    let text = std::fs::read(&answer).map_err(|e| format!("the trial's answer: {e}"))?;
    serde_json::from_slice(&text).map_err(|e| format!("the trial's answer: {e}"))
}

/// Waits for the child's end: did it end well?
fn wait(child: &mut Child, deadline: Instant, stop: &AtomicBool) -> Result<bool, String> {
    loop {
        if let Some(status) = child.try_wait().map_err(|e| e.to_string())? {
            return Ok(status.success());
        }
        if stop.load(Ordering::Relaxed) {
            return Err("interrupted".to_owned());
        }
        if Instant::now() > deadline {
            return Err("in-process guests: the trial did not come to an end".to_owned());
        }
        std::thread::sleep(LOOK);
    }
}
