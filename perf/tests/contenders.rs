//! The switch and its peers, each started for real: every packet arrives once, every copy is right, nothing is left.
//!
//! As root, with 256 free hugepages and two CPUs, after `cargo build --workspace --bins`. A peer that is not installed
//! is left out, with a sentence.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use vswitch_perf::contender::cloop::Cloop;
use vswitch_perf::contender::ovs::{OVS_TUNINGS, Ovs, OvsWay, available_tunings};
use vswitch_perf::contender::testpmd::Testpmd;
use vswitch_perf::contender::vswitch::Vswitch;
use vswitch_perf::contender::{Contender, Job, JobMirror, JobPort};
use vswitch_perf::guest::{GuestPort, PortConfig};
use vswitch_perf::scenario::Overload;
use vswitch_perf::scenario::rules::{FilterRule, MATCHING, OTHER, mirror_like};

/// How long anything may take; the machine may be busy.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long nothing may come before it is taken that nothing will.
const QUIET: Duration = Duration::from_millis(300);
const VNI: u32 = 0x01_0203;
/// Frames each way.
const FRAMES: usize = 300;

/// One contender at a time: EAL, cores and hugepages are one per machine.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn job(dir: &Path, ports: u8, memory_mb: u32, mirror: Option<JobMirror>) -> Job {
    let port = |n: u8| JobPort {
        socket: dir.join(format!("v{n}")),
        mac: [2, 0, 0, 0, 0, 10 + n],
        ip: Ipv4Addr::new(10, 0, 0, 10 + n),
        mtu: if n == 2 { 8500 } else { 1500 },
    };
    let ports = (0..ports).map(port).collect();
    Job { dir: dir.to_owned(), ports, mirror, worker_cpus: vec![1], control_cpu: 0, memory_mb }
}

fn mirror(rules: Vec<FilterRule>, packet_length: u16) -> JobMirror {
    let overload = Overload::Share;
    JobMirror {
        target: 2,
        vni: VNI,
        packet_length,
        overload,
        rules,
        plain: false,
        stored_sessions: 0,
        local_sessions: 0,
    }
}

/// A UDP frame of `len` bytes from port to port; its number is in its payload.
fn frame(from: u8, to: u8, number: usize, destination_port: u16, len: usize) -> Vec<u8> {
    let mut f = vec![0u8; len];
    f[..6].copy_from_slice(&[2, 0, 0, 0, 0, 10 + to]);
    f[6..12].copy_from_slice(&[2, 0, 0, 0, 0, 10 + from]);
    f[12..16].copy_from_slice(&[8, 0, 0x45, 0]);
    f[16..18].copy_from_slice(&((len - 14) as u16).to_be_bytes());
    f[22..24].copy_from_slice(&[64, 17]);
    f[26..30].copy_from_slice(&[10, 0, 0, 10 + from]);
    f[30..34].copy_from_slice(&[10, 0, 0, 10 + to]);
    let sum = vswitch::wire::checksum::sum(&f[14..34]);
    f[24..26].copy_from_slice(&vswitch::wire::checksum::finish(sum).to_be_bytes());
    f[34..36].copy_from_slice(&(0x8000 + number as u16).to_be_bytes());
    f[36..38].copy_from_slice(&destination_port.to_be_bytes());
    f[38..40].copy_from_slice(&((len - 34) as u16).to_be_bytes());
    f[42..50].copy_from_slice(&(number as u64).to_be_bytes());
    f[50..].iter_mut().enumerate().for_each(|(i, b)| *b = (i * 7 + number) as u8);
    f
}

fn send(port: &mut GuestPort, frame: &[u8]) {
    let deadline = Instant::now() + PATIENCE;
    while !port.send(frame) {
        assert!(Instant::now() < deadline, "no room");
        port.kick();
        port.wait_for_room(Duration::from_millis(50));
    }
    port.kick();
}

/// All that a guest gets until nothing comes any more.
fn drain(port: Option<&mut GuestPort>) -> Vec<Vec<u8>> {
    let mut frames = Vec::new();
    if let Some(port) = port {
        while let Some(frame) = port.receive(QUIET) {
            frames.push(frame);
        }
    }
    frames
}

/// The inner frame of a copy whose outer headers are right.
fn inner(copy: &[u8]) -> &[u8] {
    assert!(copy.len() > 64, "{copy:02x?}");
    let (ip, udp) = (&copy[14..34], &copy[34..42]);
    let word = |bytes: &[u8], at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
    assert_eq!(copy[..14], [2, 0, 0, 0, 0, 12, 2, 0, 0, 0, 0, 10, 8, 0], "MACs");
    assert_eq!((ip[0], word(ip, 2), word(ip, 6)), (0x45, copy.len() as u16 - 14, 0x4000), "length and DF of {ip:02x?}");
    assert_eq!(ip[8..10], [64, 17]);
    assert_eq!(ip[12..], [10, 0, 0, 10, 10, 0, 0, 12], "addresses");
    assert_eq!(vswitch::wire::checksum::finish(vswitch::wire::checksum::sum(ip)), 0, "IP checksum of {ip:02x?}");
    assert!(word(udp, 0) >= 0xc000, "source port {}", word(udp, 0));
    assert_eq!((word(udp, 2), word(udp, 4), word(udp, 6)), (4789, copy.len() as u16 - 34, 0), "UDP");
    assert_eq!(copy[42..50], [8, 0, 0, 0, 1, 2, 3, 0], "VXLAN");
    &copy[50..]
}

