//! Guests come, go, reset and lie; the switch goes and comes.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use crate::frames::{burst, exchange, numbered, send};
use crate::switch::{PATIENCE, Setup, wait_until};

#[test]
fn guests_come_go_and_reset_in_the_middle_of_a_burst() {
    let switch = Setup { enis: 4, ..Setup::default() }.start();
    let (mut a, mut b, mut c) = (switch.guest(0), switch.guest(1), switch.guest(3));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        // Neighbours talk all the time, and lose nothing.
        let neighbours = scope.spawn(|| {
            let mut rounds = 0;
            while !done.load(SeqCst) {
                exchange((0, &mut a), (1, &mut b), 200, 100);
                rounds += 1;
            }
            rounds
        });
        let _ended = OnDrop(|| done.store(true, SeqCst));
        for round in 0..15 {
            let mut restless = switch.guest_like(2, |c| c.packed = round % 2 == 1);
            // A burst towards it and from it, and away it goes before it is served.
            burst(&mut c, (3, 2), 250, 100);
            burst(&mut restless, (2, 3), 250, 100);
            if round % 3 == 0 {
                restless.reset().unwrap();
                switch.wait_up(2);
            }
            if round % 5 == 4 {
                restless.disconnect();
            }
            drop(restless);
            assert!(wait_until(|| c.outstanding() == 0), "the switch serves c");
            while c.try_receive().is_some() {}
        }
        done.store(true, SeqCst);
        assert!(neighbours.join().unwrap() > 5, "they talked meanwhile");
    });
}

/// Ends what waits for a flag, in a panic too.
struct OnDrop<F: Fn()>(F);

impl<F: Fn()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

#[test]
fn a_reset_guest_goes_on() {
    let switch = Setup::default().start();
    let (mut a, mut b) = (switch.guest(0), switch.guest_like(1, |c| c.packed = true));
    for _ in 0..5 {
        exchange((0, &mut a), (1, &mut b), 100, 100);
        a.reset().unwrap();
        b.reset().unwrap();
        switch.wait_up(0);
        switch.wait_up(1);
        assert!(wait_until(|| switch.ctl_json(&["eni", "eni-0"])["queue_pairs"] == 1));
        assert!(wait_until(|| switch.ctl_json(&["eni", "eni-1"])["queue_pairs"] == 1));
        exchange((1, &mut b), (0, &mut a), 100, 100);
    }
}

#[test]
fn the_switch_is_killed_and_traffic_resumes() {
    for server_mode in [false, true] {
        let mut switch = Setup { server_mode, ..Setup::default() }.start();
        let (mut a, mut b) = (switch.guest(0), switch.guest(1));
        exchange((0, &mut a), (1, &mut b), 100, 100);
        switch.signal(libc::SIGKILL);
        let began = Instant::now();
        switch.run();
        for port in [&mut a, &mut b] {
            assert!(!port.is_connected());
            port.connect(PATIENCE).unwrap();
        }
        switch.wait_up(0);
        switch.wait_up(1);
        exchange((0, &mut a), (1, &mut b), 100, 100);
        println!("restart to traffic, server mode {server_mode}: {} ms", began.elapsed().as_millis());
    }
}

#[test]
fn more_queues_than_offered_are_refused() {
    let switch = Setup { queue_pairs: 2, ..Setup::default() }.start();
    let mut config = switch.port_config(0);
    config.queue_pairs = 4;
    let mut greedy = vswitch_perf::guest::GuestPort::open(config).unwrap();
    let error = greedy.connect(PATIENCE).unwrap_err().to_string();
    assert!(error.contains("queue pairs"), "{error}");
    drop(greedy);
    let mut modest = switch.guest_like(0, |c| c.queue_pairs = 1);
    let mut other = switch.guest_like(1, |c| c.queue_pairs = 1);
    exchange((0, &mut modest), (1, &mut other), 100, 100);
}

