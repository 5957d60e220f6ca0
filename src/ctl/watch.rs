//! Changes as they happen, a line each.

use hyper::Method;
use serde_json::Value;

use super::client::{CtlError, Daemon};
use super::outcome::Outcome;
use super::render;
use crate::cli::WatchArgs;
use crate::terminal;

/// Seconds that the daemon may hold a question back; less than a client's patience.
const HOLD: u64 = 20;

pub(super) fn run(daemon: Daemon<'_>, args: &WatchArgs, json: bool) -> Result<Outcome, CtlError> {
    let mut after = match args.after {
        Some(revision) => revision,
        None => daemon.get("/v1/watch")?["revision"].as_u64().unwrap_or(0),
    };
    let hold = if args.once { 0 } else { HOLD };
    loop {
        let answer = daemon.ask(Method::GET, &format!("/v1/watch?after={after}&timeout={hold}"), None)?;
        if answer["compacted"] == true {
            let sentence = format!("changes soon after revision {after} are no longer known: read all objects again");
            terminal::complain("vswitchctl", &[sentence]);
        }
        for change in answer["changes"].as_array().into_iter().flatten() {
            if !terminal::write(&line(change, json))? {
                return Ok(Outcome::told());
            }
        }
        after = answer["revision"].as_u64().unwrap_or(after);
        if args.once {
            return Ok(Outcome::told());
        }
    }
}

/// A change; for programs, a JSON object on a line of its own.
fn line(change: &Value, json: bool) -> String {
    if json {
        return format!("{change}\n");
    }
    let cells = ["revision", "op", "kind", "id"].map(|key| render::cell(&change[key]));
    format!("{}\n", cells.join("  "))
}
