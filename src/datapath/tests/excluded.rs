//! What is never mirrored: each with its own reason and counter, at both ends, and no other counter moves.

use super::world::*;
use crate::packet::{Direction, Reason};
use crate::replay;

/// All that is counted of the mirror at an ENI's end: seen, and excluded by reason. Nothing else may have happened.
fn only_excluded(world: &World, eni: &str, direction: Direction, expected: &[(Reason, u64)]) {
    let (counters, d) = (world.eni(eni).counters.clone(), direction.index());
    let excluded: Vec<_> = Reason::ALL
        .iter()
        .map(|reason| (*reason, counters.sum(|b| b.excluded[d].get(*reason))))
        .filter(|(_, count)| *count > 0)
        .collect();
    assert_eq!(excluded, expected, "{eni} {direction}");
    assert_eq!(counters.sum(|b| b.seen[d].get()), expected.iter().map(|(_, count)| count).sum::<u64>());
    let others = counters.sum(|b| b.matched[d].get() + b.unmatched[d].get() + b.refused[d].get());
    assert_eq!(others, 0, "{eni} {direction}");
}

/// Everything of a and b is mirrored to c, also what has no ports.
fn of_all(sources: &str) -> String {
    mirror(&[(session("s1", 1, 8500, C), &[rule(1, "accept", "ALL", "-1/-1")])]).replace("[\"eni-a\"]", sources)
}

#[test]
fn dhcp_has_the_ports_68_and_67_one_each_over_udp() {
    let mut world = World::new(&of_all("[\"eni-a\",\"eni-b\"]"));
    let (a, b) = (world.eni(A), world.eni(B));
    for (source, destination) in [(68, 67), (67, 68)] {
        let got = world.send(A, &[ip_frame(&a, &b, 17, &udp(source, destination, 240))]);
        assert_eq!(got.len(), 1, "delivered without a copy");
    }
    only_excluded(&world, A, Direction::Outbound, &[(Reason::Dhcp, 2)]);
    only_excluded(&world, B, Direction::Inbound, &[(Reason::Dhcp, 2)]);
    // A relay's packets, half a pair, and the same ports of TCP are traffic like any other.
    let others = [
        ip_frame(&a, &b, 17, &udp(67, 67, 240)),
        ip_frame(&a, &b, 17, &udp(68, 68, 240)),
        ip_frame(&a, &b, 17, &udp(68, 1067, 240)),
        ip_frame(&a, &b, 6, &tcp(68, 67)),
    ];
    let got = world.send(A, &others);
    assert_eq!(got.len(), 4 + 2 * 4, "each with a copy at both ends");
}

#[test]
fn the_platform_is_the_remote_end_in_both_directions() {
    let mut world = World::new(&of_all("[\"eni-a\"]"));
    let a = world.eni(A);
    let to_platform = raw_frame((ROUTER, a.mac), (a.primary, 0x6440_0001), 17, &udp(1, 2, 0));
    let from_platform = raw_frame((a.mac, ROUTER), (0x647f_fffe, a.primary), 17, &udp(2, 1, 0));
    assert_eq!(world.send(A, &[to_platform]), []);
    only_excluded(&world, A, Direction::Outbound, &[(Reason::Platform, 1)]);
    // As if it came over a ring from a host of the platform's.
    a.counters.of(0).rx_packets.add(1);
    a.counters.of(0).crossed_out.add(1);
    let mut burst = crate::packet::Burst::default();
    replay::pass(&mut world.env, &world.snapshot, &a, Direction::Inbound, from_platform.clone(), &mut burst);
    assert_eq!(world.taken(), [(A.to_owned(), from_platform)], "delivered without a copy");
    only_excluded(&world, A, Direction::Inbound, &[(Reason::Platform, 1)]);
    // The first address behind the network is not the platform's.
    let beside = raw_frame((ROUTER, a.mac), (a.primary, 0x6480_0000), 17, &udp(1, 2, 0));
    assert_eq!(world.send(A, &[beside]).len(), 1);
}

/// The *remote* address: that an ENI lies in the platform's network itself excludes nothing at its own end.
#[test]
fn an_eni_inside_the_platform_s_network_is_mirrored_at_its_own_end() {
    let mut world = World::new(&of_all("[\"eni-a\",\"eni-b\"]"));
    world.model.platform_cidrs = vec!["10.0.1.10/32".parse().unwrap()];
    world.recompile();
    let (a, b) = (world.eni(A), world.eni(B));
    let got = world.send(A, &[ip_frame(&a, &b, 17, &udp(1, 2, 0))]);
    assert_eq!(got.len(), 2, "a's copy");
    only_excluded(&world, B, Direction::Inbound, &[(Reason::Platform, 1)]);
    let got = world.send(B, &[ip_frame(&b, &a, 17, &udp(1, 2, 0))]);
    assert_eq!(got.len(), 2);
    only_excluded(&world, B, Direction::Outbound, &[(Reason::Platform, 1)]);
    assert_eq!(world.excluded(A, Direction::Outbound, Reason::Platform), 0);
    assert_eq!(world.excluded(A, Direction::Inbound, Reason::Platform), 0);
}

