//! Backups put back, stores that fail, and the first start from files.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};

use super::inventory::{give, remove_eni};
use super::{Kit, inventory, wanted};
use crate::control::api::Action;
use crate::control::config::Config;
use crate::control::document::Document;
use crate::control::fabric::NoFabric;
use crate::control::plane::codes;
use crate::control::plane::seed::Seed;
use crate::control::plane::start::desired_of;
use crate::control::platform::{Platform, Refused};
use crate::control::store::snapshot::{decode, encode};
use crate::control::store::{Contents, Kind, MemoryStore, Record, Store};
use crate::control::switch::Switch;

fn all(kit: &Kit) -> [Value; 2] {
    [Action::ListTrafficMirrorFilters, Action::ListTrafficMirrorSessions].map(|action| kit.ok(action, &[]))
}

#[test]
fn a_backup_put_back_gives_the_same_objects() {
    let kit = Kit::new().opened();
    let filter = kit.filter();
    let session = kit.session(&filter, "eni-0", "eni-1", "1");
    let token = [("ClientToken", "t")];
    let answer = kit.ok(Action::CreateTrafficMirrorFilter, &token);
    let (listed, backup) = (all(&kit), kit.control.backup().unwrap());
    let (contents, intervals) = kit.store.dump().unwrap();
    let model = kit.switch.state.lock().model.clone();
    kit.ok(Action::DeleteTrafficMirrorSession, &[("TrafficMirrorSessionId", &session)]);
    kit.ok(Action::DeleteTrafficMirrorFilter, &[("TrafficMirrorFilterId", &filter)]);
    remove_eni(&kit, "eni-0", false).unwrap();
    kit.call("b", Action::OpenTrafficMirrorService, &[]).unwrap();
    let (revision, _) = kit.control.inventory();
    let restored = kit.control.restore(&backup).unwrap();
    assert_eq!(restored, revision + 1, "revisions never go back");
    assert_eq!((all(&kit), kit.control.inventory().0), (listed.clone(), restored));
    let now = kit.store.dump().unwrap();
    assert_eq!((&now.0.records, &now.1), (&contents.records, &intervals));
    assert_eq!(kit.switch.state.lock().model, model);
    assert_eq!(kit.ok(Action::CreateTrafficMirrorFilter, &token), answer);
    assert!(kit.control.changes(revision).compacted, "who watches lists again");
    assert_eq!(all(&kit.restarted()), listed);
}

#[test]
fn what_cannot_be_a_backup_changes_nothing() {
    let kit = Kit::new().opened();
    kit.session(&kit.filter(), "eni-0", "eni-1", "1");
    let backup = kit.control.backup().unwrap();
    let (contents, intervals) = decode(&backup, "b").unwrap();
    let with = |change: &dyn Fn(&mut Record)| {
        let mut records = contents.records.clone();
        records.iter_mut().for_each(change);
        encode(&Contents { records, revision: 1 }, &intervals)
    };
    let mut flipped = backup.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let newer = String::from_utf8(backup.clone()).unwrap().replacen("vswitch-store 1 ", "vswitch-store 2 ", 1);
    let foreign = with(&|r| {
        if r.kind == Kind::Region {
            r.value = br#"{"RegionId":"elsewhere"}"#.to_vec();
        }
    });
    let broken_session = with(&|r| {
        if r.kind == Kind::Session {
            r.value = b"{}".to_vec();
        }
    });
    let broken_eni = with(&|r| {
        if r.kind == Kind::NetworkInterface {
            r.value = b"[]".to_vec();
        }
    });
    let cut = backup[..backup.len() / 2].to_vec();
    let before = (kit.store.dump().unwrap(), all(&kit));
    let cases: [(&str, Vec<u8>); 8] = [
        ("empty", Vec::new()),
        ("text", b"hello\n".to_vec()),
        ("flipped", flipped),
        ("newer", newer.into_bytes()),
        ("foreign", foreign),
        ("broken session", broken_session),
        ("broken ENI", broken_eni),
        ("cut", cut),
    ];
    for (name, bytes) in cases {
        let refused = kit.control.restore(&bytes).unwrap_err();
        assert!(matches!(&refused, Refused::Invalid(why) if !why.is_empty()), "{name}: {refused:?}");
        assert_eq!((kit.store.dump().unwrap(), all(&kit)), before, "{name}");
    }
    kit.ok(Action::CreateTrafficMirrorFilter, &[]);
}

#[test]
fn a_restore_that_cannot_be_stored_changes_nothing() {
    let kit = Kit::new().opened();
    let backup = kit.control.backup().unwrap();
    kit.filter();
    let before = (kit.store.dump().unwrap(), all(&kit));
    kit.store.fail_next(1);
    let refused = kit.control.restore(&backup).unwrap_err();
    assert!(matches!(refused, Refused::ReadOnly(_)), "{refused:?}");
    assert_eq!((kit.store.dump().unwrap(), all(&kit)), before);
}

/// Accounts of the file that the configuration names may be locked since the backup.
#[test]
fn a_restore_settles_what_is_active() {
    let kit = Kit::new().opened();
    kit.session(&kit.filter(), "eni-0", "eni-1", "1");
    let (mut contents, intervals) = kit.store.dump().unwrap();
    contents.records.retain(|r| r.kind != Kind::Active);
    let backup = encode(&contents, &intervals);
    kit.control.restore(&backup).unwrap();
    assert_eq!(kit.control.intervals("a", 0, i64::MAX).unwrap()["intervals"].as_array().unwrap().len(), 1);
    assert!(kit.store.load().unwrap().records.iter().any(|r| r.kind == Kind::Active));
}

