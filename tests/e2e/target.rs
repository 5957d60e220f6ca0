//! Targets that take nothing, little, or are not there, under full load and for long: service and other sessions lose
//! nothing.
//!
//! Two pairs of guests talk, each in windows of what their rings hold, as fast as the switch lets them. What eni-0 sends
//! and gets goes to the target that is ill; what eni-1, its partner, and eni-2 send and get goes to healthy ones.

use std::time::{Duration, Instant};

use vswitch_perf::guest::GuestPort;

use crate::frames::{is_copy, number, numbered, send};
use crate::switch::{PATIENCE, Setup, Switch, wait_until};

/// Frames under way each way in a pair: the collector's ring has room for the copies of both ways.
const WINDOW: u64 = 64;
/// Bytes of a frame.
const LEN: usize = 200;
/// Buffers of a guest's ring; a copy of these frames takes one.
const RING: u64 = 256;
/// How long a target is ill where it need not be long.
const SHORT: Duration = Duration::from_secs(3);
/// With two workers, those with even numbers are on one and those with odd numbers on the other: all targets are where
/// their sources are not, but that of eni-1.
const ILL: usize = 5;
const HEALTHY: [(usize, usize); 2] = [(1, 7), (2, 9)];

/// How long a target stays full: a minute, or VSWITCH_TEST_TARGET_SECONDS.
fn long() -> Duration {
    let seconds = std::env::var("VSWITCH_TEST_TARGET_SECONDS").ok();
    Duration::from_secs(seconds.map_or(60, |text| text.parse().expect("VSWITCH_TEST_TARGET_SECONDS: whole seconds")))
}

/// Two guests that talk, and the collector of one of them.
struct Pair {
    first: usize,
    guests: [GuestPort; 2],
    collector: GuestPort,
    /// Frames sent each way.
    sent: u64,
}

impl Pair {
    /// The pair of ENIs `first` and the next, with the collector of its source.
    fn new(switch: &Switch, first: usize, collector: usize) -> Self {
        let guests = [switch.guest(first), switch.guest(first + 1)];
        Pair { first, guests, collector: switch.guest(collector), sent: 0 }
    }

    /// A window each way; all of it arrives in order, and so do the copies.
    fn exchange(&mut self) {
        let ways = [(0, 1), (1, 0)];
        let numbers = self.sent..self.sent + WINDOW;
        for n in numbers.clone() {
            for (from, to) in ways {
                send(&mut self.guests[from], &numbered(self.first + from, self.first + to, n, LEN));
            }
        }
        for (from, to) in ways {
            for n in numbers.clone() {
                let got = self.guests[to].receive(PATIENCE).expect("service suffers");
                assert_eq!(got, numbered(self.first + from, self.first + to, n, LEN), "frame {n}");
            }
        }
        let mut next = [self.sent; 2];
        for _ in 0..2 * WINDOW {
            let copy = self.collector.receive(PATIENCE).expect("another session suffers");
            let from = usize::from(copy[50 + 11]) - 10 - self.first;
            assert_eq!(copy[50..], numbered(self.first + from, self.first + 1 - from, next[from], LEN), "copy");
            next[from] += 1;
        }
        assert_eq!(next, [self.sent + WINDOW; 2]);
        self.sent += WINDOW;
    }
}

/// Both pairs talk for so long, at the same time.
fn talk(pairs: &mut [Pair; 2], time: Duration) {
    let end = Instant::now() + time;
    std::thread::scope(|scope| {
        for pair in pairs {
            scope.spawn(move || {
                while Instant::now() < end {
                    pair.exchange();
                }
            });
        }
    });
}

struct Stage {
    switch: Switch,
    pairs: [Pair; 2],
}

impl Stage {
    fn new(workers: u16) -> Self {
        let sessions = vec![(vec![0], ILL, 1500), (vec![1], HEALTHY[0].1, 1500), (vec![2], HEALTHY[1].1, 1500)];
        let switch = Setup { enis: 10, server_mode: true, workers, sessions, ..Setup::default() }.start();
        let pairs = [Pair::new(&switch, 0, HEALTHY[0].1), Pair::new(&switch, 2, HEALTHY[1].1)];
        Stage { switch, pairs }
    }

    /// A figure of a session, with more labels.
    fn of(&self, session: usize, what: &str, more: &[&str]) -> u64 {
        let session = format!("session=\"s-{session}\"");
        self.switch.metric(&format!("vswitch_mirror_{what}_total"), &[&[&*session], more].concat())
    }

