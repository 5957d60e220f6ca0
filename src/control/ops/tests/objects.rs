//! Objects are put, got, listed and deleted, one by one and as a whole.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::control::document::ObjectKind;

#[test]
fn what_is_put_is_got_listed_and_deleted() {
    let api = Api::new(one_of_each());
    let vpc = json!({ "VpcId": "vpc-b", "CidrBlock": "10.1.0.0/16", "VpcName": "b" });
    let added = api.done(Method::PUT, "/v1/vpcs/vpc-b", Some(&vpc));
    assert_eq!(
        added,
        json!({
            "added": [{ "kind": "vpc", "id": "vpc-b" }], "changed": [], "removed": [], "sessions": [],
            "revision": 2, "dry_run": false,
        })
    );
    assert_eq!(api.done(Method::GET, "/v1/vpcs/vpc-b", None), vpc);
    assert_eq!(api.done(Method::GET, "/v1/vpcs", None).as_array().unwrap().len(), 2);
    assert_eq!(api.done(Method::PUT, "/v1/vpcs/vpc-b", Some(&vpc))["revision"], 2, "nothing changed");
    assert_eq!(api.done(Method::DELETE, "/v1/vpcs/vpc-b", None)["removed"], json!([{ "kind": "vpc", "id": "vpc-b" }]));
    let gone = api.refused(StatusCode::NOT_FOUND, Method::GET, "/v1/vpcs/vpc-b", "");
    assert_eq!(gone, ["there is no VPC vpc-b in the inventory"]);
    assert_eq!(api.refused(StatusCode::NOT_FOUND, Method::DELETE, "/v1/vpcs/vpc-b", ""), gone);
}

#[test]
fn a_document_is_applied_as_one_and_a_dry_run_changes_nothing() {
    let api = Api::new(one_of_each());
    let mut document = api.done(Method::GET, "/v1/inventory", None);
    document["Vpcs"][0]["VpcName"] = json!("renamed");
    document["Instances"] = json!([{ "InstanceId": "i-a", "BandwidthBps": 1000 }, { "InstanceId": "i-b" }]);
    document["NetworkInterfaces"] = json!([]);
    document["JumboMirroring"] = json!(false);
    let before = api.switch.document();
    let dry = api.done(Method::PUT, "/v1/inventory?dry_run=true", Some(&document));
    assert_eq!(dry["added"], json!([{ "kind": "instance", "id": "i-b" }]));
    let changed = [("region", "region"), ("vpc", "vpc-a"), ("instance", "i-a")];
    let changed: Value = changed.iter().map(|(kind, id)| json!({ "kind": kind, "id": id })).collect();
    assert_eq!(dry["changed"], changed);
    assert_eq!(dry["removed"], json!([{ "kind": "network_interface", "id": "eni-a" }]));
    assert_eq!((&dry["sessions"][0]["session"], &dry["dry_run"]), (&json!("tms-a"), &json!(true)));
    assert_eq!(api.switch.document(), before);
    let mut done = api.done(Method::PUT, "/v1/inventory", Some(&document));
    assert_eq!(done["revision"], 2);
    (done["revision"], done["dry_run"]) = (json!(1), json!(true));
    assert_eq!(done, dry, "the dry run foretold it");
    assert!(api.switch.document().objects(ObjectKind::NetworkInterface).is_empty());
}

#[test]
fn an_eni_comes_with_what_a_guest_needs() {
    let api = Api::new(one_of_each());
    let mut eni = api.done(Method::GET, "/v1/network-interfaces/eni-a", None);
    eni["NetworkInterfaceId"] = json!("eni-b");
    eni["MacAddress"] = json!("02:00:00:00:00:0b");
    eni["PrivateIpAddress"] = json!("10.0.0.11");
    let dry = api.done(Method::PUT, "/v1/network-interfaces/eni-b?dry_run=true", Some(&eni));
    assert!(dry.get("socket").is_none(), "nothing is open yet");
    let here = api.done(Method::PUT, "/v1/network-interfaces/eni-b", Some(&eni));
    assert_eq!(here["socket"], "/run/vswitch/eni/eni-b.sock");
    assert!(here["qemu"].as_str().unwrap().contains("path=/run/vswitch/eni/eni-b.sock,server=on"), "{here}");
    assert!(here["libvirt"].as_str().unwrap().starts_with("<interface type='vhostuser'><mac"), "{here}");
    eni["HostId"] = json!("another");
    let elsewhere = api.done(Method::PUT, "/v1/network-interfaces/eni-b", Some(&eni));
    assert!(elsewhere.get("socket").is_none() && elsewhere.get("qemu").is_none(), "{elsewhere}");
    let deleted = api.done(Method::DELETE, "/v1/network-interfaces/eni-a", None);
    assert_eq!(
        deleted["sessions"],
        json!([{
            "session": "tms-a", "account": "1001", "eni": "eni-a", "role": "source",
            "effect": "it mirrors nothing of this ENI any more",
        }])
    );
}

