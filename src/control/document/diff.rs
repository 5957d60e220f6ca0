//! What changes between two documents.

use std::sync::Arc;

use serde::Serialize;

use super::{Document, ObjectKind};
use crate::control::store::Kind;

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Op {
    /// It was not there before.
    Added,
    /// It is another one.
    Changed,
    /// It is there no more.
    Removed,
}

/// One object that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentChange {
    /// What it is: one of the inventory's kinds, or [`Kind::Region`].
    pub kind: Kind,
    /// Its id; the region's facts have `region`.
    pub id: String,
    /// What became of it.
    pub op: Op,
}

/// All objects that differ, in the order of kinds and ids.
#[must_use]
pub fn diff(old: &Document, new: &Document) -> Vec<DocumentChange> {
    let mut changes = Vec::new();
    if old.region != new.region {
        let op = if old.region.is_empty() { Op::Added } else { Op::Changed };
        changes.push(DocumentChange { kind: Kind::Region, id: "region".to_owned(), op });
    }
    for kind in ObjectKind::ALL {
        let (old, new) = (old.objects(kind), new.objects(kind));
        let mut of_kind: Vec<(&String, Op)> = Vec::new();
        for (id, object) in new {
            match old.get(id) {
                None => of_kind.push((id, Op::Added)),
                // Most objects are the very same: comparing them would take long.
                Some(before) if Arc::ptr_eq(before, object) || before == object => {}
                Some(_) => of_kind.push((id, Op::Changed)),
            }
        }
        of_kind.extend(old.keys().filter(|id| !new.contains_key(*id)).map(|id| (id, Op::Removed)));
        of_kind.sort_unstable_by_key(|(id, _)| *id);
        let kind = kind.stored();
        changes.extend(of_kind.into_iter().map(|(id, op)| DocumentChange { kind, id: id.clone(), op }));
    }
    changes
}
