//! A store that failed, once its disk has room again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::control::{Control, State};
use super::start::desired_of;
use crate::control::store::{RedbStore, Store, StoreError};

/// Time between two tries.
const AGAIN: Duration = Duration::from_secs(5);

impl Control {
    /// Opens a store again that failed while it was used, if that is some time ago. Whether the commit that failed is kept,
    /// the store knows.
    pub(super) fn reopen(&self, state: &mut State) {
        let due = state.tried.is_some_and(|tried| tried.elapsed() >= AGAIN);
        if state.store.is_ok() || !due {
            return;
        }
        state.tried = Some(Instant::now());
        match self.opened_again(state) {
            Ok(()) => tracing::warn!("the store can be written again"),
            Err(why) => tracing::error!("the store still cannot be written: {why}"),
        }
    }

    fn opened_again(&self, state: &mut State) -> Result<(), String> {
        let broken = |e: StoreError| e.to_string();
        let store: Arc<dyn Store> = Arc::new(RedbStore::open(&self.config.store.path).map_err(broken)?);
        let contents = store.load().map_err(broken)?;
        if contents.revision < state.desired.revision {
            let (found, known) = (contents.revision, state.desired.revision);
            return Err(format!("it is at revision {found}, but {known} was answered: commits are lost"));
        }
        if contents.revision == state.desired.revision {
            state.store = Ok(store);
            return Ok(());
        }
        let desired = desired_of(contents, &self.config, &self.regions, &self.accounts).map_err(|e| e.join("; "))?;
        let candidate = self.switch.prepare(desired.model()).map_err(|e| e.join("; "))?;
        self.replace(state, desired, store, candidate);
        Ok(())
    }
}
