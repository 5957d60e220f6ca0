//! When sources were active in sessions, so that somebody can compute a bill.
//!
//! A source is active in a session while the session is enabled, its account is not locked and the inventory has the
//! ENI. Open intervals are in memory and in the store; closed ones in the store alone, where they only grow.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::desired::Desired;
use super::records::bytes;
use super::session::MirrorSession;
use crate::control::store::{Kind, Write};

/// A session's source that is active.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Active {
    /// Whose session it is.
    pub account_id: Arc<str>,
    /// Since when, in milliseconds since 1970.
    pub since: i64,
}

/// A time in which a source was active.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Interval {
    /// Whose session it was.
    pub account_id: Arc<str>,
    /// The session.
    #[serde(rename = "TrafficMirrorSessionId")]
    pub session: Arc<str>,
    /// The source.
    #[serde(rename = "TrafficMirrorSourceId")]
    pub source: Arc<str>,
    /// Milliseconds since 1970.
    pub since: i64,
    /// Milliseconds since 1970; `None` while it goes on.
    pub until: Option<i64>,
}

/// All open intervals: by session, the active sources in the order of their ids. Most sessions have one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Activity(BTreeMap<Arc<str>, Vec<(Arc<str>, Active)>>);

/// What a change begins and ends in one session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turns(Vec<Turn>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Turn {
    session: Arc<str>,
    source: Arc<str>,
    account: Arc<str>,
    /// `None` begins, otherwise when it began.
    began: Option<i64>,
}

impl Activity {
    /// An interval that was open when the store was read.
    pub fn open(&mut self, session: Arc<str>, source: Arc<str>, active: Active) {
        let sources = self.0.entry(session).or_insert_with(|| Vec::with_capacity(1));
        match sources.binary_search_by(|(other, _)| other.cmp(&source)) {
            Ok(at) => sources[at].1 = active,
            Err(at) => sources.insert(at, (source, active)),
        }
    }

    /// Takes no more memory than needed.
    pub(super) fn pack(&mut self) {
        self.0 = std::mem::take(&mut self.0).into_iter().collect();
    }

    /// Notes what begins and ends when the sources of a session that are active become these.
    pub fn compare(&self, id: &Arc<str>, session: Option<&MirrorSession>, active: &[Arc<str>], turns: &mut Turns) {
        let before = self.0.get(id).map_or(&[][..], Vec::as_slice);
        for (source, was) in before.iter().filter(|(source, _)| !active.contains(source)) {
            turns.0.push(Turn {
                session: id.clone(),
                source: source.clone(),
                account: was.account_id.clone(),
                began: Some(was.since),
            });
        }
        let Some(session) = session else { return };
        let is_new = |source: &&Arc<str>| before.iter().all(|(other, _)| other != *source);
        for source in active.iter().filter(is_new) {
            let account = session.account.clone();
            turns.0.push(Turn { session: id.clone(), source: source.clone(), account, began: None });
        }
    }

    /// Open intervals of an account.
    pub fn of_account<'a>(&'a self, account: &'a str) -> impl Iterator<Item = Interval> + 'a {
        let all = self.0.iter().flat_map(|(session, sources)| sources.iter().map(move |(s, a)| (session, s, a)));
        all.filter(move |(_, _, active)| &*active.account_id == account).map(|(session, source, active)| Interval {
            account_id: active.account_id.clone(),
            session: session.clone(),
            source: source.clone(),
            since: active.since,
            until: None,
        })
    }

    /// Applies what was committed at a time (milliseconds since 1970).
    pub fn turn(&mut self, turns: Turns, now: i64) {
        for turn in turns.0 {
            if turn.began.is_none() {
                self.open(turn.session, turn.source, Active { account_id: turn.account, since: now });
            } else if let Some(sources) = self.0.get_mut(&turn.session) {
                sources.retain(|(source, _)| *source != turn.source);
                if sources.is_empty() {
                    self.0.remove(&turn.session);
                }
            }
        }
    }
}

impl Desired {
    /// What begins and ends in a session that was changed a moment ago.
    pub(super) fn session_turns(&self, id: &Arc<str>, session: Option<&MirrorSession>, turns: &mut Turns) {
        let active: Vec<Arc<str>> = match session.filter(|s| self.mirrors(s)) {
            Some(s) => s.sources.iter().filter(|source| self.world.eni(source).is_some()).cloned().collect(),
            None => Vec::new(),
        };
        self.activity.compare(id, session, &active, turns);
    }

    /// The same of all sessions, after the inventory changed.
    pub(super) fn all_turns(&self, turns: &mut Turns) {
        for (id, session) in &self.sessions {
            self.session_turns(id, Some(session), turns);
        }
    }
}

impl Turns {
    /// Nothing begins or ends.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What the store is told.
    pub fn writes(&self, now: i64) -> Vec<Write> {
        let mut writes = Vec::new();
        for turn in &self.0 {
            let key = format!("{}/{}", turn.session, turn.source);
            let Some(since) = turn.began else {
                let active = Active { account_id: turn.account.clone(), since: now };
                writes.push(Write { kind: Kind::Active, key, value: Some(bytes(&active)) });
                continue;
            };
            let interval = Interval {
                account_id: turn.account.clone(),
                session: turn.session.clone(),
                source: turn.source.clone(),
                since,
                until: Some(now.max(since)),
            };
            writes.push(Write { kind: Kind::Active, key, value: None });
            writes.push(Write { kind: Kind::Interval, key: interval_key(&interval), value: Some(bytes(&interval)) });
        }
        writes
    }
}

/// `account/end/session/source/begin`: an account's intervals in the order of their ends. The begin tells those apart that
/// end in the same millisecond.
fn interval_key(interval: &Interval) -> String {
    let end = interval.until.unwrap_or(i64::MAX);
    let Interval { account_id, session, source, since, .. } = interval;
    format!("{account_id}/{end:020}/{session}/{source}/{since:020}")
}
