//! Brings what was committed to the workers, on a thread of its own.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use super::control::{Control, State};

/// Time between two tries, when workers or ports refuse.
const AGAIN: Duration = Duration::from_secs(1);

/// Starts the thread; it ends with [`Control::stop`].
///
/// # Errors
/// One plain sentence.
pub fn start(control: &Arc<Control>) -> Result<JoinHandle<()>, String> {
    let control = control.clone();
    let run = move || while control.publish_next() {};
    std::thread::Builder::new().name("publisher".to_owned()).spawn(run).map_err(|e| format!("no publisher: {e}"))
}

impl Control {
    /// Waits for something to publish and publishes it; false when all ends.
    fn publish_next(&self) -> bool {
        let (revision, candidate) = {
            let mut state = self.lock();
            loop {
                if state.stopped {
                    return false;
                }
                if let Some(next) = state.next.take() {
                    break next;
                }
                self.moved.wait(&mut state);
            }
        };
        // Without the lock: requests are answered while workers take their time.
        match self.switch.adopt(candidate) {
            Ok(_) => self.published(revision),
            Err((problems, _)) => self.not_published(revision, &problems),
        }
        true
    }

    fn published(&self, revision: u64) {
        let mut state = self.lock();
        state.trouble = None;
        // Commits that no worker needs to know of may have come since.
        state.applied = if state.next.is_none() { state.desired.revision } else { revision };
        let applied = state.applied;
        state.pending.settle(applied);
        drop(state);
        self.moved.notify_all();
    }

    /// Says so, and tries again with what is desired then.
    fn not_published(&self, revision: u64, problems: &[String]) {
        let why = problems.join("; ");
        tracing::error!("revision {revision} is committed, but not applied, and will be tried again: {why}");
        let mut state = self.lock();
        state.trouble = Some(why);
        while !state.stopped && state.next.is_none() {
            if self.moved.wait_for(&mut state, AGAIN).timed_out() {
                self.prepare_again(&mut state);
            }
        }
    }

    fn prepare_again(&self, state: &mut State) {
        match self.switch.prepare(state.desired.model()) {
            Ok(candidate) => state.next = Some((state.desired.revision, candidate)),
            Err(problems) => state.trouble = Some(problems.join("; ")),
        }
    }
}
