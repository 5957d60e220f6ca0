//! Who gets a packet, and how it looks then.

use super::world::*;
use crate::packet::{Direction, Reason};
use crate::wire::checksum;

#[test]
fn inside_a_subnet_a_frame_stays_as_it_is() {
    let mut world = World::new(&mirror(&[]));
    let frame = ip_frame(&world.eni(A), &world.eni(B), 17, &udp(1, 2, 9));
    assert_eq!(world.send(A, std::slice::from_ref(&frame)), [(B.to_owned(), frame)]);
}

#[test]
fn by_way_of_the_router_inside_a_subnet_only_macs_change() {
    let mut world = World::new(&mirror(&[]));
    let (a, b) = (world.eni(A), world.eni(B));
    let frame = raw_frame((ROUTER, a.mac), (a.primary, b.primary), 17, &udp(1, 2, 9));
    let mut expected = frame.clone();
    expected[..6].copy_from_slice(&b.mac.0);
    expected[6..12].copy_from_slice(&ROUTER.0);
    assert_eq!(world.send(A, &[frame]), [(B.to_owned(), expected)]);
}

#[test]
fn across_subnets_ttl_macs_and_checksum_change() {
    let mut world = World::new(&mirror(&[]));
    let (a, d) = (world.eni(A), world.eni(D));
    let frame = raw_frame((ROUTER, a.mac), (a.primary, d.primary), 17, &udp(1, 2, 9));
    let got = world.send(A, std::slice::from_ref(&frame));
    let (to, got) = &got[0];
    assert_eq!(to, D);
    assert_eq!(&got[..12], &[d.mac.0, ROUTER.0].concat());
    assert_eq!(got[22], 63);
    assert_eq!(checksum::finish(checksum::sum(&got[14..34])), 0);
    assert_eq!(&got[26..], &frame[26..], "everything behind the checksum");
}

#[test]
fn dead_ends_have_their_reasons() {
    let mut world = World::new(&mirror(&[]));
    let (a, b, c, d, e) = (world.eni(A), world.eni(B), world.eni(C), world.eni(D), world.eni(E));
    let nowhere = raw_frame((ROUTER, a.mac), (a.primary, 0x0808_0808), 17, &udp(1, 2, 0));
    let other_vpc = raw_frame((ROUTER, a.mac), (a.primary, 0x0a00_033c), 17, &udp(1, 2, 0));
    let itself = raw_frame((ROUTER, a.mac), (a.primary, a.primary), 17, &udp(1, 2, 0));
    let mut dying = raw_frame((ROUTER, a.mac), (a.primary, d.primary), 17, &udp(1, 2, 0));
    dying[22] = 1;
    let jumbo = ip_frame(&a, &c, 17, &udp(1, 2, 1473));
    let jumbo_across = raw_frame((ROUTER, a.mac), (a.primary, e.primary), 17, &udp(1, 2, 1473));
    world.env.down.push(b.slot);
    let down = ip_frame(&a, &b, 17, &udp(1, 2, 0));
    world.env.room.insert(d.slot, 1);
    let full = raw_frame((ROUTER, a.mac), (a.primary, d.primary), 17, &udp(1, 2, 0));
    let got = world.send(A, &[nowhere, other_vpc, itself, dying, jumbo, jumbo_across, down, full.clone(), full]);
    assert_eq!(got.len(), 1);
    let out = |reason| world.drops(A, Direction::Outbound, reason);
    assert_eq!((out(Reason::NoRoute), out(Reason::Hairpin), out(Reason::TtlExpired)), (2, 1, 1));
    assert_eq!(world.drops(C, Direction::Inbound, Reason::ExceedsMtu), 1);
    assert_eq!(world.drops(E, Direction::Inbound, Reason::ExceedsMtu), 1);
    assert_eq!(world.drops(B, Direction::Inbound, Reason::GuestDown), 1);
    assert_eq!(world.drops(D, Direction::Inbound, Reason::GuestFull), 1);
}

#[test]
fn a_burst_to_several_receivers_keeps_each_one_s_order() {
    let mut world = World::new(&mirror(&[]));
    let (a, b, c) = (world.eni(A), world.eni(B), world.eni(C));
    let frames: Vec<_> = (0..64).map(|n| ip_frame(&a, if n % 3 == 0 { &b } else { &c }, 17, &udp(n, 2, 0))).collect();
    let got = world.send(A, &frames);
    for eni in [B, C] {
        let ports: Vec<u16> =
            got.iter().filter(|g| g.0 == eni).map(|g| u16::from_be_bytes([g.1[34], g.1[35]])).collect();
        assert!(ports.is_sorted(), "{eni}: {ports:?}");
    }
    assert_eq!(got.len(), 64);
}
