//! The same capture through replay and through the live switch: the same frames come out.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use vswitch_perf::guest::{GuestPort, pcap};

use crate::frames::{is_copy, numbered, send};
use crate::switch::{Setup, Switch};

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
    // Fragments: a datagram's first and last, one inside TCP's header, one beyond the longest packet.
    for (protocol, word) in [(17, 0x2000u16), (17, 0x0009), (6, 0x0001), (17, 0x1fff)] {
        let mut fragment = numbered(0, 1, 5, 100);
        fragment[23] = protocol;
        fragment[20..22].copy_from_slice(&word.to_be_bytes());
        frames.push(fragment);
    }
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

/// Replays frames at eni-0; the folder with what came out.
fn replay(switch: &Switch, frames: &[Vec<u8>]) -> PathBuf {
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
    out
}

fn verdicts(out: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(out.join("verdicts.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// All that came to these ports: delivered frames, and copies.
fn received(ports: [&mut GuestPort; 3]) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let (mut delivered, mut mirrored) = (Vec::new(), Vec::new());
    for port in ports {
        while let Some(frame) = port.receive(Duration::from_millis(200)) {
            if is_copy(&frame) { mirrored.push(frame) } else { delivered.push(frame) }
        }
    }
    (delivered, mirrored)
}

#[test]
fn live_and_replay_agree() {
    let switch = Setup { sessions: vec![(vec![0], 2, 200)], ..Setup::default() }.start();
    let (mut a, mut b, mut c) = (switch.guest(0), switch.guest(1), switch.guest(2));
    let frames = capture();
    for frame in &frames {
        send(&mut a, frame);
        assert!(crate::switch::wait_until(|| a.outstanding() == 0));
    }
    let (delivered, mirrored) = received([&mut a, &mut b, &mut c]);
    let out = replay(&switch, &frames);
    assert_eq!(sorted(nanosecond_pcap(&out.join("delivered.pcap"))), sorted(delivered));
    assert_eq!(sorted(nanosecond_pcap(&out.join("mirrored.pcap"))), sorted(mirrored));
    let lines = verdicts(&out);
    assert_eq!(lines.len(), frames.len());
    let text = std::fs::read_to_string(out.join("verdicts.jsonl")).unwrap();
    for reason in [
        "spoofed_ip",
        "bad_ip_length",
        "no_route",
        "vlan_tag",
        "arp_answered",
        "packet_length",
        "fragment_overlap",
        "fragment_beyond",
    ] {
        assert!(text.contains(reason), "{reason}");
    }
    agrees_with_counters(&switch, &lines, "outbound");
}

/// Each verdict about eni-0's packets occurs as often as the live switch counted it.
fn agrees_with_counters(switch: &Switch, lines: &[Value], direction: &str) {
    let lines: Vec<_> = lines.iter().filter(|line| line["direction"] == direction).collect();
    let said = |test: &dyn Fn(&Value) -> bool| lines.iter().filter(|line| test(line)).count() as u64;
    let eni = "eni=\"eni-0\"";
    let label = format!("direction=\"{direction}\"");
    let mut ended = 0;
    for (word, metric) in [("dropped", "vswitch_eni_drops_total"), ("consumed", "vswitch_eni_consumed_total")] {
        let reasons: BTreeSet<&str> = lines.iter().filter_map(|line| line["service"][word].as_str()).collect();
        for reason in reasons {
            let counted = switch.metric(metric, &[eni, &format!("reason=\"{reason}\"")]);
            assert_eq!(counted, said(&|line| line["service"][word] == reason), "{word} {reason}");
            ended += counted;
        }
        let all = switch.metric(metric, &[eni]);
        assert_eq!(all, said(&|line| line["service"][word].is_string()), "{word}");
    }
    assert_eq!(said(&|line| line["service"] == "delivered"), lines.len() as u64 - ended);
    let mirrored = |line: &Value, key: &str, value: &str| {
        line["mirror"].as_array().unwrap().iter().any(|m| m["direction"] == direction && m[key] == value)
    };
    let sent = switch.metric("vswitch_mirror_packets_total", &[eni, &label]);
    assert_eq!(sent, said(&|line| mirrored(line, "verdict", "mirrored")));
    let rule = if direction == "outbound" { "r-1" } else { "r-in-1" };
    assert_eq!(sent, said(&|line| mirrored(line, "session", "s-0") && mirrored(line, "rule", rule)));
    let cut = switch.metric("vswitch_mirror_cut_total", &[eni, &label, "cause=\"packet_length\""]);
    assert_eq!(cut, said(&|line| mirrored(line, "cut", "packet_length")));
    for reason in ["arp", "dhcp"] {
        let counted = switch.metric("vswitch_mirror_excluded_total", &[eni, &label, &format!("reason=\"{reason}\"")]);
        assert_eq!(counted, said(&|line| mirrored(line, "reason", reason)), "{reason}");
    }
}

#[test]
fn inbound_frames_agree_too_and_those_that_could_never_come_are_not_delivered() {
    let switch = Setup { sessions: vec![(vec![0], 2, 200)], ..Setup::default() }.start();
    let (mut a, mut b, mut c) = (switch.guest(0), switch.guest(1), switch.guest(2));
    for n in 0..60u64 {
        send(&mut b, &numbered(1, 0, n, 60 + (n as usize * 37) % 1455));
        assert!(crate::switch::wait_until(|| b.outstanding() == 0));
    }
    let (delivered, mirrored) = received([&mut a, &mut b, &mut c]);
    assert_eq!((delivered.len(), mirrored.len()), (60, 60));
    // What the guest got is what it would have recorded.
    let mut lies = numbered(1, 0, 61, 100);
    lies[16..18].copy_from_slice(&999u16.to_be_bytes());
    let mut vlan = numbered(1, 0, 62, 100);
    vlan[12..14].copy_from_slice(&[0x81, 0]);
    let impossible =
        [(lies, "bad_ip_length"), (vlan, "vlan_tag"), (numbered(1, 0, 63, 100)[..30].to_vec(), "short_frame")];
    let frames: Vec<_> = delivered.iter().chain(impossible.iter().map(|(frame, _)| frame)).cloned().collect();
    let out = replay(&switch, &frames);
    assert_eq!(nanosecond_pcap(&out.join("delivered.pcap")), delivered);
    assert_eq!(sorted(nanosecond_pcap(&out.join("mirrored.pcap"))), sorted(mirrored));
    let lines = verdicts(&out);
    agrees_with_counters(&switch, &lines[..60], "inbound");
    for (line, (_, reason)) in lines[60..].iter().zip(&impossible) {
        assert_eq!(line["service"], serde_json::json!({ "dropped": reason }));
    }
}
