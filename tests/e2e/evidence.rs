//! Real traffic between real network stacks. What tcpdump sees at a source, and what the collector's kernel takes out of
//! the copies with its own `vxlan` device, are the same frames in the same order; also when the recording is played again.

use std::collections::{HashMap, HashSet};

use serde_json::json;
use vswitch_perf::guest::GuestPort;

use crate::frames::send;
use crate::netns::{Recording, Stack, lacking};
use crate::switch::{PATIENCE, Setup, Switch, missing, wait_until};

type Frames = Vec<Vec<u8>>;

const TRAFFIC: &str = concat!("/usr/bin/python3 ", env!("CARGO_MANIFEST_DIR"), "/tests/e2e/traffic.py");
/// The UDP port that the filter refuses.
const REFUSED: u16 = 9999;
/// Interface MTUs of eni-0 and eni-1: all that eni-0 sends fits beside 50 bytes of encapsulation, not all of eni-1's does.
const MTUS: [u16; 2] = [8450, 8500];
/// What a copy keeps on its way to the collectors of eni-0 and eni-1, of MTU 8500 and 1500.
const KEPT: [usize; 2] = [8450, 1450];
/// Frames played before the collectors must have caught up.
const WINDOW: usize = 64;

fn word(frame: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([frame[at], frame[at + 1]])
}

fn is_ipv4(frame: &[u8]) -> bool {
    word(frame, 12) == 0x0800
}

/// Where a fragment's bytes belong, in bytes.
fn offset(frame: &[u8]) -> usize {
    usize::from(word(frame, 20) & 0x1fff) * 8
}

/// The transport header and what follows, of a packet that begins with one.
fn transport(frame: &[u8], protocol: u8) -> Option<&[u8]> {
    let begins = is_ipv4(frame) && frame[23] == protocol && offset(frame) == 0;
    begins.then(|| &frame[14 + usize::from(frame[14] & 15) * 4..14 + usize::from(word(frame, 16))])
}

/// Frames that an ENI sends (or gets), seen at its interface.
fn side(frames: &[Vec<u8>], eni: usize, sends: bool) -> Frames {
    frames.iter().filter(|frame| (usize::from(frame[11]) == 10 + eni) == sends).cloned().collect()
}

/// Those of one side that the filter accepts. Later fragments share the fate of their first.
fn accepted(frames: Frames) -> Frames {
    let mut refused: HashMap<Vec<u8>, bool> = HashMap::new();
    let accepts = |frame: &Vec<u8>| {
        let datagram = [&frame[18..20], &frame[23..24], &frame[26..34]].concat();
        if offset(frame) > 0 {
            return !refused[&datagram];
        }
        let refuses = transport(frame, 17).is_some_and(|udp| word(udp, 2) == REFUSED);
        refused.insert(datagram, refuses);
        !refuses
    };
    frames.into_iter().filter(|frame| is_ipv4(frame)).filter(accepts).collect()
}

/// What copies keep of frames: the bytes that belong to the packet, up to a limit.
fn kept(frames: &[Vec<u8>], limit: usize) -> Frames {
    frames.iter().map(|frame| frame[..14 + limit.min(usize::from(word(frame, 16)))].to_vec()).collect()
}

/// Nothing is proven unless one side's accepted frames are of every kind.
fn assert_all_kinds(frames: &[Vec<u8>]) {
    let (mut segments, mut retransmissions, mut errors) = (HashSet::new(), 0, HashSet::new());
    for frame in frames {
        if let Some(tcp) = transport(frame, 6).filter(|tcp| tcp.len() > usize::from(tcp[12] >> 4) * 4) {
            retransmissions += usize::from(!segments.insert(tcp[..8].to_vec()));
        }
        if let Some(icmp) = transport(frame, 1).filter(|icmp| [3, 11].contains(&icmp[0])) {
            errors.insert((icmp[0], icmp[1]));
        }
    }
    let count = |test: &dyn Fn(&[u8]) -> bool| frames.iter().filter(|frame| test(frame)).count();
    let udp = |test: &dyn Fn(&[u8]) -> bool| count(&|frame| transport(frame, 17).is_some_and(test));
    let questions = udp(&|udp| word(udp, 2) == 53 && udp[10] & 0x80 == 0);
    let answers = udp(&|udp| word(udp, 0) == 53 && udp[10] & 0x80 != 0);
    let fragments = count(&|frame| frame[23] == 17 && offset(frame) > 0);
    let jumbo = count(&|frame| frame.len() > 1514);
    println!(
        "{} frames: {} TCP segments, {retransmissions} retransmitted, {questions} questions and {answers} answers of \
         DNS, {fragments} later fragments, ICMP errors {errors:?}, {jumbo} longer than 1514 bytes",
        frames.len(),
        segments.len() + retransmissions,
    );
    assert!(retransmissions > 0 && segments.len() > 400, "TCP lost nothing");
    assert_eq!((questions, answers), (2, 2), "DNS");
    assert!(fragments >= 10, "UDP in fragments");
    // Port and protocol unreachable, time exceeded.
    assert_eq!(errors, HashSet::from([(3, 3), (3, 2), (11, 1)]));
    assert!(jumbo > 50);
}

/// Compares frame by frame, and names the first that differs.
fn assert_same(what: &str, copies: &[Vec<u8>], wanted: &[Vec<u8>]) {
    for (n, (copy, frame)) in copies.iter().zip(wanted).enumerate() {
        assert_eq!(copy, frame, "{what}: frame {n} of {}", wanted.len());
    }
    assert_eq!(copies.len(), wanted.len(), "{what}: how many");
}