#[test]
fn a_store_that_fails_leaves_all_as_it_was_and_refuses_from_then_on() {
    let kit = Kit::new().opened();
    let filter = kit.filter();
    let session = kit.session(&filter, "eni-0", "eni-1", "1");
    let (before, model) = ((kit.store.dump().unwrap(), all(&kit)), kit.switch.state.lock().model.clone());
    kit.store.fail_next(1);
    for _ in 0..2 {
        let refused = kit.no(Action::DeleteTrafficMirrorSession, &[("TrafficMirrorSessionId", &session)]);
        assert_eq!((&*refused.code, refused.status), (codes::READ_ONLY.code, 503));
    }
    let refused = remove_eni(&kit, "eni-0", false).unwrap_err();
    assert!(matches!(refused, Refused::ReadOnly(_)), "{refused:?}");
    assert_eq!((kit.store.dump().unwrap(), all(&kit)), before);
    assert_eq!((kit.control.status()["store"]["state"].clone(), &kit.switch.state.lock().model), (json!("read_only"), &model));
    let kit = kit.restarted();
    kit.ok(Action::DeleteTrafficMirrorSession, &[("TrafficMirrorSessionId", &session)]);
}

/// An ENI that comes back as another account's would be mirrored to somebody who does not own it.
#[test]
fn an_eni_that_sessions_have_comes_back_to_its_account_only() {
    let kit = Kit::new().opened();
    let filter = kit.filter();
    kit.session(&filter, "eni-0", "eni-1", "1");
    for id in ["eni-0", "eni-1"] {
        remove_eni(&kit, id, false).unwrap();
        for (field, value) in [("OwnerId", json!("b")), ("Managed", json!(true))] {
            let refused = give(&kit, id, |eni| eni[field] = value.clone()).unwrap_err();
            let named = format!("NetworkInterfaces[{id}].{field}");
            assert!(matches!(&refused, Refused::Conflict(why) if why.contains(&named)), "{refused:?}");
        }
        give(&kit, id, |_| ()).unwrap();
    }
}

/// Object files of a test; they go with it.
struct Files(PathBuf);

impl Files {
    fn new(name: &str, inventory: Option<&Value>, mirror: Option<&Value>) -> Self {
        let folder = std::env::temp_dir().join(format!("vswitch-seed-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        for (file, value) in [("inventory.json", inventory), ("mirror.json", mirror)] {
            value.iter().for_each(|v| std::fs::write(folder.join(file), v.to_string()).unwrap());
        }
        Files(folder)
    }

    fn config(&self) -> Config {
        let mut config = Config::default();
        config.store.host = "here".to_owned();
        (config.files.inventory, config.files.mirror) = (self.0.join("inventory.json"), self.0.join("mirror.json"));
        config.store.path = self.0.join("store.redb");
        config
    }

    fn start(&self) -> Result<crate::control::plane::start::Running, Vec<String>> {
        let config = self.config();
        crate::control::plane::start::start(&config, Arc::new(Switch::new(config.clone(), Box::new(NoFabric::default()))))
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn mirror() -> Value {
    let rule = json!({"TrafficMirrorFilterRuleId": "tmr-1", "Action": "accept", "Priority": 1, "Protocol": "ALL"});
    let filter = |id: &str| json!({
        "TrafficMirrorFilterId": id, "TrafficMirrorFilterName": "f", "TrafficMirrorFilterDescription": "why",
        "Tags": [{"Key": "k", "Value": "v"}], "IngressRules": if id == "tmf-1" { json!([rule]) } else { json!([]) },
        "EgressRules": [],
    });
    json!({
        "TrafficMirrorFilters": [filter("tmf-1"), filter("tmf-unused")],
        "TrafficMirrorSessions": [{
            "TrafficMirrorSessionId": "tms-1", "TrafficMirrorSessionName": "s", "Enabled": true, "Priority": 1,
            "VirtualNetworkId": 0, "TrafficMirrorFilterId": "tmf-1", "TrafficMirrorSourceIds": ["eni-0"],
            "TrafficMirrorTargetId": "eni-1", "TrafficMirrorTargetType": "NetworkInterface",
        }],
    })
}

fn perform(running: &crate::control::plane::start::Running, action: Action) -> Value {
    running.control.act("a", action, crate::control::api::Params::default()).unwrap()
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
    assert_eq!((&sessions["TotalCount"], &sessions["TrafficMirrorSessions"][0]["VirtualNetworkId"]), (&json!("1"), &json!(0)));
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
    store.commit(0, &seed.document.writes(&crate::control::document::diff(&Document::default(), &seed.document))).unwrap();
    let regions = crate::control::load_regions(&config).unwrap();
    assert!(desired_of(&store.load().unwrap(), &config, &regions, &[]).is_ok());
}

#[test]
fn a_session_whose_filter_was_seeded_can_be_changed_by_its_account() {
    let files = Files::new("change", Some(&inventory()), Some(&mirror()));
    let running = files.start().unwrap();
    let update = [("TrafficMirrorSessionId".to_owned(), "tms-1".to_owned()), ("Enabled".to_owned(), "false".to_owned())];
    let params = crate::control::api::Params::from_pairs(update).unwrap();
    running.control.act("a", Action::UpdateTrafficMirrorSessionAttribute, params).unwrap();
    let more = wanted("tmf-1", "eni-2", "eni-1", "2").map(|(n, v)| (n.to_owned(), v.to_owned()));
    let params = crate::control::api::Params::from_pairs(more).unwrap();
    running.control.act("a", Action::CreateTrafficMirrorSession, params).unwrap();
    running.stop();
}
