//! What is copied, by which session, how much of it, and what is never.

use super::world::*;
use crate::datapath::Verdict;
use crate::mirror::cut::CutCause;
use crate::packet::{Direction, Reason};

/// Copies among deliveries: those to c that are longer by the outer headers.
fn copies(got: &[(String, Vec<u8>)]) -> Vec<&[u8]> {
    got.iter().filter(|(to, f)| to == C && f.get(36..38) == Some(&[0x12, 0xb5])).map(|(_, f)| &f[..]).collect()
}

#[test]
fn a_copy_is_the_original_in_vxlan() {
    let mut world = World::new(&everything());
    let (a, b, c) = (world.eni(A), world.eni(B), world.eni(C));
    let frame = ip_frame(&a, &b, 17, &udp(1000, 2000, 33));
    let got = world.send(A, std::slice::from_ref(&frame));
    let copies = copies(&got);
    assert_eq!(copies.len(), 1);
    let sliced = etherparse::SlicedPacket::from_ethernet(copies[0]).unwrap();
    let Some(etherparse::LinkSlice::Ethernet2(link)) = sliced.link else { panic!("no Ethernet") };
    assert_eq!((link.source(), link.destination()), (a.mac.0, c.mac.0));
    let Some(etherparse::NetSlice::Ipv4(ip)) = sliced.net else { panic!("no IPv4") };
    let header = ip.header();
    assert_eq!((header.source(), header.destination()), (a.primary.to_be_bytes(), c.primary.to_be_bytes()));
    assert_eq!(header.to_header().calc_header_checksum(), header.header_checksum());
    let Some(etherparse::TransportSlice::Udp(outer)) = sliced.transport else { panic!("no UDP") };
    assert_eq!((outer.destination_port(), outer.checksum()), (4789, 0));
    assert!(outer.source_port() >= 49152);
    assert_eq!(&outer.payload()[..8], &[8, 0, 0, 0, 0, 0, 1, 0], "VNI 1");
    assert_eq!(&outer.payload()[8..], &frame[..]);
}

#[test]
fn both_directions_of_a_flow_have_one_source_port() {
    let mut world = World::new(&everything());
    let (a, b) = (world.eni(A), world.eni(B));
    let out = world.send(A, &[ip_frame(&a, &b, 6, &tcp(1000, 80))]);
    let back = world.send(B, &[ip_frame(&b, &a, 6, &tcp(80, 1000))]);
    assert_eq!(copies(&out)[0][34..36], copies(&back)[0][34..36]);
}

#[test]
fn cuts_at_every_boundary() {
    // c's MTU is 1500, d's 8500: whole up to 1,450 and 8,450 bytes.
    let cases = [
        (8500, C, 1449, 1449, None),
        (8500, C, 1450, 1450, None),
        (8500, C, 1451, 1450, Some(CutCause::PathMtu)),
        (8500, D, 8449, 8449, None),
        (8500, D, 8450, 8450, None),
        (8500, D, 8451, 8450, Some(CutCause::PathMtu)),
        (8500, D, 8500, 8450, Some(CutCause::PathMtu)),
        (64, C, 63, 63, None),
        (64, C, 64, 64, None),
        (64, C, 65, 64, Some(CutCause::PacketLength)),
        (1500, D, 8500, 1500, Some(CutCause::PacketLength)),
    ];
    for (length, target, total, kept, cause) in cases {
        let mut world =
            World::new(&mirror(&[(session("s1", 1, length, target), &[rule(1, "accept", "ALL", "-1/-1")])]));
        let (a, b) = (world.eni(A), world.eni(B));
        let frame = ip_frame(&a, &b, 17, &udp(1, 2, total - 28));
        let got = world.send(A, std::slice::from_ref(&frame));
        let copy = &got.iter().find(|g| g.0 == target).unwrap().1;
        assert_eq!(&copy[50..], &frame[..14 + kept], "{length} {target} {total}");
        let verdicts = world.verdicts();
        let matched =
            verdicts.iter().find_map(|v| if let Verdict::Matched { kept, .. } = v { Some(kept.cut) } else { None });
        assert_eq!(matched, Some(cause), "{length} {target} {total}");
        let row = world.registry.rows.iter().next().unwrap().1.counters.clone();
        let cuts = (row.sum(|b| b.cut_packet_length[0].get()), row.sum(|b| b.cut_path_mtu[0].get()));
        let expected = (u64::from(cause == Some(CutCause::PacketLength)), u64::from(cause == Some(CutCause::PathMtu)));
        assert_eq!(cuts, expected, "{length} {target} {total}");
    }
}

