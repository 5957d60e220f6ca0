//! A store that failed while it was used, and can be used again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use super::inventory;
use super::seed::{Files, call, mirror, perform};
use crate::control::api::{Action, ApiError};
use crate::control::document::{Document, ObjectKind};
use crate::control::plane::start::Running;
use crate::control::platform::{Platform, Refused};
use crate::control::store::snapshot::SnapshotFile;
use crate::control::store::{Kind, RedbStore, Store, Write};

/// As after a commit that failed a minute ago; nobody has the store open any more.
fn fail(running: &Running) {
    let mut state = running.control.lock();
    state.store = Err("it failed".to_owned());
    state.tried = Instant::now().checked_sub(Duration::from_secs(60));
}

/// Again, until the thread that writes the snapshot has let go of the store that failed.
fn until_done<T>(running: &Running, mut done: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        assert!(Instant::now() < deadline, "still refused");
        if let Some(done) = done() {
            return done;
        }
        running.control.lock().tried = Instant::now().checked_sub(Duration::from_secs(60));
        std::thread::yield_now();
    }
}

fn not_refused<T>(outcome: Result<T, ApiError>) -> Option<T> {
    match outcome {
        Err(e) if e.status == 503 => None,
        other => Some(other.unwrap()),
    }
}

#[test]
fn a_store_that_failed_is_opened_again_for_tenant_and_platform() {
    let files = Files::new("again", Some(&inventory()), Some(&mirror()));
    let running = files.start().unwrap();
    fail(&running);
    until_done(&running, || not_refused(call(&running, Action::CreateTrafficMirrorFilter, &[])));
    fail(&running);
    let mut add = |document: &Document| {
        let mut document = document.clone();
        document.put(ObjectKind::Account, "c", json!({ "AccountId": "c" }));
        Ok(document)
    };
    until_done(&running, || match running.control.change(None, &mut add, false) {
        Err(Refused::ReadOnly(_)) => None,
        other => Some(other.unwrap()),
    });
    assert_eq!(running.control.status()["store"]["state"], "ok");
    running.stop();
    let running = files.start().unwrap();
    assert_eq!(perform(&running, Action::ListTrafficMirrorFilters)["TotalCount"], "2");
    assert!(running.control.inventory().1.get(ObjectKind::Account, "c").is_some());
    running.stop();
}

/// The thread that writes the snapshot tries again what failed, and must not keep the store open for that.
#[test]
fn a_store_whose_snapshot_failed_with_it_is_opened_again() {
    let files = Files::new("snapshot", Some(&inventory()), Some(&mirror()));
    let running = files.start().unwrap();
    fail(&running);
    let path = files.config().store.path;
    let store = Arc::new(until_done(&running, || RedbStore::open(&path).ok()));
    store.fail();
    let store: Arc<dyn Store> = store;
    (running.control.committed)(&store);
    running.control.lock().store = Ok(store);
    assert_eq!(call(&running, Action::CreateTrafficMirrorFilter, &[]).unwrap_err().status, 503);
    until_done(&running, || not_refused(call(&running, Action::CreateTrafficMirrorFilter, &[])));
    let revision = running.control.inventory().0;
    running.stop();
    assert_eq!(SnapshotFile::beside(&path).read().unwrap().revision, revision, "the last one is written");
}

/// The disk failed after it had all of the commit: its client was told that nothing can be changed.
#[test]
fn a_commit_that_was_kept_after_all_is_in_force_once_the_store_is_open_again() {
    let files = Files::new("kept", Some(&inventory()), Some(&mirror()));
    let running = files.start().unwrap();
    let answer = perform(&running, Action::CreateTrafficMirrorFilter);
    let key = answer["TrafficMirrorFilterId"].as_str().unwrap().to_owned();
    let (store, revision) = {
        let state = running.control.lock();
        (state.store.clone().unwrap(), state.desired.revision)
    };
    store.commit(revision, &[Write { kind: Kind::Filter, key: key.clone(), value: None }]).unwrap();
    drop(store);
    fail(&running);
    until_done(&running, || not_refused(call(&running, Action::CreateTrafficMirrorFilter, &[])));
    let listed = perform(&running, Action::ListTrafficMirrorFilters);
    assert_eq!(listed["TotalCount"], "2");
    assert!(!listed.to_string().contains(&key));
    running.stop();
}

#[test]
fn a_store_that_lost_answered_writes_is_not_taken_for_the_one_that_failed() {
    let files = Files::new("lost", Some(&inventory()), Some(&mirror()));
    let running = files.start().unwrap();
    let old = std::fs::read(files.config().store.path).unwrap();
    perform(&running, Action::CreateTrafficMirrorFilter);
    fail(&running);
    std::fs::write(files.config().store.path.with_extension("old"), old).unwrap();
    std::fs::rename(files.config().store.path.with_extension("old"), files.config().store.path).unwrap();
    let refused = call(&running, Action::CreateTrafficMirrorFilter, &[]).unwrap_err();
    assert_eq!(refused.status, 503);
    assert_eq!(perform(&running, Action::ListTrafficMirrorFilters)["TotalCount"], "2");
    running.stop();
}

/// Or by hand: both files moved away, and the backup restored by the switch that runs.
#[test]
fn without_store_and_snapshot_a_backup_goes_into_a_new_store() {
    let files = Files::new("neither", Some(&inventory()), Some(&mirror()));
    let running = files.start().unwrap();
    perform(&running, Action::CreateTrafficMirrorFilter);
    let (backup, listed) = (running.control.backup().unwrap(), perform(&running, Action::ListTrafficMirrorFilters));
    running.stop();
    let path = files.config().store.path;
    let both = [path.clone(), SnapshotFile::beside(&path).path];
    both.iter().for_each(|file| std::fs::write(file, "broken").unwrap());
    let Err(reasons) = files.start() else { panic!("it starts from nothing") };
    assert!(reasons[0].contains("`vswitch restore --config FILE BACKUP`"), "{reasons:?}");
    both.iter().for_each(|file| std::fs::rename(file, file.with_extension("away")).unwrap());
    let running = files.start().unwrap();
    running.control.restore(&backup).unwrap();
    assert_eq!(perform(&running, Action::ListTrafficMirrorFilters), listed);
    running.stop();
}
