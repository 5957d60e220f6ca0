//! Copies of real packets.

use std::time::Duration;

use crate::frames::{is_copy, number, numbered, send};
use crate::switch::{PATIENCE, Setup};

#[test]
fn every_packet_of_a_source_is_copied_in_both_directions() {
    let switch = Setup { sessions: vec![(vec![0], 2, 1500)], ..Setup::default() }.start();
    let (mut a, mut b, mut c) = (switch.guest(0), switch.guest_like(1, |c| c.packed = true), switch.guest(2));
    for count in 0..200 {
        let len = 60 + (count as usize * 7) % 1400;
        let (out, back) = (numbered(0, 1, count, len), numbered(1, 0, count, len));
        send(&mut a, &out);
        assert_eq!(b.receive(PATIENCE).expect("lost"), out);
        assert_eq!(c.receive(PATIENCE).expect("copy lost")[50..], out[..]);
        send(&mut b, &back);
        assert_eq!(a.receive(PATIENCE).expect("lost"), back);
        let copy = c.receive(PATIENCE).expect("copy lost");
        assert!(is_copy(&copy));
        assert_eq!(copy[50..], back[..]);
        assert_eq!(copy[46..49], [0, 0, 10], "VNI");
    }
    assert_eq!(switch.metric("vswitch_mirror_packets_total", &["direction=\"outbound\""]), 200);
    assert_eq!(switch.metric("vswitch_mirror_packets_total", &["direction=\"inbound\""]), 200);
}

#[test]
fn jumbo_copies_are_whole_up_to_8450_bytes() {
    let switch = Setup { mtu: 8500, sessions: vec![(vec![0], 2, 8500)], ..Setup::default() }.start();
    let (mut a, mut b, mut c) = (switch.guest(0), switch.guest(1), switch.guest(2));
    for (total, kept) in
        [(100, 100), (1010, 1010), (1011, 1011), (1500, 1500), (8450, 8450), (8451, 8450), (8500, 8450)]
    {
        let frame = numbered(0, 1, total as u64, 14 + total);
        send(&mut a, &frame);
        assert_eq!(b.receive(PATIENCE).expect("lost"), frame);
        let copy = c.receive(PATIENCE).expect("copy lost");
        assert_eq!(copy[50..], frame[..14 + kept], "{total}");
    }
    assert_eq!(switch.metric("vswitch_mirror_cut_total", &["cause=\"path_mtu\""]), 2);
}

#[test]
fn a_target_that_takes_nothing_costs_service_nothing() {
    let switch = Setup { sessions: vec![(vec![0], 2, 1500)], ..Setup::default() }.start();
    let (mut a, mut b, mut c) = (switch.guest(0), switch.guest(1), switch.guest(2));
    c.stall(true);
    for count in 0..2000 {
        send(&mut a, &numbered(0, 1, count, 200));
        assert_eq!(number(&b.receive(PATIENCE).expect("service suffers")), count);
    }
    let full = switch.metric("vswitch_mirror_skips_total", &["reason=\"target_full\""]);
    let sent = switch.metric("vswitch_mirror_packets_total", &[]);
    assert_eq!(full + sent, 2000);
    assert!(full >= 1700, "{full}");
    while c.try_receive().is_some() {}
    c.stall(false);
    send(&mut a, &numbered(0, 1, 7, 200));
    assert!(c.receive(PATIENCE).is_some_and(|copy| is_copy(&copy)), "copies come again");
    drop(c);
    crate::switch::wait_until(|| switch.metric("vswitch_eni_up", &["eni=\"eni-2\""]) == 0);
    while b.try_receive().is_some() {}
    send(&mut a, &numbered(0, 1, 8, 200));
    assert_eq!(number(&b.receive(PATIENCE).expect("service suffers")), 8);
    crate::switch::wait_until(|| switch.metric("vswitch_mirror_skips_total", &["reason=\"target_down\""]) == 1);
}

#[test]
fn the_collector_s_complaint_is_not_delivered() {
    let switch = Setup { sessions: vec![(vec![0], 2, 1500)], ..Setup::default() }.start();
    let (mut a, _b, mut c) = (switch.guest(0), switch.guest(1), switch.guest(2));
    send(&mut a, &numbered(0, 1, 1, 100));
    let copy = c.receive(PATIENCE).expect("copy lost");
    // ICMP port unreachable, as the collector's kernel would send it.
    let mut error = numbered(2, 0, 0, 14 + 20 + 8 + 64);
    error[23] = 1;
    error[34..42].copy_from_slice(&[3, 3, 0, 0, 0, 0, 0, 0]);
    let quote = 64.min(copy.len() - 14);
    error[42..42 + quote].copy_from_slice(&copy[14..14 + quote]);
    send(&mut c, &error);
    let counted = || switch.metric("vswitch_eni_consumed_total", &["reason=\"copy_feedback\""]) == 1;
    assert!(crate::switch::wait_until(counted));
    assert_eq!(a.receive(Duration::from_millis(100)), None);
}

#[test]
fn the_metrics_page_is_clean_and_explain_explains() {
    let switch = Setup { sessions: vec![(vec![0], 2, 1500)], ..Setup::default() }.start();
    let page = switch.get("/metrics");
    for line in page.lines().filter(|l| !l.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        for word in ["# HELP", "# TYPE"] {
            assert!(page.contains(&format!("{word} {name} ")), "{word} {name}");
        }
    }
    if let Ok(mut promtool) =
        std::process::Command::new("promtool").args(["check", "metrics"]).stdin(std::process::Stdio::piped()).spawn()
    {
        std::io::Write::write_all(&mut promtool.stdin.take().unwrap(), page.as_bytes()).unwrap();
        assert!(promtool.wait().unwrap().success());
    }
    let explained = switch.ctl_json(&[
        "explain",
        "--eni",
        "eni-0",
        "--direction",
        "out",
        "--src",
        "10.0.0.10",
        "--dst",
        "10.0.0.11",
        "--protocol",
        "udp",
        "--src-port",
        "1",
        "--dst-port",
        "2",
        "--length",
        "1501",
    ]);
    assert_eq!(explained["service"]["reason"], "too_long");
    let explained = switch.ctl_json(&[
        "explain",
        "--eni",
        "eni-0",
        "--direction",
        "in",
        "--src",
        "10.0.0.11",
        "--dst",
        "10.0.0.10",
        "--protocol",
        "tcp",
        "--length",
        "1500",
    ]);
    assert_eq!(explained["service"]["verdict"], "delivered");
    assert_eq!(explained["mirror"][0]["session"], "s-0");
    assert_eq!(explained["mirror"][0]["kept"], 1450);
    assert_eq!(explained["mirror"][0]["cut"], "path_mtu");
    assert_eq!(switch.metric("vswitch_eni_rx_packets_total", &[]), 0, "no counter moved");
}
