//! Sources, receivers and targets on different workers.

use std::sync::Arc;

use super::world::*;
use crate::mirror::publish::Publisher;
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
    assert_eq!(world.skips(Reason::CreditExhausted), 120 - 32, "copies have half of the 64");
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

/// A session of a whose copies go to d, on the other worker.
fn to_d() -> String {
    mirror(&[(session("s1", 1, 8500, D), &[rule(1, "accept", "ALL", "-1/-1")])])
}

#[test]
fn copies_under_way_take_nothing_of_service_s_credit() {
    let mut world = World::with_workers(&to_d(), 2);
    let (a, b, c) = (world.eni(A), world.eni(B), world.eni(C));
    // Served on this worker; their copies cross to d.
    let local: Vec<_> = (0..64).map(|n| ip_frame(&a, &c, 17, &udp(n, 2, 0))).collect();
    world.send(A, &local);
    assert_eq!((a.counters.copies_in_flight(), a.counters.in_flight()), (32, 0));
    let away: Vec<_> = (0..64).map(|n| ip_frame(&a, &b, 17, &udp(n, 2, 0))).collect();
    world.send(A, &away);
    assert_eq!(a.counters.in_flight(), 64);
    assert_eq!(world.drops(A, Direction::Outbound, Reason::CreditExhausted), 0);
    world.arrive();
    assert_eq!((a.counters.copies_in_flight(), a.counters.in_flight()), (0, 0));
}

#[test]
fn copies_leave_half_of_a_ring_to_service() {
    let mut world = World::with_workers(&to_d(), 2);
    let (a, b, c) = (world.eni(A), world.eni(B), world.eni(C));
    (world.env.ring_size, world.env.ring_room) = (8, Some(8));
    let local: Vec<_> = (0..6).map(|n| ip_frame(&a, &c, 17, &udp(n, 2, 0))).collect();
    world.send(A, &local);
    assert_eq!((world.env.crossed.len(), world.skips(Reason::WorkerRingFull)), (4, 2));
    let away: Vec<_> = (0..4).map(|n| ip_frame(&a, &b, 17, &udp(n, 2, 0))).collect();
    world.send(A, &away);
    assert_eq!(world.env.crossed.len(), 8);
    assert_eq!(world.drops(A, Direction::Outbound, Reason::WorkerRingFull), 0);
    world.arrive();
}

#[test]
fn a_cut_copy_that_crosses_counts_as_cut_where_it_is_sent() {
    let mut world = World::with_workers(&to_d().replace("8500", "64"), 2);
    let (a, c) = (world.eni(A), world.eni(C));
    world.send(A, &[ip_frame(&a, &c, 17, &udp(1, 2, 100)), ip_frame(&a, &c, 17, &udp(1, 2, 0))]);
    assert_eq!(world.arrive().len(), 2);
    let row = world.registry.rows.iter().next().unwrap().1.counters.clone();
    assert_eq!((row.of(1).cut_packet_length[0].get(), row.of(1).inner_bytes[0].get()), (1, 64 + 28));
}

/// Worker 0 sends under a new snapshot while worker 1 is still on the old one.
fn sent_under_a_newer_snapshot(mut world: World, change: impl FnOnce(&mut World), to: &str) -> World {
    change(&mut world);
    let new = world.compiled();
    let publisher = Publisher::new(Arc::new(std::mem::replace(&mut world.snapshot, new)), 1);
    let mut worker_1 = publisher.reader(0).unwrap();
    let old = worker_1.current().version;
    publisher.publish(Arc::new(world.compiled()));
    let (a, to) = (world.eni(A), world.eni(to));
    world.send(A, &[ip_frame(&a, &to, 17, &udp(1, 2, 0))]);
    let judged_by = world.arrive_at(&mut worker_1);
    assert!(judged_by > old, "packets first, then the snapshot");
    world.assert_conserved();
    world
}

#[test]
fn a_session_that_the_receiving_worker_has_not_seen_yet_keeps_its_law() {
    let world = World::with_workers(&to_d().replace("\"Enabled\":true", "\"Enabled\":false"), 2);
    let mut world = sent_under_a_newer_snapshot(world, |w| w.model.sessions[0].enabled = true, C);
    assert_eq!(world.taken().iter().filter(|got| got.0 == D).count(), 1);
    let row = world.registry.rows.iter().next().unwrap().1.counters.clone();
    assert_eq!((row.sum(|b| b.matched[0].get()), row.sum(|b| b.sent[0].get())), (1, 1));
}

#[test]
fn an_eni_that_the_receiving_worker_has_not_seen_yet_gets_its_credit_back() {
    let mut world = world();
    let all = world.model.clone();
    world.model.sessions.clear();
    world.model.enis.retain(|e| *e.id != *A);
    world.recompile();
    let change = |w: &mut World| {
        w.model = all;
        w.model.sessions.clear();
    };
    let b_is_elsewhere = world.eni(B).worker;
    let mut world = sent_under_a_newer_snapshot(world, change, B);
    assert_ne!(world.eni(A).worker, b_is_elsewhere);
    assert_eq!(world.eni(A).counters.in_flight(), 0);
    assert_eq!(world.taken().len(), 1);
}

#[test]
fn a_receiver_that_has_moved_to_another_worker_is_not_served_by_the_old_one() {
    let mut world = World::with_workers(&to_d(), 2);
    let (a, b) = (world.eni(A), world.eni(B));
    world.send(A, &[ip_frame(&a, &b, 17, &udp(1, 2, 0))]);
    assert_eq!(world.env.crossed.len(), 2, "service to b and a copy to d");
    // b and d join the instance of a, and so its worker.
    for eni in &mut world.model.enis {
        if matches!(&*eni.id, A | B | D) {
            eni.instance = Some("i-1".into());
        }
    }
    world.recompile();
    assert_eq!([B, D].map(|e| world.eni(e).worker), [0, 0]);
    assert_eq!(world.arrive(), []);
    assert_eq!(world.drops(A, Direction::Outbound, Reason::NoRoute), 1);
    assert_eq!(world.skips(Reason::TargetDown), 1);
}
