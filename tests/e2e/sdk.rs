//! A session that an official SDK creates, changes and stops mirrors real packets, from the moment it is Created on.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use vswitch_perf::guest::GuestPort;

use crate::frames::{is_copy, number, numbered, send};
use crate::switch::{PATIENCE, Setup, Switch, free_port, missing};

const KEY: &str = "key-1";
const SECRET: &str = "secret-of-account-1";

/// A switch with a store and a tenant API; its ENIs belong to one account. And where the API is.
fn start() -> (Switch, String) {
    let mut switch = Setup::default().prepare();
    let mut inventory = switch.setup.inventory();
    inventory["Accounts"] =
        json!([{"AccountId": "account-1", "AccessKeys": [{"AccessKeyId": KEY, "AccessKeySecret": SECRET}]}]);
    for eni in inventory["NetworkInterfaces"].as_array_mut().unwrap() {
        eni["OwnerId"] = json!("account-1");
    }
    switch.folder.write("inventory.json", &inventory.to_string());
    switch.folder.write("mirror.json", &json!({"TrafficMirrorFilters": [], "TrafficMirrorSessions": []}).to_string());
    let api = format!("127.0.0.1:{}", free_port());
    let config = std::fs::read_to_string(switch.folder.0.join("vswitch.toml")).unwrap();
    let (store, none) = (switch.folder.0.join("store.redb"), "[store]\npath = \"\"\n");
    assert!(config.contains(none), "{config}");
    let some = format!("[store]\npath = {store:?}\n[api]\nlisten = \"{api}\"\nrequests_per_minute = 100000\n");
    switch.folder.write("vswitch.toml", &config.replace(none, &some));
    switch.run();
    (switch, api)
}

/// The environment of the SDKs, made by `ci/sdk/setup.sh`.
fn python_of_the_sdks() -> Option<PathBuf> {
    let sdk = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/sdk");
    if !sdk.join("recipe").exists() {
        missing("the SDKs are not set up (ci/sdk/setup.sh)");
        return None;
    }
    Some(sdk.join("venv/bin/python"))
}

/// Numbered packets from eni-0 to eni-1 and back, and the copies of them at eni-2.
struct Traffic {
    guests: [GuestPort; 2],
    target: GuestPort,
    sent: u64,
}

impl Traffic {
    fn packet(&mut self, from: usize) -> Vec<u8> {
        let frame = numbered(from, 1 - from, self.sent, 200);
        self.sent += 1;
        send(&mut self.guests[from], &frame);
        assert_eq!(self.guests[1 - from].receive(PATIENCE).expect("service suffers"), frame);
        frame
    }

    /// Every packet is copied with this VNI, the very first one too.
    fn assert_mirrored(&mut self, vni: u8) {
        for from in [0, 1, 0, 1] {
            let frame = self.packet(from);
            let copy = self.target.receive(PATIENCE).expect("copy lost");
            assert!(is_copy(&copy));
            assert_eq!((&copy[46..49], &copy[50..]), (&[0, 0, vni][..], &frame[..]));
        }
    }

    /// No packet is copied, the very first one neither.
    fn assert_not_mirrored(&mut self) {
        (0..4).for_each(|n| drop(self.packet(n % 2)));
        let copy = self.target.receive(Duration::from_millis(100));
        assert!(copy.is_none(), "packet {} is copied", number(&copy.unwrap()[50..]));
    }
}

#[test]
fn a_session_of_each_python_sdk_mirrors_real_packets() {
    let Some(python) = python_of_the_sdks() else { return };
    let (switch, api) = start();
    let step = |client: &str, arguments: &[&str]| {
        let output = Command::new(&python)
            .args(["-B", concat!(env!("CARGO_MANIFEST_DIR"), "/ci/sdk/python/mirror.py"), client])
            .args(arguments)
            .envs([("VSWITCH_ENDPOINT", api.as_str()), ("VSWITCH_REGION", "local")])
            .envs([("VSWITCH_SOURCES", "eni-0"), ("VSWITCH_TARGET", "eni-2")])
            .envs([("ALIBABA_CLOUD_ACCESS_KEY_ID", KEY), ("ALIBABA_CLOUD_ACCESS_KEY_SECRET", SECRET)])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stderr), switch.log());
        output.stdout
    };
    let guests = [switch.guest(0), switch.guest(1)];
    let mut traffic = Traffic { guests, target: switch.guest(2), sent: 0 };
    traffic.assert_not_mirrored();
    for client in ["old", "new", "new-v1"] {
        let ids: Value = serde_json::from_slice(&step(client, &["start"])).unwrap();
        let (filter, session) = (ids["filter"].as_str().unwrap(), ids["session"].as_str().unwrap());
        traffic.assert_mirrored(10);
        step(client, &["vni", session, "11"]);
        traffic.assert_mirrored(11);
        step(client, &["stop", session]);
        traffic.assert_not_mirrored();
        step(client, &["end", session, filter]);
        traffic.assert_not_mirrored();
        let label = format!("session=\"{session}\"");
        assert_eq!(switch.metric("vswitch_mirror_packets_total", &[&label]), 0, "the session is gone");
    }
}
