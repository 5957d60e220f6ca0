//! References between objects: what refers to a thing that exists, but was complained about, is not complained about
//! again.

use std::collections::HashSet;

use serde_json::Value;

use super::raw::{List, Object};

/// Ids of things that exist and are broken.
#[derive(Debug, Default)]
pub(super) struct Broken {
    all: bool,
    ids: HashSet<String>,
}

impl Broken {
    /// Nothing is known about what exists, because the file or the list is unreadable.
    pub(super) fn everything() -> Self {
        Broken { all: true, ids: HashSet::new() }
    }

    /// For the things of a list: all of them when it is no list, none so far otherwise.
    pub(super) fn of(list: &List<'_>) -> Self {
        Broken { all: !list.readable, ids: HashSet::new() }
    }

    /// One of the things is broken; `key` holds its id, if it has one.
    pub(super) fn note(&mut self, thing: &Value, key: &str) {
        self.ids.extend(thing.get(key).and_then(Value::as_str).map(str::to_owned));
    }

    /// Whether the thing that is referred to was complained about already.
    pub(super) fn excuses(&self, reference: &Value) -> bool {
        self.all || reference.as_str().is_some_and(|id| self.ids.contains(id))
    }
}

/// A field that must refer to something that `find` finds.
pub(super) fn reference<T>(
    object: &Object<'_>,
    key: &str,
    allowed: &str,
    broken: &Broken,
    find: impl FnOnce(&str) -> Option<T>,
) -> Option<T> {
    match object.raw(key) {
        Some(value) if broken.excuses(value) => value.as_str().and_then(find),
        _ => object.required(key, allowed, |v| find(v.as_str()?)),
    }
}
