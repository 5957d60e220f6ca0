//! Limits on the packet's way: who pays for what, where service is policed, and what copies get.

use proptest::prelude::*;

use super::world::*;
use crate::mirror::bandwidth::{Bandwidth, MIN_BURST};
use crate::packet::{Direction, Reason};

const SECOND: u64 = 1_000_000_000;
/// 100 Mb/s, 62,500 bytes deep.
const LIMIT: u64 = 100_000_000;

/// ENI n (0 is a) gets a limit of its own.
fn limit(world: &mut World, eni: usize, bps: u64) {
    world.model.enis[eni].bandwidth = Some(Bandwidth::new(bps, None));
    world.recompile();
}

/// a and b become one instance's, with one limit.
fn one_instance(world: &mut World, bps: u64) {
    for eni in &mut world.model.enis[..2] {
        eni.instance = Some("i-1".into());
        eni.bandwidth = Some(Bandwidth::new(bps, None));
    }
    world.recompile();
}

/// UDP of `bytes` in all from one ENI to another of its subnet.
fn frame(world: &World, from: &str, to: &str, bytes: usize) -> Vec<u8> {
    ip_frame(&world.eni(from), &world.eni(to), 17, &udp(1, 2, bytes - 42))
}

/// Bytes of all sessions' copies that were sent.
fn copied(world: &World) -> u64 {
    world.registry.rows.iter().map(|(_, s)| (0..2).map(|d| s.counters.sum(|b| b.bytes[d].get())).sum::<u64>()).sum()
}

/// Packets policed, of all ENIs.
fn policed(world: &World) -> u64 {
    let of = |d| world.registry.enis.iter().map(|(_, s)| s.counters.drops(d, Reason::Policed)).sum::<u64>();
    of(Direction::Outbound) + of(Direction::Inbound)
}

/// Sends a frame again and again at one moment until one is policed; how many passed.
fn drain(world: &mut World, from: &str, to: &str, bytes: usize) -> usize {
    let (frame, before, mut sent) = (frame(world, from, to, bytes), policed(world), 0);
    while policed(world) == before {
        world.send(from, std::slice::from_ref(&frame));
        sent += 1;
        assert!(sent < 1000, "no limit");
    }
    sent - 1
}

#[test]
fn service_below_its_limit_loses_nothing_and_copies_get_the_rest_within_a_percent() {
    // What a sends, what it is given; shares of the limit; sizes; bursts.
    for (from, to, percent, bytes, burst) in
        [(A, B, 60, 1000, 1), (B, A, 60, 1000, 1), (A, B, 80, 300, 7), (A, B, 95, 1400, 4), (B, A, 55, 64, 32)]
    {
        let mut world = World::new(&everything());
        limit(&mut world, 0, LIMIT);
        let frames = vec![frame(&world, from, to, bytes); burst];
        let gap = (bytes * burst) as u64 * 8 * 100 * SECOND / LIMIT / percent;
        let steps = 3 * SECOND / gap;
        let (mut at_start, mut from_then) = (0, 0);
        for n in 0..steps {
            world.env.now = n * gap;
            if n == steps / 6 {
                (at_start, from_then) = (copied(&world), n * gap);
            }
            let got = world.send(from, &frames);
            assert_eq!(got.iter().filter(|g| g.0 == to).count(), burst, "service lost at {n}");
            world.env.verdicts.clear();
        }
        let (copies, time) = (copied(&world) - at_start, steps * gap - from_then);
        let rest = LIMIT / 8 * (100 - percent) / 100 * time / SECOND;
        assert!(copies.abs_diff(rest) * 100 <= rest, "{from} {percent} %: copies got {copies}, there were {rest}");
        assert!(world.skips(Reason::Bandwidth) > 0);
    }
}

