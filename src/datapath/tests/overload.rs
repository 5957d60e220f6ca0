//! Copies that a saturated worker gives up: of senders over their share, counted, and nobody else's.

use super::world::*;
use crate::mirror::overload::{Overload, STEPS};
use crate::packet::{Direction, Reason};
use crate::worker::load::{Load, WINDOW};

/// A worker that gives up all copies of what `over` sends, or of what came over rings.
pub fn saturated(world: &World, over: Option<&str>) -> Load {
    let mut load = Load::new(Overload::Shed);
    load.fit(world.snapshot.enis.len());
    let mut now = 0;
    while load.steps() < STEPS {
        now += WINDOW / 8;
        match over {
            Some(eni) => load.polled(world.eni(eni).slot, 1, true),
            None => load.ring_polled(0, true),
        }
        load.turn(now, 1000, true);
    }
    load
}

/// Copies that reached c.
fn copies(got: &[(String, Vec<u8>)]) -> usize {
    got.iter().filter(|(eni, _)| eni == C).count()
}

#[test]
fn copies_of_a_sender_over_its_share_are_given_up_and_counted() {
    let mut world = World::new(&everything());
    let (a, b) = (world.eni(A), world.eni(B));
    let (out, back) = (ip_frame(&a, &b, 17, &udp(1, 2, 9)), ip_frame(&b, &a, 17, &udp(2, 1, 9)));
    let burst = vec![out.clone(); 40];

    world.env.load = saturated(&world, Some(A));
    let got = world.send(A, &burst);
    assert_eq!((got.len(), copies(&got)), (40, 0), "service has all of it");
    assert_eq!(world.skips(Reason::Overload), 40);
    // What others send to the same source is copied as ever.
    let got = world.send(B, &vec![back.clone(); 40]);
    assert_eq!((got.len(), copies(&got)), (80, 40));

    // A flood towards a source: the copies of its packets go, those of the source's own stay.
    world.env.load = saturated(&world, Some(B));
    assert_eq!(copies(&world.send(B, &vec![back; 40])), 0);
    assert_eq!(copies(&world.send(A, &burst)), 40);
    assert_eq!(world.skips(Reason::Overload), 80);
}

#[test]
fn half_given_up_is_every_second_copy() {
    let mut world = World::new(&everything());
    let (a, b) = (world.eni(A), world.eni(B));
    let mut load = saturated(&world, Some(A));
    let mut now = 1_000 * WINDOW;
    while load.steps() > STEPS / 2 {
        now += WINDOW;
        for _ in 0..8 {
            load.polled(a.slot, 1, false);
            load.turn(now, 1, true);
        }
    }
    world.env.load = load;
    let burst = vec![ip_frame(&a, &b, 17, &udp(1, 2, 9)); 64];
    let got: usize = (0..10).map(|_| copies(&world.send(A, &burst))).sum();
    assert!((315..=325).contains(&got), "{got} of 640");
}

#[test]
fn what_comes_over_a_ring_is_given_up_where_it_arrives() {
    // The ENIs' workers: the copies of a's packets cross to c's, a's packets to b's.
    let mut world = World::with_workers(&everything(), 2);
    let (a, b, c) = (world.eni(A), world.eni(B), world.eni(C));
    let burst = vec![ip_frame(&a, &b, 17, &udp(1, 2, 9)); 32];
    let crossing = usize::from(a.worker != b.worker) + usize::from(a.worker != c.worker);
    assert!(crossing > 0, "the test needs ENIs on two workers");

    let direct = world.send(A, &burst).len();
    world.env.load = saturated(&world, None);
    let got = world.arrive();
    let kept = if a.worker == c.worker { 32 } else { 0 };
    assert_eq!(direct + got.len(), 32 + kept, "all service packets, and no copy that crossed");
    assert_eq!(world.skips(Reason::Overload), 32 - kept as u64);
    assert_eq!(world.drops(A, Direction::Outbound, Reason::WorkerRingFull), 0);
}
