//! Tenant actions in an account's name. Their parameters come as JSON, and are flattened as the SDKs do it.

use hyper::StatusCode;
use serde_json::{Value, json};

use super::inventory;
use super::route::{Asked, Served};
use crate::control::api::{Action, ApiError, Params};
use crate::control::http::Answer;
use crate::control::platform::Platform;
use crate::control::raw::unknown;

/// How deep lists and objects may lie in each other.
const DEEPEST: usize = 8;

pub(super) fn act(platform: &dyn Platform, _: &Served, asked: &Asked<'_>) -> Answer {
    let Some(action) = Action::named(asked.id) else {
        let names: Vec<&str> = Action::ALL.iter().map(|action| action.name()).collect();
        let why = unknown(asked.id, &names).replace("unknown key", "unknown action");
        return Answer::errors(StatusCode::NOT_FOUND, &[format!("action {}: {why}", asked.id)]);
    };
    let params = match parameters(asked.body) {
        Ok(params) => params,
        Err(problems) => return Answer::errors(StatusCode::BAD_REQUEST, &problems),
    };
    let account = asked.query.text("account").unwrap_or_default();
    let done = Params::from_pairs(params).and_then(|params| platform.act(account, action, params));
    match done {
        Ok(value) => Answer::json(StatusCode::OK, &value),
        Err(ApiError { code, status, message, .. }) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            Answer::json(status, &json!({ "errors": [message], "code": code }))
        }
    }
}

/// `{"IngressRules": [{"Action": "accept"}]}` is `IngressRules.1.Action=accept`. No body is no parameters.
fn parameters(body: &[u8]) -> Result<Vec<(String, String)>, Vec<String>> {
    if body.is_empty() {
        return Ok(Vec::new());
    }
    let object = inventory::json(body)?;
    if !object.is_object() {
        return Err(vec!["body: a JSON object is expected, with the action's parameters".to_owned()]);
    }
    let (mut pairs, mut problems) = (Vec::new(), Vec::new());
    flatten("", &object, DEEPEST, &mut pairs, &mut problems);
    if problems.is_empty() { Ok(pairs) } else { Err(problems) }
}

/// Adds the parameters of a value that goes by `name`.
fn flatten(name: &str, value: &Value, depth: usize, pairs: &mut Vec<(String, String)>, problems: &mut Vec<String>) {
    let below = |part: &str| if name.is_empty() { part.to_owned() } else { format!("{name}.{part}") };
    match value {
        Value::Array(_) | Value::Object(_) if depth == 0 => {
            problems.push(format!("body: {name}: lists and objects lie at most {DEEPEST} deep in each other"));
        }
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                flatten(&below(&(n + 1).to_string()), item, depth - 1, pairs, problems);
            }
        }
        Value::Object(fields) => {
            for (key, field) in fields {
                flatten(&below(key), field, depth - 1, pairs, problems);
            }
        }
        Value::Null => {}
        Value::String(text) => pairs.push((name.to_owned(), text.clone())),
        Value::Bool(_) | Value::Number(_) => pairs.push((name.to_owned(), value.to_string())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn objects_and_lists_become_names() {
        let body = br#"{"Name": "a b", "IngressRules": [{"Priority": 1, "Action": "accept"}, {"Priority": 2}],
                        "Ids": ["x", "y"], "DryRun": true, "None": null}"#;
        let pairs = parameters(body).unwrap();
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
        assert_eq!(
            pairs,
            [
                ("Name", "a b"),
                ("IngressRules.1.Priority", "1"),
                ("IngressRules.1.Action", "accept"),
                ("IngressRules.2.Priority", "2"),
                ("Ids.1", "x"),
                ("Ids.2", "y"),
                ("DryRun", "true"),
            ]
        );
        assert_eq!(parameters(b"").unwrap(), []);
    }

    #[test]
    fn what_is_no_object_or_too_deep_is_refused() {
        let wrong = |body: &str| parameters(body.as_bytes()).unwrap_err().join("; ");
        assert_eq!(wrong("[1]"), "body: a JSON object is expected, with the action's parameters");
        assert_eq!(wrong(r#"{"a": 1, "a": 2}"#), "body: a: the key is given twice; once is allowed");
        let deep = format!("{{\"a\": {}1{}}}", "[".repeat(8), "]".repeat(8));
        assert!(wrong(&deep).ends_with("lists and objects lie at most 8 deep in each other"), "{}", wrong(&deep));
    }
}
