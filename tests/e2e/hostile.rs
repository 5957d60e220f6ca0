//! VMMs that want more than their share, or the switch's end.

use std::io::pipe;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use vmm_sys_util::eventfd::EventFd;
use vswitch_perf::guest::GuestPort;

use crate::frames::{burst, exchange};
use crate::switch::{PATIENCE, Setup, wait_until};

/// Longest time for a frontend that is to be turned away.
const SHORT: Duration = Duration::from_millis(300);

#[test]
fn a_second_frontend_on_a_socket_is_turned_away() {
    let switch = Setup { server_mode: true, ..Setup::default() }.start();
    let (mut a, mut b) = (switch.guest(0), switch.guest(1));
    exchange((0, &mut a), (1, &mut b), 100, 100);
    let mut second = GuestPort::open(switch.port_config(0)).unwrap();
    assert!(second.connect(SHORT).is_err());
    let eni = switch.ctl_json(&["eni", "eni-0"]);
    assert_eq!((&eni["connections"], &eni["queue_pairs"]), (&1.into(), &1.into()), "{eni}");
    exchange((0, &mut a), (1, &mut b), 100, 100);
    drop(second);
    std::thread::sleep(Duration::from_millis(100));
    exchange((0, &mut a), (1, &mut b), 100, 100);
    assert_eq!(switch.log().matches("another frontend was turned away").count(), 1, "{}", switch.log());
    // The place is free when the first one has gone.
    drop(a);
    let mut second = switch.guest(0);
    exchange((0, &mut second), (1, &mut b), 100, 100);
}

#[test]
fn guests_hand_a_socket_over_in_the_middle_of_bursts() {
    let switch = Setup { server_mode: true, enis: 8, ..Setup::default() }.start();
    let (mut a, mut b) = (switch.guest(0), switch.guest(1));
    let end = Instant::now() + Duration::from_secs(8);
    let mut rounds = 0;
    while Instant::now() < end {
        burst(&mut a, (0, 1), 250, 1400);
        let mut next = GuestPort::open(switch.port_config(0)).unwrap();
        if rounds % 4 == 0 {
            assert!(next.connect(Duration::from_millis(50)).is_err(), "the place is taken");
        }
        burst(&mut a, (0, 1), 250, 1400);
        a.disconnect();
        next.connect(PATIENCE).unwrap();
        a = next;
        while b.try_receive().is_some() {}
        rounds += 1;
    }
    assert!(rounds > 10, "{rounds}");
    switch.wait_up(0);
    wait_until(|| a.outstanding() == 0);
    std::thread::sleep(Duration::from_millis(50));
    while b.try_receive().is_some() {}
    exchange((0, &mut a), (1, &mut b), 100, 100);
}

/// An eventfd whose next write waits for somebody to read.
fn saturated() -> EventFd {
    let fd = EventFd::new(0).unwrap();
    fd.write(u64::MAX - 1).unwrap();
    fd
}

#[test]
fn a_full_call_descriptor_holds_up_nobody() {
    let mut switch = Setup { enis: 4, ..Setup::default() }.start();
    let (mut a, mut b, mut c, mut d) = (switch.guest(0), switch.guest(1), switch.guest(2), switch.guest(3));
    let full = saturated();
    b.set_call(0, full.as_raw_fd()).unwrap();
    burst(&mut a, (0, 1), 10, 100);
    exchange((2, &mut c), (3, &mut d), 500, 100);
    assert!(switch.ctl_json(&["eni", "eni-1"])["fault"].is_null(), "an eventfd is allowed");
    drop(b);
    b = switch.guest(1);
    exchange((0, &mut a), (1, &mut b), 100, 100);
    b.set_call(0, full.as_raw_fd()).unwrap();
    burst(&mut a, (0, 1), 10, 100);
    let (code, took) = switch.signal(libc::SIGTERM);
    assert_eq!(code, Some(0), "{}", switch.log());
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[test]
fn a_call_descriptor_that_is_no_eventfd_is_refused() {
    let switch = Setup { enis: 4, ..Setup::default() }.start();
    let (mut a, mut b, mut c, mut d) = (switch.guest(0), switch.guest(1), switch.guest(2), switch.guest(3));
    let (_reader, writer) = pipe().unwrap();
    b.set_call(0, writer.as_raw_fd()).unwrap();
    assert!(wait_until(|| switch.ctl_json(&["eni", "eni-1"])["fault"].is_string()));
    let fault = switch.ctl_json(&["eni", "eni-1"])["fault"].to_string();
    assert!(fault.contains("not an eventfd"), "{fault}");
    assert!(wait_until(|| !b.is_connected()), "it is cut off");
    exchange((2, &mut c), (3, &mut d), 100, 100);
    drop(b);
    b = switch.guest(1);
    exchange((0, &mut a), (1, &mut b), 100, 100);
}

#[test]
fn a_call_descriptor_that_blocks_again_keeps_no_one_from_leaving() {
    let mut switch = Setup { enis: 4, ..Setup::default() }.start();
    let (mut a, mut b, mut c, mut d) = (switch.guest(0), switch.guest(1), switch.guest(2), switch.guest(3));
    // The flags belong to the open file, which the VMM shares: it can undo what the switch did to them.
    let block = |b: &mut GuestPort| {
        let full = saturated();
        b.set_call(0, full.as_raw_fd()).unwrap();
        vswitch_perf::sys::blocking(full.as_raw_fd()).unwrap();
        full
    };
    let _full = block(&mut b);
    burst(&mut a, (0, 1), 10, 100);
    std::thread::sleep(Duration::from_millis(200));
    // The worker waits in a write. The guest's end gets it out.
    drop(b);
    exchange((2, &mut c), (3, &mut d), 100, 100);
    b = switch.guest(1);
    exchange((0, &mut a), (1, &mut b), 100, 100);
    let _full = block(&mut b);
    burst(&mut a, (0, 1), 10, 100);
    std::thread::sleep(Duration::from_millis(200));
    let (code, took) = switch.signal(libc::SIGTERM);
    assert_eq!(code, Some(0), "{}", switch.log());
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[test]
fn half_a_message_holds_up_the_others_for_a_second_at_most() {
    for server_mode in [false, true] {
        let switch = Setup { server_mode, ..Setup::default() }.start();
        let mut rude = switch.guest(0);
        rude.send_half_a_message().unwrap();
        std::thread::sleep(Duration::from_millis(50));
        let began = Instant::now();
        let (mut b, mut c) = (switch.guest(1), switch.guest(2));
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        exchange((1, &mut b), (2, &mut c), 100, 100);
        assert!(wait_until(|| !rude.is_connected()), "it is cut off");
    }
}
