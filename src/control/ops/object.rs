//! Objects of the inventory, one by one.

use hyper::StatusCode;
use serde_json::{Value, json};

use super::inventory::{self, at, change};
use super::route::{Asked, Served};
use crate::control::document::ObjectKind;
use crate::control::http::Answer;
use crate::control::id::{ALLOWED, is_id};
use crate::control::operations::Operations;
use crate::control::platform::{Platform, Refused};
use crate::control::secrets::hidden;

pub(super) fn list(kind: ObjectKind, platform: &dyn Platform, _: &Served, _: &Asked<'_>) -> Answer {
    let (revision, document) = platform.inventory();
    let objects: Value = document.objects(kind).values().map(|object| hidden(object)).collect();
    at(revision, Answer::json(StatusCode::OK, &objects))
}

pub(super) fn get(kind: ObjectKind, platform: &dyn Platform, _: &Served, asked: &Asked<'_>) -> Answer {
    let (revision, document) = platform.inventory();
    match document.get(kind, asked.id) {
        Some(object) => at(revision, Answer::json(StatusCode::OK, &hidden(object))),
        None => inventory::refused(missing(kind, asked.id)),
    }
}

pub(super) fn put(kind: ObjectKind, platform: &dyn Platform, served: &Served, asked: &Asked<'_>) -> Answer {
    let object = match body(kind, asked) {
        Ok(object) => object,
        Err(problems) => return Answer::errors(StatusCode::BAD_REQUEST, &problems),
    };
    let outcome = change(platform, asked, |now| {
        let mut next = now.clone();
        next.put(kind, asked.id, object.clone());
        Ok(next.with_secrets_of(now))
    });
    let port = |answer: &mut Value| {
        if kind == ObjectKind::NetworkInterface {
            add_port(answer, &*served.operations, asked.id);
        }
    };
    outcome.with(port).answer()
}

pub(super) fn delete(kind: ObjectKind, platform: &dyn Platform, _: &Served, asked: &Asked<'_>) -> Answer {
    let without = change(platform, asked, |now| {
        let mut next = now.clone();
        if next.remove(kind, asked.id) { Ok(next) } else { Err(missing(kind, asked.id)) }
    });
    without.answer()
}

fn missing(kind: ObjectKind, id: &str) -> Refused {
    Refused::Missing(format!("there is no {} {id} in the inventory", kind.singular()))
}

/// The object of a body, which says the same id as the path.
fn body(kind: ObjectKind, asked: &Asked<'_>) -> Result<Value, Vec<String>> {
    if !is_id(asked.id) {
        return Err(vec![format!("the path's {} = \"{}\": {ALLOWED}", kind.id_key(), asked.id)]);
    }
    let object = inventory::json(asked.body)?;
    if !object.is_object() {
        return Err(vec![format!("body: a JSON object is expected, with the {}'s fields", kind.singular())]);
    }
    let key = kind.id_key();
    match object.get(key) {
        None => Err(vec![format!("body: {key}: missing; it must be {}, as in the path", asked.id)]),
        Some(said) if said.as_str() == Some(asked.id) => Ok(object),
        Some(said) => Err(vec![format!("body: {key} = {said}: it must be {}, as in the path", asked.id)]),
    }
}

/// Where the ENI's port is and how a guest gets there; nothing for an ENI of another host.
fn add_port(answer: &mut Value, operations: &dyn Operations, id: &str) {
    let enis = operations.enis();
    if let Some(eni) = enis.as_array().into_iter().flatten().find(|eni| eni["id"] == id) {
        for key in ["socket", "qemu", "libvirt"] {
            answer[key] = json!(eni[key]);
        }
    }
}
