//! A document in the store: one record for each object and one for the region, each with its JSON.

use std::sync::Arc;

use serde_json::Value;

use super::{Document, DocumentChange, ObjectKind};
use crate::control::store::{Kind, Record, Write};

/// The key of the region's record.
const REGION: &str = "region";

impl Document {
    /// The document that records hold; those of other kinds are passed over.
    ///
    /// # Errors
    /// A record that is no JSON object, in a plain sentence.
    pub fn from_records<'a>(records: impl IntoIterator<Item = &'a Record>) -> Result<Self, String> {
        let mut document = Document::default();
        for Record { kind, key, value } in records {
            let object = || match serde_json::from_slice(value) {
                Ok(Value::Object(object)) => Ok(object),
                Ok(_) => Err(format!("the store's {} {key} is no JSON object", kind.name())),
                Err(e) => Err(format!("the store's {} {key} is not JSON: {e}", kind.name())),
            };
            if *kind == Kind::Region {
                document.region = Arc::new(object()?);
            } else if let Some(kind) = ObjectKind::of_stored(*kind) {
                document.put(kind, key, Value::Object(object()?));
            }
        }
        Ok(document)
    }

    /// Its records.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        let region = Record { kind: Kind::Region, key: REGION.to_owned(), value: bytes(&self.region_value()) };
        let objects = ObjectKind::ALL.into_iter().flat_map(|kind| {
            let record = move |(id, object): (&String, &Arc<Value>)| Record {
                kind: kind.stored(),
                key: id.clone(),
                value: bytes(object),
            };
            self.objects(kind).iter().map(record)
        });
        std::iter::once(region).chain(objects).collect()
    }

    /// What a store has to write so that it holds this document, after changes that led to it.
    #[must_use]
    pub fn writes(&self, changes: &[DocumentChange]) -> Vec<Write> {
        let write = |change: &DocumentChange| {
            let value = match ObjectKind::of_stored(change.kind) {
                Some(kind) => self.get(kind, &change.id).map(|object| bytes(object)),
                None => Some(bytes(&self.region_value())),
            };
            Write { kind: change.kind, key: change.id.clone(), value }
        };
        changes.iter().map(write).collect()
    }

    fn region_value(&self) -> Value {
        Value::Object((*self.region).clone())
    }
}

fn bytes(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}
