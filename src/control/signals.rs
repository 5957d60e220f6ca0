//! Signals, heard from the first moment on by a thread of their own that nothing else keeps busy.

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};

/// How long an orderly end may take. A guest must not be able to keep the switch alive.
const DEADLINE: Duration = Duration::from_millis(700);

/// What the signals say.
#[derive(Debug)]
pub struct Signals {
    /// True after SIGTERM or SIGINT.
    pub stop: watch::Receiver<bool>,
    /// One for SIGHUP; several while one waits are one.
    pub reload: mpsc::Receiver<()>,
}

struct Handlers {
    term: Signal,
    int: Signal,
    hup: Signal,
}

impl Handlers {
    fn install() -> std::io::Result<Self> {
        Ok(Handlers {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            hup: signal(SignalKind::hangup())?,
        })
    }
}

/// Listens from now on. An end that takes longer than the deadline is made short, with exit code 0 all the same: what
/// the next start finds is what it finds after a kill.
///
/// # Errors
/// One plain sentence.
pub fn listen() -> Result<Signals, String> {
    let no = |e: &dyn std::fmt::Display| format!("no signal handling: {e}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| no(&e))?;
    let handlers = {
        let _inside = runtime.enter();
        Handlers::install().map_err(|e| no(&e))?
    };
    let (stop, told_to_stop) = watch::channel(false);
    let (reload, told_to_reload) = mpsc::channel(1);
    let hear = move || runtime.block_on(hear(handlers, stop, reload));
    std::thread::Builder::new().name("signals".to_owned()).spawn(hear).map_err(|e| no(&e))?;
    Ok(Signals { stop: told_to_stop, reload: told_to_reload })
}

async fn hear(mut on: Handlers, stop: watch::Sender<bool>, reload: mpsc::Sender<()>) {
    loop {
        tokio::select! {
            _ = on.term.recv() => break,
            _ = on.int.recv() => break,
            // A full channel holds a reload that has not begun: it will do.
            _ = on.hup.recv() => drop(reload.try_send(())),
        }
    }
    let _ = stop.send(true);
    tokio::time::sleep(DEADLINE).await;
    tracing::warn!("something does not end: the process ends without it");
    std::process::exit(0);
}
