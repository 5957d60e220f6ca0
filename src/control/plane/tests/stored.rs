//! Backups put back, and stores that fail.

use serde_json::{Value, json};

use super::Kit;
use super::inventory::{give, remove_eni};
use crate::control::api::Action;
use crate::control::plane::codes;
use crate::control::platform::{Platform, Refused};
use crate::control::store::restore::backup;
use crate::control::store::snapshot::{decode, encode};
use crate::control::store::{Contents, Kind, MemoryStore, Record, Store, StoreError, Write};

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
    assert!(matches!(&refused, Refused::ReadOnly(why) if why.contains("told to fail")), "{refused:?}");
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
        assert!(!refused.message.contains("told to fail"), "a tenant is told nothing of the host's disks: {refused}");
    }
    let refused = remove_eni(&kit, "eni-0", false).unwrap_err();
    assert!(matches!(refused, Refused::ReadOnly(_)), "{refused:?}");
    assert_eq!((kit.store.dump().unwrap(), all(&kit)), before);
    assert_eq!(
        (kit.control.status()["store"]["state"].clone(), &kit.switch.state.lock().model),
        (json!("read_only"), &model)
    );
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

/// A store that answers nothing but all of itself.
struct OneMoment(MemoryStore);

impl Store for OneMoment {
    fn visit(&self, _each: &mut dyn FnMut(Record)) -> Result<u64, StoreError> {
        panic!("a commit may come between this and the intervals")
    }

    fn dump(&self) -> Result<(Contents, Vec<Record>), StoreError> {
        self.0.dump()
    }

    fn scan(&self, _kind: Kind, _from: &str, _limit: usize) -> Result<Vec<Record>, StoreError> {
        panic!("a commit may come between this and the objects")
    }

    fn commit(&self, expected: u64, writes: &[Write]) -> Result<u64, StoreError> {
        self.0.commit(expected, writes)
    }
}

#[test]
fn a_backup_is_of_one_moment() {
    assert!(backup(&OneMoment(MemoryStore::default())).is_ok());
}