#[test]
fn a_frontend_that_lies_about_its_queues_is_cut_off_with_a_message() {
    let switch = Setup::default().start();
    let mut config = switch.port_config(0);
    config.queue_pairs = 2;
    let mut liar = vswitch_perf::guest::GuestPort::open(config).unwrap();
    liar.ignore_queue_limit();
    let _ = liar.connect(PATIENCE);
    assert!(wait_until(|| switch.ctl_json(&["eni", "eni-0"])["fault"].is_string()));
    let fault = switch.ctl_json(&["eni", "eni-0"])["fault"].to_string();
    assert!(fault.contains("the ENI has 1 queue pairs"), "{fault}");
    drop(liar);
    let (mut a, mut b) = (switch.guest(0), switch.guest(1));
    exchange((0, &mut a), (1, &mut b), 10, 100);
    assert!(switch.ctl_json(&["eni", "eni-0"])["fault"].is_null());
}

#[test]
fn the_vmm_s_mtu_is_compared() {
    let switch = Setup::default().start();
    let right = switch.guest_like(0, |c| c.announce_mtu = Some(1500));
    let wrong = switch.guest_like(1, |c| c.announce_mtu = Some(9000));
    let list = switch.ctl_json(&["eni"]);
    assert_eq!((&list[0]["state"], &list[0]["announced_mtu"]), (&"up".into(), &1500.into()));
    assert_eq!((&list[1]["state"], &list[1]["announced_mtu"]), (&"fault".into(), &9000.into()));
    assert!(list[1]["fault"].as_str().unwrap().contains("host_mtu=1500"));
    assert!(list[0]["qemu"].as_str().unwrap().contains("host_mtu=1500"));
    drop((right, wrong));
}

#[test]
fn a_hog_costs_a_neighbour_nothing() {
    const WINDOW: u64 = 16;
    // ENIs 0 and 2 on worker 0, 1 and 3 on worker 1.
    let switch = Setup { workers: 2, enis: 4, credit: 16, ..Setup::default() }.start();
    let (mut hog, mut sink) = (switch.guest(0), switch.guest(1));
    let (mut neighbour, mut peer) = (switch.guest(2), switch.guest(3));
    sink.stall(true);
    let end = Instant::now() + Duration::from_secs(2);
    let mut count = 0;
    while Instant::now() < end {
        burst(&mut hog, (0, 1), 200, 64);
        for n in count..count + WINDOW {
            send(&mut neighbour, &numbered(2, 3, n, 64));
        }
        for n in count..count + WINDOW {
            let got = peer.receive(PATIENCE).expect("the neighbour lost a packet");
            assert_eq!(got, numbered(2, 3, n, 64));
        }
        count += WINDOW;
    }
    assert!(count > 500, "{count}");
    let exhausted = |eni| switch.metric("vswitch_eni_drops_total", &[eni, "reason=\"credit_exhausted\""]);
    assert!(exhausted("eni=\"eni-0\"") > 0, "the hog has met its limit");
    assert_eq!(exhausted("eni=\"eni-2\""), 0);
}

#[test]
fn a_queue_whose_entries_cannot_be_taken_is_stuck_and_says_so() {
    let switch = Setup::default().start();
    let (mut broken, mut b, mut c) = (switch.guest(0), switch.guest(1), switch.guest(2));
    let stuck_total = |eni: &str| switch.metric("vswitch_eni_ring_stuck_total", &[eni]);
    assert_eq!(stuck_total(""), 0);
    assert!(broken.send_broken());
    broken.kick();
    assert!(wait_until(|| switch.get("/readyz").contains("ring_stuck")), "{}", switch.get("/readyz"));
    assert!(switch.get("/readyz").contains("eni-0"));
    assert_eq!(switch.ctl_json(&["eni", "eni-0"])["stuck_queues"], 1);
    assert_eq!(switch.ctl_json(&["eni", "eni-1"])["stuck_queues"], 0);
    assert_eq!((stuck_total("eni=\"eni-0\""), stuck_total("")), (1, 1), "once, however long it lasts");
    exchange((1, &mut b), (2, &mut c), 100, 100);
    // Fresh rings, and all is well again.
    broken.reset().unwrap();
    assert!(wait_until(|| switch.get("/readyz").starts_with("ready")));
    assert_eq!(switch.ctl_json(&["eni", "eni-0"])["stuck_queues"], 0);
    exchange((0, &mut broken), (1, &mut b), 100, 100);
}
