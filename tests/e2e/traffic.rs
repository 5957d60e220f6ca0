//! Traffic between all sources of a fleet, and a judge of all that arrives.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use vswitch_perf::guest::GuestPort;

use crate::fleet::Shape;
use crate::frames::{is_copy, number, numbered};
use crate::switch::{PATIENCE, Switch};

/// Lengths of frames. Above 1,038 bytes a copy is an indirect clone of its packet.
const LENS: [usize; 7] = [64, 500, 1100, 1514, 214, 4000, 8514];
/// Service packets, and copies, under way at a time where nothing may be lost.
const WINDOW: u64 = 64;

/// The `n`th frame of a source.
fn frame(from: usize, to: usize, flow: usize, n: u64) -> Vec<u8> {
    let mut frame = numbered(from, to, n, LENS[n as usize % LENS.len()]);
    frame[34..36].copy_from_slice(&(5000 + flow as u16).to_be_bytes());
    frame[36..38].copy_from_slice(&(2000 + flow as u16).to_be_bytes());
    frame
}

/// Sender, receiver, flow and number of a frame.
fn parts(frame: &[u8]) -> (usize, usize, usize, u64) {
    let port = u16::from_be_bytes([frame[36], frame[37]]);
    (usize::from(frame[29]) - 10, usize::from(frame[33]) - 10, usize::from(port) - 2000, number(frame))
}

/// What keeps its order: who gets it, the source of a copy, and sender, receiver and flow.
type Flow = (usize, Option<usize>, [usize; 3]);

/// A copy that arrived: whose, where, and of which packet.
#[derive(Clone, Copy)]
pub struct Copied {
    pub source: usize,
    pub target: usize,
    pub from: usize,
    pub to: usize,
    pub flow: usize,
    pub number: u64,
    /// Bytes of the IP packet, and how many of them the copy has.
    pub total: usize,
    pub kept: usize,
}

impl Copied {
    pub fn outbound(&self) -> bool {
        self.source == self.from
    }

    /// The packet's other end.
    pub fn peer(&self) -> usize {
        if self.outbound() { self.to } else { self.from }
    }
}

/// Guests, what they sent, and what came of it.
pub struct Traffic {
    pub shape: Shape,
    pub guests: Vec<Option<GuestPort>>,
    /// Frames that each source sent; the next one's number.
    pub sent: Vec<u64>,
    /// Copies of each session that the packets sent so far are worth.
    pub due: Vec<u64>,
    /// Ways between ENIs that they are worth: service from sender to receiver, copies from source to target.
    pub hops: Vec<(usize, usize)>,
    /// Service packets that arrived: the place that each, named by sender and number, has among its receiver's.
    pub service: HashMap<(usize, u64), u64>,
    pub copies: Vec<Copied>,
    received: Vec<u64>,
    copied: HashSet<(usize, usize, u64)>,
    /// The last number of each.
    last: HashMap<Flow, u64>,
    turn: usize,
    /// Frames of each flow that a source sends to a receiver before it turns to the next.
    pub run: usize,
}

impl Traffic {
    pub fn new(shape: Shape, switch: &Switch) -> Self {
        let sources = shape.sources();
        // Listening before the switch looks again: they come up together.
        let guest = |eni| {
            let mut config = switch.port_config(eni);
            config.queue_size = if eni < sources { 256 } else { 1024 };
            GuestPort::open(config).unwrap()
        };
        let mut guests: Vec<GuestPort> = (0..3 * shape.workers).map(guest).collect();
        for (eni, guest) in guests.iter_mut().enumerate() {
            guest.connect(PATIENCE).unwrap();
            switch.wait_up(eni);
        }
        Traffic {
            shape,
            guests: guests.into_iter().map(Some).collect(),
            sent: vec![0; sources],
            due: vec![0; shape.workers],
            hops: Vec::new(),
            service: HashMap::new(),
            copies: Vec::new(),
            received: vec![0; sources],
            copied: HashSet::new(),
            last: HashMap::new(),
            turn: 0,
            run: 4,
        }
    }

    /// All that was sent.
    pub fn total(&self) -> u64 {
        self.sent.iter().sum()
    }

    /// Copies of a session that arrived.
    pub fn copies_of(&self, flow: usize) -> u64 {
        self.copies.iter().filter(|c| c.flow == flow).count() as u64
    }

    /// A packet's place among those that the copy's source sent, or among those that it got.
    pub fn order(&self, copy: &Copied) -> u64 {
        if copy.outbound() { copy.number } else { self.service[&(copy.from, copy.number)] }
    }

