//! What a write to the inventory changed, or would change.

use std::fmt::Write;

use serde_json::Value;

use super::outcome::Outcome;
use super::render;

const SESSIONS: &[(&str, &str)] =
    &[("SESSION", "session"), ("ACCOUNT", "account"), ("ENI", "eni"), ("ROLE", "role"), ("EFFECT", "effect")];

/// The answer to a write: `added`, `changed` and `removed` objects, and `sessions` that feel it.
pub(super) fn changes(answer: Value) -> Outcome {
    Outcome::new(text(&answer), answer)
}

fn text(answer: &Value) -> String {
    let mut text = String::new();
    for (sign, key) in [('+', "added"), ('~', "changed"), ('-', "removed")] {
        for object in answer[key].as_array().into_iter().flatten() {
            let _ = writeln!(text, "{sign} {} {}", render::cell(&object["kind"]), render::cell(&object["id"]));
        }
    }
    if text.is_empty() {
        text.push_str("nothing changes\n");
    }
    if answer["sessions"].as_array().is_some_and(|sessions| !sessions.is_empty()) {
        text.push_str(&render::table(&answer["sessions"], SESSIONS));
    }
    text.push_str(&last_line(answer));
    text
}

/// The revision, or that it was not in earnest.
pub(super) fn last_line(answer: &Value) -> String {
    if answer["dry_run"] == true {
        return "dry run: nothing was changed\n".to_owned();
    }
    answer["revision"].as_u64().map_or(String::new(), |revision| format!("stored as revision {revision}\n"))
}

/// How a write is asked for.
pub(super) fn path(path: &str, dry_run: bool) -> String {
    if dry_run { format!("{path}?dry_run=true") } else { path.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_write_says_what_it_changed_and_who_feels_it() {
        let answer = json!({
            "added": [{"kind": "vpc", "id": "vpc-1"}], "changed": [{"kind": "instance", "id": "i-1"}],
            "removed": [{"kind": "network_interface", "id": "eni-1"}], "revision": 7, "dry_run": false,
            "sessions": [{"session": "tms-1", "account": "1001", "eni": "eni-1", "role": "target", "effect": "skips"}],
        });
        let expected = "+ vpc vpc-1\n~ instance i-1\n- network_interface eni-1\n\
                        SESSION  ACCOUNT  ENI    ROLE    EFFECT\n\
                        tms-1    1001     eni-1  target  skips\n\
                        stored as revision 7\n";
        assert_eq!(changes(answer).text, expected);
        let nothing =
            json!({"added": [], "changed": [], "removed": [], "sessions": [], "revision": 7, "dry_run": true});
        assert_eq!(changes(nothing).text, "nothing changes\ndry run: nothing was changed\n");
    }
}
