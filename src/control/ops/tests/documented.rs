//! The OpenAPI document against the code: what it names is there, takes its examples and answers its schemas.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use super::*;
use crate::control::ops::routes::ROUTES;

/// Complaints about a value that should be of a schema of the document.
fn complaints(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut schema = schema.clone();
    schema["components"] = document["components"].clone();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    validator.iter_errors(value).map(|e| format!("{}: {e}", e.instance_path())).collect()
}

/// The schema behind `$ref`, and its first example.
fn example(document: &Value, schema: &Value) -> Value {
    let name = schema["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
    document["components"]["schemas"][name]["examples"][0].clone()
}

/// The call that a path's operation documents: target and body.
fn documented_call(document: &Value, path: &str, operation: &Value) -> (String, Vec<u8>) {
    let list = path.split("/{").next().unwrap();
    let ids = [
        ("accounts", "1001"),
        ("vpcs", "vpc-a"),
        ("vswitches", "vsw-a"),
        ("instances", "i-a"),
        ("filters", "tmf-a"),
        ("sessions", "tms-a"),
    ];
    let id = ids.iter().find(|(kind, _)| list.ends_with(kind)).map_or("eni-a", |(_, id)| id);
    let mut target = path.replace("{id}", id).replace("{action}", "GetTrafficMirrorServiceStatus");
    let query = operation["parameters"].as_array().unwrap().iter().filter(|p| p["in"] == "query");
    let value = |p: &Value| match (p["name"].as_str().unwrap(), p["schema"]["type"].as_str()) {
        ("account", _) => "1001".to_owned(),
        ("revision", _) => String::new(),
        (_, Some("boolean")) => "false".to_owned(),
        (_, Some("integer")) => p["schema"]["minimum"].to_string(),
        other => panic!("{other:?}: no value is known"),
    };
    let query =
        query.map(|p| (p["name"].as_str().unwrap().to_owned(), value(p))).filter(|(_, value)| !value.is_empty());
    let query: Vec<String> = query.map(|(name, value)| format!("{name}={value}")).collect();
    if !query.is_empty() {
        target = format!("{target}?{}", query.join("&"));
    }
    let content = &operation["requestBody"]["content"];
    let body = match (content.get("application/json"), content.get("application/octet-stream")) {
        (Some(media), _) => example(document, &media["schema"]).to_string().into_bytes(),
        (None, Some(_)) => vec![0, 159, 146, 150],
        (None, None) => Vec::new(),
    };
    (target, body)
}

#[test]
fn every_documented_operation_takes_its_example_and_answers_its_schema() {
    let in_this_order = ["get", "put", "post", "delete"];
    let api = Api::new(one_of_each());
    let document = api.done(Method::GET, "/openapi.json", None);
    let mut calls = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            calls.push((in_this_order.iter().position(|m| m == method).unwrap(), path, operation));
        }
    }
    calls.sort_by_key(|(method, ..)| *method);
    // Kinds that others refer to are documented first, and deleted last.
    let deletes = calls.iter().position(|(method, ..)| *method == 3).unwrap();
    calls[deletes..].reverse();
    let count = calls.len();
    for (method, path, operation) in calls {
        let method = Method::from_bytes(in_this_order[method].to_uppercase().as_bytes()).unwrap();
        let (target, body) = documented_call(&document, path, operation);
        let answer = api.raw(method.clone(), &target, body);
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, StatusCode::OK, "{method} {target}: {text}");
        let content = operation["responses"]["200"]["content"].as_object().unwrap();
        let (media, content) = content.iter().next().unwrap();
        assert_eq!(media, answer.content_type, "{method} {target}");
        if media == "application/json" {
            let value = serde_json::from_str(&text).unwrap();
            let wrong = complaints(&document, &content["schema"], &value);
            assert!(wrong.is_empty(), "{method} {target}: {wrong:#?}\n{value:#}");
        }
        let missing = api.raw(method, &format!("{target}x/y/z"), "");
        let errors = serde_json::from_slice(&missing.body).unwrap();
        let schema = &operation["responses"]["default"]["content"]["application/json"]["schema"];
        let wrong = complaints(&document, schema, &errors);
        assert!(wrong.is_empty(), "{target}: {wrong:#?}");
    }
    assert_eq!(count, ROUTES.len());
}

#[test]
fn every_route_is_documented_and_no_other_method_is_taken() {
    let api = Api::new(one_of_each());
    let document = api.done(Method::GET, "/openapi.json", None);
    for route in ROUTES.iter() {
        let operation = &document["paths"][route.path.as_ref()][route.method.as_str().to_lowercase()];
        assert_eq!(operation["summary"], route.about.as_ref(), "{} {}", route.method, route.path);
        let parameters: Vec<&str> =
            operation["parameters"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
        assert!(route.query.iter().all(|p| parameters.contains(&p.name)), "{}", route.path);
        assert_eq!(parameters.len(), route.query.len() + usize::from(route.path.contains('{')), "{}", route.path);
    }
    let mut ids = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        let target = path.replace("{id}", "eni-a").replace("{action}", "TagResources");
        for method in [Method::GET, Method::PUT, Method::POST, Method::DELETE, Method::PATCH] {
            match operations.get(method.as_str().to_lowercase()) {
                Some(operation) => assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned())),
                None => {
                    let lines = api.refused(StatusCode::METHOD_NOT_ALLOWED, method.clone(), &target, "");
                    assert!(lines[0].contains("is not allowed on"), "{method} {target}: {lines:?}");
                }
            }
        }
    }
    assert_eq!(ids.len(), ROUTES.len());
}

#[test]
fn every_example_is_of_its_schema_and_every_reference_leads_somewhere() {
    let document = crate::control::ops::openapi::document();
    let schemas = document["components"]["schemas"].as_object().unwrap();
    let mut examples = 0;
    for (name, schema) in schemas {
        for example in schema["examples"].as_array().into_iter().flatten() {
            let wrong = complaints(&document, schema, example);
            assert!(wrong.is_empty(), "{name}: {wrong:#?}");
            examples += 1;
        }
    }
    assert!(examples > 20, "{examples}");
    let text = document.to_string();
    let used: BTreeSet<&str> =
        text.split("#/components/schemas/").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert_eq!(used, schemas.keys().map(String::as_str).collect::<BTreeSet<_>>());
}

#[test]
fn schemas_know_the_fields_that_readers_know() {
    let document = crate::control::ops::openapi::document();
    let whole = one_of_each();
    for kind in crate::control::document::ObjectKind::ALL {
        let mut object = whole[kind.list()][0].clone();
        let path = format!("/v1/{}/{}", kind.collection(), object[kind.id_key()].as_str().unwrap());
        let known = document["components"]["schemas"][kind.schema()]["properties"].as_object().unwrap();
        for key in known.keys() {
            // What a field means does not matter here: the readers' complaint about unknown ones must not come.
            object[key] = if object[key].is_null() { json!({}) } else { object[key].clone() };
        }
        let answer = Api::new(whole.clone()).raw(Method::PUT, &path, object.to_string());
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(!text.contains("unknown key"), "{path}: {text}");
        object["Unheard"] = json!(1);
        let wrong =
            complaints(&document, &json!({ "$ref": format!("#/components/schemas/{}", kind.schema()) }), &object);
        assert!(wrong.iter().any(|line| line.contains("Unheard")), "{path}: {wrong:?}");
    }
}
