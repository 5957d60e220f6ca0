//! What clients poll: whether the workers have what was committed.

use std::collections::HashMap;
use std::sync::Arc;

use super::filter::MirrorFilter;
use super::rule::Side;
use super::session::MirrorSession;
use crate::control::model::FilterRule;

/// The status of a filter, a rule or a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It is new, and workers have not taken it.
    Creating,
    /// All workers have it.
    Created,
    /// It was changed, and workers have not taken the change.
    Modifying,
    /// It is gone, but workers have not let go of it.
    Deleting,
}

impl Status {
    /// As answers spell it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Status::Creating => "Creating",
            Status::Created => "Created",
            Status::Modifying => "Modifying",
            Status::Deleting => "Deleting",
        }
    }
}

/// An object that is not there any more, for as long as it is listed as `Deleting`.
#[derive(Clone, Debug)]
pub enum Ghost {
    /// A filter.
    Filter(Arc<MirrorFilter>),
    /// A rule of a filter that goes on.
    Rule {
        /// The filter's id.
        filter: Arc<str>,
        /// Which of its lists the rule was in.
        side: Side,
        /// The rule.
        rule: FilterRule,
    },
    /// A session.
    Session(Arc<MirrorSession>),
}

#[derive(Clone, Debug)]
struct Entry {
    revision: u64,
    status: Status,
    ghost: Option<Ghost>,
}

/// Objects whose last change is committed and not yet with the workers, by id.
#[derive(Clone, Debug, Default)]
pub struct Pending(HashMap<Arc<str>, Entry>);

impl Pending {
    /// An object changed with a revision.
    pub fn note(&mut self, id: &Arc<str>, revision: u64, status: Status, ghost: Option<Ghost>) {
        // A new object that changes again is still new to the workers.
        let status = match self.0.get(id) {
            Some(before) if before.status == Status::Creating && status == Status::Modifying => Status::Creating,
            _ => status,
        };
        self.0.insert(id.clone(), Entry { revision, status, ghost });
    }

    /// The workers have everything up to a revision.
    pub fn settle(&mut self, revision: u64) {
        self.0.retain(|_, entry| entry.revision > revision);
    }

    /// The status of an object that exists or is being deleted.
    #[must_use]
    pub fn status(&self, id: &str) -> Status {
        self.0.get(id).map_or(Status::Created, |entry| entry.status)
    }

    /// Objects that are being deleted.
    pub fn ghosts(&self) -> impl Iterator<Item = &Ghost> {
        self.0.values().filter_map(|entry| entry.ghost.as_ref())
    }

    /// Nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_pending_until_its_own_revision_is_applied() {
        let (mut pending, id): (_, Arc<str>) = (Pending::default(), "tms-1".into());
        pending.note(&id, 5, Status::Creating, None);
        pending.note(&id, 6, Status::Modifying, None);
        pending.settle(5);
        assert_eq!(pending.status("tms-1"), Status::Creating, "revision 6 is not applied");
        pending.settle(6);
        assert_eq!(pending.status("tms-1"), Status::Created);
        assert!(pending.is_empty());
    }
}
