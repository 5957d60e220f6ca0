//! Traffic under change: packets that carry what they expect, and a judge of all that arrives.
//!
//! A packet's number gives its class, which its destination port names. For each class it is known what configuration A,
//! and what configuration B, makes of it. A copy that neither of them as a whole would make is a mix of both, and so are
//! the copies of one packet that only A makes of it where it leaves, and only B where it arrives.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use vswitch_perf::guest::GuestPort;

use crate::frames::{number, numbered};

/// Classes of packets.
pub const CLASSES: usize = 6;
/// A class's copy: VNI, and bytes of the IP packet. None where it is not mirrored.
pub type Copied = Option<(u32, usize)>;
/// What A and B make of each class.
pub type Table = [[Copied; 2]; CLASSES];

/// Bytes of a frame: more than any copy keeps.
const LENGTH: usize = 314;
/// Packets under way at a time: four copies of each would have room in a guest's ring, so what is lost, the switch lost.
const WINDOW: u64 = 192;
/// Places of the guests' rings.
pub const RING: u16 = 1024;
/// How long it must be quiet at the end.
const QUIET: Duration = Duration::from_millis(300);

/// The destination port of a class.
pub fn port(class: usize) -> u16 {
    2000 + class as u16
}

/// Sender, receiver and collector, what they were sent, and what came of it.
pub struct Stream {
    ports: [GuestPort; 3],
    frame: Vec<u8>,
    sent: u64,
    /// By mirror source: the sender, the receiver.
    tables: [Table; 2],
    /// The next service packet.
    next: u64,
    /// By number.
    seen: Vec<Seen>,
    /// The last number of each VNI, whose copies keep their order.
    last: HashMap<u32, u64>,
    /// Copies of this run that only A, and that only B, makes.
    pub only: [u64; 2],
    /// What went wrong, how often, and an example.
    pub faults: BTreeMap<&'static str, (u64, String)>,
}

/// What came of a packet.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    /// A copy, by mirror source.
    copied: [bool; 2],
    /// One that only A makes, one that only B makes.
    only: [bool; 2],
}

/// A stretch of traffic.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    pub sent: u64,
    pub seconds: f64,
}

impl Stream {
    /// From eni-0 to eni-1, mirrored to the third.
    pub fn new(ports: [GuestPort; 3], tables: [Table; 2]) -> Self {
        Stream {
            ports,
            frame: numbered(0, 1, 0, LENGTH),
            sent: 0,
            tables,
            next: 0,
            seen: Vec::new(),
            last: HashMap::new(),
            only: [0; 2],
            faults: BTreeMap::new(),
        }
    }

    /// The highest rate, packets a second, of those tried at which all is sent and nothing is lost.
    pub fn lossless_rate(&mut self) -> f64 {
        let mut rate = 2_048_000.0;
        loop {
            let run = self.run(rate, |began| began.elapsed() > Duration::from_millis(500));
            let lost = self.faults.keys().any(|what| what.ends_with("lost"));
            if !lost && run.sent as f64 >= 0.9 * rate * run.seconds {
                return rate;
            }
            // Nothing else is excused by a high rate.
            self.faults.retain(|what, _| !what.ends_with("lost"));
            rate /= 2.0;
            assert!(rate > 500.0, "no lossless rate");
        }
    }

    /// Sends at a rate until told to stop, and waits until all has arrived, or nothing more comes.
    pub fn run(&mut self, rate: f64, stop: impl Fn(Instant) -> bool) -> Run {
        let (began, first) = (Instant::now(), self.sent);
        self.only = [0; 2];
        while !stop(began) {
            let due = first + (began.elapsed().as_secs_f64() * rate) as u64;
            let mut some = false;
            while self.sent < due && self.sent < self.next + WINDOW && self.send() {
                some = true;
            }
            self.ports[0].kick();
            if !self.take() && !some {
                self.ports[1].wait(&[], Some(Duration::from_micros(200)));
            }
        }
        let seconds = began.elapsed().as_secs_f64();
        let mut quiet = Instant::now();
        while quiet.elapsed() < QUIET {
            if self.take() {
                quiet = Instant::now();
            } else {
                self.ports[1].wait(&[], Some(Duration::from_millis(5)));
            }
        }
        self.all_came(first);
        Run { sent: self.sent - first, seconds }
    }

