//! What the operations API asks of a switch with a store, beside what it asks of any ([`super::operations`]).

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use tokio::sync::watch;

use super::api::{Action, ApiError, Params};
use super::document::{Document, DocumentChange};

/// What a change of the inventory means to a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SessionEffect {
    /// The session.
    pub session: String,
    /// Whose it is.
    pub account: String,
    /// The ENI that changed.
    pub eni: String,
    /// `source` or `target`.
    pub role: &'static str,
    /// What happens, as one sentence.
    pub effect: String,
}

/// A change that was done, or with `dry_run` could have been.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changed {
    /// The store's revision after it; with `dry_run` the one that it was tried on.
    pub revision: u64,
    /// The objects that differ.
    pub changes: Vec<DocumentChange>,
    /// The sessions that notice.
    pub sessions: Vec<SessionEffect>,
}

/// Why a change was not done. Nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// There is no such object.
    Missing(String),
    /// What is wrong, a sentence each.
    Invalid(Vec<String>),
    /// The store is at another revision than the caller expects, or the object is in use.
    Conflict(String),
    /// Nothing can be written now, and why.
    ReadOnly(String),
}

/// Makes a new inventory of the one that is.
pub type Change<'a> = dyn FnMut(&Document) -> Result<Document, Refused> + 'a;

/// What changed since a revision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The store's revision; ask for changes after it next.
    pub revision: u64,
    /// The revision asked for is too old to say what changed since: list everything again.
    pub compacted: bool,
    /// Changes of the inventory with the revision of each, in order.
    pub changes: Vec<(u64, DocumentChange)>,
}

/// A switch with a store. Its calls may block; they are made on threads where that does no harm.
pub trait Platform: Send + Sync {
    /// The inventory with all its secrets, and the revision at which it was so.
    fn inventory(&self) -> (u64, Arc<Document>);

    /// Changes the inventory: `change` makes the new one (of the newest one, so it may be called again), which is
    /// validated, committed and published. With `dry_run` it is validated only.
    ///
    /// # Errors
    /// See [`Refused`]; `expected` is the revision that the inventory must be at.
    fn change(&self, expected: Option<u64>, change: &mut Change<'_>, dry_run: bool) -> Result<Changed, Refused>;

    /// Does what a tenant could do, in its name and within its quotas.
    ///
    /// # Errors
    /// What a tenant would be told.
    fn act(&self, account: &str, action: Action, params: Params) -> Result<Value, ApiError>;

    /// Quotas of an account, and how much of each is used; `None` when there is no such account.
    fn quotas(&self, account: &str) -> Option<Value>;

    /// State of the store, `desired_revision` and `applied_revision`.
    fn status(&self) -> Value;

    /// The times in which sources were mirrored, between two times in seconds since 1970.
    ///
    /// # Errors
    /// One plain sentence.
    fn intervals(&self, account: &str, from: i64, to: i64) -> Result<Value, String>;

    /// The whole store as a file.
    ///
    /// # Errors
    /// One plain sentence.
    fn backup(&self) -> Result<Vec<u8>, String>;

    /// Puts a backup in the place of what the store holds, and returns the revision.
    ///
    /// # Errors
    /// See [`Refused`].
    fn restore(&self, backup: &[u8]) -> Result<u64, Refused>;

    /// The store's revision, and every later one.
    fn revision(&self) -> watch::Receiver<u64>;

    /// What changed in the inventory after a revision.
    fn changes(&self, after: u64) -> Changes;
}
