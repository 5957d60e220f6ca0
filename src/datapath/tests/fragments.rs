//! Fragments: what they are judged by, and what of them is refused.

use proptest::prelude::*;
use proptest::sample::select;

use super::world::*;
use crate::datapath::Verdict;
use crate::packet::fragments::{CAPACITY, LIFETIME_NS};
use crate::packet::{Direction, Reason};
use crate::wire::checksum;

/// Cuts a frame into fragments whose payloads have `size` bytes, a multiple of eight.
fn fragments(frame: &[u8], id: u16, size: usize) -> Vec<Vec<u8>> {
    let payload: Vec<&[u8]> = frame[34..].chunks(size).collect();
    let last = payload.len() - 1;
    let fragment = |(n, part): (usize, &&[u8])| {
        let more = if n < last { 0x2000 } else { 0 };
        let word = more | (n * size / 8) as u16;
        with_word(&[&frame[..34], part].concat(), id, word)
    };
    payload.iter().enumerate().map(fragment).collect()
}

/// A frame of another length, with another identification and another place in its datagram.
fn with_word(frame: &[u8], id: u16, word: u16) -> Vec<u8> {
    let mut frame = frame.to_vec();
    let total = (frame.len() - 14) as u16;
    frame[16..18].copy_from_slice(&total.to_be_bytes());
    frame[18..20].copy_from_slice(&id.to_be_bytes());
    frame[20..22].copy_from_slice(&word.to_be_bytes());
    frame[24..26].fill(0);
    let sum = checksum::finish(checksum::sum(&frame[14..34]));
    frame[24..26].copy_from_slice(&sum.to_be_bytes());
    frame
}

/// Mirrors UDP to port 53 but no other UDP, and all TCP.
fn to_port_53() -> String {
    let rules = [rule(1, "accept", "UDP", "53/53"), rule(2, "drop", "UDP", "-1/-1"), rule(3, "accept", "TCP", "-1/-1")];
    mirror(&[(session("s1", 1, 8500, C), &rules)])
}

fn datagram(world: &World, from: &str, to: &str, port: u16) -> Vec<u8> {
    ip_frame(&world.eni(from), &world.eni(to), 17, &udp(1000, port, 100))
}

fn copies(got: &[(String, Vec<u8>)]) -> Vec<Vec<u8>> {
    got.iter().filter(|(to, f)| to == C && f.get(36..38) == Some(&[0x12, 0xb5])).map(|(_, f)| f.clone()).collect()
}

fn evictions(world: &World, eni: &str) -> u64 {
    world.eni(eni).counters.sum(|b| b.fragment_evictions.get())
}

fn orphans(world: &World, direction: Direction) -> u64 {
    world.excluded(A, direction, Reason::FragmentOrphan)
}

#[test]
fn later_fragments_are_judged_by_the_ports_of_the_first() {
    for (from, to) in [(A, B), (B, A)] {
        let mut world = World::new(&to_port_53());
        let wanted = fragments(&datagram(&world, from, to, 53), 7, 40);
        let refused = fragments(&datagram(&world, from, to, 54), 8, 40);
        assert_eq!(wanted.len(), 3);
        let got = copies(&world.send(from, &[wanted.clone(), refused.clone()].concat()));
        assert_eq!(got.iter().map(|c| &c[50..]).collect::<Vec<_>>(), wanted, "all in one burst");
        assert!(got.iter().all(|c| c[34..36] == got[0][34..36]), "one flow, one source port");
        let one_by_one: Vec<_> =
            wanted.iter().zip(&refused).flat_map(|(w, r)| world.send(from, &[w.clone(), r.clone()])).collect();
        assert_eq!(copies(&one_by_one).len(), 3, "a burst each");
    }
}

