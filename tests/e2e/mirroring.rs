//! Copies of real packets.

use std::time::Duration;

use crate::frames::{is_copy, number, numbered, send};
use crate::switch::{PATIENCE, Setup};

#[test]
fn every_packet_of_a_source_is_copied_in_both_directions() {
    let switch = Setup { sessions: vec![(vec![0], 2, 1500)], ..Setup::default() }.start();
    let (mut a, mut b, mut c) = (switch.guest(0), switch.guest_like(1, |c| c.packed = true), switch.guest(2));
    let mut bytes = 0;
    for count in 0..200 {
        let len = 60 + (count as usize * 7) % 1400;
        bytes += len as u64;
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
    for direction in ["direction=\"outbound\"", "direction=\"inbound\""] {
        let mirrored = |what: &str| switch.metric(&format!("vswitch_mirror_{what}_total"), &[direction]);
        assert_eq!((mirrored("matched"), mirrored("packets")), (200, 200));
        assert_eq!((mirrored("bytes"), mirrored("inner_bytes")), (bytes + 200 * 50, bytes - 200 * 14));
    }
    let moved = |eni: &str, way: &str| switch.metric(&format!("vswitch_eni_{way}_bytes_total"), &[eni]);
    for eni in ["eni=\"eni-0\"", "eni=\"eni-1\""] {
        assert_eq!((moved(eni, "rx"), moved(eni, "tx")), (bytes, bytes));
    }
    let collector = "eni=\"eni-2\"";
    assert_eq!((moved(collector, "rx"), moved(collector, "tx")), (0, 2 * bytes + 400 * 50));
    assert_eq!(switch.metric("vswitch_eni_tx_copies_total", &[collector]), 400);
    assert_eq!(switch.metric("vswitch_worker_packets_total", &["worker=\"0\""]), 400);
    let cycles = || ["busy", "idle"].map(|c| switch.metric(&format!("vswitch_worker_{c}_cycles_total"), &[]));
    let before = cycles();
    assert!(before.iter().all(|c| *c > 0), "{before:?}");
    send(&mut a, &numbered(0, 1, 0, 60));
    b.receive(PATIENCE).expect("lost");
    assert!(crate::switch::wait_until(|| cycles().iter().zip(before).all(|(now, before)| *now > before)));
    assert_eq!(switch.metric("vswitch_build_info", &[&format!("version=\"{}\"", env!("CARGO_PKG_VERSION"))]), 1);
}

#[test]
fn a_target_that_takes_nothing_costs_another_session_nothing() {
    let sessions = vec![(vec![0], 2, 1500), (vec![1], 3, 1500)];
    let switch = Setup { enis: 4, sessions, ..Setup::default() }.start();
    let (mut a, mut b) = (switch.guest(0), switch.guest(1));
    let (mut slow, mut quick) = (switch.guest(2), switch.guest(3));
    let of = |session: usize, what: &str| {
        switch.metric(&format!("vswitch_mirror_{what}_total"), &[&format!("session=\"s-{session}\"")])
    };
    slow.stall(true);
    // What a sends is copied to the slow target as a's, and to the quick one as b's.
    let mut pass = |count: u64| {
        send(&mut a, &numbered(0, 1, count, 200));
        assert_eq!(number(&b.receive(PATIENCE).expect("service suffers")), count);
        let copy = quick.receive(PATIENCE).expect("the other session suffers");
        assert_eq!(copy[50..], numbered(0, 1, count, 200)[..]);
    };
    (0..1000).for_each(&mut pass);
    assert!(of(0, "skips") >= 700, "{}", of(0, "skips"));
    drop(slow);
    assert!(crate::switch::wait_until(|| switch.metric("vswitch_eni_up", &["eni=\"eni-2\""]) == 0));
    (1000..1100).for_each(&mut pass);
    assert_eq!(switch.metric("vswitch_mirror_skips_total", &["session=\"s-0\"", "reason=\"target_down\""]), 100);
    assert_eq!((of(1, "matched"), of(1, "packets"), of(1, "skips")), (1100, 1100, 0));
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
fn frames_of_8514_bytes_pass_both_ways_copies_fit_their_targets_and_explain_knew() {
    // What eni-0 sends and gets goes to a jumbo target, the same of eni-1 to one of MTU 1500.
    let sessions = vec![(vec![0], 2, 8500), (vec![1], 3, 8500)];
    let switch = Setup { enis: 4, mtu: 8500, small: vec![3], sessions, ..Setup::default() }.start();
    let mut ends = [switch.guest(0), switch.guest(1)];
    let (mut jumbo, mut small) = (switch.guest(2), switch.guest(3));
    for (total, from) in [64, 1449, 1450, 1451, 8449, 8450, 8451, 8500].into_iter().flat_map(|n| [(n, 0), (n, 1)]) {
        let frame = numbered(from, 1 - from, total as u64, 14 + total);
        send(&mut ends[from], &frame);
        assert_eq!(ends[1 - from].receive(PATIENCE).expect("lost"), frame);
        let (large, cut) = (jumbo.receive(PATIENCE).expect("copy lost"), small.receive(PATIENCE).expect("copy lost"));
        assert_eq!(large[50..], frame[..14 + total.min(8450)], "{total}");
        assert_eq!(cut[50..], frame[..14 + total.min(1450)], "{total}");
        // The copies are those that explain describes: sent by one end, got by the other.
        let (source, destination) = (10 + from, 11 - from);
        let port = 1024 + total % 1000;
        let packet = format!("10.0.0.{source}:{port}>10.0.0.{destination}:2000/udp,len={total}");
        let told =
            switch.ctl_json(&["explain", "--eni", &format!("eni-{from}"), "--direction", "out", "--packet", &packet]);
        for (judged, eni) in told["mirror"].as_array().unwrap().iter().zip([from, 1 - from]) {
            let copy = if eni == 0 { &large } else { &cut };
            let ip = format!("10.0.0.{}", 10 + eni);
            assert_eq!(judged["eni"], format!("eni-{eni}"));
            assert_eq!((&judged["copy"]["source"], &judged["copy"]["bytes"]), (&ip.into(), &copy.len().into()));
            let port = u16::from_be_bytes([copy[34], copy[35]]);
            assert_eq!((&judged["copy"]["vni"], &judged["copy"]["source_port"]), (&(10 + eni).into(), &port.into()));
            assert_eq!(judged["target_connected"], true);
        }
    }
    let cuts = |session: &str| switch.metric("vswitch_mirror_cut_total", &[session, "cause=\"path_mtu\""]);
    assert_eq!((cuts("session=\"s-0\""), cuts("session=\"s-1\"")), (4, 10));
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
    assert!(crate::switch::wait_until(|| switch.metric("vswitch_eni_up", &["eni=\"eni-2\""]) == 0));
    while b.try_receive().is_some() {}
    send(&mut a, &numbered(0, 1, 8, 200));
    assert_eq!(number(&b.receive(PATIENCE).expect("service suffers")), 8);
    assert!(
        crate::switch::wait_until(|| switch.metric("vswitch_mirror_skips_total", &["reason=\"target_down\""]) == 1)
    );
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
    let promtool =
        std::process::Command::new("promtool").args(["check", "metrics"]).stdin(std::process::Stdio::piped()).spawn();
    match promtool {
        Ok(mut promtool) => {
            std::io::Write::write_all(&mut promtool.stdin.take().unwrap(), page.as_bytes()).unwrap();
            assert!(promtool.wait().unwrap().success());
        }
        Err(_) => crate::switch::missing("there is no promtool (Debian's package prometheus)"),
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
