//! Packets between guests.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use crate::frames::{exchange, number, numbered, send};
use crate::switch::{PATIENCE, Setup, wait_until};

#[test]
fn split_and_packed_rings_both_socket_roles() {
    for server_mode in [false, true] {
        let switch = Setup { server_mode, ..Setup::default() }.start();
        let mut a = switch.guest(0);
        let mut b = switch.guest_like(1, |c| c.packed = true);
        exchange((0, &mut a), (1, &mut b), 2000, 64);
        exchange((1, &mut b), (0, &mut a), 2000, 1514);
        let list = switch.ctl_json(&["eni"]);
        assert_eq!((&list[0]["ring"], &list[1]["ring"]), (&"split".into(), &"packed".into()));
        assert_eq!(list[0]["rx_packets"], 2000);
        assert_eq!(list[1]["state"], "up");
        switch.assert_conserved();
    }
}

#[test]
fn jumbo_frames_of_8514_bytes() {
    let switch = Setup { mtu: 8500, ..Setup::default() }.start();
    let (mut a, mut b) = (switch.guest(0), switch.guest_like(1, |c| c.packed = true));
    for len in [1514, 2048, 4000, 8513, 8514] {
        exchange((0, &mut a), (1, &mut b), 50, len);
        exchange((1, &mut b), (0, &mut a), 50, len);
    }
}

#[test]
fn sixty_four_ports_each_with_its_neighbour() {
    let switch = Setup { enis: 64, ..Setup::default() }.start();
    let mut guests: Vec<_> =
        (0..64).map(|n| vswitch_perf::guest::GuestPort::open(switch.port_config(n)).unwrap()).collect();
    for guest in &mut guests {
        guest.connect(crate::switch::PATIENCE).unwrap();
    }
    assert!(wait_until(|| switch.metric("vswitch_eni_up", &[]) == 64));
    for (n, guest) in guests.iter_mut().enumerate() {
        for count in 0..30 {
            send(guest, &numbered(n, (n + 1) % 64, count, 100));
        }
    }
    for (n, guest) in guests.iter_mut().enumerate() {
        for count in 0..30 {
            let got = guest.receive(crate::switch::PATIENCE).expect("lost");
            assert_eq!(got, numbered((n + 63) % 64, n, count, 100));
        }
        assert_eq!(guest.try_receive(), None, "nothing twice, nothing of others");
    }
}

#[test]
fn several_queue_pairs_keep_each_flow_s_order() {
    const FLOWS: u64 = 20;
    const FRAMES: u64 = 50;
    const PAIRS: usize = 4;
    let switch = Setup { queue_pairs: PAIRS as u8, ..Setup::default() }.start();
    let (mut a, mut b) = (switch.guest(0), switch.guest(1));
    // By flow: frames seen, and the receive queue they came by.
    let mut seen = [0; FLOWS as usize];
    let mut queue_of: [Option<usize>; FLOWS as usize] = [None; FLOWS as usize];
    let mut receive = |pair: usize, frame: &[u8]| {
        // The number modulo 1000 is in the source port and is the flow; the thousands count inside it.
        let (flow, nth) = ((number(frame) % 1000) as usize, number(frame) / 1000);
        assert_eq!(nth, seen[flow], "flow {flow} in order");
        seen[flow] += 1;
        assert_eq!(*queue_of[flow].get_or_insert(pair), pair, "flow {flow} has one queue");
        seen.iter().sum::<u64>()
    };
    let mut received = 0;
    for nth in 0..FRAMES {
        for flow in 0..FLOWS {
            let frame = numbered(0, 1, 1000 * nth + flow, 64);
            while !a.send_on(flow as usize % PAIRS, &frame) {
                a.wait_for_room(Duration::from_millis(10));
            }
            a.kick();
        }
        let deadline = Instant::now() + PATIENCE;
        while received < (nth + 1) * FLOWS {
            assert!(Instant::now() < deadline, "lost: {received} of {}", (nth + 1) * FLOWS);
            for pair in 0..PAIRS {
                if let Some(frame) = b.try_receive_on(pair) {
                    received = receive(pair, &frame);
                }
            }
        }
    }
    assert_eq!(seen, [FRAMES; FLOWS as usize]);
    let used: HashSet<_> = queue_of.iter().flatten().collect();
    assert!(used.len() > 1, "{queue_of:?}");
    assert_eq!(switch.ctl_json(&["eni", "eni-0"])["queue_pairs"], PAIRS);
}

#[test]
fn two_workers_pass_packets_to_each_other() {
    let setup = Setup { workers: 2, enis: 4, sessions: vec![(vec![0], 3, 1500)], ..Setup::default() };
    let switch = setup.start();
    let list = switch.ctl_json(&["eni"]);
    assert_eq!((&list[0]["worker"], &list[1]["worker"]), (&0.into(), &1.into()));
    let (mut a, mut b, mut collector) = (switch.guest(0), switch.guest(1), switch.guest(3));
    for round in 0..20 {
        for count in 0..20 {
            send(&mut a, &numbered(0, 1, round * 20 + count, 200));
        }
        for count in 0..20 {
            assert_eq!(number(&b.receive(crate::switch::PATIENCE).expect("lost")), round * 20 + count);
            let copy = collector.receive(crate::switch::PATIENCE).expect("copy lost");
            assert_eq!(copy[50..], numbered(0, 1, round * 20 + count, 200)[..]);
        }
    }
    assert_eq!(switch.metric("vswitch_eni_crossed_total", &["eni=\"eni-0\""]), 800);
}

#[test]
fn works_without_hugepages() {
    let switch = Setup { hugepages: false, ..Setup::default() }.start();
    let (mut a, mut b) = (switch.guest(0), switch.guest(1));
    exchange((0, &mut a), (1, &mut b), 500, 300);
}
