//! What gets in, what does not, and why.

use proptest::prelude::*;
use proptest::sample::select;

use super::world::*;
use crate::packet::{Direction, Reason};
use crate::wire::Mac;

fn world() -> World {
    World::new(&everything())
}

/// One frame of a that must end for a reason.
fn dropped(change: impl FnOnce(&mut Vec<u8>), reason: Reason) {
    let mut world = world();
    let (a, b) = (world.eni(A), world.eni(B));
    let mut frame = ip_frame(&a, &b, 17, &udp(1000, 2000, 20));
    change(&mut frame);
    assert_eq!(world.send(A, &[frame]), [], "{reason}");
    assert_eq!(world.drops(A, Direction::Outbound, reason), 1, "{reason}: {:?}", world.verdicts());
}

#[test]
fn malformed_frames_have_their_reasons() {
    dropped(|f| f.truncate(13), Reason::ShortFrame);
    dropped(|f| f.truncate(33), Reason::ShortFrame);
    dropped(|f| f.clear(), Reason::ShortFrame);
    dropped(|f| f[12..14].copy_from_slice(&[0x81, 0]), Reason::VlanTag);
    dropped(|f| f[12..14].copy_from_slice(&[0x88, 0xa8]), Reason::VlanTag);
    dropped(|f| f[12..14].copy_from_slice(&[0x86, 0xdd]), Reason::Ipv6);
    dropped(|f| f[12..14].copy_from_slice(&[0, 46]), Reason::BadEthertype);
    dropped(|f| f[14] = 0x65, Reason::BadIpHeader);
    dropped(|f| f[14] = 0x44, Reason::BadIpHeader);
    dropped(|f| f[16..18].copy_from_slice(&19u16.to_be_bytes()), Reason::BadIpLength);
    dropped(|f| f[16..18].copy_from_slice(&49u16.to_be_bytes()), Reason::BadIpLength);
    dropped(|f| f[38..40].copy_from_slice(&7u16.to_be_bytes()), Reason::BadL4Header);
    dropped(|f| f[38..40].copy_from_slice(&29u16.to_be_bytes()), Reason::BadL4Header);
    dropped(|f| f[23] = 6, Reason::BadL4Header);
    // Options that reach beyond the packet, or leave too little behind them; lengths from nothing to everything.
    dropped(|f| f[14] = 0x4f, Reason::BadIpLength);
    dropped(|f| f[14] = 0x4b, Reason::BadL4Header);
    dropped(|f| f[16..18].fill(0), Reason::BadIpLength);
    dropped(|f| f[16..18].fill(0xff), Reason::BadIpLength);
    // Nothing but zero bytes, from anywhere on.
    dropped(|f| f.fill(0), Reason::BadEthertype);
    dropped(|f| f[14..].fill(0), Reason::BadIpHeader);
    dropped(|f| f[15..].fill(0), Reason::BadIpLength);
}

#[test]
fn transport_headers_that_lie_about_their_length_are_dropped() {
    // UDP, TCP and ICMP in 20 + 28 bytes of IP.
    for length in [0u16, 7, 29, u16::MAX] {
        dropped(|f| f[38..40].copy_from_slice(&length.to_be_bytes()), Reason::BadL4Header);
    }
    for data_offset in [0u8, 1, 4, 8, 15] {
        dropped(|f| (f[23], f[46]) = (6, data_offset << 4), Reason::BadL4Header);
    }
    let shorter = |f: &mut Vec<u8>, protocol: u8, transport: usize| {
        f[23] = protocol;
        f[16..18].copy_from_slice(&(20 + transport as u16).to_be_bytes());
        f.truncate(34 + transport);
    };
    for (protocol, least) in [(1u8, 8), (6, 20), (17, 8)] {
        for transport in [0, 1, least - 1] {
            dropped(|f| shorter(f, protocol, transport), Reason::BadL4Header);
        }
    }
}

