//! The engine against devices in the same memory that do their work well, and ones that do not.
#![allow(clippy::unwrap_used)]

use std::net::Ipv4Addr;

use super::*;
use crate::sys::polled::device::Device;
use crate::traffic::{Endpoint, Outer, Sampling, Stream, StreamSpec};

/// What a device does to the frames that it forwards.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    Lose,
    Double,
    Swap,
    Change,
    WrongVni,
    CopyTwice,
    CopyUnmatched,
}

struct Bench {
    engine: Engine,
    /// Transmit side of ports 0 and 1, and receive side of all three.
    from: [Device; 2],
    to: [Device; 3],
    frames: usize,
    held: Option<(usize, Vec<u8>)>,
    _dir: tempfile::TempDir,
}

fn endpoint(n: u8) -> Endpoint {
    Endpoint { mac: [2, 0, 0, 0, 0, n], ip: Ipv4Addr::new(10, 0, 0, n) }
}

fn stream(id: u8, from: u8, to: u8, match_percent: u32) -> Stream {
    let spec =
        StreamSpec { id, from: endpoint(from), to: endpoint(to), sizes: vec![64, 300], flows: 16, match_percent };
    Stream::new(spec).unwrap()
}

fn bench(packed: bool, match_percent: u32) -> Bench {
    let dir = tempfile::tempdir().unwrap();
    let (mut ports, mut from, mut to) = (Vec::new(), Vec::new(), Vec::new());
    for n in 0..3 {
        let socket = dir.path().join(format!("{n}.sock"));
        let setup = PortSetup { socket, packed, queue_size: 64, frame: 512, hugepages: false };
        let mut port = PolledPort::listen(setup).unwrap();
        let (tx, rx) = port.without_contender(&stream(0, 1, 2, 100));
        to.push(rx);
        if n < 2 {
            from.push(tx);
        }
        ports.push(port);
    }
    let outer = Outer {
        mac: endpoint(3).mac,
        source: endpoint(1).ip,
        destination: endpoint(3).ip,
        vni: 10,
        keep: 1450,
        our_hash: false,
    };
    let streams = [stream(0, 1, 2, match_percent), stream(1, 2, 1, match_percent)];
    let plan =
        Plan { streams, collector: Some((2, outer)), sampling: Sampling::All, stamp_every: 7, target: Target::Fast };
    let engine = Engine::new(ports, plan).unwrap();
    Bench {
        engine,
        from: from.try_into().ok().unwrap(),
        to: to.try_into().ok().unwrap(),
        frames: 0,
        held: None,
        _dir: dir,
    }
}

fn copy_of(frame: &[u8], vni: u8) -> Vec<u8> {
    use vswitch::wire::checksum::{finish, sum};
    let mut f = vec![0; 50];
    f[0..6].copy_from_slice(&endpoint(3).mac);
    f[12..16].copy_from_slice(&[8, 0, 0x45, 0]);
    f[16..18].copy_from_slice(&((frame.len() + 36) as u16).to_be_bytes());
    f[20..24].copy_from_slice(&[0x40, 0, 64, 17]);
    f[26..30].copy_from_slice(&endpoint(1).ip.octets());
    f[30..34].copy_from_slice(&endpoint(3).ip.octets());
    let check = finish(sum(&f[14..34]));
    f[24..26].copy_from_slice(&check.to_be_bytes());
    f[36..38].copy_from_slice(&4789u16.to_be_bytes());
    f[38..40].copy_from_slice(&((frame.len() + 16) as u16).to_be_bytes());
    f[42] = 8;
    f[48] = vni;
    f.extend_from_slice(frame);
    f
}

