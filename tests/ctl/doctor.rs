//! `doctor` with a daemon, without one, and with what must not be.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use serde_json::{Value, json};

use super::fake::{Fake, Folder, Reply, Seen, VSWITCHCTL, text};

/// A configuration without workers in a folder of its own; `more` is added to it.
fn configured(folder: &Folder, more: &str) -> String {
    std::fs::create_dir_all(folder.0.join("eni")).unwrap();
    let base = "[worker]\ncount = 0\n[ports]\nsocket_dir = \"eni\"\n[ops]\nsocket = \"ops.sock\"\n";
    folder.write("vswitch.toml", &format!("{base}{more}"))
}

fn doctor(config: &str) -> (Option<i32>, Value) {
    let output = command(&["--json", "doctor", "--config", config]);
    let json = serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(&output.stderr)));
    (output.status.code(), json)
}

fn command(arguments: &[&str]) -> Output {
    Command::new(VSWITCHCTL).args(arguments).env_remove("VSWITCH_SIMD").output().unwrap()
}

fn level<'a>(report: &'a Value, check: &str) -> &'a str {
    let finding = report["findings"].as_array().unwrap().iter().find(|finding| finding["check"] == check);
    finding.unwrap_or_else(|| panic!("no {check} in {report:#}"))["level"].as_str().unwrap()
}

#[test]
fn without_a_daemon_it_looks_at_the_host_and_mends() {
    let folder = Folder::new();
    let config = configured(&folder, "[store]\npath = \"store.redb\"\n");
    let (code, report) = doctor(&config);
    assert_eq!((code, &report["ok"]), (Some(0), &json!(true)), "{report:#}");
    for (check, expected) in [
        ("config", "OK"),
        ("hugepages", "OK"),
        ("cpus", "OK"),
        ("ops_socket", "WARN"),
        ("socket_dir", "OK"),
        ("store", "OK"),
        ("dpdk", "OK"),
    ] {
        assert_eq!(level(&report, check), expected, "{check}");
    }
    for finding in report["findings"].as_array().unwrap() {
        let keys: Vec<&String> = finding.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["check", "level", "says", "mend"]);
        assert_eq!(finding["level"] == "OK", finding["mend"].is_null(), "{finding}");
    }
    let said = text(&command(&["doctor", "--config", &config]).stdout);
    assert!(said.contains("WARN  ops_socket") && said.contains("mend: systemctl start vswitch\n"), "{said}");
}

#[test]
fn what_must_not_be_fails_and_is_1() {
    let folder = Folder::new();
    folder.write("accounts.json", "{}");
    let open = folder.0.join("accounts.json");
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o644)).unwrap();
    let config = configured(&folder, "[store]\npath = \"\"\n[api]\naccounts = \"accounts.json\"\n");
    let (code, report) = doctor(&config);
    assert_eq!((code, level(&report, "accounts_file")), (Some(1), "FAIL"));
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o640)).unwrap();
    let (code, report) = doctor(&config);
    assert_eq!((code, level(&report, "accounts_file")), (Some(0), "OK"));
    let (code, report) = doctor(&folder.write("broken.toml", "[worker]\ncount = 99\n"));
    assert_eq!((code, level(&report, "config")), (Some(1), "FAIL"));
    let (code, report) = doctor(&folder.path("absent.toml"));
    assert_eq!((code, level(&report, "config")), (Some(1), "FAIL"));
}

/// A daemon of another build whose clock is half an hour ahead and whose store is closed.
fn odd() -> Fake {
    Fake::start(|seen: &Seen| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let ahead = jiff::Timestamp::from_second(i64::try_from(now).unwrap() + 1800).unwrap();
        let date = ahead.strftime("%a, %d %b %Y %H:%M:%S GMT");
        let body = match &*seen.path {
            "/version" => json!({ "version": "9.9.9", "commit": "abc" }),
            "/readyz" => return Reply::bytes(503, "ring_stuck").with("date", date),
            _ => json!({ "store": { "state": "read_only", "reason": "schema 9 is newer" } }),
        };
        Reply::json(200, &body).with("date", date)
    })
}

#[test]
fn a_daemon_is_asked_who_it_is_what_time_it_has_and_how_its_store_is() {
    let daemon = odd();
    let config = configured(&daemon.folder, "[store]\npath = \"store.redb\"\n");
    let socket = daemon.folder.0.join("ops.sock");
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o660)).unwrap();
    let (code, report) = doctor(&config);
    assert_eq!(code, Some(1));
    for (check, expected) in [
        ("ops_socket", "OK"),
        ("ready", "WARN"),
        ("daemon_version", "WARN"),
        ("clock_skew", "FAIL"),
        ("store_state", "FAIL"),
    ] {
        assert_eq!(level(&report, check), expected, "{check}: {report:#}");
    }
    std::fs::set_permissions(&socket, std::fs::Permissions::from_mode(0o666)).unwrap();
    assert_eq!(level(&doctor(&config).1, "ops_socket"), "FAIL");
    // Another socket than the configuration's may be named.
    let elsewhere = Folder::new();
    let config = configured(&elsewhere, "");
    let output = command(&["--socket", socket.to_str().unwrap(), "--json", "doctor", "--config", &config]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(level(&report, "daemon_version"), "WARN");
}
