//! A limit in real time, through real rings.

use std::time::{Duration, Instant};

use crate::frames::{burst, is_copy, number, numbered, send};
use crate::switch::{PATIENCE, Setup, wait_until};

/// Bits a second.
const LIMIT: u64 = 2_000_000;
/// The buckets' depth: the least there is, 68 ms of this limit.
const DEPTH: u64 = 17_028;
const FRAME: usize = 1000;
/// One frame in this time is 60 % of the limit.
const GAP: Duration = Duration::from_micros(6_667);

#[test]
fn service_below_the_limit_loses_nothing_and_copies_get_what_it_leaves() {
    let setup = Setup { limits: vec![(0, LIMIT)], sessions: vec![(vec![0], 2, 1500)], ..Setup::default() };
    let switch = setup.start();
    let (mut a, mut b, mut c) = (switch.guest(0), switch.guest(1), switch.guest(2));
    let began = Instant::now();
    let (mut frames, mut next) = (0, began);
    while began.elapsed() < Duration::from_secs(3) {
        // One frame is under way at a time, and what was late is not made up for: service never exceeds its share,
        // however this machine schedules us.
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
        next = Instant::now() + GAP;
        send(&mut a, &numbered(0, 1, frames, FRAME));
        assert_eq!(number(&b.receive(PATIENCE).expect("service lost")), frames);
        frames += 1;
        while c.try_receive().is_some_and(|copy| is_copy(&copy)) {}
    }
    let elapsed = began.elapsed();
    let metric = |name: &str| switch.metric(name, &["direction=\"outbound\""]);
    let row = |what: &str| metric(&format!("vswitch_mirror_{what}_total"));
    assert!(wait_until(|| row("packets") + row("skips") == row("matched") && row("matched") == frames));
    assert_eq!(switch.metric("vswitch_eni_drops_total", &[]), 0, "service lost");
    let (service, copies) = (frames * FRAME as u64, row("bytes"));
    let may = (LIMIT as f64 / 8.0 * elapsed.as_secs_f64()) as u64;
    println!("{elapsed:?}: service {service}, copies {copies} of {} wanted, {may} allowed", frames * 1050);
    assert!(service + copies <= may + may / 50 + 2 * DEPTH, "more than L·t + 2B");
    let due = (frames * 1050).min(may.saturating_sub(service));
    assert!(copies >= due / 2, "copies starve: {copies} of {due}");
    let skips = switch.metric("vswitch_mirror_skips_total", &["reason=\"bandwidth\""]);
    assert_eq!(skips, row("skips"), "for no other reason");

    // All at once is more than the bucket holds.
    burst(&mut a, (0, 1), 100, FRAME);
    let policed = || switch.metric("vswitch_eni_drops_total", &["eni=\"eni-0\"", "reason=\"policed\""]);
    let passed = || switch.metric("vswitch_eni_tx_packets_total", &["eni=\"eni-1\""]) - frames;
    assert!(wait_until(|| policed() + passed() == 100), "{} and {}", policed(), passed());
    assert!(passed() >= 1 && policed() >= 1, "{} and {}", policed(), passed());
    println!("of 100 frames at once {} passed", passed());

    // Without the limit they pass; the ring has no room for a hundred more copies beside them, and needs none.
    drop((b, c));
    let unlimited = Setup { sessions: Vec::new(), ..Setup::default() };
    assert!(switch.reload(&unlimited).status.success());
    let mut b = switch.guest(1);
    let before = policed();
    burst(&mut a, (0, 1), 100, FRAME);
    for n in 0..100 {
        assert_eq!(number(&b.receive(PATIENCE).expect("lost")), n);
    }
    assert_eq!(policed(), before);
}
