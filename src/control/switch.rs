//! The running switch as its operators see it: objects from files, applied as one, and what became of them.

use std::path::PathBuf;

use parking_lot::Mutex;

use super::compile::compile;
use super::config::Config;
use super::fabric::{Fabric, WorkerView};
use super::load_model;
use super::model::{EniSpec, Model};
use super::regions;
use super::registry::Registry;
use crate::mirror::snapshot::Snapshot;

/// What is applied.
pub(super) struct State {
    pub(super) model: Model,
    pub(super) registry: Registry,
}

/// A model that compiled, and what it compiled to. It can be thrown away.
pub struct Candidate {
    model: Model,
    registry: Registry,
    snapshot: Snapshot,
    /// The version that it would follow.
    after: u64,
}

/// A switch that forwards, or with `worker.count = 0` only validates and answers.
pub struct Switch {
    pub(super) config: Config,
    pub(super) state: Mutex<State>,
    pub(super) fabric: Box<dyn Fabric>,
    /// Held from reading the files until they are applied: of two reloads the later one reads later, and wins.
    reloading: Mutex<()>,
    /// Held while a candidate is adopted. Who only asks does not wait for workers.
    adopting: Mutex<()>,
}

impl Switch {
    /// A switch with nothing applied yet.
    #[must_use]
    pub fn new(config: Config, fabric: Box<dyn Fabric>) -> Self {
        let registry = Registry::new(fabric.workers());
        Switch {
            config,
            state: Mutex::new(State { model: Model::default(), registry }),
            fabric,
            reloading: Mutex::new(()),
            adopting: Mutex::new(()),
        }
    }

    /// Reads the files and applies them. On an error the running configuration stays as it is.
    ///
    /// # Errors
    /// Every problem found, a sentence each.
    pub fn reload(&self) -> Result<u64, Vec<String>> {
        let store = &self.config.store.path;
        if !store.as_os_str().is_empty() {
            return Err(vec![format!(
                "the objects are in the store {}, not in files: change them with `vswitchctl inventory apply FILE` and the \
                 tenant API, or set store.path = \"\"",
                store.display()
            )]);
        }
        let _turn = self.reloading.lock();
        let (inventory, mirror): (&PathBuf, &PathBuf) = (&self.config.files.inventory, &self.config.files.mirror);
        let model = load_model(inventory, mirror, &self.config)
            .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        if !model.region.listed {
            tracing::warn!("{}", regions::describe(&model.region));
        }
        self.apply(model)
    }

    /// Applies a validated model: new ports open, one publication, then ports that nobody wants any more close. Returns
    /// the version of the snapshot that every worker now uses.
    ///
    /// # Errors
    /// A port that cannot be opened: nothing has changed then.
    pub fn apply(&self, model: Model) -> Result<u64, Vec<String>> {
        self.adopt(self.prepare(model)?).map_err(|(problems, _)| problems)
    }

    /// Compiles a validated model, and looks whether its ports could be opened.
    ///
    /// # Errors
    /// Why it can never be applied, a sentence each.
    pub fn prepare(&self, model: Model) -> Result<Candidate, Vec<String>> {
        let problems: Vec<String> = model.enis.iter().filter_map(|e| self.fabric.check(e).err()).collect();
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut registry = self.state.lock().registry.clone();
        let after = registry.version;
        let snapshot = compile(&model, &mut registry, self.config.ports.credit).map_err(|e| vec![e.to_string()])?;
        Ok(Candidate { model, registry, snapshot, after })
    }

    /// Applies a candidate; one that others overtook is compiled again.
    ///
    /// # Errors
    /// A port that cannot be opened: nothing has changed then. Or workers that do not take the snapshot in time; they
    /// will when they can. The model comes back, for another try.
    pub fn adopt(&self, candidate: Candidate) -> Result<u64, (Vec<String>, Box<Model>)> {
        let _turn = self.adopting.lock();
        let Candidate { model, mut registry, mut snapshot, after } = candidate;
        let mut state = self.state.lock();
        if state.registry.version != after {
            registry = state.registry.clone();
            snapshot = match compile(&model, &mut registry, self.config.ports.credit) {
                Ok(snapshot) => snapshot,
                Err(e) => return Err((vec![e.to_string()], Box::new(model))),
            };
        }
        let version = snapshot.version;
        if let Err(problems) = self.open_ports(&model, &registry, &mut state) {
            return Err((problems, Box::new(model)));
        }
        drop(state);
        let published = self.fabric.publish(snapshot);
        tracing::info!(version, enis = model.enis.len(), sessions = model.sessions.len(), "configuration applied");
        let mut state = self.state.lock();
        *state = State { model, registry };
        match published {
            Ok(()) => Ok(version),
            Err(e) => Err((vec![e], Box::new(state.model.clone()))),
        }
    }

    /// Opens what is new and what changed. On an error all ports are the old ones; if some of these had to be opened
    /// anew, workers learn of them by a publication of the configuration that stays.
    fn open_ports(&self, model: &Model, registry: &Registry, state: &mut State) -> Result<(), Vec<String>> {
        let worker = |eni: &EniSpec| registry.placement.get(&eni.id).copied().unwrap_or(0);
        let wanted: Vec<_> = model.enis.iter().map(|e| (e, worker(e))).collect();
        let Err(refused) = self.fabric.open(&wanted) else {
            return Ok(());
        };
        let mut problems = vec![refused.why];
        if refused.reopened {
            let again = compile(&state.model, &mut state.registry, self.config.ports.credit);
            let published = again.map_err(|e| e.to_string()).and_then(|snapshot| self.fabric.publish(snapshot));
            problems.extend(published.err());
        }
        Err(problems)
    }

    /// Each worker's figures.
    #[must_use]
    pub fn worker_views(&self) -> Vec<WorkerView> {
        self.fabric.worker_views()
    }

    /// Ends the packet side.
    pub fn stop(&self) {
        self.fabric.stop();
    }
}
