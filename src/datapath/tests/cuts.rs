//! Where copies end: tables at every boundary, and any cut of any packet, inside any header and any segment.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::sample::select;

use super::world::*;
use crate::datapath::copies::{self, Copies};
use crate::datapath::{Verdict, mirror, run_burst};
use crate::mirror::cut::{CopyLimit, CutCause, Kept};
use crate::packet::headers::{Kind, parse};
use crate::packet::{Burst, Direction, HeapBuf, Lanes};
use crate::wire::IpMtu;

const OUTER: usize = 50;

/// The one session's filter accepts all.
fn mirror_all(length: u16) -> String {
    mirror(&[(session("s1", 1, length, C), &[rule(1, "accept", "ALL", "-1/-1")])])
}

/// Outer headers are right, by another parser; what they carry is the first bytes of the original.
fn check(copy: &[u8], original: &[u8], kept: usize) -> Result<(), TestCaseError> {
    prop_assert_eq!(copy.len(), OUTER + 14 + kept);
    let sliced = etherparse::SlicedPacket::from_ethernet(copy).unwrap();
    let Some(etherparse::NetSlice::Ipv4(ip)) = sliced.net else { panic!("no IPv4") };
    let header = ip.header().to_header();
    prop_assert_eq!(header.header_checksum, header.calc_header_checksum());
    prop_assert_eq!(usize::from(header.total_len), copy.len() - 14);
    let Some(etherparse::TransportSlice::Udp(udp)) = sliced.transport else { panic!("no UDP") };
    prop_assert_eq!(usize::from(udp.length()), copy.len() - 34);
    prop_assert_eq!((udp.destination_port(), udp.checksum()), (4789, 0));
    prop_assert_eq!(&copy[OUTER..], &original[..14 + kept]);
    Ok(())
}

fn kept(world: &mut World) -> Kept {
    let verdicts = world.verdicts();
    verdicts.iter().find_map(|v| if let Verdict::Matched { kept, .. } = v { Some(*kept) } else { None }).unwrap()
}

/// Source, target, region, PacketLength and packet at every boundary; what is expected is worked out here again.
#[test]
fn every_boundary_with_every_mtu_and_region() {
    let lengths = [64u16, 1449, 1450, 1451, 1500, 8449, 8450, 8451, 8500];
    let totals = [63u16, 64, 65, 1449, 1450, 1451, 1499, 1500, 8449, 8450, 8451, 8499, 8500];
    for (source, target) in [(1500, 1500), (1500, 8500), (8500, 1500), (8500, 8500)] {
        for (jumbo, length) in lengths.iter().flat_map(|length| [(true, *length), (false, *length)]) {
            let mut world = World::new(&mirror_all(length));
            (world.model.enis[0].mtu, world.model.enis[2].mtu) = (source, target);
            world.model.region.jumbo_mirroring = jumbo;
            world.recompile();
            let (a, b) = (world.eni(A), world.eni(B));
            for total in totals.into_iter().filter(|total| *total <= source) {
                let room = if jumbo && target == 8500 { 8450 } else { 1450 };
                let (bytes, cut) = match () {
                    () if total <= length && total <= room => (total, None),
                    () if length <= room => (length, Some(CutCause::PacketLength)),
                    () => (room, Some(CutCause::PathMtu)),
                };
                let case = format!("source {source}, target {target}, jumbo {jumbo}, {length}, {total}");
                let frame = ip_frame(&a, &b, 17, &udp(1, 2, usize::from(total) - 28));
                let got = world.send(A, std::slice::from_ref(&frame));
                let copy = &got.iter().find(|g| g.0 == C).unwrap_or_else(|| panic!("{case}")).1;
                check(copy, &frame, usize::from(bytes)).unwrap_or_else(|e| panic!("{case}: {e}"));
                assert_eq!(kept(&mut world), Kept { bytes, cut }, "{case}");
            }
        }
    }
}

/// The copy of a jumbo source's longest packet, to a jumbo target, is as long as a frame may be.
#[test]
fn the_longest_copy_is_a_frame_of_8514_bytes() {
    let mut world = World::new(&mirror_all(8500));
    world.model.enis[2].mtu = 8500;
    world.recompile();
    let (a, b) = (world.eni(A), world.eni(B));
    let frame = ip_frame(&a, &b, 17, &udp(1, 2, 8500 - 28));
    assert_eq!(frame.len(), 8514);
    let lengths: Vec<usize> = world.send(A, &[frame]).iter().map(|g| g.1.len()).collect();
    assert_eq!(lengths, [8514, 8514]);
}

/// A limit that no configuration has: cuts come to lie inside the IP header, too.
fn limit(world: &mut World, limit: CopyLimit) {
    for eni in world.snapshot.enis.iter_mut().flatten() {
        if let Some(mirror) = Arc::get_mut(eni).and_then(|eni| eni.mirror.as_mut()) {
            mirror.rows.iter_mut().for_each(|row| row.limit = limit);
        }
    }
}

