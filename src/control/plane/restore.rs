//! A backup in the place of what is.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::control::{Control, State};
use super::desired::Desired;
use super::history::History;
use super::start::{desired_of, settle_activity};
use super::status::Pending;
use crate::control::platform::Refused;
use crate::control::store::snapshot::decode;
use crate::control::store::{self, Contents, Kind, Record, RedbStore, Store, StoreError, Write};
use crate::control::switch::Candidate;

impl Control {
    /// Validates and compiles a backup, writes it in the place of all that the store holds, and publishes it.
    pub(super) fn put_back(&self, backup: &[u8]) -> Result<u64, Refused> {
        let (contents, intervals) = decode(backup, "the backup").map_err(|e| Refused::Invalid(vec![e.to_string()]))?;
        let desired = desired_of(contents.clone(), &self.config, &self.regions, &self.accounts);
        let mut desired = desired.map_err(Refused::Invalid)?;
        let mut state = self.lock();
        let candidate = self.switch.prepare(desired.model()).map_err(Refused::Invalid)?;
        let broken = |e: StoreError| Refused::ReadOnly(e.to_string());
        let (store, revision) = match &state.store {
            Ok(store) => (store.clone(), overwrite(&**store, &contents, &intervals).map_err(broken)?),
            // A new store in the place of the one that cannot be opened, which is kept aside.
            Err(_) => {
                let path = &self.config.store.path;
                let restored = store::restore::restore(path, backup, "the backup").map_err(broken)?;
                let store: Arc<dyn Store> = Arc::new(RedbStore::open(path).map_err(broken)?);
                (store, restored.revision)
            }
        };
        desired.revision = revision;
        // Accounts of the configuration's file may be locked, or not any more, since the backup.
        let settled = settle_activity(&mut desired, Some(&*store), (self.clock)());
        settled.map_err(|why| Refused::ReadOnly(why.join("; ")))?;
        let revision = desired.revision;
        self.replace(&mut state, desired, store, candidate);
        self.wait_applied(&mut state, revision);
        Ok(revision)
    }

    /// Another store, or other contents of it, which are published.
    pub(super) fn replace(&self, state: &mut State, desired: Desired, store: Arc<dyn Store>, candidate: Candidate) {
        let revision = desired.revision;
        (self.committed)(&store);
        state.history = History::new(revision);
        state.desired = desired;
        state.pending = Pending::default();
        state.store = Ok(store);
        state.next = Some((revision, candidate));
        self.moved.notify_all();
        self.revision.send_replace(revision);
    }
}

/// Puts other contents in the place of all that a store holds, in one commit.
fn overwrite(store: &dyn Store, contents: &Contents, intervals: &[Record]) -> Result<u64, StoreError> {
    let (now, old_intervals) = store.dump()?;
    let writes = replacing(&now.records, &contents.records).chain(replacing(&old_intervals, intervals));
    store.commit(now.revision, &writes.collect::<Vec<_>>())
}

/// Removes what is old and puts what is new.
fn replacing<'a>(old: &'a [Record], new: &'a [Record]) -> impl Iterator<Item = Write> + 'a {
    let kept: BTreeSet<(Kind, &str)> = new.iter().map(|r| (r.kind, &*r.key)).collect();
    let gone = old.iter().filter(move |r| !kept.contains(&(r.kind, &*r.key)));
    let gone = gone.map(|r| Write { kind: r.kind, key: r.key.clone(), value: None });
    gone.chain(new.iter().map(|r| Write { kind: r.kind, key: r.key.clone(), value: Some(r.value.clone()) }))
}