/// Starts the contender and connects guests; `None` where it is not installed.
fn started(contender: &mut dyn Contender, job: &Job) -> Option<Vec<GuestPort>> {
    let mut guests: Vec<GuestPort> = contender
        .ports(job)
        .iter()
        .map(|n| {
            let mut config = PortConfig::new(&job.ports[*n].socket);
            config.mtu = job.ports[*n].mtu;
            config.queue_size = 1024;
            GuestPort::open(config).unwrap()
        })
        .collect();
    if let Err(e) = contender.start(job, PATIENCE) {
        let missing = e.starts_with("there is no") && e.contains("install Debian's package");
        assert!(missing, "{}: {e}", contender.name());
        println!("{} is left out: {e}", contender.name());
        return None;
    }
    for guest in &mut guests {
        guest.connect(PATIENCE).unwrap();
    }
    Some(guests)
}

/// The first packets may be lost while ports come up.
fn warm_up(guests: &mut [GuestPort]) {
    for (from, to) in [(0, 1), (1, 0)] {
        let deadline = Instant::now() + PATIENCE;
        loop {
            send(&mut guests[from], &frame(from as u8, to as u8, 999, *OTHER.start(), 100));
            if guests[to].receive(Duration::from_millis(100)).is_some() {
                break;
            }
            assert!(Instant::now() < deadline, "nothing passes from port {from} to port {to}");
        }
    }
    guests.iter_mut().for_each(|g| drop(drain(Some(g))));
}

/// Frames both ways, each of which arrives once; those to ports in [`MATCHING`], and the others.
fn exchange(guests: &mut [GuestPort]) -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    const WINDOW: usize = 32;
    let (mut matching, mut others) = (Vec::new(), Vec::new());
    for (from, to) in [(0u8, 1u8), (1, 0)] {
        let frames: Vec<Vec<u8>> = (0..FRAMES)
            .map(|n| {
                let port = if n % 3 == 0 { OTHER.start() + n as u16 } else { MATCHING.start() + n as u16 };
                frame(from, to, n, port, 60 + n * 37 % 1450)
            })
            .collect();
        for window in frames.chunks(WINDOW) {
            window.iter().for_each(|f| send(&mut guests[from as usize], f));
            // Each is a flow of its own, and Open vSwitch keeps the order of flows alone.
            let mut expected: Vec<&[u8]> = window.iter().map(Vec::as_slice).collect();
            while !expected.is_empty() {
                let got = guests[to as usize].receive(PATIENCE).expect("a service frame is lost");
                let at = expected.iter().position(|f| *f == got).expect("a frame that was not sent, or twice");
                expected.swap_remove(at);
            }
        }
        assert_eq!(guests[to as usize].receive(QUIET), None, "nothing twice");
        for (n, frame) in frames.into_iter().enumerate() {
            if n % 3 == 0 { others.push(frame) } else { matching.push(frame) }
        }
    }
    (matching, others)
}

/// The copies are those of `frames`, each once, each cut to `packet_length` bytes of IP.
fn assert_copies(copies: &[Vec<u8>], frames: &[Vec<u8>], packet_length: u16) {
    let mut expected: HashMap<&[u8], usize> = HashMap::new();
    for frame in frames {
        *expected.entry(&frame[..frame.len().min(14 + usize::from(packet_length))]).or_default() += 1;
    }
    for copy in copies {
        let left = expected.get_mut(inner(copy)).expect("a copy of nothing that was sent");
        assert!(*left > 0, "a copy came twice");
        *left -= 1;
    }
    assert_eq!(expected.values().sum::<usize>(), 0, "copies are missing");
}

/// No process, no file and no run-time folder of DPDK stays.
fn assert_nothing_is_left(dir: &Path, guests: Vec<GuestPort>) {
    drop(guests);
    let left: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
    for task in std::fs::read_dir("/proc/self/task").unwrap() {
        let children = std::fs::read_to_string(task.unwrap().path().join("children")).unwrap_or_default();
        assert_eq!(children.trim(), "", "child processes");
    }
    let own = |stem: &str| format!("{stem}{}-", std::process::id());
    for entry in std::fs::read_dir("/run/dpdk").into_iter().flatten() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        assert!(!["vst", "vsc", "vso", "vsp"].iter().any(|stem| name.starts_with(&own(stem))), "{name} in /run/dpdk");
    }
}

