//! Workers and ports that refuse for a while.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::Kit;
use crate::control::fabric::{Fabric, PortView, Refused, WorkerView};
use crate::control::model::EniSpec;
use crate::control::platform::Platform;
use crate::mirror::snapshot::Snapshot;

/// Refuses some publications, and after these the ports of some candidates.
#[derive(Clone, Default)]
struct Moody {
    publications: Arc<AtomicU32>,
    checks: Arc<AtomicU32>,
}

impl Fabric for Moody {
    fn workers(&self) -> usize {
        1
    }

    fn check(&self, eni: &EniSpec) -> Result<(), String> {
        let asked = self.publications.load(Ordering::SeqCst) == 0 && &*eni.id == "eni-0";
        let refuses =
            asked && self.checks.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok();
        if refuses { Err("no folder for the socket".to_owned()) } else { Ok(()) }
    }

    fn open(&self, _wanted: &[(&EniSpec, usize)]) -> Result<(), Refused> {
        Ok(())
    }

    fn publish(&self, _snapshot: Snapshot) -> Result<(), String> {
        let refuses = self.publications.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok();
        if refuses { Err("a worker is late".to_owned()) } else { Ok(()) }
    }

    fn port(&self, _eni: &str) -> Option<PortView> {
        None
    }

    fn worker_views(&self) -> Vec<WorkerView> {
        Vec::new()
    }

    fn stop(&self) {}
}

#[test]
fn what_was_committed_is_tried_until_workers_and_ports_take_it() {
    let moody = Moody::default();
    let kit = Kit::with(|_| {}, Box::new(moody.clone())).opened();
    let filter = kit.filter();
    moody.checks.store(1, Ordering::SeqCst);
    moody.publications.store(1, Ordering::SeqCst);
    let session = kit.session(&filter, "eni-0", "eni-1", "1");
    assert_eq!(kit.listed_session(&session)["TrafficMirrorSessionStatus"], "Creating");
    let deadline = Instant::now() + Duration::from_secs(20);
    let mut troubles = std::collections::BTreeSet::new();
    while kit.listed_session(&session)["TrafficMirrorSessionStatus"] != "Created" {
        let status = kit.control.status();
        assert!(Instant::now() < deadline, "{status}");
        troubles.extend(status["trouble"].as_str().map(str::to_owned));
        std::thread::yield_now();
    }
    assert_eq!(troubles.len(), 2, "{troubles:?}");
    assert!(kit.control.status()["trouble"].is_null());
}
