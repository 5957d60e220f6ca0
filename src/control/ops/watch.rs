//! Waiting for changes of the inventory. Who waits holds a connection, and no thread.

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::query::Query;
use crate::control::http::Answer;
use crate::control::platform::{Changes, Platform};

/// Longest wait, in seconds.
pub(super) const LONGEST: u64 = 60;
/// A wait without a parameter.
const USUAL: u64 = 30;
/// Those who may wait at a time; half of the connections are left to others.
const MOST: usize = 32;

/// Those who wait.
pub(super) struct Watchers(Semaphore);

impl Watchers {
    pub(super) fn new() -> Self {
        Watchers(Semaphore::new(MOST))
    }

    /// Answers changes after a revision as soon as there are some, or their absence after a time.
    pub(super) async fn wait(&self, platform: Arc<dyn Platform>, query: &Query) -> Answer {
        let Ok(_room) = self.0.try_acquire() else {
            let sentence = format!("{MOST} callers are waiting already; try again later");
            return Answer::errors(StatusCode::SERVICE_UNAVAILABLE, &[sentence]);
        };
        // Before the first look: a change after it is not missed.
        let mut revisions = platform.revision();
        let Some(mut after) = query.number("after") else {
            let revision = *revisions.borrow_and_update();
            return answer(&Changes { revision, ..Changes::default() });
        };
        let until = Instant::now() + Duration::from_secs(query.number("timeout").unwrap_or(USUAL));
        loop {
            revisions.borrow_and_update();
            let platform = platform.clone();
            let changes = match tokio::task::spawn_blocking(move || platform.changes(after)).await {
                Ok(changes) => changes,
                Err(e) => return Answer::errors(StatusCode::INTERNAL_SERVER_ERROR, &[e.to_string()]),
            };
            // A revision that has not been yet is of another store.
            let compacted = changes.compacted || after > changes.revision;
            if compacted || !changes.changes.is_empty() {
                return answer(&Changes { compacted, ..changes });
            }
            after = changes.revision;
            if !matches!(timeout_at(until, revisions.changed()).await, Ok(Ok(()))) {
                return answer(&changes);
            }
        }
    }
}

fn answer(Changes { revision, compacted, changes }: &Changes) -> Answer {
    let change = |(revision, change): &(u64, _)| {
        let crate::control::document::DocumentChange { kind, id, op } = change;
        json!({ "revision": revision, "kind": kind.name(), "id": id, "op": op })
    };
    let changes: Value = changes.iter().map(change).collect();
    Answer::json(StatusCode::OK, &json!({ "revision": revision, "compacted": compacted, "changes": changes }))
}
