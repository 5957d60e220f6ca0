//! What changed in the inventory lately, for those who watch.

use std::collections::VecDeque;

use crate::control::document::DocumentChange;
use crate::control::platform::Changes;

/// Changes that are remembered.
const MOST: usize = 10_000;

/// The latest changes, in order.
#[derive(Debug)]
pub struct History {
    /// All changes after this revision are here.
    since: u64,
    changes: VecDeque<(u64, DocumentChange)>,
}

impl History {
    /// Remembers what comes after a revision.
    #[must_use]
    pub fn new(since: u64) -> Self {
        History { since, changes: VecDeque::new() }
    }

    /// A revision changed these.
    pub fn note(&mut self, revision: u64, changes: &[DocumentChange]) {
        self.changes.extend(changes.iter().cloned().map(|change| (revision, change)));
        while self.changes.len() > MOST {
            // A revision is remembered whole or not at all.
            let gone = self.changes.pop_front().map_or(0, |(revision, _)| revision);
            while self.changes.front().is_some_and(|(revision, _)| *revision == gone) {
                self.changes.pop_front();
            }
            self.since = gone;
        }
    }

    /// What changed after a revision, at the revision of now.
    #[must_use]
    pub fn after(&self, after: u64, now: u64) -> Changes {
        let compacted = after < self.since || after > now;
        let changes = self.changes.iter().filter(|(revision, _)| !compacted && *revision > after);
        Changes { revision: now, compacted, changes: changes.cloned().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::document::Op;
    use crate::control::store::Kind;

    #[test]
    fn old_revisions_are_forgotten_whole_and_said_to_be() {
        let mut history = History::new(5);
        let change = |n: u64| DocumentChange { kind: Kind::Vpc, id: format!("vpc-{n}"), op: Op::Added };
        for revision in 6..=6 + MOST as u64 {
            history.note(revision, &[change(revision), change(revision + 1)]);
        }
        let now = 6 + MOST as u64;
        assert!(history.after(5, now).compacted);
        assert!(history.after(now + 1, now).compacted, "a revision that was never");
        let last = history.after(now - 1, now);
        assert_eq!((last.compacted, last.changes.len()), (false, 2));
        let all = history.after(history.since, now);
        assert!(!all.compacted && all.changes.len() <= MOST && all.changes.len().is_multiple_of(2));
    }
}
