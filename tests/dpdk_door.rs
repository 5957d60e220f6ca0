//! The door to DPDK: what ownership promises, on a real EAL without hugepages.
#![cfg(feature = "dpdk")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::Arc;

use arrayvec::ArrayVec;
use vswitch::dpdk::eal::{Eal, EalError, EalSettings};
use vswitch::dpdk::ethdev::Stopped;
use vswitch::dpdk::lcore::{LcoreCtx, available_cpus};
use vswitch::dpdk::mbuf::{self, Mbuf, PrependError, Shared};
use vswitch::dpdk::mempool::{Mempool, SizeClass};
use vswitch::dpdk::ring;
use vswitch::dpdk::vhost::{Mode, VhostDriver, VhostEvents, Vid};
use vswitch::packet::{BURST, Exhausted};

struct Nobody;

impl VhostEvents for Nobody {
    fn connected(&self, _vid: Vid) {}
    fn new_device(&self, _vid: Vid) {}
    fn destroy_device(&self, _vid: Vid) {}
    fn vring_state_changed(&self, _vid: Vid, _queue: u16, _enable: bool) {}
    fn refused(&self, _vid: Vid, _why: &str) {}
}

fn filled(pool: &Mempool, bytes: &[u8]) -> Mbuf {
    let mut buf = pool.alloc().unwrap();
    buf.append(bytes).unwrap();
    buf
}

fn bytes_of(buf: &Mbuf) -> Vec<u8> {
    buf.segments().flatten().copied().collect()
}

/// EAL is one per process, and so is this test.
#[test]
fn the_door() {
    let settings = EalSettings {
        file_prefix: format!("door-{}", std::process::id()),
        memory_mb: 128,
        hugepages: false,
        control_cpu: available_cpus()[0],
    };
    let eal = Eal::init(&settings).unwrap();
    assert_eq!(Eal::init(&settings).unwrap_err(), EalError::Again);
    assert!(!Path::new("/var/run/dpdk").join(&settings.file_prefix).exists(), "no leftovers");
    let pool = Mempool::new(eal, "door", SizeClass::Std1500, 511, 0).unwrap();
    assert!(Mempool::new(eal, "door", SizeClass::Std1500, 511, 0).is_err(), "the name is taken");
    let _lcore = LcoreCtx::enter(eal, settings.control_cpu).unwrap();
    assert!(std::thread::spawn(move || LcoreCtx::enter(eal, 999).is_err()).join().unwrap());

    buffers(&pool);
    sharing(&pool);
    truncation(&pool);
    copies_of_segments(&pool);
    exhaustion(&pool);
    rings(eal, &pool);
    devices(eal, &pool);
    sockets();
    assert_eq!(pool.in_use(), 0, "every buffer came home");
}

fn buffers(pool: &Mempool) {
    let mut buf = filled(pool, b"frame");
    assert_eq!((buf.len(), buf.head(), buf.segment_count()), (5, &b"frame"[..], 1));
    buf.prepend(4).unwrap().copy_from_slice(b"head");
    assert_eq!(buf.head(), b"headframe");
    assert_eq!(buf.prepend(1000).unwrap_err(), PrependError::NoRoom);
    buf.data_mut().unwrap()[0] = b'H';
    assert_eq!(buf.head(), b"Headframe");
    assert!(buf.append(&[0; 4096]).is_err());
    buf.meta_mut()[0] = 7;
    assert_eq!(buf.meta()[0], 7);
    assert_eq!(pool.in_use(), 1);
    let flat = mbuf::flat_copy(&buf, 4, b"outer ", pool).unwrap();
    assert_eq!(bytes_of(&flat), b"outer Head");
    drop((buf, flat));
    assert_eq!(pool.in_use(), 0);
}

fn sharing(pool: &Mempool) {
    let mut original = filled(pool, b"0123456789");
    let body = mbuf::clone_body(&original, 6, pool).unwrap();
    assert_eq!(original.data_mut().unwrap_err(), Shared, "a clone looks at the bytes");
    assert_eq!(original.prepend(1).unwrap_err(), PrependError::Shared);
    let copy = mbuf::headed(body, b"outer ", pool).unwrap();
    assert_eq!((bytes_of(&copy), copy.len(), copy.segment_count()), (b"outer 012345".to_vec(), 12, 2));
    assert_eq!(original.len(), 10, "cutting the clone does not cut the original");
    let mut own = mbuf::flat_copy(&original, original.len(), &[], pool).unwrap();
    own.data_mut().unwrap()[0] = b'x';
    assert_eq!(bytes_of(&copy), b"outer 012345");
    drop(original);
    assert_eq!(bytes_of(&copy), b"outer 012345", "the copy keeps the bytes alive");
    drop((copy, own));
    assert_eq!(pool.in_use(), 0);
}

/// Truncation over segments against a plain vector.
fn truncation(pool: &Mempool) {
    for keep in 0..=14 {
        let original = filled(pool, b"abcdefgh");
        let mut chain = mbuf::headed(mbuf::clone_body(&original, 8, pool).unwrap(), b"12345", pool).unwrap();
        chain.truncate(keep);
        let mut oracle = b"12345abcdefgh".to_vec();
        oracle.truncate(keep);
        assert_eq!((bytes_of(&chain), chain.len()), (oracle, keep.min(13)), "{keep}");
    }
    assert_eq!(pool.in_use(), 0);
}