#[test]
fn without_jumbo_mirroring_copies_are_cut_to_1450() {
    let mut world = World::new(&mirror(&[(session("s1", 1, 8500, D), &[rule(1, "accept", "ALL", "-1/-1")])]));
    world.model.region.jumbo_mirroring = false;
    world.recompile();
    let (a, b) = (world.eni(A), world.eni(B));
    let got = world.send(A, &[ip_frame(&a, &b, 17, &udp(1, 2, 4000))]);
    assert_eq!(got.iter().find(|g| g.0 == D).unwrap().1.len(), 50 + 14 + 1450);
}

#[test]
fn sessions_in_priority_order_rules_in_order_a_drop_ends_the_search_once_at_most() {
    let first = [rule(2, "accept", "UDP", "10/20"), rule(1, "drop", "UDP", "15/15")];
    let second = [rule(1, "accept", "UDP", "12/30")];
    let sessions = mirror(&[(session("late", 9, 8500, D), &second), (session("early", 3, 8500, C), &first)]);
    // Destination port → VNI of the copy, if there is one.
    for (port, vni) in [(10, Some(3)), (12, Some(3)), (15, None), (25, Some(9)), (31, None)] {
        let mut world = World::new(&sessions);
        let (a, b) = (world.eni(A), world.eni(B));
        let got = world.send(A, &[ip_frame(&a, &b, 17, &udp(1, port, 0))]);
        let vnis: Vec<u8> = got.iter().filter(|g| g.0 != B).map(|g| g.1[48]).collect();
        assert_eq!(vnis, vni.into_iter().collect::<Vec<u8>>(), "port {port}");
    }
}

#[test]
fn a_filter_without_rules_mirrors_nothing_and_a_disabled_session_is_none() {
    let mut world = World::new(&mirror(&[(session("s1", 1, 8500, C), &[])]));
    let (a, b) = (world.eni(A), world.eni(B));
    assert_eq!(world.send(A, &[ip_frame(&a, &b, 17, &udp(1, 2, 0))]).len(), 1);
    assert_eq!(a.counters.sum(|block| block.unmatched[0].get()), 1);
    let mut world = World::new(&everything().replace("\"Enabled\":true", "\"Enabled\":false"));
    assert_eq!(world.send(A, &[ip_frame(&a, &b, 17, &udp(1, 2, 0))]).len(), 1);
    assert!(world.eni(A).mirror.is_none());
}

#[test]
fn between_two_sources_there_are_two_copies() {
    let both = everything().replace("[\"eni-a\"]", "[\"eni-a\",\"eni-b\"]");
    let mut world = World::new(&both);
    let (a, b) = (world.eni(A), world.eni(B));
    let got = world.send(A, &[ip_frame(&a, &b, 17, &udp(1, 2, 0))]);
    let mut sources: Vec<u8> = copies(&got).iter().map(|c| c[29]).collect();
    sources.sort_unstable();
    assert_eq!(sources, [10, 20], "outer source addresses");
    assert_eq!(got[0].0, B, "service goes first");
}

#[test]
fn rewriting_never_shows_in_an_outbound_copy_and_always_in_an_inbound_one() {
    let mut world = World::new(&everything());
    let (a, d) = (world.eni(A), world.eni(D));
    let out = raw_frame((ROUTER, a.mac), (a.primary, d.primary), 17, &udp(1, 2, 5));
    let got = world.send(A, std::slice::from_ref(&out));
    assert_eq!(&copies(&got)[0][50..], &out[..]);
    let back = raw_frame((ROUTER, d.mac), (d.primary, a.primary), 17, &udp(2, 1, 5));
    let got = world.send(D, &[back]);
    let delivered = &got.iter().find(|g| g.0 == A).unwrap().1;
    assert_eq!(delivered[22], 63);
    assert_eq!(&copies(&got)[0][50..], &delivered[..]);
}

#[test]
fn outbound_is_mirrored_even_if_a_later_step_drops_it_inbound_only_when_delivered() {
    let mut world = World::new(&everything());
    let (a, b) = (world.eni(A), world.eni(B));
    let lost = raw_frame((ROUTER, a.mac), (a.primary, 0x0808_0808), 17, &udp(1, 2, 0));
    assert_eq!(copies(&world.send(A, &[lost])).len(), 1);
    world.env.down.push(a.slot);
    assert_eq!(world.send(B, &[ip_frame(&b, &a, 17, &udp(1, 2, 0))]), []);
    assert_eq!(a.counters.sum(|block| block.seen[1].get()), 0);
}

