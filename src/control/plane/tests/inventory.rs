//! The platform changes the inventory under sessions.

use serde_json::{Value, json};

use super::Kit;
use crate::control::api::Action;
use crate::control::document::ObjectKind;
use crate::control::operations::Operations;
use crate::control::platform::{Platform, Refused};

pub(super) fn edit_account(kit: &Kit, id: &str, edit: impl Fn(&mut Value)) {
    let mut change = |document: &crate::control::document::Document| {
        let mut document = document.clone();
        let mut account = (**document.get(ObjectKind::Account, id).unwrap()).clone();
        edit(&mut account);
        document.put(ObjectKind::Account, id, account);
        Ok(document)
    };
    kit.control.change(None, &mut change, false).unwrap();
}

pub(super) fn lock_account(kit: &Kit, id: &str, locked: bool) {
    let status = if locked { "financial_locked" } else { "active" };
    edit_account(kit, id, |account| account["Status"] = json!(status));
}

pub(super) fn remove_eni(kit: &Kit, id: &str, dry_run: bool) -> Result<crate::control::platform::Changed, Refused> {
    let mut change = |document: &crate::control::document::Document| {
        let mut document = document.clone();
        document.remove(ObjectKind::NetworkInterface, id);
        Ok(document)
    };
    kit.control.change(None, &mut change, dry_run)
}

/// Puts an ENI of the test's inventory back, edited.
pub(super) fn give(
    kit: &Kit,
    id: &str,
    edit: impl Fn(&mut Value),
) -> Result<crate::control::platform::Changed, Refused> {
    let all = super::inventory();
    let enis = all["NetworkInterfaces"].as_array().unwrap();
    let mut eni = enis.iter().find(|eni| eni["NetworkInterfaceId"] == id).unwrap().clone();
    edit(&mut eni);
    let mut change = |document: &crate::control::document::Document| {
        let mut document = document.clone();
        document.put(ObjectKind::NetworkInterface, id, eni.clone());
        Ok(document)
    };
    kit.control.change(None, &mut change, false)
}

#[test]
fn a_locked_account_s_sessions_stop_and_say_so() {
    let kit = Kit::new().opened();
    let filter = kit.filter();
    let session = kit.session(&filter, "eni-0", "eni-1", "1");
    lock_account(&kit, "a", true);
    assert_eq!(kit.listed_session(&session)["TrafficMirrorSessionBusinessStatus"], "FinancialLocked");
    assert!(kit.switch.state.lock().model.sessions[0].locked);
    let update = [("TrafficMirrorSessionId", &*session), ("Enabled", "false")];
    assert_eq!(kit.no(Action::UpdateTrafficMirrorSessionAttribute, &update).code, "IncorrectBusinessStatus");
    lock_account(&kit, "a", false);
    assert_eq!(kit.listed_session(&session)["TrafficMirrorSessionBusinessStatus"], "Normal");
    kit.ok(Action::UpdateTrafficMirrorSessionAttribute, &update);
}

#[test]
fn an_eni_that_goes_leaves_its_sessions_and_says_which() {
    let kit = Kit::new().opened();
    let filter = kit.filter();
    let session = kit.session(&filter, "eni-0", "eni-1", "1");
    let tried = remove_eni(&kit, "eni-1", true).unwrap();
    assert_eq!((tried.sessions.len(), tried.sessions[0].role), (1, "target"));
    assert!(kit.control.inventory().1.get(ObjectKind::NetworkInterface, "eni-1").is_some(), "a dry run");
    let gone = remove_eni(&kit, "eni-1", false).unwrap();
    assert_eq!(gone.sessions, tried.sessions);
    assert!(gone.sessions[0].effect.contains("target_down"), "{:?}", gone.sessions);
    assert_eq!(kit.listed_session(&session)["TrafficMirrorTargetId"], "eni-1");
    assert_eq!(kit.switch.sessions()[0]["target"], "eni-1");
    let gone = remove_eni(&kit, "eni-0", false).unwrap();
    assert_eq!(gone.sessions[0].role, "source");
    assert_eq!(kit.listed_session(&session)["TrafficMirrorSourceIds"], json!(["eni-0"]));
    assert!(kit.switch.state.lock().model.sessions.is_empty(), "nothing of it is here");
    // A client that resends what did not change is not refused for what left meanwhile.
    let same = [
        ("TrafficMirrorSessionId", &*session),
        ("TrafficMirrorTargetId", "eni-1"),
        ("TrafficMirrorTargetType", "NetworkInterface"),
        ("TrafficMirrorFilterId", &*filter),
        ("Priority", "1"),
    ];
    kit.ok(Action::UpdateTrafficMirrorSessionAttribute, &same);
}