#[test]
fn service_above_its_limit_is_policed_and_never_mirrored() {
    for (from, to, direction) in [(A, B, Direction::Outbound), (B, A, Direction::Inbound)] {
        let mut world = World::new(&everything());
        limit(&mut world, 0, LIMIT);
        let frames = vec![frame(&world, from, to, 1000); 20];
        let mut passed = 0;
        // Twice the limit, for half a second.
        for n in 0..625 {
            world.env.now = n * 800_000;
            passed += world.send(from, &frames).iter().filter(|g| g.0 == to).count() as u64;
            world.env.verdicts.clear();
        }
        let least = LIMIT / 8 / 2 / 1000;
        assert!((least - 20..=least + 63).contains(&passed), "{passed}");
        assert_eq!(world.drops(A, direction, Reason::Policed), 12_500 - passed);
        let seen = world.eni(A).counters.sum(|b| b.seen[direction.index()].get());
        assert_eq!(seen, passed, "what is policed is never mirrored");
        // Service takes it all: after the first moments no copy is made.
        assert!(copied(&world) <= Bandwidth::new(LIMIT, None).burst, "{}", copied(&world));
        let page = crate::metrics::text::render(&world.scrape()).unwrap();
        let (d, n) = (direction.label(), 12_500 - passed);
        let series = format!(
            "vswitch_eni_drops_total{{direction=\"{d}\",eni=\"eni-a\",reason=\"policed\",stage=\"police\"}} {n}\n"
        );
        assert!(page.contains(&series), "{page}");
        assert!(page.contains("direction=\"outbound\",eni=\"eni-a\",reason=\"bandwidth\",session=\"s1\"}"), "{page}");
    }
}

#[test]
fn enis_of_an_instance_share_one_limit_and_others_do_not() {
    let mut world = World::new(&everything());
    one_instance(&mut world, 1_000_000);
    // The target c is on neither's bill: it may get and send what it likes.
    let passed = drain(&mut world, A, C, 1000);
    assert_eq!(passed as u64, MIN_BURST / 1000);
    let to_c = frame(&world, B, C, 1000);
    assert_eq!(world.send(B, &[to_c]), []);
    assert_eq!(world.drops(B, Direction::Outbound, Reason::Policed), 1, "b has nothing either");
    let to_b = frame(&world, C, B, 1000);
    assert_eq!(world.send(C, std::slice::from_ref(&to_b)), []);
    assert_eq!(world.drops(B, Direction::Inbound, Reason::Policed), 1);
    // 8 ms make 1,000 bytes, for whoever comes first.
    world.env.now += 8_000_000;
    assert_eq!(world.send(C, std::slice::from_ref(&to_b)).len(), 1);
    assert_eq!(drain(&mut world, A, C, 1000), 0);
    // The same limits for ENIs without an instance are two.
    let mut world = World::new(&everything());
    limit(&mut world, 0, 1_000_000);
    limit(&mut world, 1, 1_000_000);
    assert_eq!([drain(&mut world, A, C, 1000), drain(&mut world, B, C, 1000)], [17, 17]);
}

#[test]
fn a_copy_is_on_its_source_s_bill_and_not_on_the_target_s_or_the_sender_s() {
    let mut world = World::new(&everything());
    // a may send but 17 frames' worth; b and the target c hardly anything.
    limit(&mut world, 0, 1_000_000);
    limit(&mut world, 2, 1000);
    let (a, b, c) = (world.eni(A), world.eni(B), world.eni(C));
    let got = world.send(B, &[ip_frame(&b, &a, 17, &udp(1, 2, 8000)), ip_frame(&b, &a, 17, &udp(1, 2, 400))]);
    // The first copy is cut to 1,450 bytes; both fit beside the packets.
    assert_eq!(got.iter().map(|g| &*g.0).collect::<Vec<_>>(), [A, A, C, C]);
    let paid = (8042 + 1450 + 14 + 50) + (442 + 442 + 50);
    let left = MIN_BURST as usize - paid;
    let long = |bytes: usize| ip_frame(&a, &b, 17, &udp(1, 2, bytes - 42));
    let copies = |got: Vec<(String, Vec<u8>)>| got.iter().filter(|g| g.0 == C).count();
    // A long packet with its cut copy; what is left then is a byte less than a small one and its copy need.
    let long_one = left / 2 + left % 2;
    let rest = left - long_one - (50 + 14 + 1450);
    assert_eq!(copies(world.send(A, &[long(long_one)])), 1);
    let small = (rest - 50) / 2 + 1;
    assert_eq!(copies(world.send(A, &[long(small)])), 0, "{rest} bytes");
    assert_eq!(world.skips(Reason::Bandwidth), 1);
    // One packet less and there is enough: the skipped copy cost nothing.
    assert_eq!(copies(world.send(A, &[long(42)])), 1);
    // The target has its own bandwidth untouched.
    assert_eq!(world.send(C, &[ip_frame(&c, &b, 17, &udp(1, 2, 1400))]).len(), 1);
}

