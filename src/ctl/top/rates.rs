//! Two looks at the counters become rates.

use serde_json::{Value, json};

use super::super::render;

const ENI: &[(&str, &str)] = &[("ENI", "id"), ("STATE", "state"), ("RX/s", "rx"), ("TX/s", "tx"), ("DROPS/s", "drops")];
const SESSION: &[(&str, &str)] =
    &[("SESSION", "id"), ("ENABLED", "enabled"), ("COPIES/s", "copies"), ("SKIPS/s", "skips"), ("TARGET", "target")];

/// All counters at a moment.
#[derive(Clone, Debug)]
pub(super) struct Look {
    pub(super) enis: Value,
    pub(super) sessions: Value,
}

/// What the largest rate is taken of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Order {
    /// Everything an ENI sends and is given.
    #[default]
    Both,
    Rx,
    Tx,
    Drops,
}

impl Order {
    /// By the key that asks for it.
    pub(super) fn of_key(key: u8) -> Option<Order> {
        match key {
            b'a' => Some(Order::Both),
            b'r' => Some(Order::Rx),
            b't' => Some(Order::Tx),
            b'd' => Some(Order::Drops),
            _ => None,
        }
    }

    fn rate(self, eni: &Value) -> u64 {
        let of = |key: &str| eni[key].as_u64().unwrap_or(0);
        match self {
            Order::Both => of("rx").saturating_add(of("tx")),
            Order::Rx => of("rx"),
            Order::Tx => of("tx"),
            Order::Drops => of("drops"),
        }
    }
}

/// Packets a second between two looks: `{"interval_seconds", "enis": [...], "sessions": [...]}`.
pub(super) fn rates(before: &Look, now: &Look, seconds: f64) -> Value {
    let rate = |old: &Value, new: &Value, count: &dyn Fn(&Value) -> u64| {
        // What was not there before had counted nothing; a switch that started again counts from zero.
        let delta = count(new).saturating_sub(if old.is_null() { 0 } else { count(old) });
        (delta as f64 / seconds).round() as u64
    };
    let enis = pairs(&before.enis, &now.enis).map(|(old, new)| {
        let of = |key: &str| rate(old, new, &|eni| counter(eni, key));
        json!({
            "id": new["id"], "state": new["state"],
            "rx": of("rx_packets"), "tx": of("tx_packets"), "drops": of("drops"),
        })
    });
    let sessions = pairs(&before.sessions, &now.sessions).map(|(old, new)| {
        json!({
            "id": new["id"], "enabled": new["enabled"], "target": new["target"],
            "copies": rate(old, new, &|session| counter(session, "sent")),
            "skips": rate(old, new, &skips),
        })
    });
    json!({ "interval_seconds": seconds, "enis": enis.collect::<Value>(), "sessions": sessions.collect::<Value>() })
}

/// Each object of now beside what it was.
fn pairs<'a>(before: &'a Value, now: &'a Value) -> impl Iterator<Item = (&'a Value, &'a Value)> {
    let old: std::collections::HashMap<&str, &Value> =
        before.as_array().into_iter().flatten().filter_map(|o| Some((o["id"].as_str()?, o))).collect();
    let of =
        move |new: &'a Value| (new["id"].as_str().and_then(|id| old.get(id).copied()).unwrap_or(&Value::Null), new);
    now.as_array().into_iter().flatten().map(of)
}

fn counter(object: &Value, key: &str) -> u64 {
    object[key].as_u64().unwrap_or(0)
}

/// Copies that a session wanted and did not get: what matched is either sent or skipped.
fn skips(session: &Value) -> u64 {
    counter(session, "matched").saturating_sub(counter(session, "sent"))
}

/// The rates as tables, the largest first.
pub(super) fn text(rates: &Value, order: Order) -> String {
    let mut enis = rates["enis"].as_array().cloned().unwrap_or_default();
    let mut sessions = rates["sessions"].as_array().cloned().unwrap_or_default();
    let id = |object: &Value| object["id"].as_str().unwrap_or_default().to_owned();
    enis.sort_by_key(|eni| (std::cmp::Reverse(order.rate(eni)), id(eni)));
    let work = |session: &Value| counter(session, "copies").saturating_add(counter(session, "skips"));
    sessions.sort_by_key(|session| (std::cmp::Reverse(work(session)), id(session)));
    let mut text = render::table(&enis.into(), ENI);
    if !sessions.is_empty() {
        text.push('\n');
        text.push_str(&render::table(&sessions.into(), SESSION));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks() -> (Look, Look) {
        let eni = |id: &str, rx: u64, tx: u64, drops: u64| json!({"id": id, "state": "up", "rx_packets": rx, "tx_packets": tx, "drops": drops});
        let session = |matched: u64, sent: u64| json!({"id": "tms-1", "enabled": true, "target": "eni-t", "matched": matched, "sent": sent});
        let before =
            Look { enis: json!([eni("a", 100, 0, 7), eni("b", 500, 0, 0)]), sessions: json!([session(50, 40)]) };
        let enis = json!([eni("a", 300, 0, 9), eni("b", 0, 10, 0), eni("new", 0, 600, 0)]);
        (before, Look { enis, sessions: json!([session(150, 100)]) })
    }

    #[test]
    fn rates_are_what_was_counted_between_two_looks_by_their_time() {
        let (before, now) = looks();
        let rates = rates(&before, &now, 2.0);
        let eni = |n: usize| ["rx", "tx", "drops"].map(|key| rates["enis"][n][key].as_u64());
        assert_eq!(eni(0), [Some(100), Some(0), Some(1)]);
        assert_eq!(eni(1), [Some(0), Some(5), Some(0)], "a counter that fell is no huge rate");
        assert_eq!(eni(2), [Some(0), Some(300), Some(0)], "an ENI that is new counted from zero");
        assert_eq!((&rates["sessions"][0]["copies"], &rates["sessions"][0]["skips"]), (&json!(30), &json!(20)));
        assert_eq!(rates["interval_seconds"], 2.0);
    }

    #[test]
    fn the_largest_rate_of_the_chosen_kind_comes_first() {
        let (before, now) = looks();
        let rates = rates(&before, &now, 2.0);
        let first = |order| {
            let text = text(&rates, order);
            text.lines().nth(1).and_then(|line| line.split(' ').next()).map(str::to_owned)
        };
        let orders = [Order::Both, Order::Rx, Order::Tx, Order::Drops];
        assert_eq!(orders.map(first), ["new", "a", "new", "a"].map(|id| Some(id.to_owned())));
        let text = text(&rates, Order::Both);
        assert!(
            text.ends_with(
                "\nSESSION  ENABLED  COPIES/s  SKIPS/s  TARGET\ntms-1    true     30        20       eni-t\n"
            )
        );
        assert_eq!(super::text(&json!({"enis": []}), Order::Both), "ENI  STATE  RX/s  TX/s  DROPS/s\n");
    }
}
