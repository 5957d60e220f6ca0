//! The same capture through replay and through the live switch: the same frames come out.

use std::process::Command;
use std::time::Duration;

use vswitch_perf::guest::pcap;

use crate::frames::{is_copy, numbered, send};
use crate::switch::Setup;

/// Good frames, frames for nobody, lies.
fn capture() -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    for n in 0..60u64 {
        let len = 60 + (n as usize * 37) % 1455;
        frames.push(numbered(0, if n % 4 == 3 { 2 } else { 1 }, n, len));
    }
    let mut spoofed = numbered(0, 1, 1, 100);
    spoofed[29] = 99;
    let mut lies = numbered(0, 1, 2, 100);
    lies[16..18].copy_from_slice(&999u16.to_be_bytes());
    let mut nowhere = numbered(0, 1, 3, 100);
    nowhere[33] = 200;
    let mut vlan = numbered(0, 1, 4, 100);
    vlan[12..14].copy_from_slice(&[0x81, 0]);
    let mut arp = vec![0u8; 42];
    arp[..6].fill(0xff);
    arp[6..12].copy_from_slice(&[2, 0, 0, 0, 0, 10]);
    arp[12..22].copy_from_slice(&[8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
    arp[22..28].copy_from_slice(&[2, 0, 0, 0, 0, 10]);
    arp[28..32].copy_from_slice(&[10, 0, 0, 10]);
    arp[38..42].copy_from_slice(&[10, 0, 0, 11]);
    frames.extend([spoofed, lies, nowhere, vlan, arp]);
    frames
}

fn sorted(mut frames: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    frames.sort();
    frames
}

/// Frames of a nanosecond pcap, which is what replay writes.
fn nanosecond_pcap(path: &std::path::Path) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(path).unwrap();
    let (mut at, mut frames) = (24, Vec::new());
    while at < bytes.len() {
        let len = u32::from_le_bytes(bytes[at + 8..at + 12].try_into().unwrap()) as usize;
        frames.push(bytes[at + 16..at + 16 + len].to_vec());
        at += 16 + len;
    }
    frames
}

#[test]
fn live_and_replay_agree() {
    let switch = Setup { sessions: vec![(vec![0], 2, 200)], ..Setup::default() }.start();
    let (mut a, mut b, mut c) = (switch.guest(0), switch.guest(1), switch.guest(2));
    let frames = capture();
    let (mut delivered, mut mirrored) = (Vec::new(), Vec::new());
    for frame in &frames {
        send(&mut a, frame);
        assert!(crate::switch::wait_until(|| a.outstanding() == 0));
    }
    for port in [&mut a, &mut b, &mut c] {
        while let Some(frame) = port.receive(Duration::from_millis(200)) {
            if is_copy(&frame) { mirrored.push(frame) } else { delivered.push(frame) }
        }
    }
    let path = switch.folder.0.join("in.pcap");
    let mut writer = pcap::PcapWriter::create(&path).unwrap();
    frames.iter().for_each(|f| writer.write(f).unwrap());
    let out = switch.folder.0.join("out");
    let status = Command::new(env!("CARGO_BIN_EXE_vswitch"))
        .arg("replay")
        .arg("--inventory")
        .arg(switch.folder.0.join("inventory.json"))
        .arg("--mirror")
        .arg(switch.folder.0.join("mirror.json"))
        .args(["--eni", "eni-0", "--direction", "auto", "--pcap"])
        .arg(&path)
        .arg("--out")
        .arg(&out)
        .status()
        .unwrap();
    assert!(status.success());
    assert_eq!(sorted(nanosecond_pcap(&out.join("delivered.pcap"))), sorted(delivered));
    assert_eq!(sorted(nanosecond_pcap(&out.join("mirrored.pcap"))), sorted(mirrored));
    let verdicts = std::fs::read_to_string(out.join("verdicts.jsonl")).unwrap();
    assert_eq!(verdicts.lines().count(), frames.len());
    for reason in ["spoofed_ip", "bad_ip_length", "no_route", "vlan_tag", "arp_answered", "packet_length"] {
        assert!(verdicts.contains(reason), "{reason}");
    }
}