#[test]
fn a_reload_keeps_the_fill_and_a_new_owner_starts_full() {
    let mut world = World::new(&everything());
    limit(&mut world, 0, 1_000_000);
    assert_eq!(drain(&mut world, A, B, 1000), 17);
    // Ten times the rate: nothing in the bucket now, and ten times as fast from now on.
    limit(&mut world, 0, 10_000_000);
    assert_eq!(drain(&mut world, A, B, 1000), 0);
    world.env.now = 800_000;
    assert_eq!(drain(&mut world, A, B, 1000), 1);
    // Another name, or none: what was used up is not the newcomer's.
    world.model.enis[0].instance = Some("i-9".into());
    world.recompile();
    assert_eq!(drain(&mut world, A, B, 1000), 17);
    world.model.enis[0].bandwidth = None;
    world.recompile();
    let frames = vec![frame(&world, A, B, 1000); 60];
    assert_eq!(world.send(A, &frames).iter().filter(|g| g.0 == B).count(), 60);
    assert!(world.registry.buckets.is_empty());
}

#[test]
fn an_instance_that_moves_to_another_worker_takes_its_fill_along_in_a_bucket_of_its_own() {
    let mut world = World::with_workers(&everything(), 2);
    // b, on worker 1, joins the instance of a, on worker 0; where both go is up to the order in the inventory.
    world.model.enis[1].instance = Some("i-1".into());
    limit(&mut world, 1, 1_000_000);
    assert_eq!((world.eni(B).worker, drain(&mut world, B, C, 1000)), (1, 17));
    let owner = world.registry.buckets.keys().next().unwrap().clone();
    let before = world.registry.buckets[&owner].1.clone();
    world.model.enis[0].instance = Some("i-1".into());
    world.model.enis[0].bandwidth = world.model.enis[1].bandwidth;
    world.recompile();
    assert_eq!((world.eni(A).worker, world.eni(B).worker), (0, 0));
    assert!(!std::sync::Arc::ptr_eq(&before, &world.registry.buckets[&owner].1), "the old one has its old writer");
    assert_eq!([drain(&mut world, B, A, 1000), drain(&mut world, A, C, 1000)], [0, 0]);
    world.arrive();
}

#[test]
fn a_limit_takes_nothing_that_the_switch_itself_sends_or_consumes() {
    let mut world = World::new(&everything());
    limit(&mut world, 0, 1000);
    let (a, b) = (world.eni(A), world.eni(B));
    for _ in 0..1000 {
        world.send(A, &[arp(1, (a.mac, a.primary), b.primary)]);
    }
    assert_eq!(drain(&mut world, A, B, 1000), 17);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, max_shrink_iters: 100, ..ProptestConfig::default() })]
    /// Random traffic of a limited instance of two ENIs, with sessions and without: service fares alike, and no window
    /// sees more than L·t + 2B.
    #[test]
    fn service_fares_as_if_no_session_existed(
        bps in 100_000u64..50_000_000,
        steps in proptest::collection::vec((0u64..3000, any::<[bool; 2]>(), 42usize..8000, 1usize..20), 1..80),
    ) {
        let mut worlds = [World::new(&everything()), World::new(&mirror(&[]))];
        worlds.iter_mut().for_each(|world| one_instance(world, bps));
        let burst = u128::from(Bandwidth::new(bps, None).burst);
        let (mut now, mut history) = (0, Vec::new());
        for (gap, [of_a, out], bytes, count) in steps {
            now += gap * 1000 * SECOND / bps * 8;
            let inside = if of_a { A } else { B };
            let (from, to) = if out { (inside, D) } else { (D, inside) };
            let mut delivered = Vec::new();
            for world in &mut worlds {
                let (f, t) = (world.eni(from), world.eni(to));
                let one = raw_frame((ROUTER, f.mac), (f.primary, t.primary), 17, &udp(1, 2, bytes - 42));
                world.env.now = now;
                let before = copied(world);
                let got = world.send(from, &vec![one; count]);
                let passed = got.iter().filter(|g| g.0 == to).count();
                delivered.push(passed);
                if delivered.len() == 1 {
                    history.push((u128::from(now), (passed * bytes) as u128 + u128::from(copied(world) - before)));
                }
                world.env.verdicts.clear();
            }
            prop_assert_eq!(delivered[0], delivered[1]);
        }
        for (n, first) in history.iter().enumerate() {
            let mut sum = 0;
            for last in &history[n..] {
                sum += last.1;
                let most = u128::from(bps) * (last.0 - first.0) / 8 / u128::from(SECOND) + 2 * burst;
                prop_assert!(sum <= most, "{} > {} from {} to {}", sum, most, first.0, last.0);
            }
        }
    }
}