/// Options are the receiver's affair: whatever their lengths say, ports stand where the header ends, and the copy is whole.
#[test]
fn options_that_lie_about_their_length_are_carried_as_they_are() {
    let options = [
        [0u8; 8],
        [0xff; 8],
        // Record route of no bytes, of one, of more than there are; a timestamp whose pointer is outside.
        [7, 0, 0, 0, 0, 0, 0, 0],
        [7, 1, 4, 0, 0, 0, 0, 0],
        [1, 1, 1, 1, 7, 255, 4, 0],
        [68, 8, 200, 0, 0, 0, 0, 0],
    ];
    let only_port_2000 = mirror(&[(session("s1", 1, 8500, C), &[rule(1, "accept", "TCP", "2000/2000")])]);
    for words in 1..=10 {
        for option in options {
            let mut world = World::new(&only_port_2000);
            let (a, b) = (world.eni(A), world.eni(B));
            // TCP options lie in the same way.
            let mut transport = [tcp(1000, 2000), option.to_vec()].concat();
            transport[12] = 7 << 4;
            let mut frame = ip_frame(&a, &b, 6, &transport);
            frame.splice(34..34, option.into_iter().cycle().take(4 * words));
            frame[14] = 0x45 + words as u8;
            let total = (frame.len() - 14) as u16;
            frame[16..18].copy_from_slice(&total.to_be_bytes());
            let got = world.send(A, std::slice::from_ref(&frame));
            assert_eq!(got.len(), 2, "{words} words of {option:?}");
            assert_eq!((&got[0].1, &got[1].1[50..]), (&frame, &frame[..]));
        }
    }
}

#[test]
fn addresses_must_be_the_sender_s_own() {
    dropped(|f| f[11] = 0x77, Reason::SpoofedMac);
    dropped(|f| f[29] = 77, Reason::SpoofedIp);
    dropped(|f| f[26..30].fill(0), Reason::SpoofedIp);
    dropped(|f| f[5] = 0x77, Reason::BadDmac);
}

#[test]
fn groups_are_not_forwarded() {
    dropped(|f| f[30..34].fill(255), Reason::Broadcast);
    dropped(|f| f[33] = 255, Reason::Broadcast);
    dropped(|f| f[..6].fill(255), Reason::Broadcast);
    dropped(|f| f[30] = 224, Reason::Multicast);
    dropped(|f| f[0] = 1, Reason::Multicast);
}

#[test]
fn the_mtu_is_the_eni_s() {
    let mut world = world();
    let (c, b) = (world.eni(C), world.eni(B));
    let fits = ip_frame(&c, &b, 17, &udp(1, 2, 1500 - 28));
    let long = ip_frame(&c, &b, 17, &udp(1, 2, 1501 - 28));
    assert_eq!(world.send(C, &[fits, long]).len(), 1);
    assert_eq!(world.drops(C, Direction::Outbound, Reason::TooLong), 1);
}

#[test]
fn secondary_addresses_are_own_and_reachable() {
    let mut world = world();
    let (a, b) = (world.eni(A), world.eni(B));
    let second = 0x0a00_010b;
    let out = raw_frame((b.mac, a.mac), (second, b.primary), 17, &udp(1, 2, 0));
    let back = raw_frame((a.mac, b.mac), (b.primary, second), 17, &udp(2, 1, 0));
    assert_eq!(world.send(A, &[out])[0].0, B);
    assert_eq!(world.send(B, &[back])[0].0, A);
}

#[test]
fn padding_is_forwarded_and_never_copied() {
    let mut world = world();
    let (a, b) = (world.eni(A), world.eni(B));
    let mut frame = ip_frame(&a, &b, 17, &udp(1, 2, 0));
    frame.resize(60, 0xee);
    let got = world.send(A, std::slice::from_ref(&frame));
    assert_eq!(got[0], (B.to_owned(), frame.clone()));
    assert_eq!(&got[1].1[50..], &frame[..42], "14 + IP total length bytes");
}