#[test]
fn secrets_are_in_no_answer_and_survive_what_is_read_and_written_back() {
    let api = Api::new(one_of_each());
    let accounts = ["/v1/inventory", "/v1/accounts", "/v1/accounts/1001"];
    for path in accounts {
        let text = api.done(Method::GET, path, None).to_string();
        assert!(text.contains(r#""AccessKeySecret":"***""#) && !text.contains("s3cr3t"), "{path}: {text}");
    }
    let mut account = api.done(Method::GET, "/v1/accounts/1001", None);
    account["Status"] = json!("financial_locked");
    api.done(Method::PUT, "/v1/accounts/1001", Some(&account));
    let document = api.done(Method::GET, "/v1/inventory", None);
    api.done(Method::PUT, "/v1/inventory", Some(&document));
    let kept = api.switch.document().get(ObjectKind::Account, "1001").unwrap().clone();
    assert_eq!(
        (&kept["Status"], &kept["AccessKeys"][0]["AccessKeySecret"]),
        (&json!("financial_locked"), &json!("s3cr3t"))
    );
    // Stars for a key that nobody knows are no secret.
    account["AccessKeys"][0]["AccessKeyId"] = json!("AK2");
    let body = account.to_string();
    let lines = api.refused(StatusCode::BAD_REQUEST, Method::PUT, "/v1/accounts/1001", &body);
    assert!(
        lines[0].starts_with("inventory: Accounts[1001].AccessKeys[0].AccessKeySecret = ***: 1 to 256"),
        "{lines:?}"
    );
}

#[test]
fn a_revision_guards_against_others() {
    let api = Api::new(one_of_each());
    let answer = api.raw(Method::GET, "/v1/vpcs/vpc-a", "");
    let revision = answer.headers.iter().find(|(name, _)| name == "x-vswitch-revision").unwrap().1.clone();
    assert_eq!(revision, "1");
    let vpc = json!({ "VpcId": "vpc-a", "CidrBlock": "10.0.0.0/8" });
    api.done(Method::PUT, "/v1/vpcs/vpc-a?revision=1", Some(&vpc));
    let late = api.refused(StatusCode::CONFLICT, Method::DELETE, "/v1/network-interfaces/eni-a?revision=1", "");
    assert_eq!(late, ["the store is at revision 2"]);
}

#[test]
fn actions_are_done_in_an_account_s_name() {
    let api = Api::new(one_of_each());
    let body = json!({ "TrafficMirrorFilterName": "f", "IngressRules": [{ "Action": "accept" }] });
    let path = "/v1/actions/CreateTrafficMirrorFilter?account=1001";
    assert_eq!(api.done(Method::POST, path, Some(&body)), json!({ "RequestId": "1" }));
    let acted = api.switch.acted.lock().clone();
    let (account, action, params) = &acted[0];
    assert_eq!((account.as_str(), action.name()), ("1001", "CreateTrafficMirrorFilter"));
    assert_eq!(params.get("IngressRules.1.Action"), Some("accept"));
    let (status, refused) = api.ask(Method::POST, path, Some(&json!({ "TrafficMirrorFilterName": "http://" })));
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert_eq!(refused["code"], "InvalidParameter.TrafficMirrorFilterName");
    assert!(refused["errors"][0].as_str().unwrap().contains("TrafficMirrorFilterName"), "{refused}");
}

#[test]
fn a_backup_is_restored_byte_for_byte() {
    let api = Api::new(one_of_each());
    let backup = api.raw(Method::GET, "/v1/backup", "");
    assert_eq!((backup.status, backup.content_type), (StatusCode::OK, "application/octet-stream"));
    let restored = api.raw(Method::POST, "/v1/restore", backup.body.to_vec());
    assert_eq!(serde_json::from_slice::<Value>(&restored.body).unwrap(), json!({ "revision": 9 }));
    let lines = api.refused(StatusCode::BAD_REQUEST, Method::POST, "/v1/restore", "x");
    assert_eq!(lines, ["body: is no backup"]);
}
