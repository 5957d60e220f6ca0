//! Keeps the snapshot beside a store young, without keeping anybody waiting.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::StoreError;
use super::snapshot::SnapshotFile;

/// Shortest time between two writes of the file.
const PAUSE: Duration = Duration::from_secs(1);
/// What was written in a time is left alone for so many times as long: a storm of commits into a large store costs little.
const REST: u32 = 20;

/// Writes a snapshot to a file; again, where that failed.
type Make = Box<dyn Fn(&SnapshotFile) -> Result<(), StoreError> + Send>;

/// Writes the newest contents it was given to a file, at most once a second, and the last ones when dropped.
pub struct SnapshotWriter {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    file: SnapshotFile,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    next: Option<Make>,
    /// Contents submitted, and how many of them are written or replaced by newer ones.
    submitted: u64,
    written: u64,
    /// Writes begun and ended, well or not.
    begun: u64,
    ended: u64,
    /// Somebody waits, or this is the end: no pause.
    hurry: bool,
    stop: bool,
    errors: u64,
    failing: bool,
}

impl SnapshotWriter {
    /// Starts the thread.
    ///
    /// # Errors
    /// No thread is to be had.
    pub fn start(file: SnapshotFile) -> std::io::Result<Self> {
        let shared = Arc::new(Shared { file, state: Mutex::default(), changed: Condvar::new() });
        let ours = shared.clone();
        let thread = std::thread::Builder::new().name("snapshot".to_owned()).spawn(move || ours.run())?;
        Ok(SnapshotWriter { shared, thread: Some(thread) })
    }

    /// Has a snapshot written, soon; `make` does it on the writer's thread, unless a newer one comes before.
    pub fn submit(&self, make: impl Fn(&SnapshotFile) -> Result<(), StoreError> + Send + 'static) {
        let mut state = self.shared.state.lock();
        let replaced = state.next.replace(Box::new(make));
        state.submitted += 1;
        self.shared.changed.notify_all();
        drop(state);
        drop(replaced);
    }

    /// Waits until what was submitted before is written, or could not be.
    pub fn flush(&self) {
        let mut state = self.shared.state.lock();
        let (submitted, begun) = (state.submitted, state.begun);
        while state.written < submitted && state.ended <= begun {
            state.hurry = true;
            self.shared.changed.notify_all();
            self.shared.changed.wait(&mut state);
        }
    }

    /// Number of writes that failed.
    #[must_use]
    pub fn write_errors(&self) -> u64 {
        self.shared.state.lock().errors
    }
}

impl Drop for SnapshotWriter {
    fn drop(&mut self) {
        self.shared.state.lock().stop = true;
        self.shared.changed.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn run(&self) {
        // What could not be written is tried again until something newer comes.
        let mut unwritten: Option<Make> = None;
        loop {
            let Some((make, submitted)) = self.wait(unwritten.is_some()) else { return };
            let Some(make) = make.or(unwritten.take()) else { continue };
            let began = Instant::now();
            let outcome = make(&self.file);
            let failed = outcome.is_err();
            self.finish(outcome, submitted);
            unwritten = failed.then_some(make);
            self.pause(PAUSE.max(began.elapsed() * REST));
        }
    }

    /// The next contents, and the number of those submitted so far; nothing at the end.
    fn wait(&self, again: bool) -> Option<(Option<Make>, u64)> {
        let mut state = self.state.lock();
        while state.next.is_none() && !again && !state.stop {
            self.changed.wait(&mut state);
        }
        let next = state.next.take();
        state.begun += 1;
        state.hurry = false;
        (next.is_some() || !state.stop).then_some((next, state.submitted))
    }

    fn finish(&self, outcome: Result<(), StoreError>, submitted: u64) {
        let mut state = self.state.lock();
        state.ended = state.begun;
        if outcome.is_ok() {
            state.written = submitted;
        }
        // Said once, not every second.
        let failed_before = std::mem::replace(&mut state.failing, outcome.is_err());
        match outcome {
            Err(e) => {
                state.errors += 1;
                if !failed_before {
                    tracing::error!("no snapshot of the store is written: {e}");
                }
            }
            Ok(()) if failed_before => tracing::info!("snapshots of the store are written again"),
            Ok(()) => {}
        }
        self.changed.notify_all();
    }

    fn pause(&self, time: Duration) {
        let until = Instant::now() + time;
        let mut state = self.state.lock();
        while !state.hurry && !state.stop && !self.changed.wait_until(&mut state, until).timed_out() {}
    }
}
