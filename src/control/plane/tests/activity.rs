//! When sources were active in sessions: what a bill is computed from.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::inventory::{lock_account, remove_eni};
use super::{Kit, wanted};
use crate::control::api::Action::{
    self, AddSourcesToTrafficMirrorSession as Add, DeleteTrafficMirrorSession as Delete,
    RemoveSourcesFromTrafficMirrorSession as Remove, UpdateTrafficMirrorSessionAttribute as Update,
};
use crate::control::document::ObjectKind;
use crate::control::plane::billing;
use crate::control::platform::Platform;

const HOUR: i64 = 3_600_000;

impl Kit {
    pub(super) fn pass(&self, milliseconds: i64) {
        self.now.fetch_add(milliseconds, Ordering::Relaxed);
    }

    fn intervals(&self) -> Vec<Value> {
        let answer = self.control.intervals("a", 0, i64::MAX).unwrap();
        answer["intervals"].as_array().unwrap().clone()
    }

    /// Hours from the start of the test of each interval, by source; the end of one that goes on is `None`.
    fn hours(&self) -> Vec<(String, i64, Option<i64>)> {
        let hour = |at: &Value| at.as_i64().map(|at| (at - 1_700_000_000_000) / HOUR);
        let hours = |i: &Value| {
            (i["TrafficMirrorSourceId"].as_str().unwrap().to_owned(), hour(&i["Since"]).unwrap(), hour(&i["Until"]))
        };
        self.intervals().iter().map(hours).collect()
    }

    fn enable(&self, session: &str, enabled: &str) {
        self.ok(Update, &[("TrafficMirrorSessionId", session), ("Enabled", enabled)]);
    }
}

fn span(source: &str, since: i64, until: impl Into<Option<i64>>) -> (String, i64, Option<i64>) {
    (source.to_owned(), since, until.into())
}

#[test]
fn five_hours_in_one_session_and_four_in_another_are_nine() {
    let kit = Kit::new().opened();
    let filter = kit.filter();
    let (first, second) = (kit.session(&filter, "eni-0", "eni-1", "1"), kit.session(&filter, "eni-0", "eni-1", "2"));
    kit.pass(4 * HOUR);
    kit.enable(&second, "false");
    let kit = kit.restarted();
    kit.pass(HOUR);
    kit.ok(Delete, &[("TrafficMirrorSessionId", &first)]);
    let intervals = kit.intervals();
    let length = |i: &Value| (i["Until"].as_i64().unwrap() - i["Since"].as_i64().unwrap()) / HOUR;
    assert_eq!(intervals.iter().map(length).sum::<i64>(), 9);
    let session = |i: &Value| i["TrafficMirrorSessionId"].as_str().unwrap().to_owned();
    let mut hours: Vec<(String, i64)> = intervals.iter().map(|i| (session(i), length(i))).collect();
    hours.sort_by_key(|(_, hours)| *hours);
    assert_eq!(hours, [(second, 4), (first, 5)]);
}

#[test]
fn a_source_is_active_while_its_session_is_enabled() {
    let kit = Kit::new().opened();
    let filter = kit.filter();
    let disabled = super::and(&wanted(&filter, "eni-0", "eni-1", "1"), &[("Enabled", "")]);
    let id =
        kit.ok(Action::CreateTrafficMirrorSession, &disabled)["TrafficMirrorSessionId"].as_str().unwrap().to_owned();
    let session = ("TrafficMirrorSessionId", &*id);
    kit.pass(HOUR);
    assert!(kit.hours().is_empty(), "not enabled");
    kit.enable(&id, "true");
    kit.pass(HOUR);
    kit.ok(Add, &[session, ("TrafficMirrorSourceIds.1", "eni-far")]);
    // What is neither source nor switch begins and ends nothing.
    for (name, value) in
        [("VirtualNetworkId", "1"), ("TrafficMirrorTargetId", "eni-4"), ("TrafficMirrorSessionName", "n")]
    {
        kit.ok(Update, &[session, (name, value)]);
    }
    kit.enable(&id, "true");
    assert_eq!(kit.hours(), [span("eni-0", 1, None), span("eni-far", 2, None)]);
    kit.pass(HOUR);
    kit.ok(Remove, &[session, ("TrafficMirrorSourceIds.1", "eni-0")]);
    kit.pass(HOUR);
    kit.enable(&id, "false");
    kit.pass(HOUR);
    kit.enable(&id, "true");
    let expected = [span("eni-0", 1, 3), span("eni-far", 2, 4), span("eni-far", 5, None)];
    assert_eq!(kit.hours(), expected);
    let kit = kit.restarted();
    assert_eq!(kit.hours(), expected);
    assert!(kit.control.intervals("b", 0, i64::MAX).unwrap()["intervals"].as_array().unwrap().is_empty());
    let second = |hour: i64| 1_700_000_000 + hour * 3600;
    let between =
        |from, to| kit.control.intervals("a", second(from), second(to)).unwrap()["intervals"].as_array().unwrap().len();
    assert_eq!(
        (between(0, 1), between(0, 2), between(3, 5), between(5, 6)),
        (0, 1, 1, 1),
        "what ends at the beginning is not in it"
    );
}

