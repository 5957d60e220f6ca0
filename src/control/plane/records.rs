//! Between the desired state and the store's records.

use std::collections::HashSet;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::activity::Active;
use super::desired::{Change, Desired};
use super::session::MirrorSession;
use super::world::World;
use crate::control::document::diff;
use crate::control::store::{Contents, Kind, Record, Write};

/// A value's JSON.
pub(super) fn bytes(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

impl Change {
    /// What the store is told, while `before` is the state that the change is applied to.
    pub(super) fn writes(&self, before: &Desired) -> Vec<Write> {
        let one = |kind, key: &str, value| vec![Write { kind, key: key.to_owned(), value }];
        match self {
            Change::Filter(id, filter) => one(Kind::Filter, id, filter.as_ref().map(|f| bytes(&**f))),
            Change::Session(id, session) => one(Kind::Session, id, session.as_ref().map(|s| bytes(&**s))),
            Change::Service(account, open) => one(Kind::Service, account, open.then(|| b"{}".to_vec())),
            Change::Token(key, token) => one(Kind::Token, key, token.as_ref().map(|t| bytes(&**t))),
            Change::World(world) => world.document.writes(&diff(&before.world.document, &world.document)),
        }
    }
}

impl Desired {
    /// The state that a store holds, with an inventory that was read from it before.
    ///
    /// # Errors
    /// A record that cannot be read, in a plain sentence.
    pub fn from_contents(contents: Contents, world: Arc<World>) -> Result<Self, String> {
        let mut desired = Desired::new(world);
        let mut names = Names::default();
        // One by one, so that a record's memory is free for the next object.
        for record in contents.records {
            desired.take(&record, &mut names)?;
        }
        if let Some(lost) = desired.sessions.values().find(|s| !desired.filters.contains_key(&s.filter)) {
            return Err(format!("the store's session {} has filter {}, which is not there", lost.id, lost.filter));
        }
        desired.revision = contents.revision;
        desired.pack();
        Ok(desired)
    }

    /// Trees that grew in the order of keys are half empty; those that are made of all keys at once are full.
    fn pack(&mut self) {
        self.sessions = std::mem::take(&mut self.sessions).into_iter().collect();
        self.activity.pack();
        self.index.pack();
    }

    fn take(&mut self, record: &Record, names: &mut Names) -> Result<(), String> {
        let key = names.one(&record.key);
        let change = match record.kind {
            Kind::Filter => Change::Filter(key, Some(read(record)?)),
            Kind::Session => Change::Session(key, Some(Arc::new(names.shared(read_one(record)?)))),
            Kind::Service => Change::Service(key, true),
            Kind::Token => Change::Token(key, Some(read(record)?)),
            Kind::Active => {
                let (session, source) = record.key.split_once('/').unwrap_or((&record.key, ""));
                let mut active: Active = read_one(record)?;
                active.account_id = names.one(&active.account_id);
                self.activity.open(names.one(session), names.one(source), active);
                return Ok(());
            }
            // The inventory's, and what is never loaded.
            Kind::Region
            | Kind::Account
            | Kind::Vpc
            | Kind::VSwitch
            | Kind::Instance
            | Kind::NetworkInterface
            | Kind::Interval => return Ok(()),
        };
        self.apply(&[change]);
        Ok(())
    }
}

fn read<T: DeserializeOwned>(record: &Record) -> Result<Arc<T>, String> {
    read_one(record).map(Arc::new)
}

fn read_one<T: DeserializeOwned>(record: &Record) -> Result<T, String> {
    serde_json::from_slice(&record.value)
        .map_err(|e| format!("the store's {} {} cannot be read: {e}", record.kind.name(), record.key))
}

/// One copy of each name that objects share.
#[derive(Default)]
struct Names(HashSet<Arc<str>>);

impl Names {
    fn one(&mut self, name: &str) -> Arc<str> {
        if let Some(name) = self.0.get(name) {
            return name.clone();
        }
        let name: Arc<str> = name.into();
        self.0.insert(name.clone());
        name
    }

    fn shared(&mut self, mut session: MirrorSession) -> MirrorSession {
        session.id = self.one(&session.id);
        session.account = self.one(&session.account);
        session.filter = self.one(&session.filter);
        session.labels.resource_group = self.one(&session.labels.resource_group);
        session.target.1 = self.one(&session.target.1);
        session.sources = session.sources.iter().map(|source| self.one(source)).collect();
        session
    }
}
