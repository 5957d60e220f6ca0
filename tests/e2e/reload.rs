//! Changes under traffic.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use vswitch_perf::guest::GuestPort;

use crate::frames::{number, numbered};
use crate::switch::Setup;

/// Sends at a rate until told, while receiving; returns sent and received numbers.
fn stream(a: &mut GuestPort, b: &mut GuestPort, rate: f64, stop: impl Fn(Instant) -> bool) -> (u64, Vec<u64>) {
    let (mut sent, mut got) = (0, Vec::new());
    let began = Instant::now();
    while !stop(began) {
        let due = (began.elapsed().as_secs_f64() * rate) as u64;
        while sent < due {
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