#[test]
fn a_lock_and_an_eni_that_goes_end_intervals_and_their_return_begins_new_ones() {
    let kit = Kit::new().opened();
    let filter = kit.filter();
    kit.session(&filter, "eni-0", "eni-1", "1");
    kit.pass(HOUR);
    lock_account(&kit, "a", true);
    kit.pass(HOUR);
    lock_account(&kit, "a", false);
    kit.pass(HOUR);
    let eni = (**kit.control.inventory().1.get(ObjectKind::NetworkInterface, "eni-0").unwrap()).clone();
    remove_eni(&kit, "eni-0", false).unwrap();
    kit.pass(HOUR);
    let mut back = |document: &crate::control::document::Document| {
        let mut document = document.clone();
        document.put(ObjectKind::NetworkInterface, "eni-0", eni.clone());
        Ok(document)
    };
    kit.control.change(None, &mut back, false).unwrap();
    assert_eq!(kit.hours(), [span("eni-0", 0, 1), span("eni-0", 2, 3), span("eni-0", 4, None)]);
    // The target is nobody's to pay for.
    remove_eni(&kit, "eni-1", false).unwrap();
    assert_eq!(kit.hours().len(), 3);
}

#[test]
fn no_interval_takes_another_s_place_when_the_clock_stands_or_goes_back() {
    let kit = Kit::new().opened();
    let filter = kit.filter();
    let id = kit.session(&filter, "eni-0", "eni-1", "1");
    kit.pass(5 * HOUR);
    for _ in 0..3 {
        kit.enable(&id, "false");
        kit.enable(&id, "true");
    }
    assert!(kit.hours().contains(&span("eni-0", 0, 5)), "{:?}", kit.hours());
    kit.pass(-3 * HOUR);
    kit.enable(&id, "false");
    let backwards = |i: &Value| i["Until"].as_i64().is_some_and(|until| until < i["Since"].as_i64().unwrap());
    assert!(!kit.intervals().iter().any(backwards), "{:?}", kit.hours());
    assert!(kit.hours().contains(&span("eni-0", 0, 5)), "{:?}", kit.hours());
}

#[test]
fn intervals_are_in_a_backup() {
    let kit = Kit::new().opened();
    let filter = kit.filter();
    let id = kit.session(&filter, "eni-0", "eni-1", "1");
    kit.pass(2 * HOUR);
    kit.enable(&id, "false");
    kit.enable(&id, "true");
    let (backup, expected) = (kit.control.backup().unwrap(), kit.hours());
    assert_eq!(expected, [span("eni-0", 0, 2), span("eni-0", 2, None)]);
    kit.pass(HOUR);
    kit.ok(Delete, &[("TrafficMirrorSessionId", &id)]);
    kit.control.restore(&backup).unwrap();
    assert_eq!(kit.hours(), expected);
    let kit = kit.restarted();
    assert_eq!(kit.hours(), expected);
    assert_eq!(kit.intervals()[0]["AccountId"], json!("a"));
}

#[test]
fn an_interval_that_is_closed_while_a_bill_is_made_stands_on_it_once() {
    let kit = Kit::new().opened();
    let id = kit.session(&kit.filter(), "eni-0", "eni-1", "1");
    let open: Vec<_> = kit.control.lock().desired.activity.of_account("a").collect();
    kit.pass(HOUR);
    kit.ok(Delete, &[("TrafficMirrorSessionId", &id)]);
    let bill = billing::between(&*kit.store, "a", open, (0, i64::MAX)).unwrap();
    assert_eq!(bill["intervals"].as_array().unwrap().len(), 1, "{bill}");
}