impl Bench {
    /// The device forwards all that is there, and copies what matches; the fault is done to every 50th frame.
    fn forward(&mut self, fault: Fault) {
        for from in 0..2 {
            while let Some(mut frame) = self.from[from].take() {
                self.frames += 1;
                let now = self.frames.is_multiple_of(50);
                let stream = if from == 0 { stream(0, 1, 2, 50) } else { stream(1, 2, 1, 50) };
                let stamp = crate::traffic::Stamp::read(&frame).unwrap();
                let matches = stream.matches(stream.flow(stamp.number));
                if matches || now && fault == Fault::CopyUnmatched {
                    let vni = if now && fault == Fault::WrongVni { 11 } else { 10 };
                    self.to[2].give(&copy_of(&frame, vni));
                    if now && fault == Fault::CopyTwice {
                        self.to[2].give(&copy_of(&frame, vni));
                    }
                }
                match fault {
                    Fault::Lose if now => continue,
                    Fault::Change if now => frame[63] ^= 1,
                    // It comes back behind the next one of its flow.
                    Fault::Swap if now => {
                        self.held = Some((1 - from, frame));
                        continue;
                    }
                    _ => {}
                }
                self.to[1 - from].give(&frame);
                if now && fault == Fault::Double {
                    self.to[1 - from].give(&frame);
                }
            }
        }
        if let Some((to, frame)) = self.held.take_if(|_| self.frames % 50 > 40) {
            self.to[to].give(&frame);
        }
    }

    fn run(&mut self, fault: Fault) {
        self.engine.allow(500);
        for _ in 0..200 {
            self.engine.turn();
            self.forward(fault);
        }
        self.engine.turn();
    }
}

#[test]
fn a_good_device_has_nothing_wrong_and_every_frame_is_looked_at() {
    for packed in [false, true] {
        let mut bench = bench(packed, 50);
        bench.run(Fault::None);
        let (counts, (service, copies)) = (bench.engine.counts(), bench.engine.seen());
        assert_eq!((counts.sent, counts.arrived, service.verified), (1000, 1000, 1000));
        assert_eq!((counts.copies, copies.verified), (counts.matching, counts.matching));
        assert_eq!((service.lost, service.twice, service.late, copies.lost), (0, 0, 0, 0));
        assert_eq!(bench.engine.wrong(), (Vec::new(), 0));
        assert_eq!(bench.engine.take_latency().len(), 2 * 500_u64.div_ceil(7));
        assert_eq!(bench.engine.port_counts().arrived, [500, 500]);
    }
}

#[test]
fn every_fault_of_a_device_is_found() {
    let with = |fault| {
        let mut bench = bench(false, 50);
        bench.run(fault);
        let ((service, copies), (wrong, faults)) = (bench.engine.seen(), bench.engine.wrong());
        (service, copies, wrong, faults)
    };
    assert!(with(Fault::Lose).0.lost > 10);
    assert!(with(Fault::Double).0.twice > 10);
    assert!(with(Fault::Swap).0.late > 0);
    let (.., wrong, faults) = with(Fault::Change);
    assert!(faults > 10 && wrong[0].contains("changed"), "{wrong:?}");
    let (.., wrong, faults) = with(Fault::WrongVni);
    assert!(faults > 0 && wrong[0].contains("VNI"), "{wrong:?}");
    assert!(with(Fault::CopyTwice).1.twice > 0);
    let (.., wrong, faults) = with(Fault::CopyUnmatched);
    assert!(faults > 0 && wrong[0].contains("no rule accepts"), "{wrong:?}");
}

#[test]
fn a_blocked_collector_takes_nothing_and_a_limit_is_kept() {
    let mut bench = bench(false, 100);
    bench.engine.allow(3);
    for _ in 0..10 {
        bench.engine.turn();
    }
    assert_eq!(bench.engine.counts().sent, 6);
    assert_eq!(bench.engine.outstanding(), 6);
}

#[test]
fn what_a_full_ring_does_not_take_at_a_fixed_rate_is_lost() {
    use std::time::Duration;
    let mut bench = bench(false, 0);
    let pace = Pace { warmup: Duration::ZERO, measure: Duration::from_millis(100), rate: Some(100_000.0) };
    // Nobody takes anything: two rings of 64 fill, and the other 9,872 frames were due in vain.
    let outcome = run(&mut bench.engine, &pace, &|| false);
    assert_eq!(outcome.total.sent, 128);
    assert!(outcome.due.is_some_and(|due| due >= 10_000) && outcome.lost_share() > 0.99, "{:?}", outcome.due);
}
