//! The inventory as a value: what `inventory.json` holds, by kind and id, object by object as it was given.
//!
//! A document may be wrong; [`Document::read`] says how, and makes the model of one that is not.

mod diff;
mod kinds;
mod parse;
mod read;
mod records;
mod redacted;
#[cfg(test)]
pub(in crate::control) mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

pub use diff::{DocumentChange, Op, diff};
pub use kinds::ObjectKind;
pub use parse::tree;
pub use read::NAME;

/// Objects of a kind, by id.
pub type Objects = BTreeMap<String, Arc<Value>>;

/// An inventory. Cloning it copies no object.
#[derive(Clone, Default, PartialEq)]
pub struct Document {
    /// Facts of the region: `RegionId`, `JumboMirroring`, `PlatformCidrs`.
    region: Arc<Map<String, Value>>,
    /// By kind, in the order of [`ObjectKind::ALL`].
    objects: [Objects; ObjectKind::ALL.len()],
}

impl Document {
    /// The facts of the region.
    #[must_use]
    pub fn region(&self) -> &Map<String, Value> {
        &self.region
    }

    /// All objects of a kind.
    #[must_use]
    pub fn objects(&self, kind: ObjectKind) -> &Objects {
        &self.objects[kind as usize]
    }

    /// An object.
    #[must_use]
    pub fn get(&self, kind: ObjectKind, id: &str) -> Option<&Arc<Value>> {
        self.objects(kind).get(id)
    }

    /// Puts an object in the place of the one with this id, if there is one. It does not look into it: that the object
    /// says the same id is the caller's to see to, and [`Document::read`]'s to find out.
    pub fn put(&mut self, kind: ObjectKind, id: &str, object: Value) {
        self.objects[kind as usize].insert(id.to_owned(), Arc::new(object));
    }

    /// Takes an object out, and says whether there was one.
    pub fn remove(&mut self, kind: ObjectKind, id: &str) -> bool {
        self.objects[kind as usize].remove(id).is_some()
    }

    /// The whole as JSON, as in `inventory.json`; lists are ordered by id.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut tree = (*self.region).clone();
        for kind in ObjectKind::ALL {
            let objects = self.objects(kind).values().map(|object| (**object).clone());
            tree.insert(kind.list().to_owned(), objects.collect());
        }
        Value::Object(tree)
    }
}