#[test]
fn arp_is_excluded_both_as_question_and_as_answer() {
    let mut world = World::new(&of_all("[\"eni-a\"]"));
    let (a, b) = (world.eni(A), world.eni(B));
    let got = world.send(A, &[arp(1, (a.mac, a.primary), b.primary), arp(1, (a.mac, a.primary), 1)]);
    assert_eq!(got.len(), 1, "one answer, no copy");
    only_excluded(&world, A, Direction::Outbound, &[(Reason::Arp, 2)]);
    only_excluded(&world, A, Direction::Inbound, &[(Reason::Arp, 1)]);
}

#[test]
fn what_is_not_ipv4_is_consumed_or_dropped_and_has_no_copy() {
    let mut world = World::new(&of_all("[\"eni-a\"]"));
    let a = world.eni(A);
    let mut rarp = arp(3, (a.mac, 0), 0);
    rarp[12..14].copy_from_slice(&[0x80, 0x35]);
    assert_eq!(world.send(A, &[rarp]), []);
    only_excluded(&world, A, Direction::Outbound, &[(Reason::NotIpv4, 1)]);
    let mut ipv6 = ip_frame(&a, &world.eni(B), 17, &udp(1, 2, 30));
    ipv6[12..14].copy_from_slice(&[0x86, 0xdd]);
    let mut unknown = ipv6.clone();
    unknown[12..14].copy_from_slice(&[0x88, 0xb5]);
    assert_eq!(world.send(A, &[ipv6, unknown]), []);
    let drops = |reason| world.drops(A, Direction::Outbound, reason);
    assert_eq!((drops(Reason::Ipv6), drops(Reason::BadEthertype)), (1, 1));
    only_excluded(&world, A, Direction::Outbound, &[(Reason::NotIpv4, 1)]);
}

/// A target that is a source all the same, as only an inventory can make it later.
#[test]
fn a_copy_that_a_source_gets_is_not_copied_again_on_one_worker_and_on_two() {
    for workers in [1, 2] {
        let mut world = World::with_workers(&of_all("[\"eni-a\"]"), workers);
        world.model.sessions[0].sources.push(2);
        world.recompile();
        let (a, b) = (world.eni(A), world.eni(B));
        let mut got = world.send(A, &[ip_frame(&a, &b, 17, &udp(1, 2, 0))]);
        while !world.env.crossed.is_empty() {
            got.extend(world.arrive());
        }
        assert_eq!(got.len(), 2, "the packet and one copy");
        only_excluded(&world, C, Direction::Inbound, &[(Reason::Copy, 1)]);
        only_excluded(&world, C, Direction::Outbound, &[]);
    }
}

#[test]
fn an_error_about_a_copy_is_excluded_at_the_target_and_never_reaches_the_source() {
    let mut world = World::new(&of_all("[\"eni-a\"]"));
    world.model.sessions[0].sources.push(2);
    world.recompile();
    let (a, b, c) = (world.eni(A), world.eni(B), world.eni(C));
    let got = world.send(A, &[ip_frame(&a, &b, 17, &udp(1, 2, 0))]);
    let copy = got.iter().find(|g| g.0 == C).unwrap().1.clone();
    for kind in [3u8, 4, 5, 11, 12] {
        // All of the copy, or the 28 bytes that RFC 792 asks for.
        for quoted in [copy.len() - 14, 28] {
            let error = [&[kind, 3, 0, 0, 0, 0, 0, 0], &copy[14..14 + quoted]].concat();
            assert_eq!(world.send(C, &[ip_frame(&c, &a, 1, &error)]), [], "type {kind}");
        }
    }
    only_excluded(&world, C, Direction::Outbound, &[(Reason::CopyFeedback, 10)]);
    assert_eq!(c.counters.sum(|b| b.consumed.get(Reason::CopyFeedback)), 10);
    only_excluded(&world, A, Direction::Inbound, &[]);
    // 23 bytes do not hold the port: nobody can say that it was a copy. Neither is a ping that holds one.
    let cut = [&[3u8, 3, 0, 0, 0, 0, 0, 0], &copy[14..14 + 23]].concat();
    let ping = [&[8u8, 0, 0, 0, 0, 0, 0, 0], &copy[14..]].concat();
    assert_eq!(world.send(C, &[ip_frame(&c, &a, 1, &cut)]).iter().filter(|g| g.0 == A).count(), 1);
    assert_eq!(world.send(C, &[ip_frame(&c, &a, 1, &ping)]).iter().filter(|g| g.0 == A).count(), 1);
}
