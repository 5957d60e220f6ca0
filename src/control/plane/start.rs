//! From a configuration to a control plane whose state the workers have.

use std::sync::Arc;
use std::thread::JoinHandle;

use super::activity::Turns;
use super::control::{Control, Parts, wall_clock};
use super::desired::{Change, Desired};
use super::publisher;
use super::seed::{Seed, bare, sentences};
use super::world::World;
use crate::control::accounts_file;
use crate::control::config::Config;
use crate::control::document::Document;
use crate::control::load_regions;
use crate::control::model::Account;
use crate::control::regions::{self, Regions};
use crate::control::store::opened::Opened;
use crate::control::store::snapshot::SnapshotFile;
use crate::control::store::snapshot_writer::SnapshotWriter;
use crate::control::store::{Contents, Store, StoreError};
use crate::control::switch::Switch;

/// A control plane that runs.
pub struct Running {
    /// It.
    pub control: Arc<Control>,
    /// Its switch.
    pub switch: Arc<Switch>,
    publisher: JoinHandle<()>,
}

impl Running {
    /// Ends its threads; the snapshot beside the store is written then.
    pub fn stop(self) {
        self.control.stop();
        let _ = self.publisher.join();
    }
}

/// Opens the store, fills an empty one from the object files, applies what it holds, and starts what brings later changes
/// to the workers. A store that cannot be opened leaves the last snapshot of it to go on with, and nothing to write to.
///
/// # Errors
/// What keeps the switch from coming up, a sentence each.
pub fn start(config: &Config, switch: Arc<Switch>) -> Result<Running, Vec<String>> {
    let regions = load_regions(config).map_err(sentences)?;
    let accounts = extra_accounts(config)?;
    let clock = wall_clock();
    let (mut desired, store): (Desired, Result<Arc<dyn Store>, String>) = match Opened::open(&config.store.path) {
        Opened::Live { store, contents } => {
            let store: Arc<dyn Store> = Arc::new(store);
            let contents = if contents.revision == 0 { seed(&*store, config, clock())? } else { contents };
            (desired_of(contents, config, &regions, &accounts)?, Ok(store))
        }
        Opened::ReadOnly { contents, reason } => {
            tracing::error!("{reason}");
            (desired_of(contents, config, &regions, &accounts)?, Err(reason))
        }
        Opened::Refused { reasons } => return Err(reasons),
    };
    if !desired.world.model.region.listed {
        tracing::warn!("{}", regions::describe(&desired.world.model.region));
    }
    switch.apply(desired.model())?;
    settle_activity(&mut desired, store.as_deref().ok(), clock())?;
    let writer = SnapshotWriter::start(SnapshotFile::beside(&config.store.path))
        .map_err(|e| vec![format!("no thread for the store's snapshot: {e}")])?;
    let committed = move |store: &Arc<dyn Store>| {
        // Tried again and again, it shall not keep a store open that failed.
        let store = Arc::downgrade(store);
        writer.submit(move |file| match store.upgrade() {
            Some(store) => file.copy(&*store),
            None => Err(StoreError::Broken("the store is not open".to_owned())),
        });
    };
    store.iter().for_each(&committed);
    let committed = Box::new(committed);
    let config = config.clone();
    let parts = Parts { config, regions, accounts, switch: switch.clone(), clock, desired, store, committed };
    let control = Arc::new(Control::new(parts));
    let publisher = publisher::start(&control).map_err(|e| vec![e])?;
    Ok(Running { control, switch, publisher })
}

/// The desired state of a store's contents.
pub(super) fn desired_of(
    contents: Contents,
    config: &Config,
    regions: &Regions,
    accounts: &[Account],
) -> Result<Desired, Vec<String>> {
    let mut document = Document::from_records(&contents.records).map_err(|e| vec![e])?;
    if document == Document::default() {
        document = bare(config)?;
    }
    let world = World::new(Arc::new(document), config, regions, accounts).map_err(sentences)?;
    Desired::from_contents(contents, Arc::new(world)).map_err(|e| vec![e])
}

/// Notes what begins and ends because files, and not requests, changed what is active.
pub(super) fn settle_activity(desired: &mut Desired, store: Option<&dyn Store>, now: i64) -> Result<(), Vec<String>> {
    let mut turns = Turns::default();
    desired.all_turns(&mut turns);
    let Some(store) = store.filter(|_| !turns.is_empty()) else { return Ok(()) };
    desired.revision = store.commit(desired.revision, &turns.writes(now)).map_err(|e| vec![e.to_string()])?;
    desired.activity.turn(turns, now);
    Ok(())
}

/// Accounts of the file that the configuration names.
fn extra_accounts(config: &Config) -> Result<Vec<Account>, Vec<String>> {
    if config.api.accounts.as_os_str().is_empty() {
        return Ok(Vec::new());
    }
    accounts_file::read(&config.api.accounts, config).map_err(sentences)
}

/// Fills an empty store.
fn seed(store: &dyn Store, config: &Config, now: i64) -> Result<Contents, Vec<String>> {
    let seed = Seed::read(config, now / 1000)?;
    let empty = World::empty();
    let mut writes = seed.document.writes(&crate::control::document::diff(&Document::default(), &seed.document));
    let nothing = Desired::new(Arc::new(empty));
    let filters = seed.filters.into_iter().map(|f| Change::Filter(f.id.clone(), Some(Arc::new(f))));
    let sessions = seed.sessions.into_iter().map(|s| Change::Session(s.id.clone(), Some(Arc::new(s))));
    let changes: Vec<Change> = filters.chain(sessions).collect();
    writes.extend(changes.iter().flat_map(|change| change.writes(&nothing)));
    // Accounts whose sessions came from a file have opened the service, or they could not change them.
    let accounts = changes.iter().filter_map(|change| match change {
        Change::Session(_, Some(session)) => Some(session.account.clone()),
        _ => None,
    });
    let accounts: std::collections::BTreeSet<_> = accounts.collect();
    writes.extend(accounts.into_iter().flat_map(|account| Change::Service(account, true).writes(&nothing)));
    let broken = |e: crate::control::store::StoreError| vec![e.to_string()];
    store.commit(0, &writes).map_err(broken)?;
    tracing::info!("an empty store was filled from {}", config.files.inventory.display());
    store.load().map_err(broken)
}