    fn send(&mut self) -> bool {
        write(&mut self.frame, self.sent);
        let room = self.ports[0].send(&self.frame);
        if room {
            self.sent += 1;
            self.seen.push(Seen::default());
        }
        room
    }

    fn take(&mut self) -> bool {
        let mut some = false;
        while let Some(got) = self.ports[1].try_receive() {
            self.service(&got);
            some = true;
        }
        while let Some(got) = self.ports[2].try_receive() {
            self.copy(&got);
            some = true;
        }
        some
    }

    fn fault(&mut self, what: &'static str, times: u64, example: impl FnOnce() -> String) {
        if times > 0 {
            self.faults.entry(what).or_insert_with(|| (0, example())).0 += times;
        }
    }

    fn service(&mut self, got: &[u8]) {
        let n = number(got);
        write(&mut self.frame, n);
        if self.frame != got {
            return self.fault("service packet changed", 1, || format!("{got:02x?}"));
        }
        let next = self.next;
        self.fault("service packet lost", n.saturating_sub(next), || format!("{n} after {next}"));
        self.fault("service packet twice or late", u64::from(n < next), || format!("{n} after {next}"));
        self.next = next.max(n + 1);
    }

    fn copy(&mut self, got: &[u8]) {
        let (vni, inner) = (u32::from_be_bytes([0, got[46], got[47], got[48]]), &got[50..]);
        let (n, kept) = (number(inner), inner.len() - 14);
        write(&mut self.frame, n);
        if self.frame[..inner.len()] != *inner {
            return self.fault("copy changed", 1, || format!("{got:02x?}"));
        }
        let source = usize::from(got[29]) - 10;
        let made = self.tables[source][class(n)].map(|copied| copied == Some((vni, kept)));
        let seen = &mut self.seen[n as usize];
        let twice = std::mem::replace(&mut seen.copied[source], true);
        for (of, other) in [(0, 1), (1, 0)] {
            let only = made[of] && !made[other];
            seen.only[of] |= only;
            self.only[of] += u64::from(only);
        }
        let mixed = !made.contains(&true) || seen.only == [true; 2];
        self.fault("mix", u64::from(mixed), || format!("{n} of class {}: VNI {vni}, {kept} bytes", class(n)));
        self.fault("copy twice", u64::from(twice), || format!("{n} of source {source}"));
        let last = self.last.insert(vni, n);
        self.fault("copy late", u64::from(last.is_some_and(|last| last > n)), || format!("{n} after {last:?}"));
    }

    /// Nothing more comes: what A and B both mirror has a copy each.
    fn all_came(&mut self, first: u64) {
        let (next, sent) = (self.next, self.sent);
        self.fault("service packet lost", sent - next, || format!("the last ones, from {next} on"));
        let lost = |n: u64| {
            let due = |table: &Table| table[class(n)].iter().all(Option::is_some);
            self.tables.iter().zip(self.seen[n as usize].copied).any(|(table, copied)| due(table) && !copied)
        };
        let missing: Vec<u64> = (first..sent).filter(|n| lost(*n)).collect();
        self.fault("copy lost", missing.len() as u64, || format!("{:?}", &missing[..missing.len().min(10)]));
        self.next = sent;
    }

    /// Copies that came.
    pub fn copies(&self) -> usize {
        self.seen.iter().flat_map(|seen| seen.copied).filter(|copied| *copied).count()
    }

    /// Nothing went wrong, and both configurations were seen at work.
    pub fn assert_hitless(&self) {
        assert!(self.faults.is_empty(), "{:#?}", self.faults);
        assert!(self.only.iter().all(|n| *n > 100), "copies of A and of B: {:?}", self.only);
    }
}

fn class(n: u64) -> usize {
    (n % CLASSES as u64) as usize
}

/// Makes a frame the one with this number.
fn write(frame: &mut [u8], n: u64) {
    frame[34..36].copy_from_slice(&(1024 + (n % 1000) as u16).to_be_bytes());
    frame[36..38].copy_from_slice(&port(class(n)).to_be_bytes());
    frame[42..50].copy_from_slice(&n.to_be_bytes());
}

/// Times of changes: how many a second, and median, 99th percentile and maximum.
pub fn summary(mut times: Vec<Duration>, seconds: f64) -> String {
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize];
    let rate = times.len() as f64 / seconds;
    format!("{} changes, {rate:.0} a second; p50 {:?}, p99 {:?}, max {:?}", times.len(), at(0.5), at(0.99), at(1.0))
}