#[test]
fn what_nobody_could_have_created_does_not_come_about_by_the_inventory() {
    let kit = Kit::new().opened();
    let filter = kit.filter();
    kit.session(&filter, "eni-0", "eni-1", "1");
    let mut give_away = |document: &crate::control::document::Document| {
        let mut document = document.clone();
        let mut eni = (**document.get(ObjectKind::NetworkInterface, "eni-0").unwrap()).clone();
        eni["OwnerId"] = json!("b");
        document.put(ObjectKind::NetworkInterface, "eni-0", eni);
        Ok(document)
    };
    let refused = kit.control.change(None, &mut give_away, false).unwrap_err();
    assert!(
        matches!(&refused, Refused::Conflict(why) if why.contains("NetworkInterfaces[eni-0].OwnerId")),
        "{refused:?}"
    );
    let mut forget = |document: &crate::control::document::Document| {
        let mut document = document.clone();
        document.remove(ObjectKind::Account, "a");
        Ok(document)
    };
    let refused = kit.control.change(None, &mut forget, false).unwrap_err();
    assert!(matches!(&refused, Refused::Conflict(why) if why.contains("1 filters and 1 sessions")), "{refused:?}");
    let (revision, _) = kit.control.inventory();
    let refused = kit.control.change(Some(revision + 1), &mut |d| Ok(d.clone()), false).unwrap_err();
    assert!(matches!(refused, Refused::Conflict(_)), "{refused:?}");
}

#[test]
fn a_broken_inventory_is_refused_whole_with_every_problem() {
    let kit = Kit::new();
    let before = kit.control.inventory();
    let mut broken = |document: &crate::control::document::Document| {
        let mut document = document.clone();
        document.put(ObjectKind::NetworkInterface, "eni-x", json!({"NetworkInterfaceId": "eni-x", "Mtu": 9}));
        Ok(document)
    };
    let Err(Refused::Invalid(problems)) = kit.control.change(None, &mut broken, false) else { panic!("done") };
    assert!(problems.iter().any(|p| p.contains("eni-x") && p.contains("Mtu")), "{problems:?}");
    assert!(problems.len() >= 3, "{problems:?}");
    assert_eq!(kit.control.inventory(), before);
}

#[test]
fn who_watches_is_told_what_changed() {
    let kit = Kit::new();
    let (revision, _) = kit.control.inventory();
    remove_eni(&kit, "eni-5", false).unwrap();
    let changes = kit.control.changes(revision);
    assert_eq!((changes.revision, changes.compacted), (revision + 1, false));
    let lines: Vec<String> = changes.changes.iter().map(|(r, c)| format!("{r} {} {:?}", c.id, c.op)).collect();
    assert_eq!(lines, [format!("{} eni-5 Removed", revision + 1)]);
    assert!(kit.control.changes(revision + 9).compacted);
}

/// Each change copies the model; secrets and 100,000 ENIs of other hosts need not be in every copy.
#[test]
fn the_switch_is_given_nothing_of_accounts_and_other_hosts() {
    let kit = Kit::new();
    let model = kit.switch.state.lock().model.clone();
    assert!(model.accounts.is_empty() && model.remote.is_empty());
    let state = kit.control.lock();
    let world = &state.desired.world;
    assert!(world.eni("eni-far").is_some_and(|eni| eni.local.is_none()) && world.credential("key-a").is_some());
}
