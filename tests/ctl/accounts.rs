//! Accounts and their secrets.

use serde_json::{Value, json};

use super::fake::{Fake, Reply, Seen, text};

/// A daemon that has one account, `1001`.
fn daemon() -> Fake {
    Fake::start(|seen: &Seen| {
        let account = json!({
            "AccountId": "1001", "AccountName": "ops", "Status": "active",
            "AccessKeys": [{ "AccessKeyId": "AK1", "AccessKeySecret": "***" }],
        });
        match (&*seen.method, &*seen.path) {
            ("GET", "/v1/accounts") => Reply::json(200, &json!([account])),
            ("GET", "/v1/accounts/1001") => Reply::json(200, &account),
            ("GET", _) => Reply::json(404, &json!({ "errors": ["there is none"] })),
            _ => Reply::json(200, &json!({ "changed": [{ "kind": "account", "id": "1001" }], "revision": 3 })),
        }
    })
}

fn put(daemon: &Fake) -> Value {
    let seen = daemon.seen();
    seen.iter().find(|seen| seen.method == "PUT").unwrap().json()
}

#[test]
fn a_secret_comes_from_a_file_or_standard_input_and_is_not_shown() {
    let daemon = daemon();
    let file = daemon.folder.write("secret", "s3cr3t\n");
    let add = ["account", "add", "1002", "--name", "x", "--access-key-id", "AK2", "--secret-file"];
    let expected = json!({
        "AccountId": "1002", "Status": "active",
        "AccessKeys": [{ "AccessKeyId": "AK2", "AccessKeySecret": "s3cr3t" }], "AccountName": "x",
    });
    let said = daemon.says(&[&add[..], &[&file]].concat());
    assert_eq!(said, "account 1002 added\nAccessKeyId      AK2\nstored as revision 3\n");
    assert_eq!(put(&daemon), expected);
    let output = daemon.ctl_reading(&[&["--json"], &add[..], &["-"]].concat(), b"s3cr3t\r\n");
    assert!(!text(&output.stdout).contains("s3cr3t") && output.status.success(), "{output:?}");
    assert_eq!(put(&daemon), expected);
}

#[test]
fn what_is_no_secret_is_refused_without_being_shown() {
    let daemon = daemon();
    for wrong in ["", "\n", "tw0 words", "tw0\nlines\n", "\u{fc}ber-s3cret"] {
        let file = daemon.folder.write("secret", wrong);
        let output = daemon.ctl(&["account", "add", "1002", "--secret-file", &file]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{wrong:?}");
        assert!(said.contains("secret: holds no secret: one line") && !said.contains("tw0"), "{said}");
    }
    assert!(daemon.seen().iter().all(|seen| seen.method == "GET"));
}

#[test]
fn a_made_up_key_is_shown_once() {
    let daemon = daemon();
    let said = daemon.says(&["account", "add", "1002"]);
    let sent = put(&daemon)["AccessKeys"][0].clone();
    let (id, secret) = (sent["AccessKeyId"].as_str().unwrap(), sent["AccessKeySecret"].as_str().unwrap());
    assert_eq!((id.len(), &id[..4], secret.len()), (24, "LTAI", 30));
    let expected = format!(
        "account 1002 added\nAccessKeyId      {id}\nstored as revision 3\nAccessKeySecret  {secret}\n\
         The secret is not shown again: keep it now.\n"
    );
    assert_eq!(said, expected);
    let json = daemon.json(&["account", "add", "1002"]);
    let sent = put(&daemon)["AccessKeys"][0].clone();
    assert_eq!((&json["AccessKeyId"], &json["AccessKeySecret"]), (&sent["AccessKeyId"], &sent["AccessKeySecret"]));
    assert_ne!(json["AccessKeySecret"], secret, "each has its own");
}

#[test]
fn an_account_that_is_there_keeps_its_keys() {
    let daemon = daemon();
    let output = daemon.ctl(&["account", "add", "1001"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("1001 is there already"), "{}", text(&output.stderr));
    assert!(daemon.seen().iter().all(|seen| seen.method == "GET"));
    let said = daemon.says(&["account", "set-status", "1001", "financial_locked"]);
    assert_eq!(said, "~ account 1001\nstored as revision 3\n");
    let sent = put(&daemon);
    assert_eq!((&sent["Status"], &sent["AccountName"]), (&json!("financial_locked"), &json!("ops")));
    assert_eq!(sent["AccessKeys"][0]["AccessKeySecret"], "***", "which stands for what it was");
}

#[test]
fn accounts_are_listed_shown_and_deleted() {
    let daemon = daemon();
    let expected = "ACCOUNT  NAME  STATUS  ACCESS KEYS\n1001     ops   active  AK1\n";
    assert_eq!(daemon.says(&["account", "list"]), expected);
    assert_eq!(daemon.says(&["inventory", "show", "accounts"]), expected);
    assert_eq!(daemon.json(&["account", "list"])[0]["AccessKeys"][0]["AccessKeyId"], "AK1");
    assert!(daemon.says(&["account", "show", "1001"]).contains("AccountName: ops\n"));
    daemon.seen();
    daemon.says(&["account", "delete", "1001"]);
    assert_eq!(daemon.seen()[0].line(), "DELETE /v1/accounts/1001");
}

/// A daemon whose store is written by others again and again, `writes` times.
fn contended(writes: u64) -> Fake {
    let revision = std::sync::atomic::AtomicU64::new(1);
    Fake::start(move |seen: &Seen| {
        let now = revision.load(std::sync::atomic::Ordering::SeqCst);
        if seen.method == "GET" {
            let account = json!({ "AccountId": "1001", "Status": "active", "AccountName": format!("at {now}") });
            if now <= writes {
                revision.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            }
            return Reply::json(200, &account).with("x-vswitch-revision", now);
        }
        if seen.path.ends_with(&format!("revision={now}")) {
            Reply::json(200, &json!({ "changed": [], "revision": now + 1 }))
        } else {
            Reply::json(409, &json!({ "errors": [format!("the store is at revision {now}")] }))
        }
    })
}

#[test]
fn what_others_write_meanwhile_is_not_lost() {
    let daemon = contended(2);
    daemon.says(&["account", "set-status", "1001", "financial_locked", "--dry-run"]);
    let seen = daemon.seen();
    let last = seen.last().unwrap();
    assert_eq!((seen.len(), &*last.line()), (6, "PUT /v1/accounts/1001?dry_run=true&revision=3"));
    assert_eq!((&last.json()["AccountName"], &last.json()["Status"]), (&json!("at 3"), &json!("financial_locked")));
    let output = contended(u64::MAX).ctl(&["account", "set-status", "1001", "active"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("the store is at revision"), "{}", text(&output.stderr));
}
