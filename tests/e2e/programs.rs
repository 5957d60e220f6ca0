//! The guest program as a process, with pcap files behind its ports.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use vswitch_perf::guest::pcap;

use crate::frames::numbered;
use crate::switch::{Setup, kill, wait_until};

/// The program, built as this test was: cargo builds the programs of this package only.
pub fn program() -> PathBuf {
    let beside = Path::new(env!("CARGO_BIN_EXE_vswitch")).with_file_name("vswitch-guest");
    let folder = beside.parent().unwrap();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--locked", "--package", "vswitch-perf", "--bin", "vswitch-guest"]);
    cargo.arg("--manifest-path").arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml"));
    cargo.arg("--target-dir").arg(folder.parent().unwrap());
    if folder.ends_with("release") {
        cargo.arg("--release");
    }
    assert!(cargo.status().unwrap().success());
    beside
}

fn guest(port: &str) -> Child {
    Command::new(program()).args(["--stats", "--port", port]).stdout(Stdio::piped()).spawn().unwrap()
}

/// Ends a guest and reads what it did.
fn stats(guest: Child) -> Value {
    kill(guest.id().cast_signed(), libc::SIGTERM);
    let output = guest.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice::<Value>(&output.stdout).unwrap()["stats"].clone()
}

#[test]
fn vswitch_guest_sends_one_pcap_and_writes_the_other() {
    let switch = Setup { sessions: vec![(vec![0], 2, 1500)], ..Setup::default() }.start();
    let dir = switch.folder.0.display();
    let frames: Vec<_> = (0..100).map(|n| numbered(0, 1, n, 60 + 14 * n as usize)).collect();
    let mut input = pcap::PcapWriter::create(&switch.folder.0.join("in.pcap")).unwrap();
    frames.iter().for_each(|f| input.write(f).unwrap());
    let receiver = guest(&format!("socket={dir}/eni-1.sock,ring=packed,pcap-out={dir}/out.pcap"));
    let collector = guest(&format!("socket={dir}/eni-2.sock,pcap-out={dir}/copies.pcap"));
    switch.wait_up(1);
    switch.wait_up(2);
    let sender = guest(&format!("socket={dir}/eni-0.sock,pcap-in={dir}/in.pcap"));
    let read = |name: &str| pcap::read(&switch.folder.0.join(name)).unwrap_or_default();
    assert!(wait_until(|| read("out.pcap").len() == 100 && read("copies.pcap").len() == 100));
    assert_eq!(stats(sender)["sent"], 100);
    assert_eq!(stats(receiver)["received"], 100);
    assert_eq!(stats(collector)["received"], 100);
    assert_eq!(read("out.pcap"), frames);
    for (copy, frame) in read("copies.pcap").iter().zip(&frames) {
        assert_eq!(copy[50..], frame[..frame.len().min(14 + 1450)]);
    }
}