    /// Nobody lost anything but the ill target, and that only for `reason`; how many copies it was sent.
    fn check(&self, reason: &str) -> u64 {
        let frames = self.pairs.each_ref().map(|pair| 2 * pair.sent);
        println!("{frames:?} frames of service, as many copies to each healthy target, all there");
        assert!(frames.iter().all(|frames| *frames > 10 * RING), "that was no load");
        let counted = || self.of(0, "packets", &[]) + self.of(0, "skips", &[]);
        assert!(wait_until(|| counted() == frames[0]), "{} of {}", counted(), frames[0]);
        for (session, frames) in [(0, frames[0]), (1, frames[0]), (2, frames[1])] {
            assert_eq!(self.of(session, "matched", &[]), frames, "s-{session}");
        }
        for (session, frames) in [(1, frames[0]), (2, frames[1])] {
            assert_eq!((self.of(session, "packets", &[]), self.of(session, "skips", &[])), (frames, 0), "s-{session}");
        }
        assert_eq!(self.switch.metric("vswitch_eni_drops_total", &[]), 0, "service");
        let sent = self.of(0, "packets", &[]);
        let skipped = self.of(0, "skips", &[&format!("reason=\"{reason}\"")]);
        assert_eq!(sent + skipped, frames[0], "for {reason} only: {}", self.switch.get("/metrics"));
        sent
    }
}

/// The target posts no buffers after those of its start.
fn full(workers: u16) {
    let mut stage = Stage::new(workers);
    let mut target = stage.switch.guest(ILL);
    target.stall(true);
    talk(&mut stage.pairs, long());
    assert_eq!(stage.check("target_full"), RING, "no more than its ring held");
    for _ in 0..RING {
        let copy = target.receive(PATIENCE).expect("what was sent is there");
        assert!(is_copy(&copy) && number(&copy[50..]) < RING);
    }
    assert_eq!(target.try_receive(), None);
    // It recovers, and copies come again.
    target.stall(false);
    stage.pairs[0].exchange();
    for _ in 0..2 * WINDOW {
        assert!(is_copy(&target.receive(PATIENCE).expect("copies come again")));
    }
}

/// The target takes a frame now and then.
fn slow(workers: u16) {
    let mut stage = Stage::new(workers);
    let mut target = stage.switch.guest(ILL);
    let end = Instant::now() + SHORT;
    let mut taken = std::thread::scope(|scope| {
        let slow = scope.spawn(|| {
            let mut taken = 0;
            while Instant::now() < end {
                taken += u64::from(target.receive(SHORT).is_some());
                std::thread::sleep(Duration::from_millis(5));
            }
            taken
        });
        talk(&mut stage.pairs, SHORT);
        slow.join().unwrap()
    });
    let sent = stage.check("target_full");
    assert!(taken > 10 && sent >= RING + taken / 2, "{sent} sent, {taken} taken meanwhile");
    while target.try_receive().is_some() {
        taken += 1;
    }
    assert_eq!(taken, sent, "what was sent is there");
}

/// The target was never there, comes, and goes.
fn missing(workers: u16) {
    let mut stage = Stage::new(workers);
    talk(&mut stage.pairs, SHORT);
    assert_eq!(stage.check("target_down"), 0);
    let mut target = stage.switch.guest(ILL);
    stage.pairs[0].exchange();
    for _ in 0..2 * WINDOW {
        assert!(is_copy(&target.receive(PATIENCE).expect("copies come")));
    }
    drop(target);
    assert!(wait_until(|| stage.switch.metric("vswitch_eni_up", &[&format!("eni=\"eni-{ILL}\"")]) == 0));
    talk(&mut stage.pairs, SHORT);
    assert_eq!(stage.check("target_down"), 2 * WINDOW);
}

#[test]
fn a_target_that_posts_no_buffers_for_a_minute_costs_nobody_anything() {
    full(1);
}

#[test]
fn a_target_of_another_worker_that_posts_no_buffers_for_a_minute_costs_nobody_anything() {
    full(2);
}

#[test]
fn a_slow_target_costs_nobody_anything() {
    slow(1);
    slow(2);
}

#[test]
fn a_missing_target_costs_nobody_anything() {
    missing(1);
    missing(2);
}
