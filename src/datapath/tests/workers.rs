//! Sources, receivers and targets on different workers.

use super::world::*;
use crate::packet::{Direction, Reason};

/// a, c and e on worker 0; b, d and x on worker 1.
fn world() -> World {
    let world = World::with_workers(&everything(), 2);
    assert_eq!([A, B, C].map(|e| world.eni(e).worker), [0, 1, 0]);
    world
}

#[test]
fn a_packet_crosses_before_its_receiver_s_side() {
    let mut world = world();
    let (a, b) = (world.eni(A), world.eni(B));
    let frame = ip_frame(&a, &b, 17, &udp(1, 2, 0));
    let here = world.send(A, std::slice::from_ref(&frame));
    assert_eq!(here.len(), 1, "the copy to c stays here");
    assert_eq!(world.eni(A).counters.in_flight(), 1);
    assert_eq!(world.arrive(), [(B.to_owned(), frame)]);
    assert_eq!(world.eni(A).counters.in_flight(), 0);
}

#[test]
fn a_copy_crosses_to_its_target_and_is_counted_there() {
    let mut world =
        World::with_workers(&mirror(&[(session("s1", 1, 8500, D), &[rule(1, "accept", "ALL", "-1/-1")])]), 2);
    let (a, c) = (world.eni(A), world.eni(C));
    assert_eq!(world.send(A, &[ip_frame(&a, &c, 17, &udp(1, 2, 0))]).len(), 1);
    let got = world.arrive();
    assert_eq!(got[0].0, D);
    let row = world.registry.rows.iter().next().unwrap().1.counters.clone();
    assert_eq!(row.of(1).sent[0].get(), 1);
    assert_eq!(row.of(1).inner_bytes[0].get(), 28);
}

#[test]
fn a_full_ring_drops_service_and_skips_copies() {
    let mut world =
        World::with_workers(&mirror(&[(session("s1", 1, 8500, D), &[rule(1, "accept", "ALL", "-1/-1")])]), 2);
    let (a, b) = (world.eni(A), world.eni(B));
    world.env.ring_room = Some(3);
    let frames: Vec<_> = (0..2).map(|n| ip_frame(&a, &b, 17, &udp(n, 2, 0))).collect();
    world.send(A, &frames);
    world.send(A, &frames[..1]);
    assert_eq!(world.drops(A, Direction::Outbound, Reason::WorkerRingFull), 1);
    assert_eq!(world.skips(Reason::WorkerRingFull), 2);
    assert_eq!(world.arrive().len(), 3);
}

#[test]
fn an_eni_s_credit_bounds_what_it_has_under_way_and_nobody_else_s() {
    let mut world = world();
    let (a, b, e) = (world.eni(A), world.eni(B), world.eni(E));
    let frames: Vec<_> = (0..50).map(|n| ip_frame(&a, &b, 17, &udp(n, 2, 0))).collect();
    world.send(A, &frames);
    world.send(A, &frames);
    assert_eq!(world.env.crossed.len(), 64, "the credit of this world");
    assert_eq!(world.drops(A, Direction::Outbound, Reason::CreditExhausted), 36);
    // A neighbour on the same worker is not concerned.
    let other = raw_frame((ROUTER, e.mac), (e.primary, b.primary), 17, &udp(1, 2, 0));
    world.send(E, &[other]);
    assert_eq!(world.env.crossed.len(), 65);
    assert_eq!(world.arrive().len(), 65);
    world.send(A, &frames[..1]);
    assert_eq!(world.arrive().len(), 1, "credit comes back");
}

#[test]
fn a_copy_beyond_the_credit_is_skipped() {
    let mut world =
        World::with_workers(&mirror(&[(session("s1", 1, 8500, D), &[rule(1, "accept", "ALL", "-1/-1")])]), 2);
    let (a, c) = (world.eni(A), world.eni(C));
    let frames: Vec<_> = (0..60).map(|n| ip_frame(&a, &c, 17, &udp(n, 2, 0))).collect();
    world.send(A, &frames);
    world.send(A, &frames);
    assert_eq!(world.skips(Reason::CreditExhausted), 56);
    world.arrive();
}

#[test]
fn who_leaves_while_packets_are_under_way_leaves_nothing_uncounted() {
    let mut world =
        World::with_workers(&mirror(&[(session("s1", 1, 8500, D), &[rule(1, "accept", "ALL", "-1/-1")])]), 2);
    let (a, b) = (world.eni(A), world.eni(B));
    world.send(A, &[ip_frame(&a, &b, 17, &udp(1, 2, 0))]);
    assert_eq!(world.env.crossed.len(), 2, "service and copy");
    // b, d and the session go; another ENI may get their slots.
    world.model.sessions.clear();
    world.model.enis.retain(|e| *e.id != *B && *e.id != *D);
    world.recompile();
    assert_eq!(world.arrive(), []);
    assert_eq!(world.drops(A, Direction::Outbound, Reason::NoRoute), 1);
    assert_eq!(world.skips(Reason::TargetDown), 1);
}

#[test]
fn a_source_that_leaves_leaves_its_packets_in_the_totals() {
    let mut world = world();
    let (a, b) = (world.eni(A), world.eni(B));
    world.send(A, &[ip_frame(&a, &b, 17, &udp(1, 2, 0))]);
    world.model.sessions.clear();
    world.model.enis.retain(|e| *e.id != *A);
    world.recompile();
    assert_eq!(world.arrive().len(), 1);
}

#[test]
fn who_moves_to_another_worker_while_packets_are_under_way_is_not_touched_from_the_old_one() {
    let mut world =
        World::with_workers(&mirror(&[(session("s1", 1, 8500, D), &[rule(1, "accept", "ALL", "-1/-1")])]), 2);
    let (a, b) = (world.eni(A), world.eni(B));
    world.send(A, &[ip_frame(&a, &b, 17, &udp(1, 2, 0))]);
    assert_eq!(world.env.crossed.len(), 2, "service and copy, both for worker 1");
    for id in [B, D] {
        world.registry.placement.insert(id.into(), 0);
    }
    world.recompile();
    assert_eq!((world.eni(B).worker, world.eni(B).slot), (0, b.slot), "the same slot on another worker");
    assert_eq!(world.arrive(), []);
    assert_eq!(world.drops(A, Direction::Outbound, Reason::NoRoute), 1);
    assert_eq!(world.skips(Reason::TargetDown), 1);
}
