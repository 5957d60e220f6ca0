//! The OpenAPI document: paths from the table of routes, schemas with examples from a file beside it.

use std::sync::LazyLock;

use hyper::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::query::{Kind, Param};
use super::route::{Asked, Content, Route, Served};
use super::routes::ROUTES;
use crate::control::http::Answer;

const SCHEMAS: &str = include_str!("schemas.json");

static DOCUMENT: LazyLock<Value> = LazyLock::new(document);

pub(super) fn serve(_: &Served, _: &Asked<'_>) -> Answer {
    Answer::json(StatusCode::OK, &DOCUMENT)
}

/// The document.
pub(super) fn document() -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for route in ROUTES.iter() {
        let path = paths.entry(route.path.as_ref()).or_insert_with(|| json!({}));
        path[route.method.as_str().to_lowercase()] = operation(route);
    }
    // A test reads the schemas: they are JSON.
    let schemas: Value = serde_json::from_str(SCHEMAS).unwrap_or_default();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "vswitch inventory and operations API",
            "version": crate::VERSION,
            "description": "JSON over HTTP on the Unix socket that ops.socket names.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "http://localhost/", "description": "The socket; the host does not matter." }],
        "paths": paths,
        "components": { "schemas": schemas },
    })
}

fn operation(route: &Route) -> Value {
    let mut parameters: Vec<Value> = route.query.iter().map(parameter).collect();
    if let Some(name) = route.variable() {
        parameters.push(json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }));
    }
    let mut responses = json!({
        "200": { "description": "Done.", "content": content(route.answer) },
        "default": { "description": "Not done, and why.", "content": content(Content::Json("Errors")) },
    });
    if route.path == "/readyz" {
        responses["503"] = json!({ "description": "Not ready, and why.", "content": content(Content::Text) });
    }
    if route.is_stored() {
        let errors = content(Content::Json("Errors"));
        responses["409"] =
            json!({ "description": "There is no store, or it is at another revision.", "content": errors });
    }
    let mut operation = json!({
        "operationId": operation_id(route),
        "summary": route.about,
        "parameters": parameters,
        "responses": responses,
    });
    if let Some(body) = route.body {
        operation["requestBody"] = json!({ "required": route.method == Method::PUT, "content": content(body) });
    }
    operation
}

/// `get-v1-vpcs-id`: unique, as method and path are.
fn operation_id(route: &Route) -> String {
    let path = route.path.replace(['{', '}'], "").replace(['/', '.'], "-");
    format!("{}{path}", route.method.as_str().to_lowercase())
}

fn parameter(param: &Param) -> Value {
    let schema = match param.kind {
        Kind::Flag => json!({ "type": "boolean", "default": false }),
        Kind::Number(least, most) => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Kind::Id => json!({ "$ref": "#/components/schemas/Id" }),
    };
    json!({ "name": param.name, "in": "query", "required": param.required, "description": param.about, "schema": schema })
}

fn content(content: Content) -> Value {
    let reference = |name: &str| json!({ "$ref": format!("#/components/schemas/{name}") });
    let (media, schema) = match content {
        Content::Json(name) => ("application/json", reference(name)),
        Content::List(name) => ("application/json", json!({ "type": "array", "items": reference(name) })),
        Content::Text => ("text/plain; charset=utf-8", json!({ "type": "string" })),
        Content::Bytes => ("application/octet-stream", json!({ "type": "string", "format": "binary" })),
    };
    json!({ media: { "schema": schema } })
}
