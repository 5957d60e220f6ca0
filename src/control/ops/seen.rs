//! What any switch answers: how it is, what it has, what it counts.

use hyper::StatusCode;
use serde_json::{Value, json};

use super::route::{Asked, Served};
use crate::control::http::Answer;
use crate::control::operations::ExplainQuery;

pub(super) fn healthz(_: &Served, _: &Asked<'_>) -> Answer {
    Answer::text(StatusCode::OK, "ok\n")
}

pub(super) fn readyz(served: &Served, _: &Asked<'_>) -> Answer {
    match served.operations.ready() {
        Ok(()) => Answer::text(StatusCode::OK, "ready\n"),
        Err(why) => Answer::text(StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")),
    }
}

pub(super) fn version(_: &Served, _: &Asked<'_>) -> Answer {
    Answer::json(StatusCode::OK, &crate::control::version::version())
}

pub(super) fn reload(served: &Served, _: &Asked<'_>) -> Answer {
    match served.operations.reload() {
        Ok(version) => Answer::json(StatusCode::OK, &json!({ "version": version })),
        Err(problems) => Answer::errors(StatusCode::BAD_REQUEST, &problems),
    }
}

pub(super) fn explain(served: &Served, asked: &Asked<'_>) -> Answer {
    let query: Result<ExplainQuery, _> = serde_json::from_slice(asked.body);
    let outcome = query.map_err(|e| e.to_string()).and_then(|q| served.operations.explain(&q));
    match outcome {
        Ok(value) => Answer::json(StatusCode::OK, &value),
        Err(e) => Answer::errors(StatusCode::BAD_REQUEST, &[e]),
    }
}

pub(super) fn enis(served: &Served, asked: &Asked<'_>) -> Answer {
    listed("ENI", &served.operations.enis(), asked.id)
}

pub(super) fn filters(served: &Served, asked: &Asked<'_>) -> Answer {
    listed("filter", &served.operations.filters(), asked.id)
}

pub(super) fn sessions(served: &Served, asked: &Asked<'_>) -> Answer {
    listed("session", &served.operations.sessions(), asked.id)
}

pub(super) fn stats(served: &Served, _: &Asked<'_>) -> Answer {
    Answer::json(StatusCode::OK, &served.operations.stats())
}

/// The whole list, or the one with an id.
fn listed(what: &str, list: &Value, id: &str) -> Answer {
    if id.is_empty() {
        return Answer::json(StatusCode::OK, list);
    }
    let found = list.as_array().into_iter().flatten().find(|item| item["id"] == id);
    match found {
        Some(item) => Answer::json(StatusCode::OK, item),
        None => Answer::errors(StatusCode::NOT_FOUND, &[format!("there is no {what} {id}")]),
    }
}
