//! How far a run is, on a terminal. Where standard error is none, nothing is shown.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Parts of a phase.
const PARTS: u64 = 1000;

/// One bar that shows the current phase.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar on standard error; hidden if that is no terminal.
    #[must_use]
    pub fn new() -> Self {
        // indicatif hides a bar by itself where the stream is no terminal.
        Self::with(ProgressBar::new(PARTS))
    }

    /// Shows nothing anywhere: for runs that are asked to be quiet.
    #[must_use]
    pub fn hidden() -> Self {
        Self::with(ProgressBar::hidden())
    }

    fn with(bar: ProgressBar) -> Self {
        bar.set_length(PARTS);
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg:48!} [{bar:24}] {percent:>3} % {elapsed:>5}") {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.enable_steady_tick(Duration::from_millis(200));
        Progress { bar }
    }

    /// A phase begins; the bar is empty again.
    pub fn phase(&self, name: &str) {
        self.bar.set_message(name.to_owned());
        self.tick(0.0);
    }

    /// The phase is done by this share, 0 to 1.
    pub fn tick(&self, fraction: f64) {
        // A NaN becomes 0.
        self.bar.set_position((fraction.clamp(0.0, 1.0) * PARTS as f64) as u64);
    }

    /// Prints a line above the bar, on standard error; nothing if the bar is hidden.
    pub fn line(&self, text: &str) {
        self.bar.println(text);
    }

    /// Takes the bar away.
    pub fn done(&self) {
        self.bar.finish_and_clear();
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.done();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_clamped() {
        let progress = Progress::hidden();
        progress.phase("round 1 of 3: ovs");
        for (fraction, position) in [(0.5, 500), (-1.0, 0), (7.0, 1000), (f64::NAN, 0)] {
            progress.tick(fraction);
            assert_eq!(progress.bar.position(), position);
        }
        progress.line("nothing");
        progress.done();
    }
}
