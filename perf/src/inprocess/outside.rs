//! A trial in a process of its own: the question goes in as JSON, the answer comes out as JSON.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::measure::Setup;

/// The program's hidden command that serves a question.
pub const COMMAND: &str = "__inside";
/// How often the trial's process is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// What is to be tried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Question {
    /// The guests of each worker.
    pub setup: Setup,
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
    let program = std::env::current_exe().map_err(|e| format!("this program's own path: {e}"))?;
    let text = serde_json::to_string(question).map_err(|e| e.to_string())?;
    let mut command = Command::new(program);
    command.arg(COMMAND).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|e| format!("no process for the trial: {e}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(text.as_bytes()).map_err(|e| format!("the trial does not listen: {e}"))?;
    }
    while child.try_wait().map_err(|e| e.to_string())?.is_none() {
        if stop.load(Ordering::Relaxed) {
            // It has nothing to clean up but its own folder, which it removes when its standard input's reader ends.
            let _ = child.kill();
            let _ = child.wait();
            return Err("interrupted".to_owned());
        }
        std::thread::sleep(LOOK);
    }
    let output = child.wait_with_output().map_err(|e| e.to_string())?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        let last = errors.lines().rev().find(|l| !l.trim().is_empty()).unwrap_or("it ended without a word");
        return Err(format!("in-process guests: {last}"));
    }
    serde_json::from_slice(&output.stdout).map_err(|e| format!("the trial's answer: {e}"))
}