#[test]
fn the_source_port_of_fragments_is_the_3_tuple_s_in_both_directions() {
    let mut world = World::new(&everything());
    let out = fragments(&datagram(&world, A, B, 53), 7, 40);
    let mut answer = datagram(&world, B, A, 1000);
    answer[34..36].copy_from_slice(&53u16.to_be_bytes());
    let back = fragments(&answer, 9, 40);
    let all = [copies(&world.send(A, &out)), copies(&world.send(B, &back))].concat();
    assert_eq!(all.len(), 6);
    assert!(all.iter().all(|c| c[34..36] == all[0][34..36]));
    // An orphan whose ports no rule asks for has the same.
    let orphan = with_word(&out[1], 99, 5);
    assert_eq!(copies(&world.send(A, &[orphan]))[0][34..36], all[0][34..36]);
}

#[test]
fn a_receiver_on_another_worker_remembers_for_itself() {
    let mut world = World::with_workers(&to_port_53().replace("[\"eni-a\"]", "[\"eni-b\"]"), 2);
    let parts = fragments(&datagram(&world, A, B, 53), 7, 40);
    for part in &parts {
        world.send(A, std::slice::from_ref(part));
        assert_eq!(world.env.crossed.len(), 1);
        world.arrive();
        // The copy goes back to c, on the sender's worker.
        assert_eq!(copies(&world.arrive()).len(), 1);
    }
}

#[test]
fn what_comes_before_its_first_fragment_or_too_late_is_an_orphan() {
    let mut world = World::new(&to_port_53());
    let parts = fragments(&datagram(&world, A, B, 53), 7, 40);
    assert_eq!(copies(&world.send(A, &parts[1..])).len(), 0);
    assert_eq!(orphans(&world, Direction::Outbound), 2);
    world.send(A, &parts[..1]);
    world.env.now += LIFETIME_NS - 1;
    assert_eq!(copies(&world.send(A, &parts[1..])).len(), 2);
    world.env.now += 1;
    assert_eq!(copies(&world.send(A, &parts[1..])).len(), 0);
    assert_eq!(orphans(&world, Direction::Outbound), 4);
    // Another identification, protocol or address is another datagram.
    world.send(A, &parts[..1]);
    let other_id = with_word(&parts[1], 8, 5);
    let mut other_source = parts[1].clone();
    other_source[29] = 11;
    assert_eq!(copies(&world.send(A, &[other_id, other_source])).len(), 0);
}

#[test]
fn a_first_fragment_too_short_for_its_ports_is_unknown_and_so_is_what_follows() {
    let mut world = World::new(&to_port_53());
    let parts = fragments(&datagram(&world, A, B, 53), 7, 40);
    world.send(A, &parts[..1]);
    let short = with_word(&parts[0][..37], 7, 0x2000);
    assert_eq!(copies(&world.send(A, &[short, parts[1].clone()])).len(), 0, "no ports of an older datagram");
    assert_eq!(orphans(&world, Direction::Outbound), 2);
}

#[test]
fn a_snapshot_changes_the_judgement_and_not_the_memory() {
    let mut world = World::new(&to_port_53());
    let parts = fragments(&datagram(&world, A, B, 53), 7, 40);
    assert_eq!(copies(&world.send(A, &parts[..1])).len(), 1);
    world.recompile();
    assert_eq!(copies(&world.send(A, &parts[1..2])).len(), 1);
    // Port 53 is refused from now on, and 54 was always.
    world.model.filters[0].egress.retain(|r| r.priority != 1);
    world.recompile();
    assert_eq!(copies(&world.send(A, &parts[2..])).len(), 0);
    assert_eq!(world.eni(A).counters.sum(|b| b.refused[0].get()), 1);
    assert_eq!(orphans(&world, Direction::Outbound), 0);
}

