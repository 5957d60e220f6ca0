//! Intervals of activity, as a bill needs them.

use serde_json::{Value, json};

use super::activity::Interval;
use crate::control::store::{Kind, Record, Store, StoreError};

/// Records that are read at a time.
const A_TIME: usize = 1000;

/// Calls `each` for all records of a kind from a key on, until it says false.
fn walk(store: &dyn Store, kind: Kind, from: &str, mut each: impl FnMut(Record) -> bool) -> Result<(), StoreError> {
    let mut from = from.to_owned();
    loop {
        let records = store.scan(kind, &from, A_TIME)?;
        let whole = records.len() == A_TIME;
        for record in records {
            from.clone_from(&record.key);
            if !each(record) {
                return Ok(());
            }
        }
        if !whole {
            return Ok(());
        }
        // The first key behind the last one.
        from.push('\0');
    }
}

/// An account's intervals that lie, in part at least, between two times in seconds; those that go on are `open`.
pub(super) fn between(
    store: &dyn Store,
    account: &str,
    open: Vec<Interval>,
    (from, to): (i64, i64),
) -> Result<Value, StoreError> {
    let (from, to) = (from.saturating_mul(1000), to.saturating_mul(1000));
    let mut found: Vec<Interval> = Vec::new();
    let (prefix, start) = (format!("{account}/"), format!("{account}/{:020}/", from.max(0)));
    let mut broken = None;
    walk(store, Kind::Interval, &start, |record| {
        if !record.key.starts_with(&prefix) {
            return false;
        }
        match serde_json::from_slice::<Interval>(&record.value) {
            Ok(interval) if interval.since < to && interval.until.is_none_or(|until| until > from) => {
                found.push(interval)
            }
            Ok(_) => {}
            Err(e) => broken = Some(StoreError::Broken(format!("the store's interval {}: {e}", record.key))),
        }
        broken.is_none()
    })?;
    if let Some(broken) = broken {
        return Err(broken);
    }
    // One that was open a moment ago may be among the closed ones by now.
    let closed =
        |o: &Interval| found.iter().any(|f| (&f.session, &f.source, f.since) == (&o.session, &o.source, o.since));
    let open: Vec<Interval> = open.into_iter().filter(|o| o.since < to && !closed(o)).collect();
    found.extend(open);
    found.sort_by(|a, b| (a.since, &a.session, &a.source).cmp(&(b.since, &b.session, &b.source)));
    Ok(json!({ "account": account, "intervals": found }))
}
