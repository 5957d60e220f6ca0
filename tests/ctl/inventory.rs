//! The inventory, ENIs, backup and restore, watching.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use super::fake::{Fake, Reply, Seen, text};

fn changes(dry: bool) -> serde_json::Value {
    json!({
        "added": [{ "kind": "network_interface", "id": "eni-9" }], "changed": [],
        "removed": [{ "kind": "network_interface", "id": "eni-a" }],
        "sessions": [{ "session": "tms-1", "account": "1001", "eni": "eni-a", "role": "source", "effect": "skips" }],
        "revision": 12, "dry_run": dry,
    })
}

#[test]
fn a_document_is_applied_or_compared() {
    let daemon = Fake::start(|seen: &Seen| Reply::json(200, &changes(seen.path.contains("dry_run=true"))));
    let file = daemon.folder.write("i.json", r#"{"RegionId": "local"}"#);
    let told = "+ network_interface eni-9\n- network_interface eni-a\n\
                SESSION  ACCOUNT  ENI    ROLE    EFFECT\ntms-1    1001     eni-a  source  skips\n";
    assert_eq!(daemon.says(&["inventory", "apply", &file]), format!("{told}stored as revision 12\n"));
    assert_eq!(daemon.says(&["inventory", "diff", &file]), format!("{told}dry run: nothing was changed\n"));
    assert_eq!(daemon.json(&["inventory", "apply", "--dry-run", &file]), changes(true));
    let output = daemon.ctl_reading(&["inventory", "apply", "-"], br#"{"RegionId": "local"}"#);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let lines: Vec<String> = daemon.seen().iter().map(Seen::line).collect();
    let (put, dry) = ("PUT /v1/inventory", "PUT /v1/inventory?dry_run=true");
    assert_eq!(lines, [put, dry, dry, put]);
}

#[test]
fn a_shown_document_can_be_applied() {
    let document = json!({ "RegionId": "local", "Vpcs": [] });
    let daemon = Fake::always(document.clone());
    let shown = daemon.says(&["inventory", "show"]);
    let file = daemon.folder.write("i.json", &shown);
    daemon.says(&["inventory", "apply", &file]);
    assert_eq!(daemon.seen().pop().unwrap().json(), document);
}

#[test]
fn files_that_cannot_be_sent_are_refused_with_their_names() {
    let daemon = Fake::always(json!({}));
    let broken = daemon.folder.write("broken.json", "{\n  \"RegionId\": }");
    let list = daemon.folder.write("list.json", "[]");
    let absent = daemon.folder.path("absent.json");
    for (file, why) in [
        (&broken, "is not JSON: expected value at line 2 column 15"),
        (&list, "is no JSON object"),
        (&absent, "cannot be read: No such file or directory"),
    ] {
        let output = daemon.ctl(&["inventory", "apply", file]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1));
        assert!(said.starts_with(&format!("vswitchctl: {file}: {why}")), "{said}");
    }
    assert!(daemon.seen().is_empty());
}

/// A daemon that has one ENI, `eni-a`.
fn with_an_eni() -> Fake {
    Fake::start(|seen: &Seen| match (&*seen.method, &*seen.path) {
        ("GET", "/v1/network-interfaces/eni-a") => Reply::json(200, &json!({ "NetworkInterfaceId": "eni-a" })),
        ("GET", _) => Reply::json(404, &json!({ "errors": ["there is none"] })),
        ("DELETE", _) => Reply::json(200, &changes(false)),
        _ => Reply::json(
            200,
            &json!({
                "revision": 5, "socket": "/run/vswitch/eni/eni-9.sock", "qemu": ["-chardev x", "-device y"],
                "libvirt": "<interface>\n</interface>",
            }),
        ),
    })
}

#[test]
fn an_eni_is_added_by_its_fields_or_from_a_file() {
    let daemon = with_an_eni();
    let fields = "eni add --id eni-9 --vswitch vsw-1 --mac 02:00:00:00:00:09 --ip 10.0.0.9 --secondary-ip 10.0.0.10 \
                  --mtu 8500 --owner 1001 --host h-1 --socket-mode server";
    let said = daemon.says(&fields.split(' ').collect::<Vec<_>>());
    let expected = "eni-9 added\nsocket:\n  /run/vswitch/eni/eni-9.sock\nqemu:\n  -chardev x\n  -device y\n\
                    libvirt:\n  <interface>\n  </interface>\nstored as revision 5\n";
    assert_eq!(said, expected);
    let seen = daemon.seen();
    let lines: Vec<String> = seen.iter().map(Seen::line).collect();
    assert_eq!(lines, ["GET /v1/network-interfaces/eni-9", "PUT /v1/network-interfaces/eni-9"]);
    let object = json!({
        "NetworkInterfaceId": "eni-9", "VSwitchId": "vsw-1", "MacAddress": "02:00:00:00:00:09",
        "PrivateIpAddress": "10.0.0.9", "SecondaryPrivateIpAddresses": ["10.0.0.10"], "Mtu": 8500, "OwnerId": "1001",
        "HostId": "h-1", "SocketMode": "server",
    });
    assert_eq!(seen[1].json(), object);
    let output = daemon.ctl_reading(&["eni", "add", "-"], object.to_string().as_bytes());
    assert_eq!(text(&output.stdout), expected, "{}", text(&output.stderr));
    assert_eq!(daemon.seen()[1].json(), object);
    let nameless = daemon.folder.write("eni.json", r#"{"MacAddress": "02:00:00:00:00:09"}"#);
    let output = daemon.ctl(&["eni", "add", &nameless]);
    assert!(text(&output.stderr).contains("NetworkInterfaceId: an id has 1 to 64"), "{}", text(&output.stderr));
}

#[test]
fn an_eni_that_is_there_is_not_replaced_unasked() {
    let daemon = with_an_eni();
    let add = "eni add --id eni-a --vswitch vsw-1 --mac 02:00:00:00:00:09 --ip 10.0.0.9";
    let output = daemon.ctl(&add.split(' ').collect::<Vec<_>>());
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("eni-a is there already; delete it first"), "{}", text(&output.stderr));
    assert_eq!(daemon.seen().len(), 1);
}

#[test]
fn deleting_an_eni_names_the_sessions_that_feel_it() {
    let daemon = with_an_eni();
    let said = daemon.says(&["eni", "delete", "eni-a"]);
    assert!(said.contains("tms-1    1001     eni-a  source  skips\n"), "{said}");
    assert_eq!(daemon.seen()[0].line(), "DELETE /v1/network-interfaces/eni-a");
}

#[test]
fn a_backup_is_a_new_file_for_its_owner_and_comes_back_as_it_was() {
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let kept = bytes.clone();
    let daemon = Fake::start(move |seen: &Seen| match &*seen.method {
        "GET" => Reply::bytes(200, kept.clone()),
        _ => Reply::json(200, &json!({ "revision": 40 })),
    });
    let file = daemon.folder.path("backup");
    assert_eq!(daemon.says(&["backup", &file]), format!("100000 bytes written to {file}\n"));
    assert_eq!(std::fs::read(&file).unwrap(), bytes);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let output = daemon.ctl(&["backup", &file]);
    assert_eq!(output.status.code(), Some(1), "a backup replaces nothing");
    assert!(text(&output.stderr).contains(&format!("{file}: cannot be written: File exists")));
    assert_eq!(daemon.ctl(&["backup", "-"]).stdout, bytes);
    assert_eq!(daemon.ctl(&["--json", "backup", "-"]).stdout, bytes);
    daemon.seen();
    assert_eq!(daemon.says(&["restore", &file]), "restored as revision 40\n");
    let seen = daemon.seen();
    assert_eq!((&*seen[0].line(), &seen[0].body), ("POST /v1/restore", &bytes));
}

#[test]
fn changes_are_watched_from_now_on_or_from_a_revision() {
    let daemon = Fake::start(|seen: &Seen| {
        let change = |n: u64| json!({ "revision": n, "kind": "session", "id": format!("tms-{n}"), "op": "changed" });
        match &*seen.path {
            "/v1/watch" => Reply::json(200, &json!({ "revision": 7, "changes": [], "compacted": false })),
            "/v1/watch?after=7&timeout=20" => {
                Reply::json(200, &json!({ "revision": 9, "changes": [change(8), change(9)], "compacted": false }))
            }
            "/v1/watch?after=9&timeout=20" => Reply::json(410, &json!({ "errors": ["the end of the test"] })),
            "/v1/watch?after=1&timeout=0" => {
                Reply::json(200, &json!({ "revision": 9, "changes": [change(9)], "compacted": true }))
            }
            other => panic!("{other}"),
        }
    });
    let output = daemon.ctl(&["watch"]);
    assert_eq!(text(&output.stdout), "8  changed  session  tms-8\n9  changed  session  tms-9\n");
    assert!(text(&output.stderr).contains("the end of the test"), "{}", text(&output.stderr));
    let output = daemon.ctl(&["--json", "watch", "--after", "1", "--once"]);
    assert_eq!(text(&output.stdout), "{\"revision\":9,\"kind\":\"session\",\"id\":\"tms-9\",\"op\":\"changed\"}\n");
    assert!(text(&output.stderr).contains("changes soon after revision 1 are no longer known"));
}