#[test]
fn what_security_drops_is_counted_and_never_mirrored() {
    let mut world = World::new(&everything());
    let (a, b) = (world.eni(A), world.eni(B));
    world.env.denied_port = Some((Direction::Outbound, 2));
    assert_eq!(world.send(A, &[ip_frame(&a, &b, 17, &udp(1, 2, 0))]), []);
    assert_eq!(world.drops(A, Direction::Outbound, Reason::Denied), 1);
    world.env.denied_port = Some((Direction::Inbound, 2));
    assert_eq!(world.send(B, &[ip_frame(&b, &a, 17, &udp(1, 2, 0))]), []);
    assert_eq!(world.drops(A, Direction::Inbound, Reason::Denied), 1);
    assert_eq!((0..2).map(|d| a.counters.sum(|block| block.seen[d].get())).sum::<u64>(), 0);
}

#[test]
fn dhcp_and_the_platform_are_never_mirrored() {
    let mut world = World::new(&everything());
    let (a, b) = (world.eni(A), world.eni(B));
    let dhcp = ip_frame(&a, &b, 17, &udp(68, 67, 0));
    let platform = raw_frame((ROUTER, a.mac), (a.primary, 0x6440_0001), 17, &udp(1, 2, 0));
    let answer = ip_frame(&b, &a, 17, &udp(67, 68, 0));
    assert_eq!(copies(&world.send(A, &[dhcp, platform])).len(), 0);
    assert_eq!(copies(&world.send(B, &[answer])).len(), 0);
    assert_eq!(world.excluded(A, Direction::Outbound, Reason::Dhcp), 1);
    assert_eq!(world.excluded(A, Direction::Outbound, Reason::Platform), 1);
    assert_eq!(world.excluded(A, Direction::Inbound, Reason::Dhcp), 1);
}

#[test]
fn fragments_without_ports_are_orphans_only_where_a_rule_asks() {
    let rules = [rule(1, "accept", "UDP", "5/5"), rule(2, "accept", "ALL", "-1/-1")];
    let mut world = World::new(&mirror(&[(session("s1", 1, 8500, C), &rules)]));
    let (a, b) = (world.eni(A), world.eni(B));
    let mut later = ip_frame(&a, &b, 17, &[7; 32]);
    later[20..22].copy_from_slice(&[0, 9]);
    let mut icmp = ip_frame(&a, &b, 1, &[7; 32]);
    icmp[20..22].copy_from_slice(&[0, 9]);
    assert_eq!(copies(&world.send(A, &[later, icmp])).len(), 1, "ICMP has no ports to miss");
    assert_eq!(world.excluded(A, Direction::Outbound, Reason::FragmentOrphan), 1);
}

#[test]
fn the_collector_s_complaint_about_a_copy_is_consumed() {
    let mut world = World::new(&everything());
    let (a, b, c) = (world.eni(A), world.eni(B), world.eni(C));
    let got = world.send(A, &[ip_frame(&a, &b, 17, &udp(1, 2, 0))]);
    let quoted = copies(&got)[0][14..].to_vec();
    let error = |quoted: &[u8]| [&[3u8, 3, 0, 0, 0, 0, 0, 0], quoted].concat();
    assert_eq!(world.send(C, &[ip_frame(&c, &a, 1, &error(&quoted))]), []);
    assert_eq!(c.counters.sum(|block| block.consumed.get(Reason::CopyFeedback)), 1);
    // An error about something else reaches the source, and so does one by somebody who is no target.
    let mut other = quoted.clone();
    other[23] = 99;
    assert_eq!(world.send(C, &[ip_frame(&c, &a, 1, &error(&other))]).len(), 1);
    assert_eq!(world.send(B, &[ip_frame(&b, &a, 1, &error(&quoted))]).len(), 1);
}

#[test]
fn a_target_that_is_full_or_gone_costs_service_nothing() {
    let mut world = World::new(&everything());
    let (a, b, c) = (world.eni(A), world.eni(B), world.eni(C));
    world.env.room.insert(c.slot, 1);
    let frames: Vec<_> = (0..3).map(|n| ip_frame(&a, &b, 17, &udp(n, 2, 0))).collect();
    let got = world.send(A, &frames);
    assert_eq!((got.iter().filter(|g| g.0 == B).count(), copies(&got).len()), (3, 1));
    assert_eq!(world.skips(Reason::TargetFull), 2);
    world.env.down.push(c.slot);
    assert_eq!(world.send(A, &frames).len(), 3);
    assert_eq!(world.skips(Reason::TargetDown), 3);
}

#[test]
fn a_later_icmp_fragment_quotes_nothing() {
    let mut world = World::new(&everything());
    let (a, b, c) = (world.eni(A), world.eni(B), world.eni(C));
    let got = world.send(A, &[ip_frame(&a, &b, 17, &udp(1, 2, 0))]);
    let error = [&[3u8, 3, 0, 0, 0, 0, 0, 0], &copies(&got)[0][14..]].concat();
    let mut later = ip_frame(&c, &a, 1, &error);
    later[20..22].copy_from_slice(&[0, 9]);
    assert_eq!(world.send(C, &[later]).len(), 1, "these bytes are data");
    let mut first = ip_frame(&c, &a, 1, &error);
    first[20..22].copy_from_slice(&[0x20, 0]);
    assert_eq!(world.send(C, &[first]), []);
}

