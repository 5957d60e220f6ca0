//! The running switch as its operators see it: objects from files, applied as one, and what became of them.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;

use super::compile::compile;
use super::config::Config;
use super::fabric::{Fabric, WorkerView};
use super::load_model;
use super::model::Model;
use super::registry::Registry;

/// What is applied.
pub(super) struct State {
    pub(super) model: Model,
    pub(super) registry: Registry,
}

/// A switch that forwards, or with `worker.count = 0` only validates and answers.
pub struct Switch {
    pub(super) config: Config,
    pub(super) state: Mutex<State>,
    pub(super) fabric: Box<dyn Fabric>,
}

impl Switch {
    /// A switch with nothing applied yet.
    #[must_use]
    pub fn new(config: Config, fabric: Box<dyn Fabric>) -> Self {
        let registry = Registry::new(fabric.workers());
        Switch { config, state: Mutex::new(State { model: Model::default(), registry }), fabric }
    }

    /// Reads the files and applies them. On an error the running configuration stays as it is.
    ///
    /// # Errors
    /// Every problem found, a sentence each.
    pub fn reload(&self) -> Result<u64, Vec<String>> {
        let (inventory, mirror): (&PathBuf, &PathBuf) = (&self.config.files.inventory, &self.config.files.mirror);
        let model = load_model(inventory, mirror, &self.config)
            .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        self.apply(model)
    }

    /// Applies a validated model: new ports open, one publication, then ports of what is gone close. Returns the
    /// version of the snapshot that every worker now uses.
    ///
    /// # Errors
    /// A port that cannot be opened: nothing has changed then.
    pub fn apply(&self, model: Model) -> Result<u64, Vec<String>> {
        let mut state = self.state.lock();
        let mut registry = state.registry.clone();
        let snapshot = compile(&model, &mut registry, self.config.ports.credit).map_err(|e| vec![e.to_string()])?;
        let version = snapshot.version;
        let before: HashSet<Arc<str>> = state.model.enis.iter().map(|e| e.id.clone()).collect();
        self.open_ports(&model, &registry, &before)?;
        let published = self.fabric.publish(snapshot);
        let after: HashSet<&Arc<str>> = model.enis.iter().map(|e| &e.id).collect();
        for gone in before.iter().filter(|id| !after.contains(id)) {
            self.fabric.close(gone);
        }
        tracing::info!(version, enis = model.enis.len(), sessions = model.sessions.len(), "configuration applied");
        *state = State { model, registry };
        published.map_err(|e| vec![e])?;
        Ok(version)
    }

    /// Opens what is new and what changed; on an error the new ones close again.
    fn open_ports(&self, model: &Model, registry: &Registry, before: &HashSet<Arc<str>>) -> Result<(), Vec<String>> {
        let problems: Vec<String> = model.enis.iter().filter_map(|e| self.fabric.check(e).err()).collect();
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut opened = Vec::new();
        for eni in &model.enis {
            let worker = registry.placement.get(&eni.id).copied().unwrap_or(0);
            if let Err(e) = self.fabric.open(eni, worker) {
                for id in opened {
                    self.fabric.close(id);
                }
                return Err(vec![e]);
            }
            if !before.contains(&eni.id) {
                opened.push(&*eni.id);
            }
        }
        Ok(())
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