#[test]
fn an_eni_that_moves_to_another_worker_forgets() {
    let mut world = World::with_workers(&to_port_53(), 2);
    let (a, before) = (world.eni(A), world.eni(B));
    assert_ne!(a.worker, before.worker);
    for eni in &mut world.model.enis {
        if matches!(&*eni.id, A | B) {
            eni.instance = Some("i-1".into());
        }
    }
    world.recompile();
    let kept =
        |old: &crate::mirror::snapshot::Eni, id: &str| std::sync::Arc::ptr_eq(&old.fragments, &world.eni(id).fragments);
    assert_eq!(world.eni(A).worker, world.eni(B).worker);
    // Whoever moved has a table that no other worker writes.
    assert_eq!(kept(&a, A), world.eni(A).worker == a.worker);
    assert_eq!(kept(&before, B), world.eni(B).worker == before.worker);
    assert_ne!(kept(&a, A), kept(&before, B), "one of them moved");
}

#[test]
fn an_eni_that_comes_back_begins_anew() {
    let mut world = World::new(&to_port_53());
    let parts = fragments(&datagram(&world, A, B, 53), 7, 40);
    world.send(A, &parts[..1]);
    let all = world.model.clone();
    world.model.sessions.clear();
    world.model.enis.retain(|e| *e.id != *A);
    world.recompile();
    world.model = all;
    world.recompile();
    assert_eq!(copies(&world.send(A, &parts[1..])).len(), 0);
    assert_eq!(orphans(&world, Direction::Outbound), 2);
}

#[test]
fn security_sees_the_ports_too() {
    let mut world = World::new(&everything());
    let parts = fragments(&datagram(&world, A, B, 53), 7, 40);
    for direction in Direction::ALL {
        world.env.denied_port = Some((direction, 53));
        assert_eq!(world.send(A, &parts).iter().filter(|g| g.0 == B).count(), 0);
        let eni = if direction == Direction::Outbound { A } else { B };
        assert_eq!(world.drops(eni, direction, Reason::Denied), 3);
    }
}

#[test]
fn dhcp_is_never_mirrored_in_pieces_either() {
    let mut world = World::new(&everything());
    let frame = ip_frame(&world.eni(A), &world.eni(B), 17, &udp(68, 67, 300));
    let parts = fragments(&frame, 7, 200);
    assert_eq!(copies(&world.send(A, &parts)).len(), 0);
    assert_eq!(world.excluded(A, Direction::Outbound, Reason::Dhcp), 2);
}

/// A client without an address asks a server: the datagram's fragments, 0.0.0.0 → b.
fn dhcp_fragments(world: &World, id: u16) -> Vec<Vec<u8>> {
    let (a, b) = (world.eni(A), world.eni(B));
    fragments(&raw_frame((b.mac, a.mac), (0, b.primary), 17, &udp(68, 67, 300)), id, 104)
}

#[test]
fn a_dhcp_client_s_fragments_pass_without_an_address_and_are_never_mirrored() {
    for workers in [1, 2] {
        let both = everything().replace("[\"eni-a\"]", "[\"eni-a\",\"eni-b\"]");
        let mut world = World::with_workers(&both, workers);
        let parts = dhcp_fragments(&world, 7);
        assert_eq!(parts.len(), 3);
        // In one burst, where the first one is judged together with the others; then a burst each.
        let mut got = world.send(A, &parts);
        parts.iter().for_each(|part| got.extend(world.send(A, std::slice::from_ref(part))));
        while !world.env.crossed.is_empty() {
            got.extend(world.arrive());
        }
        let expected: Vec<_> = parts.iter().chain(&parts).map(|part| (B.to_owned(), part.clone())).collect();
        assert_eq!(got, expected, "delivered, and nothing else");
        assert_eq!(world.excluded(A, Direction::Outbound, Reason::Dhcp), 6);
        assert_eq!(world.excluded(B, Direction::Inbound, Reason::Dhcp), 6);
    }
}

