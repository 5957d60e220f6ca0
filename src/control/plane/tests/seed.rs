//! The first start from object files, and what a store on disk goes through.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::statuses::Gate;
use super::{Kit, inventory, wanted};
use crate::control::api::{Action, ApiError, Params};
use crate::control::config::Config;
use crate::control::document::{Document, ObjectKind};
use crate::control::fabric::{Fabric, NoFabric};
use crate::control::plane::seed::Seed;
use crate::control::plane::start::{Running, desired_of, orphans, start};
use crate::control::platform::{Platform, Refused};
use crate::control::store::snapshot::SnapshotFile;
use crate::control::store::{Kind, MemoryStore, Store};
use crate::control::switch::Switch;

/// Object files of a test; they go with it.
pub(super) struct Files(PathBuf);

impl Files {
    pub(super) fn new(name: &str, inventory: Option<&Value>, mirror: Option<&Value>) -> Self {
        let folder = std::env::temp_dir().join(format!("vswitch-seed-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        for (file, value) in [("inventory.json", inventory), ("mirror.json", mirror)] {
            value.iter().for_each(|v| std::fs::write(folder.join(file), v.to_string()).unwrap());
        }
        Files(folder)
    }

    pub(super) fn config(&self) -> Config {
        let mut config = Config::default();
        config.store.host = "here".to_owned();
        (config.files.inventory, config.files.mirror) = (self.0.join("inventory.json"), self.0.join("mirror.json"));
        config.store.path = self.0.join("store.redb");
        config
    }

    pub(super) fn start(&self) -> Result<Running, Vec<String>> {
        self.start_with(Box::new(NoFabric::default()))
    }

    fn start_with(&self, fabric: Box<dyn Fabric>) -> Result<Running, Vec<String>> {
        let config = self.config();
        start(&config, Arc::new(Switch::new(config.clone(), fabric)))
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub(super) fn mirror() -> Value {
    let rule = json!({"TrafficMirrorFilterRuleId": "tmr-1", "Action": "accept", "Priority": 1, "Protocol": "ALL"});
    let filter = |id: &str| {
        json!({
            "TrafficMirrorFilterId": id, "TrafficMirrorFilterName": "f", "TrafficMirrorFilterDescription": "why",
            "Tags": [{"Key": "k", "Value": "v"}], "IngressRules": if id == "tmf-1" { json!([rule]) } else { json!([]) },
            "EgressRules": [],
        })
    };
    json!({
        "TrafficMirrorFilters": [filter("tmf-1"), filter("tmf-unused")],
        "TrafficMirrorSessions": [{
            "TrafficMirrorSessionId": "tms-1", "TrafficMirrorSessionName": "s", "Enabled": true, "Priority": 1,
            "VirtualNetworkId": 0, "TrafficMirrorFilterId": "tmf-1", "TrafficMirrorSourceIds": ["eni-0"],
            "TrafficMirrorTargetId": "eni-1", "TrafficMirrorTargetType": "NetworkInterface",
        }],
    })
}

pub(super) fn call(running: &Running, action: Action, params: &[(&str, &str)]) -> Result<Value, ApiError> {
    let params = Params::from_pairs(params.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())))?;
    running.control.act("a", action, params)
}

pub(super) fn perform(running: &Running, action: Action) -> Value {
    call(running, action, &[]).unwrap()
}

#[test]
fn the_first_start_takes_the_files_over_and_the_second_does_not_read_them() {
    let files = Files::new("take", Some(&inventory()), Some(&mirror()));
    let running = files.start().unwrap();
    assert_eq!(perform(&running, Action::GetTrafficMirrorServiceStatus), json!({"Enabled": true}));
    let filters = perform(&running, Action::ListTrafficMirrorFilters);
    assert_eq!(filters["TotalCount"], "1", "a filter that no session uses is nobody's");
    let filter = &filters["TrafficMirrorFilters"][0];
    assert_eq!((&filter["TrafficMirrorFilterDescription"], &filter["Tags"][0]["Value"]), (&json!("why"), &json!("v")));
    let sessions = perform(&running, Action::ListTrafficMirrorSessions);
    assert_eq!(
        (&sessions["TotalCount"], &sessions["TrafficMirrorSessions"][0]["VirtualNetworkId"]),
        (&json!("1"), &json!(0))
    );
    assert_eq!(running.control.intervals("a", 0, i64::MAX).unwrap()["intervals"].as_array().unwrap().len(), 1);
    running.stop();
    std::fs::write(files.0.join("inventory.json"), "not read").unwrap();
    std::fs::remove_file(files.0.join("mirror.json")).unwrap();
    let running = files.start().unwrap();
    assert_eq!(perform(&running, Action::ListTrafficMirrorSessions), sessions);
    running.stop();
}

#[test]
fn files_that_are_missing_leave_less_and_broken_ones_nothing() {
    let files = Files::new("none", None, None);
    let running = files.start().unwrap();
    assert_eq!(running.control.inventory().1.region()["RegionId"], "local");
    running.stop();
    let files = Files::new("bare", Some(&inventory()), None);
    let running = files.start().unwrap();
    assert_eq!(perform(&running, Action::ListTrafficMirrorSessions)["TotalCount"], "0");
    running.stop();
    let mut broken = mirror();
    broken["TrafficMirrorSessions"][0]["Priority"] = json!(0);
    let files = Files::new("broken", Some(&inventory()), Some(&broken));
    let why = files.start().err().unwrap();
    assert!(why[0].contains("TrafficMirrorSessions[0].Priority"), "{why:?}");
    std::fs::write(files.0.join("mirror.json"), mirror().to_string()).unwrap();
    files.start().unwrap().stop();
    // Sessions without the ENIs that they name: a mistyped path, rather than an empty switch for ever.
    let files = Files::new("lost", None, Some(&mirror()));
    let why = files.start().err().unwrap();
    assert!(why[0].contains("inventory.json"), "{why:?}");
}

#[test]
fn a_filter_of_two_accounts_is_refused() {
    let mut two = mirror();
    let mut other = two["TrafficMirrorSessions"][0].clone();
    other["TrafficMirrorSessionId"] = json!("tms-2");
    (other["TrafficMirrorSourceIds"], other["TrafficMirrorTargetId"]) = (json!(["eni-b"]), json!("eni-b2"));
    two["TrafficMirrorSessions"].as_array_mut().unwrap().push(other);
    let files = Files::new("two", Some(&inventory()), Some(&two));
    let why = Seed::read(&files.config(), 0).unwrap_err();
    assert!(why[0].contains("tmf-1 is used by sessions of the accounts a and b"), "{why:?}");
}

#[test]
fn the_shipped_files_make_a_store() {
    let mut config = Config::default();
    config.files.inventory = concat!(env!("CARGO_MANIFEST_DIR"), "/conf/inventory.json").into();
    config.files.mirror = concat!(env!("CARGO_MANIFEST_DIR"), "/conf/mirror.json").into();
    let seed = Seed::read(&config, 7).unwrap();
    assert_eq!((seed.filters.len(), seed.sessions.len()), (1, 1));
    assert_eq!(seed.filters[0].account, seed.sessions[0].account);
    let store = MemoryStore::default();
    store
        .commit(0, &seed.document.writes(&crate::control::document::diff(&Document::default(), &seed.document)))
        .unwrap();
    let regions = crate::control::load_regions(&config).unwrap();
    assert!(desired_of(store.load().unwrap(), &config, &regions, &[]).is_ok());
}

#[test]
fn a_session_whose_filter_was_seeded_can_be_changed_by_its_account() {
    let files = Files::new("change", Some(&inventory()), Some(&mirror()));
    let running = files.start().unwrap();
    let disable = [("TrafficMirrorSessionId", "tms-1"), ("Enabled", "false")];
    call(&running, Action::UpdateTrafficMirrorSessionAttribute, &disable).unwrap();
    call(&running, Action::CreateTrafficMirrorSession, &wanted("tmf-1", "eni-2", "eni-1", "2")).unwrap();
    running.stop();
}

#[test]
fn a_backup_mends_a_store_that_cannot_be_opened() {
    let files = Files::new("mend", Some(&inventory()), Some(&mirror()));
    let running = files.start().unwrap();
    let (backup, sessions) = (running.control.backup().unwrap(), perform(&running, Action::ListTrafficMirrorSessions));
    (0..5).for_each(|_| drop(perform(&running, Action::CreateTrafficMirrorFilter)));
    running.stop();
    std::fs::write(files.0.join("store.redb"), "no store").unwrap();
    let gate = Gate::default();
    let running = files.start_with(Box::new(gate.clone())).unwrap();
    assert_eq!(running.control.status()["store"]["state"], "read_only");
    assert_eq!(perform(&running, Action::ListTrafficMirrorFilters)["TotalCount"], "6", "from the snapshot");
    assert_eq!(call(&running, Action::CreateTrafficMirrorFilter, &[]).unwrap_err().status, 503);
    assert!(running.control.backup().is_err());
    let before = running.control.inventory().0;
    gate.hold();
    let revision = running.control.restore(&backup).unwrap();
    let status = running.control.status();
    gate.release();
    assert_eq!((&status["store"]["state"], &status["desired_revision"]), (&json!("ok"), &json!(revision)));
    assert_eq!(status["applied_revision"], json!(before), "workers have nothing of the new store");
    assert!(revision > before, "revisions never go back: {revision} after {before}");
    assert_eq!(perform(&running, Action::ListTrafficMirrorSessions), sessions);
    perform(&running, Action::CreateTrafficMirrorFilter);
    running.stop();
    let running = files.start().unwrap();
    assert_eq!(perform(&running, Action::ListTrafficMirrorFilters)["TotalCount"], "2");
    running.stop();
}

/// A store that is whole, and only in use, is not put aside.
#[test]
fn a_store_that_another_has_open_stays_where_it_is() {
    let files = Files::new("use", Some(&inventory()), Some(&mirror()));
    let running = files.start().unwrap();
    let backup = running.control.backup().unwrap();
    let another = running.control.lock().store.clone().unwrap();
    running.control.lock().store = Err("it failed".to_owned());
    let refused = running.control.restore(&backup).unwrap_err();
    assert!(matches!(&refused, Refused::ReadOnly(why) if why.contains("in use")), "{refused:?}");
    let aside =
        |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name().to_string_lossy().contains("broken");
    assert!(!std::fs::read_dir(&files.0).unwrap().any(aside));
    drop(another);
    // The thread that writes the snapshot may have it for a moment more.
    while let Err(Refused::ReadOnly(_)) = running.control.restore(&backup) {
        std::thread::yield_now();
    }
    perform(&running, Action::CreateTrafficMirrorFilter);
    running.stop();
}

#[test]
fn sessions_of_an_account_that_is_gone_are_named_at_the_start() {
    let kit = Kit::new().opened();
    kit.session(&kit.filter(), "eni-0", "eni-1", "1");
    assert_eq!(orphans(&kit.control.lock().desired), [""; 0]);
    let mut contents = kit.store.load().unwrap();
    contents.records.retain(|record| record.kind != Kind::Account || record.key != "a");
    let desired = desired_of(contents, &kit.control.config, &kit.control.regions, &[]).unwrap();
    let said = orphans(&desired);
    assert!(
        said.len() == 1 && said[0].starts_with("account \"a\" is neither") && said[0].contains("1 sessions"),
        "{said:?}"
    );
}

/// Has a store fail, some time ago; whoever writes next has it opened again.
fn fail(running: &Running) {
    let mut state = running.control.lock();
    state.store = Err("the disk is full".to_owned());
    state.tried = Instant::now().checked_sub(Duration::from_secs(60));
}

/// Until the thread that writes the snapshot lets go of the store that failed.
fn until_let_go(running: &Running, mut write: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !write() {
        assert!(Instant::now() < deadline, "{}", running.control.status());
        running.control.lock().tried = Instant::now().checked_sub(Duration::from_secs(60));
        std::thread::yield_now();
    }
}

#[test]
fn a_store_that_failed_is_opened_again_for_tenants_and_for_the_platform() {
    let files = Files::new("again", Some(&inventory()), Some(&mirror()));
    let running = files.start().unwrap();
    let sessions = perform(&running, Action::ListTrafficMirrorSessions);
    fail(&running);
    until_let_go(&running, || call(&running, Action::CreateTrafficMirrorFilter, &[]).is_ok());
    fail(&running);
    let touch = |n: &Document| {
        let mut document = n.clone();
        document.put(ObjectKind::Vpc, "vpc-2", json!({"VpcId": "vpc-2", "CidrBlock": "10.9.0.0/16"}));
        Ok(document)
    };
    until_let_go(&running, || running.control.change(None, &mut |now| touch(now), false).is_ok());
    assert_eq!(running.control.status()["store"]["state"], "ok");
    assert_eq!(perform(&running, Action::ListTrafficMirrorSessions), sessions);
    running.stop();
}

/// What is tried again and again must not keep a store that failed from being opened anew: only one may have it.
#[test]
fn a_store_that_failed_is_opened_again_while_no_snapshot_can_be_written() {
    let files = Files::new("hold", Some(&inventory()), Some(&mirror()));
    // Where the snapshot's draft would be.
    std::fs::create_dir(files.0.join("store.redb.snapshot.new")).unwrap();
    let running = files.start().unwrap();
    perform(&running, Action::CreateTrafficMirrorFilter);
    fail(&running);
    until_let_go(&running, || call(&running, Action::CreateTrafficMirrorFilter, &[]).is_ok());
    std::fs::remove_dir(files.0.join("store.redb.snapshot.new")).unwrap();
    running.stop();
    let snapshot = SnapshotFile::beside(&files.0.join("store.redb")).read().unwrap();
    assert_eq!(snapshot.records.iter().filter(|r| r.kind == Kind::Filter).count(), 4);
}

#[test]
fn a_store_that_is_lost_while_it_fails_is_not_replaced_by_less() {
    let files = Files::new("less", Some(&inventory()), Some(&mirror()));
    let running = files.start().unwrap();
    running.stop();
    let store = files.0.join("store.redb");
    let old = std::fs::read(&store).unwrap();
    let running = files.start().unwrap();
    perform(&running, Action::CreateTrafficMirrorFilter);
    let filters = perform(&running, Action::ListTrafficMirrorFilters);
    for (older, why) in [(None, "is missing"), (Some(old), "commits are lost")] {
        fail(&running);
        let _ = std::fs::remove_file(&store);
        older.iter().for_each(|bytes| std::fs::write(&store, bytes).unwrap());
        assert_eq!(call(&running, Action::CreateTrafficMirrorFilter, &[]).unwrap_err().status, 503, "{why}");
        let said = running.control.opened_again(&mut running.control.lock()).unwrap_err();
        assert!(said.contains(why), "{said}");
        assert_eq!(
            (perform(&running, Action::ListTrafficMirrorFilters), store.exists()),
            (filters.clone(), older.is_some())
        );
    }
    running.stop();
}

#[test]
fn a_store_that_cannot_be_read_is_replaced_by_the_second_restore() {
    let files = Files::new("second", Some(&inventory()), Some(&mirror()));
    let running = files.start().unwrap();
    let backup = running.control.backup().unwrap();
    let failing = Arc::new(MemoryStore::default());
    failing.fail_next(1);
    running.control.lock().store = Ok(failing);
    assert!(matches!(running.control.restore(&backup), Err(Refused::ReadOnly(_))));
    assert_eq!(running.control.status()["store"]["state"], "read_only");
    until_let_go(&running, || running.control.restore(&backup).is_ok());
    perform(&running, Action::CreateTrafficMirrorFilter);
    running.stop();
}
