//! Signals at any time: the end is orderly, has the exit code 0 and takes less than a second.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use vswitch_perf::guest::GuestPort;

use crate::frames::burst;
use crate::switch::{PATIENCE, Setup, Switch, kill, wait_until};

fn assert_ends(switch: &mut Switch, signal: i32) {
    let (code, took) = switch.signal(signal);
    assert_eq!(code, Some(0), "{}", switch.log());
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[test]
fn signals_end_it_in_under_a_second_with_0_however_many_guests_are_talking() {
    const PORTS: usize = 64;
    for (signal, server_mode) in [(libc::SIGTERM, false), (libc::SIGINT, true)] {
        let mut switch = Setup { enis: PORTS, server_mode, ..Setup::default() }.start();
        let mut guests: Vec<_> = (0..PORTS).map(|n| GuestPort::open(switch.port_config(n)).unwrap()).collect();
        guests.iter_mut().for_each(|guest| guest.connect(PATIENCE).unwrap());
        assert!(wait_until(|| switch.metric("vswitch_eni_up", &[]) == PORTS as u64));
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let talk = || {
                while !done.load(SeqCst) {
                    for (n, guest) in guests.iter_mut().enumerate() {
                        burst(guest, (n, (n + 1) % PORTS), 32, 100);
                        while guest.try_receive().is_some() {}
                    }
                }
            };
            let talking = scope.spawn(talk);
            let moved = wait_until(|| switch.metric("vswitch_eni_tx_packets_total", &[]) > 10_000);
            let (code, took) = switch.signal(signal);
            done.store(true, SeqCst);
            talking.join().unwrap();
            assert!(moved, "there is traffic");
            assert_eq!(code, Some(0), "{}", switch.log());
            assert!(took < Duration::from_secs(1), "{took:?}");
        });
        assert!(!switch.folder.0.join("ops.sock").exists());
        assert!(!switch.folder.0.join("eni-0.sock").exists() || !server_mode, "no socket of ours stays");
    }
}

/// Does the process have a handler of its own for a signal?
fn handles(pid: i32, signal: i32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|l| l.strip_prefix("SigCgt:")).unwrap_or("0").trim().to_owned();
    u64::from_str_radix(&caught, 16).unwrap() >> (signal - 1) & 1 == 1
}

#[test]
fn signals_during_start_up_are_heard() {
    for wait in [0, 20, 60, 150, 300] {
        let mut switch = Setup { server_mode: true, ..Setup::default() }.prepare();
        switch.launch();
        assert!(wait_until(|| handles(switch.pid(), libc::SIGTERM)));
        // EAL, listeners, ports: somewhere in there.
        std::thread::sleep(Duration::from_millis(wait));
        kill(switch.pid(), libc::SIGHUP);
        assert_ends(&mut switch, libc::SIGTERM);
        assert!(!switch.folder.0.join("ops.sock").exists(), "after {wait} ms");
    }
}

/// Puts a pipe that nobody writes in the inventory's place: a reload waits for it.
fn endless_inventory(switch: &Switch) {
    let path = switch.folder.0.join("inventory.json");
    std::fs::remove_file(&path).unwrap();
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

#[test]
fn a_reload_that_does_not_end_keeps_nothing_from_ending() {
    let mut switch = Setup::default().start();
    let _guest = switch.guest(0);
    endless_inventory(&switch);
    kill(switch.pid(), libc::SIGHUP);
    std::thread::sleep(Duration::from_millis(200));
    assert!(switch.get("/readyz").starts_with("ready"), "it answers meanwhile");
    assert_ends(&mut switch, libc::SIGTERM);
    assert!(!switch.folder.0.join("ops.sock").exists());
}

#[test]
fn a_start_that_does_not_end_ends_at_once() {
    let mut switch = Setup::default().prepare();
    endless_inventory(&switch);
    switch.launch();
    assert!(wait_until(|| switch.folder.0.join("ops.sock").exists()));
    assert_ends(&mut switch, libc::SIGINT);
    assert!(switch.log().contains("ends without it"), "{}", switch.log());
}
