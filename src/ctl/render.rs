//! Answers as tables for people.

use std::borrow::Cow;
use std::fmt::Write;

use serde_json::Value;
use unicode_width::UnicodeWidthStr;

/// A text that tenants may have written, without what would command a terminal or turn its writing round.
#[must_use]
pub fn clean(text: &str) -> Cow<'_, str> {
    let commands = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if !text.contains(commands) {
        return Cow::Borrowed(text);
    }
    let shown = |c: char| if commands(c) { c.escape_default().to_string() } else { c.to_string() };
    Cow::Owned(text.chars().map(shown).collect())
}

/// A value in a table's cell.
#[must_use]
pub fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(s) => clean(s).into_owned(),
        Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// A table of some fields of a list of objects, widths fitted.
#[must_use]
pub fn table(list: &Value, columns: &[(&str, &str)]) -> String {
    let mut rows: Vec<Vec<String>> = vec![columns.iter().map(|(title, _)| (*title).to_owned()).collect()];
    for item in list.as_array().into_iter().flatten() {
        rows.push(columns.iter().map(|(_, key)| cell(&item[*key])).collect());
    }
    let width = |column: usize| rows.iter().map(|r| r[column].width()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let line: String = row.iter().zip(&widths).fold(String::new(), |mut line, (cell, width)| {
            let _ = write!(line, "{cell}{:1$}  ", "", width - cell.width());
            line
        });
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// One object, a field a line; fields with nothing in them are left out.
#[must_use]
pub fn object(value: &Value) -> String {
    let mut text = String::new();
    for (key, value) in value.as_object().into_iter().flatten() {
        match value {
            Value::Null => {}
            Value::Object(inner) if inner.is_empty() => {}
            Value::Object(_) => {
                let _ = writeln!(text, "{key}:");
                for line in object(value).lines() {
                    let _ = writeln!(text, "  {line}");
                }
            }
            Value::Array(items) if items.iter().any(Value::is_object) => {
                let _ = writeln!(text, "{key}:");
                for item in items {
                    let line = object(item).lines().collect::<Vec<_>>().join("  ");
                    let _ = writeln!(text, "  {line}");
                }
            }
            Value::String(lines) if lines.contains('\n') => {
                let _ = writeln!(text, "{key}:");
                for line in lines.lines() {
                    let _ = writeln!(text, "  {}", clean(line));
                }
            }
            other => {
                let _ = writeln!(text, "{key}: {}", cell(other));
            }
        }
    }
    text
}

/// ENIs.
pub const ENI: &[(&str, &str)] = &[
    ("ENI", "id"),
    ("STATE", "state"),
    ("WORKER", "worker"),
    ("PAIRS", "queue_pairs"),
    ("RING", "ring"),
    ("MTU", "mtu"),
    ("ADDRESSES", "addresses"),
    ("RX", "rx_packets"),
    ("TX", "tx_packets"),
    ("DROPS", "drops"),
    ("FAULT", "fault"),
];

/// Filters, as the switch uses them.
pub const FILTER: &[(&str, &str)] = &[("FILTER", "id"), ("NAME", "name")];

/// Filters, as an account has stored them.
pub const STORED_FILTER: &[(&str, &str)] = &[
    ("FILTER", "TrafficMirrorFilterId"),
    ("NAME", "TrafficMirrorFilterName"),
    ("STATUS", "TrafficMirrorFilterStatus"),
    ("INGRESS", "ingress"),
    ("EGRESS", "egress"),
    ("CREATED", "CreationTime"),
];

/// Rules of a filter.
pub const RULE: &[(&str, &str)] = &[
    ("DIRECTION", "direction"),
    ("PRIORITY", "priority"),
    ("RULE", "id"),
    ("ACTION", "action"),
    ("PROTOCOL", "protocol"),
    ("SOURCE", "source"),
    ("PORTS", "source_ports"),
    ("DESTINATION", "destination"),
    ("PORTS", "destination_ports"),
    ("STATUS", "status"),
];

/// Sessions, as the switch uses them.
pub const SESSION: &[(&str, &str)] = &[
    ("SESSION", "id"),
    ("ENABLED", "enabled"),
    ("PRIORITY", "priority"),
    ("VNI", "vni"),
    ("LENGTH", "packet_length"),
    ("FILTER", "filter"),
    ("SOURCES", "sources"),
    ("TARGET", "target"),
    ("MATCHED", "matched"),
    ("SENT", "sent"),
];

/// Sessions, as an account has stored them.
pub const STORED_SESSION: &[(&str, &str)] = &[
    ("SESSION", "TrafficMirrorSessionId"),
    ("NAME", "TrafficMirrorSessionName"),
    ("STATUS", "TrafficMirrorSessionStatus"),
    ("BUSINESS", "TrafficMirrorSessionBusinessStatus"),
    ("ENABLED", "Enabled"),
    ("PRIORITY", "Priority"),
    ("VNI", "VirtualNetworkId"),
    ("LENGTH", "PacketLength"),
    ("FILTER", "TrafficMirrorFilterId"),
    ("SOURCES", "TrafficMirrorSourceIds"),
    ("TARGET", "TrafficMirrorTargetId"),
];

/// Accounts.
pub const ACCOUNT: &[(&str, &str)] =
    &[("ACCOUNT", "AccountId"), ("NAME", "AccountName"), ("STATUS", "Status"), ("ACCESS KEYS", "AccessKeys")];

/// Tags of an object.
pub const TAG: &[(&str, &str)] = &[("KEY", "TagKey"), ("VALUE", "TagValue")];

/// Quotas of an account.
pub const QUOTA: &[(&str, &str)] =
    &[("QUOTA", "name"), ("CLASS", "class"), ("LIMIT", "limit"), ("USED", "used"), ("ADJUSTABLE", "adjustable")];

/// Where a list is, or one of it.
#[must_use]
pub fn path(what: &str, id: Option<&str>) -> String {
    id.map_or_else(|| format!("/v1/{what}"), |id| format!("/v1/{what}/{id}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn wide_letters_are_aligned_and_nothing_commands_the_terminal() {
        let list = json!([{"id": "tmf-1", "name": "审计"}, {"id": "tmf-2", "name": "a\u{1b}[2J\n\u{202e}b"}]);
        let columns = [("NAME", "name"), ("FILTER", "id")];
        let expected = "NAME                   FILTER\n\
                        审计                   tmf-1\n\
                        a\\u{1b}[2J\\n\\u{202e}b  tmf-2\n";
        assert_eq!(table(&list, &columns), expected);
        assert_eq!(object(&json!({"xml": "<a>\n\u{7}</a>"})), "xml:\n  <a>\n  \\u{7}</a>\n");
    }

    #[test]
    fn tables_are_aligned_and_objects_leave_out_nothing_that_is_there() {
        let list = json!([{"id": "a", "name": "x"}, {"id": "longer", "name": null}]);
        assert_eq!(table(&list, FILTER), "FILTER  NAME\na       x\nlonger  -\n");
        let value = json!({"id": "a", "none": null, "drops": {"x": 1}, "list": [1, 2]});
        assert_eq!(
            object(&value),
            "drops:\n  x: 1\nid: a\nlist: 1,2\n".replace("drops:\n  x: 1\nid: a\n", "id: a\ndrops:\n  x: 1\n")
        );
    }
}
