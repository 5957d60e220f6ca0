//! How the daemon is, and what it counts.

use std::fmt::Write;

use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::client::{CtlError, Daemon};
use super::outcome::Outcome;
use super::render;

/// Version, readiness, store, revisions.
pub(super) fn status(daemon: Daemon<'_>) -> Result<Outcome, CtlError> {
    let status = daemon.get("/v1/status")?;
    let version = daemon.get("/version")?;
    let readiness = daemon.reply(Method::GET, "/readyz", Vec::new().into())?;
    let ready = readiness.status == StatusCode::OK;
    let why = String::from_utf8_lossy(&readiness.body).trim().to_owned();
    let json =
        json!({ "version": version, "ready": ready, "why_not_ready": (!ready).then_some(why), "status": status });
    Ok(Outcome::new(status_text(&json), json))
}

fn status_text(value: &Value) -> String {
    let (status, version) = (&value["status"], &value["version"]);
    let commit = version["commit"].as_str().map_or(String::new(), |commit| format!(" ({commit})"));
    let ready = value["why_not_ready"].as_str().map_or("yes".to_owned(), |why| format!("no: {why}"));
    let store = &status["store"];
    let about = |key: &str| store[key].as_str().map_or(String::new(), |text| format!(", {text}"));
    let revisions = match (&status["desired_revision"], &status["applied_revision"]) {
        (Value::Null, _) => "-".to_owned(),
        (desired, applied) if desired == applied => format!("{applied}, applied"),
        (desired, applied) => format!("{desired} desired, {applied} applied"),
    };
    let rows = [
        ("version", format!("{}{commit}", render::cell(&version["version"]))),
        ("ready", ready),
        ("region", render::cell(&status["region"])),
        ("store", format!("{}{}{}", render::cell(&store["state"]).replace('_', " "), about("path"), about("reason"))),
        ("revision", revisions),
    ];
    rows.iter().fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "{name:10}{value}");
        text
    })
}

/// Reads the object files again.
pub(super) fn reload(daemon: Daemon<'_>) -> Result<Outcome, CtlError> {
    let answer = daemon.ask(Method::POST, "/v1/reload", None)?;
    Ok(Outcome::new(format!("applied as version {}\n", answer["version"]), answer))
}

/// Totals and laws; with `check`, laws that do not hold are a failure.
pub(super) fn stats(daemon: Daemon<'_>, check: bool) -> Result<Outcome, CtlError> {
    let answer = daemon.get("/v1/stats")?;
    let violations: Vec<String> = answer["violations"].as_array().into_iter().flatten().map(render::cell).collect();
    let mut text = render::object(&answer["totals"]);
    if violations.is_empty() {
        text.push_str("the conservation laws hold\n");
    }
    for violation in &violations {
        let _ = writeln!(text, "not conserved (or not quiet): {violation}");
    }
    Ok(Outcome { failed: check && !violations.is_empty(), ..Outcome::new(text, answer) })
}

/// An account's limits.
pub(super) fn quota(daemon: Daemon<'_>, account: &str) -> Result<Outcome, CtlError> {
    let answer = daemon.get(&format!("/v1/quotas?account={account}"))?;
    Ok(Outcome::new(render::table(&answer["quotas"], render::QUOTA), answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_without_a_store_has_no_revision() {
        let store = json!({ "state": "none", "reason": "store.path is empty" });
        let mut value = json!({ "status": { "store": store, "desired_revision": null, "applied_revision": null } });
        let last = |value: &Value| status_text(value).lines().last().map(str::to_owned);
        assert_eq!(last(&value).as_deref(), Some("revision  -"));
        (value["status"]["desired_revision"], value["status"]["applied_revision"]) = (json!(3), json!(2));
        assert_eq!(last(&value).as_deref(), Some("revision  3 desired, 2 applied"));
    }
}
