//! Refusals, wrong usage, a daemon that is not there.

use serde_json::json;

use super::fake::{Fake, Folder, Reply, VSWITCHCTL, text};

#[test]
fn a_refusal_says_what_and_why_and_what_to_do_and_is_1() {
    let errors =
        json!({ "errors": ["sources_per_session: 10 of 10 are used"], "code": "QuotaExceeded.sources_per_session" });
    let daemon = Fake::start(move |_| Reply::json(400, &errors));
    let arguments = ["session", "add-sources", "tms-1", "eni-a", "--account", "1"];
    let output = daemon.ctl(&arguments);
    let expected = "vswitchctl: sources_per_session: 10 of 10 are used\n\
                    vswitchctl: code QuotaExceeded.sources_per_session\n\
                    vswitchctl: `vswitchctl quota --account ID` shows the limits and what is used\n";
    assert_eq!((output.status.code(), &*text(&output.stderr)), (Some(1), expected));
    assert!(output.stdout.is_empty());
    // For programs the same, with stable keys.
    let output = daemon.ctl(&[&["--json"], &arguments[..]].concat());
    let said: serde_json::Value = serde_json::from_slice(&output.stderr).unwrap();
    assert_eq!(said["code"], "QuotaExceeded.sources_per_session");
    assert_eq!(said["errors"], json!(["sources_per_session: 10 of 10 are used"]));
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_refusal_commands_no_terminal() {
    let daemon = Fake::start(|_| Reply::json(400, &json!({ "errors": ["name = \"\u{1b}[2J\""] })));
    let output = daemon.ctl(&["filter", "create", "--account", "1", "--name", "\u{1b}[2J"]);
    assert_eq!(text(&output.stderr), "vswitchctl: name = \"\\u{1b}[2J\"\n");
}

#[test]
fn a_dry_run_that_would_fail_is_1_and_its_code_is_none_in_earnest() {
    let daemon = Fake::start(|seen| {
        let dry = seen.json()["DryRun"] == true;
        let code = if dry { "ResourceNotFound.TrafficMirrorFilter" } else { "DryRunOperation" };
        Reply::json(404, &json!({ "errors": ["no"], "code": code }))
    });
    assert_eq!(daemon.ctl(&["filter", "delete", "tmf-1", "--account", "1", "--dry-run"]).status.code(), Some(1));
    assert_eq!(daemon.ctl(&["filter", "delete", "tmf-1", "--account", "1"]).status.code(), Some(1));
}

#[test]
fn a_refusal_without_a_reason_has_its_status() {
    let daemon = Fake::start(|_| Reply::bytes(502, b"<html>"));
    let output = daemon.ctl(&["eni"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("the daemon answers 502"), "{}", text(&output.stderr));
}

#[test]
fn nobody_there_is_3_and_says_what_to_do() {
    let folder = Folder::new();
    let socket = folder.path("nobody.sock");
    for command in [&["eni"][..], &["inventory", "show"], &["top", "--once"], &["watch"], &["status"], &["backup", "-"]]
    {
        let output = std::process::Command::new(VSWITCHCTL).args(["--socket", &socket]).args(command).output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{command:?}: {said}");
        assert!(said.starts_with(&format!("vswitchctl: {socket}: the daemon is not reached: ")), "{said}");
        assert!(said.contains("vswitchctl doctor"), "{said}");
    }
    let daemon = Fake::start(|_| Reply::bytes(200, b"what?"));
    assert_eq!(daemon.ctl(&["eni"]).status.code(), Some(3), "who does not speak JSON is not the daemon");
}

#[test]
fn wrong_usage_is_2_and_asks_nothing() {
    let daemon = Fake::always(json!({}));
    for arguments in [
        &["session", "enable", "tms-1"][..],
        &["session", "create", "--account", "1"],
        &["session", "update", "tms-1", "--account", "1"],
        &["filter", "update", "tmf-1", "--account", "1"],
        &["rule", "update", "tmr-1", "--account", "1"],
        &["rule", "create", "tmf-1", "--account", "1"],
        &["rule", "create", "tmf-1", "--account", "1", "--ingress", "priority=1"],
        &["rule", "create", "tmf-1", "--account", "1", "--ingress", "action=accept,colour=red"],
        &["filter", "delete", "../x", "--account", "1"],
        &["quota"],
        &["eni", "add"],
        &["eni", "add", "--id", "eni-1", "--mac", "02:00:00:00:00:01"],
        &["eni", "add", "--id", "eni-1", "--vswitch", "v", "--mac", "m", "--ip", "10.0.0"],
        &["eni", "eni-1", "delete", "eni-1"],
        &["account", "set-status", "1", "rich"],
        &["account", "add", "1", "--secret", "s3cr3t"],
        &["inventory", "show", "rubbish"],
        &["top", "--once", "--count", "3"],
        &["tag", "add", "session", "tms-1", "=x", "--account", "1"],
    ] {
        let output = daemon.ctl(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output.stderr));
        assert!(!output.stderr.is_empty());
    }
    assert!(daemon.seen().is_empty());
    let output = daemon.ctl(&["rule", "create", "tmf-1", "--account", "1", "--ingress", "action=accept,colour=red"]);
    let expected = "\"colour\" is no field of a rule; fields are action, priority, protocol, source, destination, \
                    source-ports, destination-ports";
    assert!(text(&output.stderr).contains(expected), "{}", text(&output.stderr));
}