#[test]
fn other_fragments_without_an_address_are_spoofed() {
    let mut world = World::new(&everything());
    let parts = dhcp_fragments(&world, 7);
    assert_eq!(world.send(A, &parts[1..]), [], "nobody knows whose these are");
    world.send(A, &parts[..1]);
    assert_eq!(world.send(A, &[with_word(&parts[1], 8, 13)]), [], "another datagram's");
    let mut tcp_part = parts[1].clone();
    tcp_part[23] = 6;
    assert_eq!(world.send(A, &[tcp_part]), [], "another protocol's");
    world.env.now += LIFETIME_NS;
    assert_eq!(world.send(A, &parts[1..]), [], "too late");
    // A first fragment that is no DHCP client's is not remembered; neither is one too short to say.
    let mut server = parts[0].clone();
    server[34..38].copy_from_slice(&[0, 67, 0, 68]);
    assert_eq!(world.send(A, &[server, with_word(&parts[0][..36], 7, 0x2000), parts[1].clone()]), []);
    assert_eq!(world.drops(A, Direction::Outbound, Reason::SpoofedIp), 9);
    assert_eq!(evictions(&world, A), 0);
    // What is the client's own, of another datagram of the same number, gives nothing away either.
    let own = ip_frame(&world.eni(A), &world.eni(B), 17, &udp(68, 67, 300));
    assert_eq!(world.send(A, &fragments(&own, 7, 104)[..1]).len(), 1);
    assert_eq!(world.send(A, &parts[1..]), []);
}

#[test]
fn a_dhcp_client_s_first_fragment_makes_room_once() {
    let mut world = World::new(&everything());
    for id in 0..CAPACITY as u16 {
        let first = dhcp_fragments(&world, id)[0].clone();
        assert_eq!(world.send(A, &[first]).len(), 1);
    }
    assert_eq!(evictions(&world, A), 0);
    let first = dhcp_fragments(&world, 9999)[0].clone();
    world.send(A, &[first]);
    assert_eq!((evictions(&world, A), evictions(&world, B)), (1, 1));
}

#[test]
fn the_table_is_bounded_and_what_it_loses_is_counted() {
    let mut world = World::new(&to_port_53());
    let all: Vec<_> = (0..=CAPACITY as u16).map(|id| fragments(&datagram(&world, A, B, 53), id, 40)).collect();
    for burst in all.chunks(64) {
        let firsts: Vec<_> = burst.iter().map(|parts| parts[0].clone()).collect();
        world.send(A, &firsts);
    }
    assert_eq!((evictions(&world, A), evictions(&world, B)), (1, 1), "each of its own table");
    assert_eq!(copies(&world.send(A, &[all[0][1].clone(), all[1][1].clone()])).len(), 1, "the oldest went");
    // What an ENI is sent displaces nothing that it sends.
    let to_a: Vec<_> = (0..640).map(|id| fragments(&datagram(&world, B, A, 53), id, 40)[0].clone()).collect();
    to_a.chunks(64).for_each(|burst| drop(world.send(B, burst)));
    assert_eq!(copies(&world.send(A, &[all[1][2].clone()])).len(), 1);
    let lost = 1 + 640 - CAPACITY as u64;
    assert_eq!((evictions(&world, A), evictions(&world, B)), (lost, lost));
    let page = crate::metrics::text::render(&world.scrape()).unwrap();
    assert!(page.contains(&format!("vswitch_eni_fragment_evictions_total{{eni=\"eni-a\"}} {lost}")), "{page}");
    // Those whose time is over make room for nothing.
    world.env.now += LIFETIME_NS;
    world.send(A, &[fragments(&datagram(&world, A, B, 53), 9999, 40)[0].clone()]);
    assert_eq!(evictions(&world, A), lost);
}

#[test]
fn a_fragment_inside_the_tcp_header_is_dropped() {
    let mut world = World::new(&everything());
    let frame = ip_frame(&world.eni(A), &world.eni(B), 6, &tcp(1, 80));
    for word in [0x0001, 0x2001] {
        assert_eq!(world.send(A, &[with_word(&frame, 7, word)]), []);
    }
    assert_eq!(world.drops(A, Direction::Outbound, Reason::FragmentOverlap), 2);
    let parts = [with_word(&frame, 7, 0x2000), with_word(&frame, 7, 0x0002)];
    assert_eq!(copies(&world.send(A, &parts)).len(), 2);
}

