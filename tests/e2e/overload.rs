//! A worker that is saturated, by a guest that floods through one of its two queues: what becomes of its copies, and of
//! its neighbour's.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use vswitch_perf::guest::GuestPort;

use crate::frames::{number, numbered, send};
use crate::switch::{PATIENCE, Setup, Switch, wait_until};

/// ENIs 0 and 1 are the flood's, 3 and 4 the neighbour's; each first one is mirrored to the ENI behind them.
const FLOOD: (usize, usize, usize) = (0, 1, 2);
const NEIGHBOUR: (usize, usize, usize) = (3, 4, 5);
/// Frames that the neighbour sends at a time, fewer than a window of saturation has turns, and how long it then sends
/// nothing: in each window its queue is empty at times.
const FEW: u64 = 3;
const PAUSE: Duration = Duration::from_millis(1);

fn start(overload: &str) -> Switch {
    let sessions = vec![(vec![FLOOD.0], FLOOD.2, 1500), (vec![NEIGHBOUR.0], NEIGHBOUR.2, 1500)];
    let mut switch = Setup { enis: 6, queue_pairs: 2, sessions, ..Setup::default() }.prepare();
    let toml = std::fs::read_to_string(switch.folder.0.join("vswitch.toml")).unwrap();
    // A burst of one packet has all the cost of a burst: a worker that anybody can saturate.
    let toml = toml.replace("[worker]\n", "[worker]\nburst = 1\n").replace("\"share\"", &format!("\"{overload}\""));
    switch.folder.write("vswitch.toml", &toml);
    switch.run();
    switch
}

/// Ends the flood, also when a test fails.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Sends as fast as there is room for, until told to stop.
fn flood(guest: &mut GuestPort, stop: &AtomicBool) {
    let frame = numbered(FLOOD.0, FLOOD.1, 0, 200);
    while !stop.load(Relaxed) {
        (0..64).for_each(|_| {
            guest.send(&frame);
        });
        guest.kick();
    }
}

/// A few frames from guest to guest, all of which arrive, and so do their copies.
fn exchange(guests: &mut [GuestPort; 3], next: &mut u64) {
    let numbers = *next..*next + FEW;
    let frames: Vec<Vec<u8>> = numbers.map(|n| numbered(NEIGHBOUR.0, NEIGHBOUR.1, n, 200)).collect();
    frames.iter().for_each(|frame| send(&mut guests[0], frame));
    for frame in &frames {
        let got = guests[1].receive(PATIENCE).expect("the neighbour's service suffers");
        assert_eq!(number(&got), number(frame));
        let copy = guests[2].receive(PATIENCE).expect("no copy comes");
        assert_eq!(number(&copy[50..]), number(frame), "the neighbour is blinded");
    }
    *next += FEW;
    std::thread::sleep(PAUSE);
}

fn skips(switch: &Switch, session: usize, reason: &str) -> u64 {
    let labels = [format!("session=\"s-{session}\""), reason.to_owned()];
    switch.metric("vswitch_mirror_skips_total", &labels.each_ref().map(String::as_str))
}

/// The guests live, one floods, the other two talk, until `enough`; how many frames the neighbour sent.
fn overloaded(switch: &Switch, enough: impl Fn() -> bool + Send) -> u64 {
    let mut sender = switch.guest(FLOOD.0);
    let _others = (switch.guest(FLOOD.1), switch.guest(FLOOD.2));
    let mut neighbours =
        [NEIGHBOUR.0, NEIGHBOUR.1, NEIGHBOUR.2].map(|eni| switch.guest_like(eni, |c| c.queue_pairs = 1));
    let (stop, mut sent) = (&AtomicBool::new(false), 0);
    let reached = std::thread::scope(|scope| {
        let _stop = Stop(stop);
        scope.spawn(move || flood(&mut sender, stop));
        let waiting = scope.spawn(move || {
            let _stop = Stop(stop);
            wait_until(enough)
        });
        while !stop.load(Relaxed) {
            exchange(&mut neighbours, &mut sent);
        }
        waiting.join().unwrap()
    });
    assert!(reached, "{}", switch.get("/metrics"));
    sent
}

fn saturated(switch: &Switch) -> u64 {
    switch.metric("vswitch_worker_saturated_windows_total", &[])
}

#[test]
fn a_saturated_worker_gives_up_the_flood_s_copies_and_not_its_neighbours() {
    let switch = start("shed");
    let given_up = |session| skips(&switch, session, "reason=\"overload\"");
    let sent = overloaded(&switch, || given_up(0) > 1000);
    assert!(saturated(&switch) > 0);
    let matched = switch.metric("vswitch_mirror_matched_total", &["session=\"s-1\""]);
    assert_eq!((matched, skips(&switch, 1, "")), (sent, 0));
    switch.assert_conserved();
}

#[test]
fn a_saturated_worker_that_shares_gives_up_nothing() {
    let switch = start("share");
    overloaded(&switch, || saturated(&switch) > 10);
    assert_eq!(switch.metric("vswitch_mirror_skips_total", &["reason=\"overload\""]), 0);
    switch.assert_conserved();
}