fn switch(workers: u16, collectors: [usize; 2]) -> Switch {
    let sessions = vec![(vec![0], collectors[0], 8500), (vec![1], collectors[1], 8500)];
    let small = vec![collectors[1]];
    let setup = Setup { enis: 4, server_mode: true, workers, mtu: 8500, small, sessions, ..Setup::default() };
    let mut mirror = setup.mirror();
    for (direction, id) in [("IngressRules", "r-in-0"), ("EgressRules", "r-0")] {
        mirror["TrafficMirrorFilters"][0][direction].as_array_mut().unwrap().push(json!({
            "TrafficMirrorFilterRuleId": id, "Priority": 2, "Action": "accept", "Protocol": "ALL",
        }));
        mirror["TrafficMirrorFilters"][0][direction][0] = json!({
            "TrafficMirrorFilterRuleId": format!("{id}-refuse"), "Priority": 1, "Action": "drop", "Protocol": "UDP",
            "DestinationPortRange": format!("{REFUSED}/{REFUSED}"),
        });
    }
    let mut switch = setup.prepare();
    switch.folder.write("mirror.json", &mirror.to_string());
    switch.run();
    switch
}

/// Each session's copies behind the first `after` are what its source's recording demands.
fn compare(copies: [&Frames; 2], recorded: [&Frames; 2], after: [usize; 2]) {
    for eni in [0, 1] {
        let new = &copies[eni][after[eni]..];
        for sends in [true, false] {
            let wanted = kept(&accepted(side(recorded[eni], eni, sends)), KEPT[eni]);
            assert_same(&format!("eni-{eni}, sends: {sends}"), &side(new, eni, sends), &wanted);
        }
    }
}

/// How many copies a recording demands of an ENI's session.
fn total(frames: &Frames, eni: usize) -> usize {
    [true, false].map(|sends| accepted(side(frames, eni, sends)).len()).iter().sum()
}

/// Sends a recording's packets again, from and to the same ENIs in the same order; the guests get what they got then.
fn play(switch: &Switch, recorded: &Frames, collectors: &[Recording; 2], before: [usize; 2]) {
    let mut guests: [GuestPort; 2] = [switch.guest(0), switch.guest(1)];
    let packets: Frames = recorded.iter().filter(|frame| is_ipv4(frame)).cloned().collect();
    for (n, frame) in packets.iter().enumerate() {
        let from = usize::from(frame[11]) - 10;
        send(&mut guests[from], frame);
        assert_eq!(guests[1 - from].receive(PATIENCE).as_ref(), Some(frame), "frame {n}");
        if (n + 1) % WINDOW == 0 || n + 1 == packets.len() {
            let played = packets[..=n].to_vec();
            let there = |eni: usize| collectors[eni].so_far().len() == before[eni] + total(&played, eni);
            assert!(wait_until(|| there(0) && there(1)), "copies are missing after {n} frames");
        }
    }
}

fn real_traffic(workers: u16, collectors: [usize; 2]) {
    if let Some(lacking) = lacking() {
        return missing(lacking);
    }
    let switch = switch(workers, collectors);
    let collecting = collectors.map(|eni| Stack::start(&switch, eni, switch.port_config(eni).mtu));
    let copies = [0, 1].map(|session| {
        collecting[session].decapsulate(10 + session);
        collecting[session].record("vx")
    });
    let stacks = [0, 1].map(|eni| Stack::start(&switch, eni, MTUS[eni]));
    let sources = [0, 1].map(|eni: usize| stacks[eni].record("tap"));
    let servers = [0, 1].map(|eni: usize| stacks[eni].serve(&format!("{TRAFFIC} serve")));
    for eni in [0, 1] {
        stacks[eni].run(&format!("{TRAFFIC} talk 10.0.0.{} 10.0.0.{}", 11 - eni, 10 + eni));
    }

    let matched = |session: usize| {
        let labels: &[&str] = &[&format!("session=\"s-{session}\"")];
        switch.metric("vswitch_mirror_matched_total", labels) as usize
    };
    let settled = |session: usize| {
        let wanted = matched(session);
        wanted == total(&sources[session].so_far(), session) && wanted == copies[session].so_far().len()
    };
    let quiet = wait_until(|| settled(0) && settled(1));
    drop(servers);
    let recorded = sources.map(Recording::end);
    drop(stacks);
    let first = [0, 1].map(|session: usize| copies[session].so_far());
    compare([&first[0], &first[1]], [&recorded[0], &recorded[1]], [0, 0]);
    assert!(quiet, "counted: {:?}", [0, 1].map(matched));
    for eni in [0, 1] {
        for sends in [true, false] {
            let frames = side(&recorded[eni], eni, sends);
            assert_all_kinds(&accepted(frames.clone()));
            let later = |frames: &Frames| frames.iter().filter(|frame| is_ipv4(frame) && offset(frame) > 0).count();
            assert!(later(&frames) >= later(&accepted(frames.clone())) + 10, "fragments that the filter refuses");
        }
    }
    for what in ["vswitch_eni_drops_total", "vswitch_mirror_skips_total"] {
        assert_eq!(switch.metric(what, &[]), 0, "{what}");
    }

    let before = [first[0].len(), first[1].len()];
    play(&switch, &recorded[0], &copies, before);
    let all = copies.map(Recording::end);
    compare([&all[0], &all[1]], [&recorded[0], &recorded[0]], before);
}

#[test]
fn copies_of_real_traffic_are_what_tcpdump_saw_at_the_source() {
    real_traffic(1, [2, 3]);
}

#[test]
fn copies_of_real_traffic_that_cross_to_another_worker_are_too() {
    real_traffic(2, [3, 2]);
}