/// An IPv4 frame from a to b with options in the IP and TCP headers.
fn frame(world: &World, protocol: u8, ip_options: usize, tcp_options: usize, payload: usize) -> Vec<u8> {
    let (a, b) = (world.eni(A), world.eni(B));
    let transport = match protocol {
        6 => {
            let mut bytes = tcp(1000, 80);
            bytes[12] = ((5 + tcp_options) << 4) as u8;
            bytes.extend((0..tcp_options * 4 + payload).map(|n| n as u8));
            bytes
        }
        17 => udp(1000, 53, payload),
        _ => (0..8 + payload).map(|n| n as u8).collect(),
    };
    let mut frame = ip_frame(&a, &b, protocol, &transport);
    frame.splice(34..34, (0..ip_options * 4).map(|n| 0xe0 | n as u8));
    frame[14] = 0x40 | (5 + ip_options) as u8;
    let total = (frame.len() - 14) as u16;
    frame[16..18].copy_from_slice(&total.to_be_bytes());
    frame
}

/// The frame in segments that end at these places.
fn segments(frame: &[u8], ends: &[prop::sample::Index]) -> HeapBuf {
    let mut ends: Vec<usize> = ends.iter().map(|end| end.index(frame.len())).chain([0, frame.len()]).collect();
    ends.sort_unstable();
    HeapBuf::chained(ends.windows(2).map(|w| frame[w[0]..w[1]].to_vec()))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    /// Any limit, any headers: a prefix of the original behind right outer headers, the Ethernet header always whole.
    #[test]
    fn a_copy_is_a_prefix_wherever_it_ends(
        protocol in select(vec![1u8, 6, 17, 47]), ip_options in 0usize..11, tcp_options in 0usize..11,
        payload in prop_oneof![0usize..80, 0usize..8300], padding in 0usize..50,
        length in prop_oneof![0u16..160, 0u16..9000], mtu in prop_oneof![50u16..210, 50u16..8501],
    ) {
        let mut world = World::new(&mirror_all(8500));
        world.model.enis[2].mtu = 8500;
        world.recompile();
        limit(&mut world, CopyLimit::new(length, IpMtu(mtu)));
        let original = frame(&world, protocol, ip_options, tcp_options, payload);
        prop_assume!(original.len() <= 8514);
        let padded = [&original[..], &vec![0; padding.min(8514 - original.len())]].concat();
        let got = world.send(A, &[padded]);
        let copy = &got.iter().find(|g| g.0 == C).unwrap().1;
        let wanted = (original.len() - 14).min(usize::from(length)).min(usize::from(mtu) - 50);
        check(copy, &original, wanted)?;
        prop_assert_eq!(usize::from(kept(&mut world).bytes), wanted);
    }

    /// The same where the frame lies in several segments, empty ones among them: a copy ends inside any of them.
    #[test]
    fn a_copy_of_segments_is_a_prefix_wherever_it_ends(
        protocol in select(vec![1u8, 6, 17, 47]), ip_options in 0usize..11, payload in prop_oneof![0usize..80, 0usize..3000],
        ends in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
        length in prop_oneof![0u16..160, 0u16..3500],
    ) {
        let mut world = World::new(&mirror_all(8500));
        world.model.enis[2].mtu = 8500;
        world.recompile();
        limit(&mut world, CopyLimit::new(length, IpMtu(8500)));
        let original = frame(&world, protocol, ip_options, 0, payload);
        let a = world.eni(A);
        let mut burst = Burst::default();
        prop_assert_eq!(parse(&original, &mut burst.headers[0]), Ok(Kind::Ipv4));
        burst.bufs.push(Some(segments(&original, &ends)));
        let mut made = Copies::new(Direction::Outbound);
        mirror::mirror(&mut world.env, &world.snapshot, &a, Lanes::one(0), &burst, &mut made);
        copies::send(&mut world.env, &world.snapshot, &mut made);
        let got = world.taken();
        prop_assert_eq!(got.len(), 1);
        check(&got[0].1, &original, (original.len() - 14).min(usize::from(length)))?;
    }

    /// Guests' frames in segments, with any bytes changed: delivered or dropped, counted, and nothing reads outside.
    #[test]
    fn lies_in_segments_are_counted(
        protocol in select(vec![1u8, 6, 17]), ends in proptest::collection::vec(any::<prop::sample::Index>(), 0..4),
        changes in proptest::collection::vec((0usize..90, any::<u8>()), 0..6),
    ) {
        let mut world = World::new(&mirror_all(8500));
        let mut bytes = frame(&world, protocol, 2, 2, 40);
        for (at, byte) in changes {
            if let Some(b) = bytes.get_mut(at) {
                *b = byte;
            }
        }
        let (a, mut burst) = (world.eni(A), Burst::default());
        burst.bufs.push(Some(segments(&bytes, &ends)));
        run_burst(&mut world.env, &world.snapshot, &a, &mut burst);
        world.assert_conserved();
    }
}