    /// Sends until `done`, with so little under way that nothing need be lost, and waits until all has arrived: service,
    /// and the copies of all sessions but `lossy`.
    pub fn stream(&mut self, lossy: Option<usize>, mut done: impl FnMut(&mut Traffic) -> bool) {
        let sure = |counts: &[u64]| counts.iter().enumerate().filter(|(f, _)| Some(*f) != lossy).map(|(_, n)| n).sum();
        let copies = |t: &Traffic| t.copies.iter().filter(|c| Some(c.flow) != lossy).count() as u64;
        let (service, before) = (self.service.len() as u64, copies(self));
        let (sent, due): (u64, u64) = (self.total(), sure(&self.due));
        let mut moved = Instant::now();
        loop {
            let over = done(self);
            let late = self.total() - sent - (self.service.len() as u64 - service);
            let uncopied: u64 = sure(&self.due) - due - (copies(self) - before);
            if over && late == 0 && uncopied == 0 {
                return;
            }
            assert!(moved.elapsed() < PATIENCE, "{late} packets and {uncopied} copies are lost");
            let mut some = false;
            if !over {
                for _ in 0..WINDOW.saturating_sub(late.max(uncopied)) {
                    some |= self.send();
                }
            }
            if self.take() > 0 || some {
                moved = Instant::now();
            } else {
                self.pause();
            }
        }
    }

    /// A moment for the switch; whatever comes to the first guest ends it.
    pub fn pause(&mut self) {
        self.guests[0].as_mut().unwrap().wait(&[], Some(Duration::from_micros(200)));
    }

    /// Sends the next frame: `run` of every flow of every pair of sources, in turn. `false` without room for it.
    pub fn send(&mut self) -> bool {
        let (sources, flows) = (self.shape.sources(), self.shape.workers + 1);
        let (flow, pair) = (self.turn % flows, self.turn / flows / self.run);
        let (from, other) = (pair % sources, pair / sources % (sources - 1));
        let to = (from + 1 + other) % sources;
        let Some(port) = &mut self.guests[from] else {
            return false;
        };
        if !port.send(&frame(from, to, flow, self.sent[from])) {
            return false;
        }
        port.kick();
        self.turn += 1;
        self.sent[from] += 1;
        self.hops.push((from, to));
        for source in [from, to] {
            if self.shape.mirrors(source, flow) {
                self.due[flow] += 1;
                self.hops.push((source, self.shape.target(flow)));
            }
        }
        true
    }

    /// Takes and judges what has arrived; how much it was.
    pub fn take(&mut self) -> u64 {
        let mut taken = 0;
        for eni in 0..self.guests.len() {
            while let Some(frame) = self.guests[eni].as_mut().and_then(GuestPort::try_receive) {
                if is_copy(&frame) {
                    self.judge_copy(eni, &frame)
                } else {
                    self.judge(eni, &frame)
                }
                taken += 1;
            }
        }
        taken
    }

    /// A service packet: whole, once, in its flow's order.
    fn judge(&mut self, eni: usize, got: &[u8]) {
        let (from, to, flow, number) = parts(got);
        assert_eq!((eni, got), (to, &frame(from, to, flow, number)[..]));
        self.in_order((eni, None, [from, to, flow]), number);
        let before = self.service.insert((from, number), self.received[to]);
        assert!(before.is_none(), "{number} of eni-{from} came twice");
        self.received[to] += 1;
    }

    /// A copy: of what its source sent or got, as much of it as belongs in, once, in its flow's order.
    fn judge_copy(&mut self, eni: usize, got: &[u8]) {
        let (source, target) = (usize::from(got[29]) - 10, usize::from(got[33]) - 10);
        let (from, to, flow, number) = parts(&got[50..]);
        assert_eq!((eni, &got[46..49]), (target, &[0, 0, 10 + flow as u8][..]));
        let whole = frame(from, to, flow, number);
        let total = whole.len() - 14;
        let kept = Shape::kept(flow, total);
        assert_eq!(got[50..], whole[..14 + kept]);
        assert!(self.shape.mirrors(source, flow) && (source == from || source == to), "eni-{source} mirrors no such");
        assert!(self.copied.insert((source, from, number)), "{number} of eni-{from}: two copies for eni-{source}");
        self.in_order((eni, Some(source), [from, to, flow]), number);
        self.copies.push(Copied { source, target, from, to, flow, number, total, kept });
    }

    fn in_order(&mut self, flow: Flow, number: u64) {
        let last = self.last.insert(flow, number);
        assert!(last.is_none_or(|last| last < number), "{number} after {last:?}: {flow:?}");
    }
}
