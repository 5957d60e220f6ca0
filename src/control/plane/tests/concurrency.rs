//! Writers at the same time: no write is lost, and the store says what is desired.

use std::collections::BTreeSet;

use super::{Kit, wanted};
use crate::control::api::Action::{
    self, CreateTrafficMirrorSession as Create, DeleteTrafficMirrorSession as Delete,
    UpdateTrafficMirrorSessionAttribute as Update,
};
use crate::control::plane::start::desired_of;
use crate::control::platform::Platform;
use crate::control::store::Store;

/// What a writer's last answered write left of its session: id and VNI.
fn write(kit: &Kit, filter: &str, writer: usize) -> (u64, Vec<(String, u64)>) {
    let (mut commits, mut left) = (0, Vec::new());
    for turn in 0..25_usize {
        let (source, priority) = (format!("eni-{writer}"), (writer * 100 + turn + 1).to_string());
        let id = kit.ok(Create, &wanted(filter, &source, "eni-9", &priority))["TrafficMirrorSessionId"]
            .as_str()
            .unwrap()
            .to_owned();
        commits += 1;
        let session = ("TrafficMirrorSessionId", &*id);
        let vni = writer * 1000 + turn;
        // Workers may not have the session yet.
        let patient = |action: Action, params: &[(&str, &str)]| loop {
            match kit.call("a", action, params) {
                Err(e) if e.code == "IncorrectStatus.TrafficMirrorSession" => std::thread::yield_now(),
                other => break other.unwrap(),
            }
        };
        patient(Update, &[session, ("VirtualNetworkId", &vni.to_string())]);
        commits += 1;
        if turn % 3 == 2 || left.len() == 2 {
            patient(Delete, &[session]);
            commits += 1;
        } else {
            left.push((id, vni as u64));
        }
    }
    (commits, left)
}

#[test]
fn four_writers_lose_nothing() {
    let kit = Kit::new().opened();
    let filter = kit.filter();
    let before = kit.control.inventory().0;
    let done: Vec<(u64, Vec<(String, u64)>)> = std::thread::scope(|scope| {
        let writers = (0..4).map(|n| {
            let (kit, filter) = (&kit, &filter);
            scope.spawn(move || write(kit, filter, n))
        });
        writers.collect::<Vec<_>>().into_iter().map(|w| w.join().unwrap()).collect()
    });
    let commits: u64 = done.iter().map(|(commits, _)| commits).sum();
    assert_eq!(kit.control.inventory().0, before + commits, "a revision for each commit");
    let expected: BTreeSet<(String, u64)> = done.into_iter().flat_map(|(_, left)| left).collect();
    let listed = kit.ok(Action::ListTrafficMirrorSessions, &[("MaxResults", "100")]);
    let found = listed["TrafficMirrorSessions"].as_array().unwrap().iter();
    let found: BTreeSet<(String, u64)> = found
        .map(|s| (s["TrafficMirrorSessionId"].as_str().unwrap().to_owned(), s["VirtualNetworkId"].as_u64().unwrap()))
        .collect();
    assert_eq!(found, expected);
    let state = kit.control.lock();
    let stored = desired_of(kit.store.load().unwrap(), &kit.control.config, &kit.control.regions, &[]).unwrap();
    assert_eq!((stored.revision, &stored.sessions), (state.desired.revision, &state.desired.sessions));
    assert_eq!((&stored.index, &stored.activity), (&state.desired.index, &state.desired.activity));
}
