//! What is desired: every object that the store holds, as typed values, and how one change becomes the next state.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::activity::Activity;
use super::filter::MirrorFilter;
use super::index::Index;
use super::session::MirrorSession;
use super::tokens::{Token, Tokens};
use super::world::World;
use crate::control::api::ApiError;

use super::codes;

/// The desired state at a revision of the store.
#[derive(Debug)]
pub struct Desired {
    /// The store's revision that it is.
    pub revision: u64,
    /// Inventory and accounts.
    pub world: Arc<World>,
    /// Accounts that opened the service.
    pub services: BTreeSet<Arc<str>>,
    /// Filters by id.
    pub filters: BTreeMap<Arc<str>, Arc<MirrorFilter>>,
    /// Sessions by id.
    pub sessions: BTreeMap<Arc<str>, Arc<MirrorSession>>,
    /// Look-ups.
    pub index: Index,
    /// ClientTokens of the last 24 hours.
    pub tokens: Tokens,
    /// Which sources are active in which sessions, and since when.
    pub activity: Activity,
}

/// One object that becomes another. Applied to a state it gives the change back that undoes it.
#[derive(Clone, Debug)]
pub enum Change {
    /// A filter is new, different, or gone.
    Filter(Arc<str>, Option<Arc<MirrorFilter>>),
    /// A session likewise.
    Session(Arc<str>, Option<Arc<MirrorSession>>),
    /// An account opens the service, or did not.
    Service(Arc<str>, bool),
    /// A token is used, or forgotten. Its key is `account/token`.
    Token(Arc<str>, Option<Arc<Token>>),
    /// Another inventory.
    World(Arc<World>),
}

impl Desired {
    /// Nothing but an inventory.
    #[must_use]
    pub fn new(world: Arc<World>) -> Self {
        Desired {
            revision: 0,
            world,
            services: BTreeSet::new(),
            filters: BTreeMap::new(),
            sessions: BTreeMap::new(),
            index: Index::default(),
            tokens: Tokens::default(),
            activity: Activity::default(),
        }
    }

    /// Applies changes in order; returns those that undo them, in their order.
    pub fn apply(&mut self, changes: &[Change]) -> Vec<Change> {
        let mut undo: Vec<Change> = changes.iter().map(|change| self.apply_one(change)).collect();
        undo.reverse();
        undo
    }

    fn apply_one(&mut self, change: &Change) -> Change {
        match change {
            Change::Filter(id, filter) => {
                let before = match filter {
                    Some(filter) => self.filters.insert(id.clone(), filter.clone()),
                    None => self.filters.remove(id),
                };
                before.iter().for_each(|f| self.index.remove_filter(f));
                filter.iter().for_each(|f| self.index.add_filter(f));
                Change::Filter(id.clone(), before)
            }
            Change::Session(id, session) => {
                let before = match session {
                    Some(session) => self.sessions.insert(id.clone(), session.clone()),
                    None => self.sessions.remove(id),
                };
                before.iter().for_each(|s| self.index.remove_session(s));
                session.iter().for_each(|s| self.index.add_session(s));
                Change::Session(id.clone(), before)
            }
            Change::Service(account, open) => {
                let was = if *open { !self.services.insert(account.clone()) } else { self.services.remove(account) };
                Change::Service(account.clone(), was)
            }
            Change::Token(key, token) => Change::Token(key.clone(), self.tokens.replace(key, token.clone())),
            Change::World(world) => Change::World(std::mem::replace(&mut self.world, world.clone())),
        }
    }

    /// An account's filter.
    ///
    /// # Errors
    /// There is none.
    pub fn filter(&self, account: &str, id: &str) -> Result<&Arc<MirrorFilter>, ApiError> {
        let found = self.filters.get(id).filter(|f| &*f.account == account);
        found.ok_or_else(|| codes::FILTER_NOT_FOUND.error(format!("TrafficMirrorFilterId: there is no filter {id}.")))
    }

    /// An account's session.
    ///
    /// # Errors
    /// There is none.
    pub fn session(&self, account: &str, id: &str) -> Result<&Arc<MirrorSession>, ApiError> {
        let found = self.sessions.get(id).filter(|s| &*s.account == account);
        found
            .ok_or_else(|| codes::SESSION_NOT_FOUND.error(format!("TrafficMirrorSessionId: there is no session {id}.")))
    }

    /// Its sources mirror: it is enabled, and its account is not locked.
    #[must_use]
    pub fn mirrors(&self, session: &MirrorSession) -> bool {
        session.enabled && !self.world.is_locked(&session.account)
    }
}
