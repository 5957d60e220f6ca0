//! What a switch with a store answers beside its inventory.

use std::time::{SystemTime, UNIX_EPOCH};

use hyper::StatusCode;
use serde_json::json;

use super::inventory;
use super::route::{Asked, Served};
use crate::control::http::Answer;
use crate::control::platform::Platform;

pub(super) fn status(served: &Served, _: &Asked<'_>) -> Answer {
    let without = || {
        let store = json!({ "state": "none", "reason": "store.path is empty" });
        json!({ "store": store, "desired_revision": null, "applied_revision": null })
    };
    Answer::json(StatusCode::OK, &served.platform.as_ref().map_or_else(without, |platform| platform.status()))
}

pub(super) fn quotas(platform: &dyn Platform, _: &Served, asked: &Asked<'_>) -> Answer {
    let account = asked.query.text("account").unwrap_or_default();
    match platform.quotas(account) {
        Some(quotas) => Answer::json(StatusCode::OK, &quotas),
        None => Answer::errors(StatusCode::NOT_FOUND, &[format!("parameter account: there is no account {account}")]),
    }
}

pub(super) fn intervals(platform: &dyn Platform, _: &Served, asked: &Asked<'_>) -> Answer {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let time = |name: &str, or: u64| asked.query.number(name).unwrap_or(or).cast_signed();
    let (from, to) = (time("from", 0), time("to", now));
    if from > to {
        let sentence = format!("parameter from = {from}: it must not be after to = {to}");
        return Answer::errors(StatusCode::BAD_REQUEST, &[sentence]);
    }
    match platform.intervals(asked.query.text("account").unwrap_or_default(), from, to) {
        Ok(value) => Answer::json(StatusCode::OK, &value),
        Err(why) => Answer::errors(StatusCode::SERVICE_UNAVAILABLE, &[why]),
    }
}

pub(super) fn backup(platform: &dyn Platform, _: &Served, _: &Asked<'_>) -> Answer {
    match platform.backup() {
        Ok(bytes) => Answer::new(StatusCode::OK, "application/octet-stream", bytes),
        Err(why) => Answer::errors(StatusCode::SERVICE_UNAVAILABLE, &[why]),
    }
}

pub(super) fn restore(platform: &dyn Platform, _: &Served, asked: &Asked<'_>) -> Answer {
    if asked.body.is_empty() {
        return Answer::errors(StatusCode::BAD_REQUEST, &["body: missing; a backup is expected".to_owned()]);
    }
    match platform.restore(asked.body) {
        Ok(revision) => Answer::json(StatusCode::OK, &json!({ "revision": revision })),
        Err(refused) => inventory::refused(refused),
    }
}