/// Copies of a frame in three segments, flat and sharing, cut at every byte: a prefix of the original each.
fn copies_of_segments(pool: &Mempool) {
    let frame: Vec<u8> = (0..90).collect();
    let tail = filled(pool, &frame[60..]);
    let middle = mbuf::headed(mbuf::clone_body(&tail, 30, pool).unwrap(), &frame[20..60], pool).unwrap();
    let original = mbuf::headed(mbuf::clone_body(&middle, 70, pool).unwrap(), &frame[..20], pool).unwrap();
    assert_eq!((original.segment_count(), bytes_of(&original)), (3, frame.clone()));
    let outer = [0xaa; 50];
    for keep in 0..=frame.len() {
        let expected = [&outer[..], &frame[..keep]].concat();
        let flat = mbuf::flat_copy(&original, keep, &outer, pool).unwrap();
        assert_eq!((bytes_of(&flat), flat.len(), flat.segment_count()), (expected.clone(), 50 + keep, 1), "{keep}");
        let sharing = mbuf::headed(mbuf::clone_body(&original, keep, pool).unwrap(), &outer, pool).unwrap();
        assert_eq!((bytes_of(&sharing), sharing.len()), (expected, 50 + keep), "{keep}");
        assert_eq!(bytes_of(&original), frame, "{keep}");
    }
    drop((tail, middle, original));
    assert_eq!(pool.in_use(), 0);
}

fn exhaustion(pool: &Mempool) {
    let mut all = Vec::new();
    while let Ok(buf) = pool.alloc() {
        all.push(buf);
    }
    assert_eq!((all.len(), pool.available()), (511, 0));
    assert_eq!(mbuf::flat_copy(&all[0], 0, b"x", pool).unwrap_err(), Exhausted);
    assert!(mbuf::clone_body(&all[0], 0, pool).is_err());
    let mut burst: ArrayVec<Option<Mbuf>, BURST> = all.drain(..64).map(Some).collect();
    burst[3] = None;
    mbuf::free_bulk(&mut burst);
    assert!(burst.is_empty());
    drop(all);
    assert_eq!(pool.in_use(), 0);
}

fn rings(eal: &'static Eal, pool: &Mempool) {
    let (mut tx, mut rx) = ring::pair(eal, "door", 63).unwrap();
    let mut batch: ArrayVec<Mbuf, BURST> = (0..64u8).map(|n| filled(pool, &[n])).collect();
    assert_eq!(tx.send(&mut batch), 63);
    assert_eq!((batch.len(), batch[0].head()), (1, &[63u8][..]), "a full ring leaves the rest");
    assert_eq!(rx.waiting(), 63);
    let mut got = ArrayVec::new();
    assert_eq!(rx.receive(&mut got), 63);
    assert!(got.iter().enumerate().all(|(n, b)| b.as_ref().unwrap().head() == [n as u8]));
    got.truncate(40);
    let mut again: ArrayVec<Mbuf, BURST> = got.drain(..).flatten().collect();
    assert_eq!(tx.send(&mut again), 40);
    // What is on the ring when both ends are gone is freed.
    drop((tx, rx, batch));
    assert_eq!(pool.in_use(), 0);
}

fn devices(eal: &'static Eal, pool: &Mempool) {
    let device = Stopped::plug(eal, "net_ring0", "").unwrap();
    let (started, mut rx, mut tx) = device.start(pool).unwrap();
    assert_eq!(started.name(), "net_ring0");
    let mut batch: ArrayVec<Mbuf, BURST> = (0..8u8).map(|n| filled(pool, &[n; 60])).collect();
    assert_eq!(tx.send(&mut batch), 8);
    let mut got = ArrayVec::new();
    assert_eq!(rx.receive(&mut got), 8);
    assert_eq!(got[5].as_ref().unwrap().head(), [5; 60]);
    got.clear();
    started.stop(rx, tx);
    // The device outlives its handle as long as a queue is there.
    let (started, mut rx, mut tx) = Stopped::plug(eal, "net_ring1", "").unwrap().start(pool).unwrap();
    drop(started);
    let mut batch: ArrayVec<Mbuf, BURST> = [filled(pool, &[7; 60])].into_iter().collect();
    assert_eq!((tx.send(&mut batch), rx.receive(&mut got)), (1, 1));
    got.clear();
    assert!(Stopped::plug(eal, "net_ring1", "").is_err(), "it is still plugged");
    drop((rx, tx));
    drop(Stopped::plug(eal, "net_ring1", "").unwrap());
    assert!(Stopped::plug(eal, "net_nonsense0", "").is_err());
    assert_eq!(pool.in_use(), 0);
}

fn sockets() {
    let path = std::env::temp_dir().join(format!("vswitch-door-{}.sock", std::process::id()));
    let open = |path: &Path| VhostDriver::register(path, Mode::Server, 1, Arc::new(Nobody));
    let driver = open(&path).unwrap();
    assert!(path.exists());
    assert!(open(&path).unwrap_err().to_string().contains("in use by another ENI"));
    drop(driver);
    assert!(open(Path::new("/nowhere/at/all.sock")).is_err());
    drop(open(&path).unwrap());
    let _ = std::fs::remove_file(&path);
}
