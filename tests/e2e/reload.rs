//! Changes under traffic.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use vswitch_perf::guest::GuestPort;

use crate::frames::{number, numbered};
use crate::switch::Setup;

/// Packets under way at a time, fewer than a guest's ring holds: what is lost, the switch lost.
const WINDOW: u64 = 256;

/// Sends at a rate until told, while receiving; returns sent and received numbers.
fn stream(a: &mut GuestPort, b: &mut GuestPort, rate: f64, stop: impl Fn(Instant) -> bool) -> (u64, Vec<u64>) {
    let (mut sent, mut got) = (0, Vec::new());
    let began = Instant::now();
    while !stop(began) {
        let due = (began.elapsed().as_secs_f64() * rate) as u64;
        while sent < due && sent < got.len() as u64 + WINDOW {
            if !a.send(&numbered(0, 1, sent, 64)) {
                break;
            }
            sent += 1;
        }
        a.kick();
        while let Some(frame) = b.try_receive() {
            got.push(number(&frame));
        }
        b.wait(&[], Some(Duration::from_millis(1)));
    }
    while let Some(frame) = b.receive(Duration::from_millis(300)) {
        got.push(number(&frame));
    }
    (sent, got)
}

#[test]
fn nothing_of_the_others_is_lost_or_doubled() {
    let switch = Setup::default().start();
    let (mut a, mut b) = (switch.guest_like(0, |c| c.queue_size = 1024), switch.guest_like(1, |c| c.queue_size = 1024));
    // A load that is lossless now; half of it must stay so under change.
    let mut rate = 64_000.0;
    loop {
        let (sent, got) = stream(&mut a, &mut b, rate, |began| began.elapsed() > Duration::from_millis(500));
        if got.len() as u64 == sent && sent as f64 >= rate * 0.45 {
            break;
        }
        rate /= 2.0;
        assert!(rate > 500.0, "no lossless rate");
    }
    let done = Arc::new(AtomicBool::new(false));
    let (sent, got) = std::thread::scope(|scope| {
        let reloads = scope.spawn(|| {
            for round in 0..25 {
                let enis = 3 + round % 5;
                let sessions = if round % 2 == 0 { vec![(vec![0], 2, 1500)] } else { Vec::new() };
                let output = switch.reload(&Setup { enis, sessions, ..Setup::default() });
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            }
            done.store(true, Ordering::Relaxed);
        });
        let streamed = stream(&mut a, &mut b, rate / 2.0, |_| done.load(Ordering::Relaxed));
        reloads.join().unwrap();
        streamed
    });
    println!("{sent} packets at {} a second under 25 reloads", rate / 2.0);
    assert_eq!(got, (0..sent).collect::<Vec<_>>(), "each once and in order");
    assert!(sent > 100, "{sent}");
    assert_eq!(switch.metric("vswitch_worker_snapshot_version", &[]), 26);
}

