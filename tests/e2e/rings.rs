//! What a ring's own figures say: rejected entries, stuck queues, and none where all is well.

use std::time::Duration;

use crate::frames::{exchange, numbered, send};
use crate::switch::{PATIENCE, Setup, Switch, wait_until};

fn rejected(switch: &Switch) -> u64 {
    switch.metric("vswitch_eni_ring_rejected_total", &[])
}

#[test]
fn lengths_that_lie_are_counted_and_hurt_nobody() {
    let switch = Setup::default().start();
    let (mut a, mut b) = (switch.guest_like(0, |c| c.mtu = 8500), switch.guest(1));
    let mut lies = numbered(0, 1, 1, 100);
    lies[16..18].copy_from_slice(&2000u16.to_be_bytes());
    send(&mut a, &lies);
    send(&mut a, &numbered(0, 1, 1, 1800));
    // Longer than any buffer of this ENI's pool: the library refuses it before we see it.
    send(&mut a, &numbered(0, 1, 1, 8000));
    exchange((0, &mut a), (1, &mut b), 50, 100);
    let drops = |reason: &str| switch.metric("vswitch_eni_drops_total", &[&format!("reason=\"{reason}\"")]);
    assert_eq!((drops("bad_ip_length"), drops("too_long")), (1, 1));
    assert!(wait_until(|| switch.metric("vswitch_eni_ring_rejected_total", &["eni=\"eni-0\""]) == 1));
}

#[test]
fn a_broken_chain_is_a_stuck_ring_and_a_reset_ends_it() {
    let switch = Setup::default().start();
    let (mut a, mut b) = (switch.guest(0), switch.guest(1));
    exchange((0, &mut a), (1, &mut b), 100, 100);
    assert!(a.send_broken());
    a.kick();
    assert!(wait_until(|| switch.metric("vswitch_eni_ring_stuck_total", &["eni=\"eni-0\""]) == 1));
    assert!(switch.get("/readyz").contains("ring_stuck: a queue of eni-0"), "{}", switch.get("/readyz"));
    assert_eq!(switch.ctl_json(&["eni", "eni-0"])["stuck_queues"], 1);
    assert_eq!(switch.ctl_json(&["eni", "eni-1"])["stuck_queues"], 0);
    a.reset().unwrap();
    switch.wait_up(0);
    assert!(wait_until(|| switch.get("/readyz").starts_with("ready")));
    exchange((0, &mut a), (1, &mut b), 100, 100);
    assert_eq!(switch.metric("vswitch_eni_ring_stuck_total", &[]), 1, "once, and nobody else's");
}

#[test]
fn an_idle_guest_s_single_packets_are_not_a_stuck_ring() {
    let switch = Setup::default().start();
    let (mut a, mut b) = (switch.guest(0), switch.guest(1));
    for n in 0..2000 {
        send(&mut a, &numbered(0, 1, n, 100));
        b.receive(PATIENCE).expect("lost");
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(switch.metric("vswitch_eni_ring_stuck_total", &[]), 0);
}

#[test]
fn a_rarp_that_the_library_makes_up_is_consumed_and_no_rejected_entry() {
    let switch = Setup::default().start();
    let (mut a, mut b) = (switch.guest(0), switch.guest(1));
    exchange((0, &mut a), (1, &mut b), 100, 100);
    a.send_rarp([2, 0, 0, 0, 0, 10]).unwrap();
    let consumed = || switch.metric("vswitch_eni_consumed_total", &["eni=\"eni-0\"", "reason=\"rarp\""]);
    assert!(wait_until(|| consumed() == 1), "{}", switch.get("/metrics"));
    exchange((0, &mut a), (1, &mut b), 100, 100);
    // Several looks later.
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!((consumed(), rejected(&switch)), (1, 0));
    assert_eq!(b.try_receive(), None, "it is not forwarded");
}

#[test]
fn a_reopened_port_has_rejected_nothing() {
    let switch = Setup::default().start();
    let (mut a, mut b) = (switch.guest(0), switch.guest(1));
    exchange((0, &mut a), (1, &mut b), 1000, 100);
    drop(a);
    assert!(switch.reload(&Setup { queue_pairs: 2, ..Setup::default() }).status.success());
    drop(b);
    let (mut a, mut b) = (switch.guest(0), switch.guest(1));
    exchange((0, &mut a), (1, &mut b), 200, 100);
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(rejected(&switch), 0);
}

#[test]
fn dirty_page_logging_is_offered_and_offloads_are_not() {
    let switch = Setup::default().start();
    let offered = switch.guest(0).offered();
    let bits = |list: &[u32]| list.iter().map(|bit| 1u64 << bit).sum::<u64>();
    // VHOST_F_LOG_ALL, MRG_RXBUF, VERSION_1, RING_PACKED.
    let wanted = bits(&[26, 15, 32, 34]);
    assert_eq!(offered & wanted, wanted, "{offered:#x}");
    // CSUM, GUEST_CSUM, GUEST_TSO4, TSO6, ECN, UFO, HOST_TSO4, TSO6, ECN, UFO.
    assert_eq!(offered & bits(&[0, 1, 7, 8, 9, 10, 11, 12, 13, 14]), 0, "{offered:#x}");
}