#[test]
fn a_fragment_beyond_the_longest_packet_is_dropped() {
    let mut world = World::new(&everything());
    let frame = ip_frame(&world.eni(A), &world.eni(B), 17, &udp(1, 2, 0));
    // 65,512 + 23 bytes is the longest packet that there is.
    assert_eq!(world.send(A, &[with_word(&frame[..37], 7, 8189)]).len(), 2);
    assert_eq!(world.send(A, &[with_word(&frame[..38], 7, 8189), with_word(&frame, 7, 0x3fff)]), []);
    assert_eq!(world.drops(A, Direction::Outbound, Reason::FragmentBeyond), 2);
}

#[test]
fn an_icmp_error_about_a_flow_has_the_flow_s_source_port() {
    let all = mirror(&[(session("s1", 1, 8500, C), &[rule(1, "accept", "ALL", "-1/-1")])]);
    let mut world = World::new(&all);
    let (a, b) = (world.eni(A), world.eni(B));
    let sent = datagram(&world, A, B, 53);
    let of_flow = copies(&world.send(A, std::slice::from_ref(&sent)));
    for quoted in [28, 40] {
        let error = [&[3u8, 3, 0, 0, 0, 0, 0, 0], &sent[14..14 + quoted]].concat();
        let of_error = copies(&world.send(B, &[ip_frame(&b, &a, 1, &error)]));
        assert_eq!(of_error[0][34..36], of_flow[0][34..36], "{quoted} bytes quoted");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    /// Every fragment is judged as the whole packet is, on one worker and on two, in both directions, whatever other
    /// fragments come between.
    #[test]
    fn fragments_are_judged_as_the_whole_packet(
        datagrams in proptest::collection::vec((any::<bool>(), select(vec![6u8, 17]), 50u16..56, 1usize..8), 1..6),
        order in any::<u64>(),
        workers in 1usize..3,
    ) {
        let rules = [rule(1, "drop", "UDP", "51/51"), rule(2, "accept", "UDP", "50/53"), rule(3, "accept", "TCP", "52/55")];
        let mut world = World::with_workers(&mirror(&[(session("s1", 1, 8500, C), &rules)]), workers);
        let (mut queues, mut expected) = (Vec::new(), Vec::new());
        for (id, (outbound, protocol, port, size)) in datagrams.into_iter().enumerate() {
            let (from, to) = if outbound { (A, B) } else { (B, A) };
            let mut transport = if protocol == 6 { tcp(1000, port) } else { udp(1000, port, 60) };
            if protocol == 6 {
                transport.extend([0; 60]);
            }
            let frame = ip_frame(&world.eni(from), &world.eni(to), protocol, &transport);
            // Two fragments at least, and none that begins inside a TCP header.
            let size = (size * 8).max(if protocol == 6 { 16 } else { 8 });
            let accepted = if protocol == 6 { (52..=55).contains(&port) } else { matches!(port, 50 | 52 | 53) };
            let parts = fragments(&frame, id as u16, size);
            expected.push((parts.len(), accepted));
            queues.push((from, std::collections::VecDeque::from(parts)));
        }
        let mut mirrored = vec![0usize; queues.len()];
        let mut random = order;
        while queues.iter().any(|(_, parts)| !parts.is_empty()) {
            random = random.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
            let at = (random >> 33) as usize % queues.len();
            let Some(part) = queues[at].1.pop_front() else { continue };
            world.send(queues[at].0, &[part]);
            while !world.env.crossed.is_empty() {
                world.arrive();
            }
            let verdicts = world.verdicts();
            mirrored[at] += verdicts.iter().filter(|v| matches!(v, Verdict::Matched { .. })).count();
            world.env.now += 1_000_000;
        }
        for ((parts, accepted), mirrored) in expected.into_iter().zip(mirrored) {
            prop_assert_eq!(mirrored, if accepted { parts } else { 0 });
        }
    }
}