#[test]
fn a_bad_file_leaves_the_running_configuration() {
    let switch = Setup::default().start();
    let (mut a, mut b) = (switch.guest(0), switch.guest(1));
    switch.folder.write("inventory.json", "{\"Vpcs\": 3}");
    let output = switch.ctl(&["reload"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("inventory.json: Vpcs = 3: a list is expected here"), "{text}");
    assert!(text.contains("RegionId: missing"), "{text}");
    crate::frames::exchange((0, &mut a), (1, &mut b), 50, 100);
    // A path that cannot be a socket: refused as a whole, by SIGHUP too.
    let mut inventory = Setup { enis: 4, ..Setup::default() }.inventory();
    inventory["NetworkInterfaces"][3]["Socket"] = switch.folder.0.display().to_string().into();
    switch.folder.write("inventory.json", &inventory.to_string());
    let output = switch.ctl(&["reload"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("is not a socket"));
    crate::switch::kill(switch.pid(), libc::SIGHUP);
    assert!(crate::switch::wait_until(|| switch.log().contains("not reloaded")));
    assert_eq!(switch.ctl_json(&["eni"]).as_array().unwrap().len(), 3);
    crate::frames::exchange((0, &mut a), (1, &mut b), 50, 100);
}

#[test]
fn an_eni_that_is_removed_is_gone_and_one_that_is_added_works() {
    let switch = Setup::default().start();
    let (mut a, mut b) = (switch.guest(0), switch.guest(1));
    assert!(switch.reload(&Setup { enis: 1, ..Setup::default() }).status.success());
    assert!(crate::switch::wait_until(|| !b.is_connected()));
    crate::frames::send(&mut a, &numbered(0, 1, 1, 100));
    assert!(crate::switch::wait_until(|| switch.metric("vswitch_eni_drops_total", &["eni=\"eni-0\""]) == 1));
    assert!(switch.reload(&Setup { enis: 2, ..Setup::default() }).status.success());
    b.connect(crate::switch::PATIENCE).unwrap();
    switch.wait_up(1);
    crate::frames::exchange((0, &mut a), (1, &mut b), 50, 100);
}

/// Streams from eni-0 to eni-1 until `done`, with little under way, and judges all that comes: service each once and in
/// order, copies at most once each, in order, byte for byte. Returns the next number and the copies that came.
fn stream_with_copies(ports: [&mut GuestPort; 3], first: u64, done: impl Fn(u64) -> bool) -> (u64, u64) {
    let [a, b, collector] = ports;
    let (mut sent, mut got, mut copies, mut last_copy) = (first, first, 0, None);
    let mut quiet = Instant::now();
    while quiet.elapsed() < Duration::from_millis(200) || got < sent {
        assert!(quiet.elapsed() < crate::switch::PATIENCE, "service lost: {got} of {sent}");
        if !done(sent) {
            quiet = Instant::now();
            while sent < got + 16 && a.send(&numbered(0, 1, sent, 80)) {
                sent += 1;
            }
            a.kick();
        }
        while let Some(frame) = b.try_receive() {
            assert_eq!(frame, numbered(0, 1, got, 80));
            (got, quiet) = (got + 1, Instant::now());
        }
        while let Some(copy) = collector.try_receive() {
            let n = number(&copy[50..]);
            assert_eq!(copy[50..], numbered(0, 1, n, 80));
            assert!(n >= first && last_copy.is_none_or(|last| last < n), "{n} after {last_copy:?}");
            (copies, last_copy, quiet) = (copies + 1, Some(n), Instant::now());
        }
        b.wait(&[], Some(Duration::from_micros(200)));
    }
    (sent, copies)
}

#[test]
fn two_workers_take_a_change_one_after_the_other_and_lose_count_of_nothing() {
    // eni-0 is worker 0's; its receiver eni-1 and its target eni-3 are worker 1's: everything crosses.
    let setup = |on: bool, enis| Setup {
        workers: 2,
        enis,
        sessions: if on { vec![(vec![0], 3, 1500)] } else { Vec::new() },
        ..Setup::default()
    };
    let switch = setup(false, 4).start();
    let (mut a, mut b) = (switch.guest(0), switch.guest(1));
    let mut collector = switch.guest_like(3, |c| c.queue_size = 1024);
    let (mut next, mut copied) = (0, 0);
    for round in 0..24 {
        let (on, enis) = (round % 2 == 0, 4 + (round % 3) / 2);
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let reload = scope.spawn(|| {
                std::thread::sleep(Duration::from_millis(5));
                let output = switch.reload(&setup(on, enis));
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                std::thread::sleep(Duration::from_millis(5));
                done.store(true, Ordering::Relaxed);
            });
            let ports = [&mut a, &mut b, &mut collector];
            let (sent, copies) = stream_with_copies(ports, next, |_| done.load(Ordering::Relaxed));
            reload.join().unwrap();
            (next, copied) = (sent, copied + copies);
        });
        switch.assert_conserved();
        if on {
            let count = |what: &str| switch.metric(&format!("vswitch_mirror_{what}_total"), &[]);
            assert_eq!(count("matched"), count("packets") + count("skips"), "round {round}");
            assert!(count("matched") > 0, "round {round}");
        }
    }
    assert!(copied > 100, "{copied}");
    assert_eq!(switch.ctl_json(&["stats"])["in_flight"], 0);
    // And when nothing changes, every packet has its copy.
    assert!(switch.reload(&setup(true, 4)).status.success());
    let (sent, copies) = stream_with_copies([&mut a, &mut b, &mut collector], next, |sent| sent >= next + 500);
    assert_eq!(copies, sent - next);
}
