//! A backup in the place of what is.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::activity::Turns;
use super::control::{Control, State};
use super::desired::Desired;
use super::history::History;
use super::start::desired_of;
use super::status::Pending;
use crate::control::platform::Refused;
use crate::control::store::restore::restore;
use crate::control::store::snapshot::decode;
use crate::control::store::{Contents, Kind, Record, RedbStore, Store, StoreError, Write};

/// What complaints call it.
const NAME: &str = "the backup";

impl Control {
    /// Validates and compiles a backup, writes it in the place of all that the store holds, and publishes it.
    pub(super) fn put_back(&self, backup: &[u8]) -> Result<u64, Refused> {
        let (mut contents, intervals) = decode(backup, NAME).map_err(|e| Refused::Invalid(vec![e.to_string()]))?;
        let read = |contents: &Contents| {
            desired_of(contents, &self.config, &self.regions, &self.accounts).map_err(Refused::Invalid)
        };
        let mut desired = read(&contents)?;
        let mut state = self.lock();
        let candidate = self.switch.prepare(desired.model()).map_err(Refused::Invalid)?;
        let broken = |e: StoreError| Refused::ReadOnly(e.to_string());
        let store = self.store_to_write(&state, backup).map_err(broken)?;
        let (old, old_intervals) = store.dump().map_err(broken)?;
        let mut writes: Vec<Write> =
            replacing(&old.records, &contents.records).chain(replacing(&old_intervals, &intervals)).collect();
        // Accounts of the configuration's file may be locked, or not any more, since the backup.
        let (mut turns, now) = (Turns::default(), (self.clock)());
        desired.all_turns(&mut turns);
        writes.extend(turns.writes(now));
        contents.revision = store.commit(old.revision, &writes).map_err(broken)?;
        desired.revision = contents.revision;
        desired.activity.turn(turns, now);
        (self.committed)(&store);
        self.replace(&mut state, desired, store);
        state.next = Some((contents.revision, candidate));
        self.moved.notify_all();
        self.revision.send_replace(contents.revision);
        let revision = contents.revision;
        self.wait_applied(&mut state, revision);
        Ok(revision)
    }

    fn replace(&self, state: &mut State, desired: Desired, store: Arc<dyn Store>) {
        state.history = History::new(desired.revision);
        state.desired = desired;
        state.pending = Pending::default();
        state.store = Ok(store);
    }

    /// The store, or one of the backup in the place of one that cannot be opened, which is kept aside. Revisions go on
    /// from where the snapshot beside it was.
    fn store_to_write(&self, state: &State, backup: &[u8]) -> Result<Arc<dyn Store>, StoreError> {
        if let Ok(store) = &state.store {
            return Ok(store.clone());
        }
        let path = &self.config.store.path;
        if let Ok(store) = RedbStore::open(path) {
            return Ok(Arc::new(store));
        }
        restore(path, backup, NAME)?;
        Ok(Arc::new(RedbStore::open(path)?))
    }
}

/// Removes what is old and puts what is new.
fn replacing<'a>(old: &'a [Record], new: &'a [Record]) -> impl Iterator<Item = Write> + 'a {
    let kept: BTreeSet<(Kind, &str)> = new.iter().map(|r| (r.kind, &*r.key)).collect();
    let gone = old.iter().filter(move |r| !kept.contains(&(r.kind, &*r.key)));
    let gone = gone.map(|r| Write { kind: r.kind, key: r.key.clone(), value: None });
    gone.chain(new.iter().map(|r| Write { kind: r.kind, key: r.key.clone(), value: Some(r.value.clone()) }))
}
