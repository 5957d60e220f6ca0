//! What cannot be is said in one plain sentence, with the right exit code.

use std::net::TcpListener;
use std::process::Command;

use crate::switch::{Folder, Setup, ctl};

fn run(arguments: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vswitch"));
    command.args(arguments).envs(environment.iter().copied());
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Runs a switch that must not come up.
fn fails(change: &str, environment: &[(&str, &str)]) -> String {
    let folder = Folder::new();
    let setup = Setup::default();
    folder.write("inventory.json", &setup.inventory().to_string());
    folder.write("mirror.json", &setup.mirror().to_string());
    let dir = folder.0.display();
    let text = format!(
        "[files]\ninventory = \"{dir}/inventory.json\"\nmirror = \"{dir}/mirror.json\"\n\
         [ports]\nsocket_dir = \"{dir}\"\n[store]\npath = \"\"\n[ops]\nsocket = \"{dir}/ops.sock\"\n{change}\n"
    );
    let file = folder.write("v.toml", &text);
    let (code, text) = run(&["run", "--config", file.to_str().unwrap()], environment);
    assert_eq!(code, Some(1), "{text}");
    text
}

const ANY_PORT: (&str, &str) = ("VSWITCH__METRICS__LISTEN", "127.0.0.1:0");
const SMALL: (&str, &str) = ("VSWITCH__DPDK__HUGEPAGES", "false");

#[test]
fn usage_is_2() {
    assert_eq!(run(&["walk"], &[]).0, Some(2));
    assert_eq!(run(&["run", "--confog", "x"], &[]).0, Some(2));
}

#[test]
fn a_missing_file_is_named() {
    let (code, text) = run(&["run", "--config", "nowhere.toml"], &[]);
    assert_eq!(code, Some(1));
    assert!(text.starts_with("vswitch: nowhere.toml: cannot be read"), "{text}");
}

#[test]
fn a_port_taken() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let text = fails("", &[("VSWITCH__METRICS__LISTEN", &address), ("VSWITCH__WORKER__COUNT", "0")]);
    assert!(text.contains("the port is taken by another process"), "{text}");
}

#[test]
fn an_lcore_that_does_not_exist() {
    let text = fails("[worker]\nlcores = [999]", &[ANY_PORT, SMALL]);
    assert!(text.contains("CPU 999 does not exist"), "{text}");
}

#[test]
fn too_few_hugepages() {
    let text = fails("[dpdk]\nmemory_mb = 1000000", &[ANY_PORT]);
    assert!(text.contains("500000 of 2 MiB are needed"), "{text}");
    assert!(text.contains("sysctl -w vm.nr_hugepages="), "{text}");
}

#[test]
fn a_socket_path_that_is_not_a_socket() {
    let folder = Folder::new();
    let file = folder.write("file", "precious");
    let path = file.to_str().unwrap();
    let text = fails("", &[ANY_PORT, ("VSWITCH__WORKER__COUNT", "0"), ("VSWITCH__OPS__SOCKET", path)]);
    assert!(text.contains("exists and is not a socket"), "{text}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "precious");
}

#[test]
fn nobody_there_is_3_and_wrong_usage_2() {
    let folder = Folder::new();
    let nobody = folder.0.join("nobody.sock");
    assert_eq!(ctl(&nobody, &["eni"]).status.code(), Some(3));
    assert_eq!(ctl(&nobody, &["enis"]).status.code(), Some(2));
}

#[test]
fn too_little_memory_for_the_workers_names_how_much() {
    let text = fails("[worker]\ncount = 4\nlcores = [0, 0, 0, 0]", &[ANY_PORT, SMALL]);
    assert!(text.contains("dpdk.memory_mb = 256 is too little: 4 workers"), "{text}");
    assert!(text.contains("set dpdk.memory_mb = 4"), "{text}");
}

#[test]
fn control_alone_answers_without_dpdk() {
    let switch = Setup { workers: 0, ..Setup::default() }.start();
    assert_eq!(switch.ctl_json(&["eni"]).as_array().unwrap().len(), 3);
    assert_eq!(switch.ctl_json(&["eni", "eni-1"])["state"], "waiting");
    let output = switch.ctl(&["eni", "eni-9"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no ENI eni-9"));
    assert!(switch.reload(&Setup { enis: 5, workers: 0, ..Setup::default() }).status.success());
    assert_eq!(switch.ctl_json(&["eni"]).as_array().unwrap().len(), 5);
    assert!(String::from_utf8_lossy(&switch.ctl(&["session"]).stdout).starts_with("SESSION"));
    assert!(
        String::from_utf8_lossy(&switch.ctl(&["top", "--interval", "0.1", "--count", "1"]).stdout).contains("eni-4")
    );
}

#[test]
fn check_prints_the_effective_configuration() {
    let folder = Folder::new();
    let setup = Setup::default();
    let inventory = folder.write("i.json", &setup.inventory().to_string());
    let mirror = folder.write("m.json", &setup.mirror().to_string());
    let files = format!("[files]\ninventory = {inventory:?}\nmirror = {mirror:?}\n");
    let file = folder.write("v.toml", &files);
    let output = Command::new(env!("CARGO_BIN_EXE_vswitch"))
        .args(["check", "--config"])
        .arg(&file)
        .env("VSWITCH__WORKER__BURST", "7")
        .output()
        .unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("burst = 7"), "{text}");
}