#[test]
fn a_complaint_about_the_last_copies_of_a_session_that_is_gone_is_consumed() {
    let remove: [fn(&mut World); 3] = [
        |world| world.model.sessions[0].enabled = false,
        |world| world.model.sessions.clear(),
        |world| world.model.sessions[0].sources.clear(),
    ];
    for remove in remove {
        let mut world = World::new(&everything());
        let (a, b, c) = (world.eni(A), world.eni(B), world.eni(C));
        let got = world.send(A, &[ip_frame(&a, &b, 17, &udp(1, 2, 0))]);
        let error = [&[3u8, 3, 0, 0, 0, 0, 0, 0], &copies(&got)[0][14..]].concat();
        remove(&mut world);
        world.recompile();
        assert_eq!(world.send(C, &[ip_frame(&c, &a, 1, &error)]), []);
        assert_eq!(c.counters.sum(|block| block.consumed.get(Reason::CopyFeedback)), 1);
    }
}

#[test]
fn a_cut_counts_when_the_copy_is_sent() {
    let mut world = World::new(&mirror(&[(session("s1", 1, 64, C), &[rule(1, "accept", "ALL", "-1/-1")])]));
    let (a, b, c) = (world.eni(A), world.eni(B), world.eni(C));
    let frame = ip_frame(&a, &b, 17, &udp(1, 2, 100));
    let cuts = |world: &World| {
        let row = world.registry.rows.iter().next().unwrap().1.counters.clone();
        row.sum(|b| b.cut_packet_length[0].get())
    };
    world.env.room.insert(c.slot, 0);
    world.send(A, std::slice::from_ref(&frame));
    assert_eq!((cuts(&world), world.skips(Reason::TargetFull)), (0, 1));
    world.env.room.insert(c.slot, 1);
    world.send(A, &[frame]);
    assert_eq!(cuts(&world), 1);
}

#[test]
fn a_neighbour_s_copies_wait_for_the_service_packets_of_the_burst() {
    let of_b = everything().replace("[\"eni-a\"]", "[\"eni-b\"]");
    let mut world = World::new(&of_b);
    let (a, b, c) = (world.eni(A), world.eni(B), world.eni(C));
    // One place at c: for the service packet, not for the copy of what b gets.
    world.env.room.insert(c.slot, 1);
    let (to_b, to_c) = (ip_frame(&a, &b, 17, &udp(1, 2, 0)), ip_frame(&a, &c, 17, &udp(1, 2, 0)));
    let got = world.send(A, &[to_b.clone(), to_c.clone()]);
    assert_eq!(got, [(B.to_owned(), to_b), (C.to_owned(), to_c)]);
    assert_eq!(world.skips(Reason::TargetFull), 1);
}

#[test]
fn an_empty_pool_costs_the_copy_and_not_the_packet_that_is_rewritten() {
    let mut world = World::new(&everything());
    let (a, d) = (world.eni(A), world.eni(D));
    // Long enough that its copy shares its bytes, and on its way through the router.
    let frame = raw_frame((ROUTER, a.mac), (a.primary, d.primary), 17, &udp(1, 2, 1200));
    world.env.buffers = Some(1);
    let got = world.send(A, std::slice::from_ref(&frame));
    assert_eq!(got.len(), 1, "the one buffer went to the copy, and nobody has another");
    assert_eq!((got[0].0.as_str(), &got[0].1[..6], got[0].1[22]), (D, &d.mac.0[..], 63));
    assert_eq!((world.skips(Reason::NoBuffer), world.drops(A, Direction::Outbound, Reason::NoBuffer)), (1, 0));
    world.env.buffers = Some(2);
    let got = world.send(A, std::slice::from_ref(&frame));
    assert_eq!(copies(&got)[0][50..], frame[..], "with a second one there are both");
    assert_eq!(got[0].1[22], 63);
}

#[test]
fn an_arp_answer_without_a_buffer_is_an_inbound_drop_at_tx() {
    let mut world = World::new(&everything());
    let (a, b) = (world.eni(A), world.eni(B));
    world.env.buffers = Some(0);
    world.send(A, &[arp(1, (a.mac, a.primary), b.primary)]);
    let page = crate::metrics::text::render(&world.scrape()).unwrap();
    let series = "vswitch_eni_drops_total{direction=\"inbound\",eni=\"eni-a\",reason=\"no_buffer\",stage=\"tx\"} 1";
    assert!(page.contains(series), "{page}");
    assert!(!page.contains("reason=\"no_buffer\",stage=\"route\""), "{page}");
}