#[test]
fn arp_is_answered_by_the_switch() {
    let mut world = world();
    let (a, b) = (world.eni(A), world.eni(B));
    let own = (a.mac, a.primary);
    let mac_of = |got: &[(String, Vec<u8>)]| Mac(*got[0].1[22..].first_chunk().unwrap());
    let got = world.send(A, &[arp(1, own, b.primary)]);
    assert_eq!((got[0].0.as_str(), mac_of(&got)), (A, b.mac));
    assert_eq!(got[0].1.len(), 60);
    assert_eq!(&got[0].1[..14], &[&a.mac.0[..], &b.mac.0, &[8, 6]].concat());
    // The gateway, and a probe from 0.0.0.0 (RFC 5227).
    assert_eq!(mac_of(&world.send(A, &[arp(1, own, 0x0a00_01fd)])), ROUTER);
    assert_eq!(mac_of(&world.send(A, &[arp(1, (a.mac, 0), b.primary)])), b.mac);
    // Another subnet, an unknown address, one's own, an answer: silence, counted.
    for frame in [arp(1, own, 0x0a00_0228), arp(1, own, 0x0a00_0163), arp(1, own, a.primary), arp(2, own, b.primary)] {
        assert_eq!(world.send(A, &[frame]), []);
    }
    let consumed = |reason| world.eni(A).counters.sum(|block| block.consumed.get(reason));
    assert_eq!((consumed(Reason::ArpAnswered), consumed(Reason::ArpSilent)), (3, 4));
    assert_eq!(world.excluded(A, Direction::Outbound, Reason::Arp), 7);
    assert_eq!(world.excluded(A, Direction::Inbound, Reason::Arp), 3);
}

#[test]
fn arp_lies_are_dropped() {
    let mut world = world();
    let (a, b) = (world.eni(A), world.eni(B));
    let mut short = arp(1, (a.mac, a.primary), b.primary);
    short.truncate(41);
    let mut token_ring = arp(1, (a.mac, a.primary), b.primary);
    token_ring[15] = 6;
    let mut inner_mac = arp(1, (a.mac, a.primary), b.primary);
    inner_mac[27] = 0x99;
    assert_eq!(world.send(A, &[short, token_ring, inner_mac, arp(1, (a.mac, b.primary), a.primary)]), []);
    let drops = |reason| world.drops(A, Direction::Outbound, reason);
    assert_eq!((drops(Reason::BadArp), drops(Reason::SpoofedMac), drops(Reason::SpoofedIp)), (2, 1, 1));
}

#[test]
fn rarp_is_consumed() {
    let mut world = world();
    let mut rarp = arp(3, (world.eni(A).mac, 0), 0);
    rarp[12..14].copy_from_slice(&[0x80, 0x35]);
    assert_eq!(world.send(A, &[rarp]), []);
    assert_eq!(world.eni(A).counters.sum(|b| b.consumed.get(Reason::Rarp)), 1);
    assert_eq!(world.excluded(A, Direction::Outbound, Reason::NotIpv4), 1);
}

proptest! {
    /// Any change to a good frame: no panic, and nothing is lost uncounted (the world asserts it when it ends).
    #[test]
    fn mutated_frames_are_delivered_or_dropped_and_counted(
        changes in proptest::collection::vec((0usize..90, any::<u8>()), 0..6),
        cut in proptest::option::of(0usize..90),
        protocol in select(vec![1u8, 6, 17]),
        kind in select(vec![0x0800u16, 0x0806, 0x8035]),
    ) {
        let mut world = World::new(&everything());
        let (a, b) = (world.eni(A), world.eni(B));
        let mut frame = ip_frame(&a, &b, protocol, &udp(1, 2, 40));
        frame[12..14].copy_from_slice(&kind.to_be_bytes());
        for (at, byte) in changes {
            if let Some(b) = frame.get_mut(at) {
                *b = byte;
            }
        }
        frame.truncate(cut.unwrap_or(frame.len()));
        world.send(A, &[frame]);
    }
}
