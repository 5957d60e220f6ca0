//! From JSON to a document: every object must have a place in it. What else is wrong, reading finds.

use std::sync::Arc;

use serde_json::Value;

use super::{Document, ObjectKind};
use crate::control::duplicates::duplicate_keys;
use crate::control::id::{ALLOWED as ID, is_id};
use crate::control::inventory::REGION_KEYS;
use crate::control::raw::{Object, Problem, Sink};

impl Document {
    /// A document from the text of an inventory; `name` is the file that complaints mention.
    ///
    /// # Errors
    /// What is no JSON, keys that are given twice, and what [`Document::from_json`] finds.
    pub fn from_text(name: &str, text: &str) -> Result<Self, Vec<Problem>> {
        Self::from_json(name, &tree(name, text)?)
    }

    /// A document from an inventory.
    ///
    /// # Errors
    /// Unknown keys, what is no list or no object, objects without an id, and ids that stand twice.
    pub fn from_json(name: &str, tree: &Value) -> Result<Self, Vec<Problem>> {
        let sink = Sink::new(name);
        let lists = ObjectKind::ALL.map(ObjectKind::list);
        let known: Vec<&str> = REGION_KEYS.into_iter().chain(lists).collect();
        let mut document = Document::default();
        if let Some(root) = Object::new(&sink, "", tree, &known, &[]) {
            let facts = REGION_KEYS.into_iter().filter_map(|key| Some((key.to_owned(), root.raw(key)?.clone())));
            document.region = Arc::new(facts.collect());
            ObjectKind::ALL.into_iter().for_each(|kind| document.take_list(&root, kind));
        }
        if sink.is_clean() { Ok(document) } else { Err(sink.into_problems()) }
    }

    fn take_list(&mut self, root: &Object<'_>, kind: ObjectKind) {
        for (path, value) in root.list(kind.list()) {
            if !value.is_object() {
                root.sink().report(path, Some(value), "an object is expected here");
                continue;
            }
            let at = format!("{path}.{}", kind.id_key());
            match value.get(kind.id_key()) {
                None => root.sink().report(at, None, format!("missing; {ID}")),
                Some(Value::String(id)) if is_id(id) => {
                    if self.get(kind, id).is_some() {
                        let text = format!("another {} has this id", kind.singular());
                        root.sink().report(at, Some(&Value::from(id.as_str())), text);
                    }
                    self.put(kind, id, value.clone());
                }
                Some(other) => root.sink().report(at, Some(other), ID),
            }
        }
    }
}

/// The JSON of a text in which no key stands twice.
///
/// # Errors
/// What is no JSON, and keys that are given twice.
pub fn tree(name: &str, text: &str) -> Result<Value, Vec<Problem>> {
    let sink = Sink::new(name);
    let tree = serde_json::from_str(text).map_err(|e| sink.report("", None, format!("is not JSON: {e}")));
    for path in duplicate_keys(text) {
        sink.report(path, None, "the key is given twice; once is allowed");
    }
    match tree {
        Ok(tree) if sink.is_clean() => Ok(tree),
        _ => Err(sink.into_problems()),
    }
}
