//! The ports of the running configuration, and how they become those of the next one.
//!
//! New ports are opened beside the old ones, which serve until the next snapshot is published. Where a new port needs a
//! socket that an old one holds (queue pairs changed, two ENIs swap sockets), the old one is closed first, after all
//! others have opened. When a port cannot be opened after all, the new ones are closed and what was closed is opened again.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::control::fabric::Refused;
use crate::control::model::EniSpec;
use crate::port::{EniPort, PortSpec, Turn};

/// An open port and the worker it was opened for.
#[derive(Clone)]
pub(super) struct Open {
    pub(super) port: Arc<EniPort>,
    pub(super) worker: usize,
}

/// All ports.
#[derive(Default)]
pub(super) struct Ports {
    /// Those of the configuration that is published next, or was last.
    current: HashMap<Arc<str>, Open>,
    /// Those that only an older snapshot knows.
    unwanted: Vec<Open>,
}

/// The turn counter of a worker.
type TurnOf<'a> = &'a dyn Fn(usize) -> Arc<Turn>;

impl Ports {
    /// An ENI's port.
    pub(super) fn get(&self, eni: &str) -> Option<&Open> {
        self.current.get(eni)
    }

    /// Makes `wanted` the current ports.
    ///
    /// # Errors
    /// A port cannot be opened: all is as before.
    pub(super) fn change(&mut self, wanted: &[(&EniSpec, usize)], turn: TurnOf) -> Result<(), Refused> {
        let mut next: HashMap<Arc<str>, Open> = HashMap::new();
        let mut fresh = Vec::new();
        for (eni, worker) in wanted {
            let spec = spec(eni);
            match self.current.get(&eni.id) {
                Some(open) if open.worker == *worker && *open.port.spec() == spec => {
                    next.insert(eni.id.clone(), open.clone());
                }
                _ => fresh.push((spec, *worker)),
            }
        }
        let needed: HashSet<PathBuf> = fresh.iter().map(|(spec, ..)| spec.socket.clone()).collect();
        let stay = |open: &Open| next.get(&open.port.spec().eni).is_some_and(|n| Arc::ptr_eq(&n.port, &open.port));
        let leaving: Vec<Open> = self.current.values().filter(|open| !stay(open)).cloned().collect();
        let (in_the_way, unwanted): (Vec<_>, Vec<_>) =
            leaving.into_iter().partition(|open| needed.contains(&open.port.spec().socket));
        // What needs no running port's socket goes first: most of what fails, fails here and disturbs nobody.
        let held = |spec: &PortSpec| in_the_way.iter().any(|open| open.port.spec().socket == spec.socket);
        let (late, early): (Vec<_>, Vec<_>) = fresh.into_iter().partition(|(spec, ..)| held(spec));
        let mut opened: Vec<Arc<EniPort>> = Vec::new();
        let mut closed = false;
        for (is_late, (spec, worker)) in
            early.into_iter().map(|port| (false, port)).chain(late.into_iter().map(|port| (true, port)))
        {
            if is_late && !closed {
                in_the_way.iter().for_each(|open| open.port.close());
                closed = true;
            }
            match open(&spec, worker, turn) {
                Ok(port) => {
                    opened.push(port.clone());
                    next.insert(spec.eni, Open { port, worker });
                }
                Err(why) => {
                    opened.iter().for_each(|port| port.close());
                    return Err(self.reopen(if closed { in_the_way } else { Vec::new() }, why, turn));
                }
            }
        }
        self.current = next;
        self.unwanted.extend(unwanted);
        Ok(())
    }

    /// Opens ports of the running configuration that were closed in vain.
    fn reopen(&mut self, closed: Vec<Open>, mut why: String, turn: TurnOf) -> Refused {
        let reopened = !closed.is_empty();
        for old in closed {
            let spec = old.port.spec().clone();
            match open(&spec, old.worker, turn) {
                Ok(port) => drop(self.current.insert(spec.eni, Open { port, ..old })),
                Err(e) => {
                    why = format!("{why}; and a port that had to make room cannot be opened again: {e}");
                    self.current.remove(&spec.eni);
                }
            }
        }
        Refused { why, reopened }
    }

    /// What only older snapshots know, to be closed.
    pub(super) fn take_unwanted(&mut self) -> Vec<Open> {
        std::mem::take(&mut self.unwanted)
    }

    /// Everything, to be closed.
    pub(super) fn take_all(&mut self) -> Vec<Open> {
        let mut all = self.take_unwanted();
        all.extend(self.current.drain().map(|(_, open)| open));
        all
    }
}

fn spec(eni: &EniSpec) -> PortSpec {
    PortSpec {
        eni: eni.id.clone(),
        socket: eni.socket.clone(),
        mode: eni.mode,
        queue_pairs: eni.queue_pairs,
        mtu: eni.mtu,
    }
}

fn open(spec: &PortSpec, worker: usize, turn: TurnOf) -> Result<Arc<EniPort>, String> {
    let folder: Option<&Path> = spec.socket.parent().filter(|p| !p.as_os_str().is_empty());
    if let Some(folder) = folder {
        std::fs::create_dir_all(folder).map_err(|e| format!("{}: {}: {e}", spec.eni, folder.display()))?;
    }
    EniPort::open(spec.clone(), turn(worker)).map_err(|e| format!("{}: {e}", spec.eni))
}
