//! Numbered frames between the ENIs of a test.

use std::time::{Duration, Instant};

use vswitch_perf::guest::GuestPort;

/// A UDP frame from ENI to ENI with a number in its payload, of `len` bytes in all (at least 50).
pub fn numbered(from: usize, to: usize, number: u64, len: usize) -> Vec<u8> {
    let mut f = vec![0u8; len.max(50)];
    let (from, to) = (10 + from as u8, 10 + to as u8);
    f[..6].copy_from_slice(&[2, 0, 0, 0, 0, to]);
    f[6..12].copy_from_slice(&[2, 0, 0, 0, 0, from]);
    f[12..16].copy_from_slice(&[8, 0, 0x45, 0]);
    let total = (f.len() - 14) as u16;
    f[16..18].copy_from_slice(&total.to_be_bytes());
    f[20..24].copy_from_slice(&[0x40, 0, 64, 17]);
    f[26..30].copy_from_slice(&[10, 0, 0, from]);
    f[30..34].copy_from_slice(&[10, 0, 0, to]);
    let mut sum: u32 = f[14..34].chunks(2).map(|w| u32::from(u16::from_be_bytes([w[0], w[1]]))).sum();
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    f[24..26].copy_from_slice(&(!(sum as u16)).to_be_bytes());
    f[34..36].copy_from_slice(&(1024 + (number % 1000) as u16).to_be_bytes());
    f[36..38].copy_from_slice(&2000u16.to_be_bytes());
    f[38..40].copy_from_slice(&(total - 20).to_be_bytes());
    f[42..50].copy_from_slice(&number.to_be_bytes());
    for (i, b) in f[50..].iter_mut().enumerate() {
        *b = i as u8;
    }
    f
}

/// The number of such a frame.
pub fn number(frame: &[u8]) -> u64 {
    u64::from_be_bytes(frame[42..50].try_into().unwrap())
}

/// Is this a VXLAN copy?
pub fn is_copy(frame: &[u8]) -> bool {
    frame.len() > 64 && frame[23] == 17 && frame[36..38] == 4789u16.to_be_bytes()
}

/// Sends a frame, waiting for room.
pub fn send(port: &mut GuestPort, frame: &[u8]) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !port.send(frame) {
        assert!(Instant::now() < deadline, "no room for 10 s");
        port.kick();
        port.wait_for_room(Duration::from_millis(50));
    }
    port.kick();
}

/// Sends frames from ENI to ENI as far as there is room, and does not care.
pub fn burst(port: &mut GuestPort, (from, to): (usize, usize), count: u64, len: usize) {
    for n in 0..count {
        port.send(&numbered(from, to, n, len));
    }
    port.kick();
}

/// Sends numbered frames and checks that they arrive, each once, in order, byte for byte.
pub fn exchange(from: (usize, &mut GuestPort), to: (usize, &mut GuestPort), count: u64, len: usize) {
    // At most half a ring under way: more would be lost by the receiver's ring, rightly.
    const WINDOW: u64 = 64;
    let mut sent = 0;
    for expected in 0..count {
        while sent < count && sent < expected + WINDOW {
            send(from.1, &numbered(from.0, to.0, sent, len));
            sent += 1;
        }
        let got =
            to.1.receive(Duration::from_secs(10)).unwrap_or_else(|| panic!("frame {expected} of {count} is lost"));
        assert_eq!(got, numbered(from.0, to.0, expected, len), "frame {expected}");
    }
}