/// Forwarding and copies with and without a cut; `all`: everything is copied, whatever the rules say.
fn mirrors(make: impl Fn() -> Box<dyn Contender>, memory_mb: u32, all: bool, lengths: &[u16]) {
    let _turn = turn();
    for packet_length in lengths.iter().copied() {
        let dir = tempfile::tempdir().unwrap();
        let job = job(dir.path(), 3, memory_mb, Some(mirror(mirror_like(20, false), packet_length)));
        let mut contender = make();
        let Some(mut guests) = started(&mut *contender, &job) else { return };
        warm_up(&mut guests);
        let before = contender.counted().unwrap().copies.unwrap();
        let (mut expected, others) = exchange(&mut guests);
        if all {
            expected.extend(others);
        }
        assert_copies(&drain(guests.get_mut(2)), &expected, packet_length);
        let after = contender.counted().unwrap();
        assert_eq!(after.copies.unwrap() - before, expected.len() as u64, "{after:?}");
        assert!(after.cycles.is_some_and(|(busy, idle)| busy > 0 && idle > 0), "{after:?}");
        contender.stop();
        assert_nothing_is_left(dir.path(), guests);
    }
}

/// Forwarding alone.
fn forwards(mut contender: Box<dyn Contender>, memory_mb: u32) {
    let _turn = turn();
    let dir = tempfile::tempdir().unwrap();
    let job = job(dir.path(), 2, memory_mb, None);
    let Some(mut guests) = started(&mut *contender, &job) else { return };
    warm_up(&mut guests);
    exchange(&mut guests);
    let counted = contender.counted().unwrap();
    assert_eq!((counted.copies.unwrap_or(0), counted.skipped), (0, Vec::new()));
    drop(contender);
    assert_nothing_is_left(dir.path(), guests);
}

#[test]
fn vswitch_mirrors_what_rules_accept() {
    mirrors(|| Box::new(Vswitch::new()), 256, false, &[1500, 200]);
}

#[test]
fn vswitch_forwards() {
    forwards(Box::new(Vswitch::new()), 256);
}

#[test]
fn vswitch_reloads_with_sessions_beside() {
    let _turn = turn();
    let dir = tempfile::tempdir().unwrap();
    let mut mirror = mirror(mirror_like(20, false), 1500);
    (mirror.local_sessions, mirror.stored_sessions) = (6, 200);
    let job = job(dir.path(), 5, 256, Some(mirror));
    let mut contender = Vswitch::new();
    let mut guests = started(&mut contender, &job).unwrap();
    warm_up(&mut guests);
    for variation in 0..3 {
        let took = contender.reload(variation).unwrap();
        assert!(took > Duration::ZERO);
        let (expected, _) = exchange(&mut guests);
        assert_copies(&drain(guests.get_mut(2)), &expected, 1500);
    }
    let page = contender.page().unwrap();
    assert!(page.contains("session=\"local-5\"") && !page.contains("session=\"stored-0\""));
    contender.stop();
    assert_nothing_is_left(dir.path(), guests);
}

#[test]
fn the_c_loop_mirrors_everything() {
    mirrors(|| Box::new(Cloop::new()), 256, true, &[1500, 200]);
}

#[test]
fn the_c_loop_forwards() {
    forwards(Box::new(Cloop::new()), 256);
}

#[test]
fn testpmd_forwards() {
    forwards(Box::new(Testpmd::new()), 512);
}

#[test]
fn ovs_mirrors_everything_by_its_record() {
    mirrors(|| Box::new(Ovs::new(OvsWay::Mirror, OVS_TUNINGS[0])), 512, true, &[1500]);
}

#[test]
fn ovs_mirrors_what_rules_accept() {
    mirrors(|| Box::new(Ovs::new(OvsWay::Rules, OVS_TUNINGS[0])), 512, false, &[1500, 200]);
}

#[test]
fn ovs_forwards_with_each_tuning() {
    for tuning in available_tunings() {
        println!("{}", tuning.name);
        forwards(Box::new(Ovs::new(OvsWay::Rules, tuning)), 512);
    }
}

#[test]
fn a_start_that_fails_is_a_sentence_and_leaves_nothing() {
    let _turn = turn();
    let dir = tempfile::tempdir().unwrap();
    let bad = FilterRule {
        accept: true,
        protocol: None,
        source: (0, 0),
        destination: (0, 0),
        source_ports: None,
        destination_ports: Some(MATCHING),
    };
    let contenders: [Box<dyn Contender>; 5] = [
        Box::new(Ovs::new(OvsWay::Mirror, OVS_TUNINGS[0])),
        Box::new(Ovs::new(OvsWay::Rules, OVS_TUNINGS[0])),
        Box::new(Vswitch::new()),
        Box::new(Testpmd::new()),
        Box::new(Cloop::new()),
    ];
    for mut contender in contenders {
        // A rule that is refused after Open vSwitch runs, and by vswitch itself; a start without any patience.
        let is_loop = contender.name() == "cloop";
        let mirror =
            (!is_loop).then(|| mirror(vec![bad.clone()], if contender.name() == "ovs-mirror" { 200 } else { 1500 }));
        let job = job(dir.path(), 3, 256, mirror);
        let error = contender.start(&job, if is_loop { Duration::ZERO } else { PATIENCE }).unwrap_err();
        println!("{}: {error}", contender.name());
        assert!(!error.is_empty() && error.lines().count() == 1, "{error}");
        assert_nothing_is_left(dir.path(), Vec::new());
        assert!(contender.counted().is_err());
    }
}
