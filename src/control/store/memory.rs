//! The slow, obvious twin of a store: a map.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use super::{Contents, Kind, Record, Store, StoreError, Write};

/// A store in memory, for tests.
#[derive(Default)]
pub struct MemoryStore(Mutex<State>);

#[derive(Default)]
struct State {
    revision: u64,
    records: BTreeMap<(Kind, String), Vec<u8>>,
    failing: u32,
}

impl MemoryStore {
    /// A store that holds this.
    #[must_use]
    pub fn with(contents: Contents, intervals: Vec<Record>) -> Self {
        let records = contents.records.into_iter().chain(intervals).map(|r| ((r.kind, r.key), r.value)).collect();
        MemoryStore(Mutex::new(State { revision: contents.revision, records, failing: 0 }))
    }

    /// The next commits, so many of them, are refused as [`StoreError::Broken`] and change nothing.
    pub fn fail_next(&self, commits: u32) {
        self.0.lock().failing = commits;
    }
}

impl Store for MemoryStore {
    fn visit(&self, each: &mut dyn FnMut(Record)) -> Result<u64, StoreError> {
        let (contents, _) = self.dump()?;
        contents.records.into_iter().for_each(each);
        Ok(contents.revision)
    }

    fn dump(&self) -> Result<(Contents, Vec<Record>), StoreError> {
        let state = self.0.lock();
        let (intervals, records) = state.records.iter().map(record).partition(|r| r.kind == Kind::Interval);
        Ok((Contents { revision: state.revision, records }, intervals))
    }

    fn scan(&self, kind: Kind, from: &str, limit: usize) -> Result<Vec<Record>, StoreError> {
        let state = self.0.lock();
        let from = state.records.range((kind, from.to_owned())..);
        Ok(from.take_while(|((k, _), _)| *k == kind).take(limit).map(record).collect())
    }

    fn commit(&self, expected: u64, writes: &[Write]) -> Result<u64, StoreError> {
        let mut state = self.0.lock();
        if state.failing > 0 {
            state.failing -= 1;
            return Err(StoreError::Broken("the store was told to fail".to_owned()));
        }
        if state.revision != expected {
            return Err(StoreError::Conflict { expected, found: state.revision });
        }
        for write in writes {
            let key = (write.kind, write.key.clone());
            match &write.value {
                Some(value) => state.records.insert(key, value.clone()),
                None => state.records.remove(&key),
            };
        }
        state.revision += 1;
        Ok(state.revision)
    }
}

fn record(((kind, key), value): (&(Kind, String), &Vec<u8>)) -> Record {
    Record { kind: *kind, key: key.clone(), value: value.clone() }
}
