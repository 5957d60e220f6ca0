//! Several workers with rings between them, a step at a time, and the judge of what they do.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

use super::plan::{FLOWS, Plan, Rings, concerns, id, is_copy, parts};
use super::world::scrape;
use crate::control::registry::Registry;
use crate::datapath::{run_burst, run_crossed};
use crate::metrics::laws;
use crate::mirror::overload::Overload;
use crate::mirror::publish::{Publisher, Reader};
use crate::mirror::snapshot::{Eni, Snapshot};
use crate::packet::{Burst, Direction, HeapBuf, PacketBuf, Reason};
use crate::replay::env::HeapEnv;
use crate::worker::crossed;
use crate::worker::load::{Load, WINDOW};

/// Frames that a guest's queue has room for when it was just emptied.
const ROOM: usize = 24;

/// What the runs of many towns have reached.
#[derive(Debug, Default)]
pub struct Reached {
    /// In so many towns.
    pub drops: HashMap<Reason, usize>,
    pub skips: HashMap<Reason, usize>,
    /// Copies by direction: do source and peer, source and target, peer and target share a worker?
    pub places: HashSet<(bool, [bool; 3])>,
    pub moves: usize,
}

/// What keeps its order: who gets it, session and source of a copy, and sender, receiver and flow.
type Flow = (usize, Option<(usize, usize)>, [usize; 3]);

/// Workers, and the judge of what they do.
pub struct Town {
    plan: Plan,
    registry: Registry,
    credit: u32,
    publisher: Publisher<Snapshot>,
    readers: Vec<Reader<Snapshot>>,
    current: Arc<Snapshot>,
    env: Rings,
    burst: Burst<HeapBuf>,
    /// ENIs whose port was opened anew: their guest is there when nothing of theirs is under way any more.
    reopened: HashSet<usize>,
    unplugged: HashSet<usize>,
    room: Vec<usize>,
    next: Vec<u64>,
    sent: HashMap<(usize, u64), Vec<u8>>,
    delivered: u64,
    copies: u64,
    /// The session whose copy is due, by source, sender and number; taken out when it comes.
    due: HashMap<(usize, usize, u64), usize>,
    /// Packets matched and copies that came, of sessions and sources that have been there all the time.
    rows: HashMap<(usize, usize), [u64; 2]>,
    /// The last number of each.
    last: HashMap<Flow, u64>,
    reached: Reached,
}

impl Town {
    pub fn new(case: &Case) -> Self {
        let (plan, workers) = (case.plan.clone(), case.workers);
        let mut registry = Registry::new(workers);
        let worker = |n: usize| case.placement[n] % workers;
        registry.placement = (0..plan.enis.len()).map(|n| (id(n).into(), worker(n))).collect();
        let current = Arc::new(plan.compiled(&mut registry, case.credit));
        let publisher = Publisher::new(current.clone(), workers);
        // Security would not have copies: they pass because they are marked.
        let heap = HeapEnv { denied_port: Some((Direction::Inbound, 4789)), ..HeapEnv::default() };
        let rings = vec![vec![VecDeque::new(); workers]; workers];
        Town {
            registry,
            credit: case.credit,
            readers: (0..workers).map(|n| publisher.reader(n).unwrap()).collect(),
            publisher,
            current,
            env: Rings { heap, rings, size: case.ring },
            burst: Burst::default(),
            reopened: HashSet::new(),
            unplugged: HashSet::new(),
            room: vec![ROOM; plan.enis.len()],
            next: vec![0; plan.enis.len()],
            sent: HashMap::new(),
            delivered: 0,
            copies: 0,
            due: HashMap::new(),
            rows: plan.pairs().into_iter().map(|pair| (pair, [0; 2])).collect(),
            last: HashMap::new(),
            plan,
            reached: Reached::default(),
        }
    }

    fn eni(&self, n: usize) -> Option<&Arc<Eni>> {
        self.current.enis.iter().flatten().find(|e| *e.id == *id(n))
    }

    fn worker(&self, n: usize) -> Option<usize> {
        self.eni(n).map(|e| e.worker)
    }

    fn has_guest(&self, n: usize) -> bool {
        self.plan.enis[n].is_some() && !self.reopened.contains(&n) && !self.unplugged.contains(&n)
    }

    fn under_way(&self) -> impl Iterator<Item = &HeapBuf> {
        self.env.rings.iter().flatten().flatten()
    }

    /// One burst of an ENI: so many frames, of one flow or of all.
    fn send(&mut self, from: usize, to: usize, flow: usize, count: usize, all_flows: bool) {
        if from == to || !self.has_guest(from) {
            return;
        }
        for nth in 0..count {
            let flow = if all_flows { (flow + nth) % FLOWS } else { flow };
            let number = self.next[from];
            self.next[from] += 1;
            let frame = self.plan.frame(from, to, flow, number);
            self.burst.bufs.push(Some(HeapBuf::new(frame.clone())));
            self.sent.insert((from, number), frame);
            self.matches(from, flow, (from, number));
        }
        self.set_guests();
        let eni = self.eni(from).unwrap().clone();
        self.env.heap.worker = eni.worker;
        run_burst(&mut self.env, self.readers[eni.worker].current(), &eni, &mut self.burst);
        self.judge();
    }

    /// A worker takes at most so many packets off a ring.
    fn take(&mut self, worker: usize, from: usize, count: usize) {
        self.set_guests();
        self.env.heap.worker = worker;
        let ring = &mut self.env.rings[from][worker];
        let receive = |bufs: &mut arrayvec::ArrayVec<Option<HeapBuf>, 64>| {
            let came = ring.len().min(count);
            bufs.extend(ring.drain(..came).map(Some));
            came
        };
        let came = crossed::take(&mut self.burst.bufs, receive, &mut self.readers[worker]);
        if let Some((_, snapshot)) = came {
            run_crossed(&mut self.env, snapshot, &mut self.burst);
        }
        self.judge();
    }

    /// Tells the queues who is there, and how much room they have.
    fn set_guests(&mut self) {
        let quiet = |e: &Arc<Eni>| e.counters.in_flight() == 0 && e.counters.copies_in_flight() == 0;
        let back: Vec<usize> = self.reopened.iter().copied().filter(|n| self.eni(*n).is_none_or(quiet)).collect();
        self.reopened.retain(|n| !back.contains(n));
        let (mut down, mut room) = (Vec::new(), HashMap::new());
        for n in 0..self.plan.enis.len() {
            if let Some(eni) = self.eni(n) {
                room.insert(eni.slot, self.room[n]);
                down.extend((!self.has_guest(n)).then_some(eni.slot));
            }
        }
        (self.env.heap.down, self.env.heap.room) = (down, room);
    }

    fn matches(&mut self, source: usize, flow: usize, packet: (usize, u64)) {
        if let Some(session) = self.plan.decide(source, flow) {
            self.due.insert((source, packet.0, packet.1), session);
            if let Some([matched, _]) = self.rows.get_mut(&(session, source)) {
                *matched += 1;
            }
        }
    }

    /// Judges what guests got, and what rings hold.
    fn judge(&mut self) {
        let names: HashMap<u32, usize> =
            (0..self.plan.enis.len()).filter_map(|n| Some((self.eni(n)?.slot, n))).collect();
        for (slot, buf) in std::mem::take(&mut self.env.heap.queued) {
            let at = names[&slot];
            if is_copy(buf.bytes()) { self.judge_copy(at, buf.bytes()) } else { self.judge_service(at, buf.bytes()) }
        }
        for (slot, n) in names {
            self.room[n] = self.env.heap.room[&slot];
        }
        for ring in self.env.rings.iter().flatten() {
            let copies = ring.iter().filter(|buf| buf.meta().copy == 1).count();
            assert_eq!(copies, ring.iter().filter(|buf| is_copy(buf.bytes())).count(), "the mark");
            assert!(ring.len() <= self.env.size && copies <= self.env.size.div_ceil(2), "{copies} of {}", ring.len());
        }
        for eni in self.current.enis.iter().flatten() {
            let (service, copies) = (eni.counters.in_flight(), eni.counters.copies_in_flight());
            let credit = u64::from(self.credit);
            assert!(service <= credit && copies <= credit.div_ceil(2), "{service} and {copies}");
        }
    }

    fn judge_service(&mut self, at: usize, got: &[u8]) {
        let (from, to, flow, number) = parts(got);
        assert_eq!((at, got), (to, &self.sent[&(from, number)][..]));
        self.in_order((at, None, [from, to, flow]), number);
        self.delivered += 1;
        self.matches(to, flow, (from, number));
    }

    fn judge_copy(&mut self, at: usize, got: &[u8]) {
        let (source, target) = (usize::from(got[29]) - 10, usize::from(got[33]) - 10);
        let (from, to, flow, number) = parts(&got[50..]);
        let session = usize::from(got[48]);
        assert_eq!((at, &got[50..]), (target, &self.sent[&(from, number)][..]));
        assert_eq!(self.due.remove(&(source, from, number)), Some(session), "{number} of {from} for {source}");
        self.in_order((at, Some((session, source)), [from, to, flow]), number);
        self.copies += 1;
        if let Some([_, copies]) = self.rows.get_mut(&(session, source)) {
            *copies += 1;
        }
        let peer = if source == from { to } else { from };
        if let [Some(s), Some(p), Some(t)] = [source, peer, target].map(|n| self.worker(n)) {
            self.reached.places.insert((source == from, [s == p, s == t, p == t]));
        }
    }

    fn in_order(&mut self, flow: Flow, number: u64) {
        let last = self.last.insert(flow, number);
        assert!(last.is_none_or(|last| last < number), "{number} after {last:?}: {flow:?}");
    }

    /// Publishes the plan as it is now. As the control side does, not before all workers have taken the one before.
    fn reload(&mut self) {
        self.readers.iter_mut().for_each(|reader| _ = reader.current());
        self.publisher.reclaim();
        let before: Vec<_> = (0..self.plan.enis.len()).map(|n| self.worker(n)).collect();
        self.current = Arc::new(self.plan.compiled(&mut self.registry, self.credit));
        self.publisher.publish(self.current.clone());
        let pairs = self.plan.pairs();
        self.rows.retain(|pair, _| pairs.contains(pair));
        for (n, before) in before.into_iter().enumerate() {
            let now = self.worker(n);
            if now.is_some() && now != before {
                self.reopened.insert(n);
                self.reached.moves += usize::from(before.is_some());
            }
        }
    }

    pub fn step(&mut self, step: &Step) {
        let (enis, workers) = (self.plan.enis.len(), self.readers.len());
        let mirrors = self.plan.mirrors.len();
        match *step {
            Step::Send(from, to, flow, count, all) => self.send(from % enis, to % enis, flow, count, all),
            Step::Take(worker, from, count) => self.take(worker % workers, from % workers, count),
            Step::Read(n) => self.room[n % enis] = ROOM,
            Step::Plug(n) if !self.unplugged.remove(&(n % enis)) => _ = self.unplugged.insert(n % enis),
            Step::Plug(_) => {}
            Step::Switch(n) => {
                self.plan.mirrors[n % mirrors].on ^= true;
                self.reload();
            }
            Step::Retarget(n, target) => {
                let free: Vec<_> =
                    (0..enis).filter(|t| self.plan.mirrors.iter().all(|m| !m.sources.contains(t))).collect();
                self.plan.mirrors[n % mirrors].target = free[target % free.len()];
                self.reload();
            }
            Step::Rehome(n, home) if self.plan.enis[n % enis].is_some() => {
                self.plan.enis[n % enis] = Some(home);
                self.reload();
            }
            Step::Rehome(..) => {}
            Step::Leave(n) => self.leave(n % enis),
            Step::Saturate(windows) => self.env.heap.load = load(self.current.enis.len(), windows),
            Step::Replace(n, other) => {
                self.leave(n % enis);
                let away: Vec<_> = (0..enis).filter(|m| *m != n % enis && self.plan.enis[*m].is_none()).collect();
                if !away.is_empty() {
                    self.leave(away[other % away.len()]);
                }
            }
        }
    }

    /// An ENI goes, or comes back.
    fn leave(&mut self, n: usize) {
        // A guest needs longer to come back than packets need for a ring.
        let concerned = self.under_way().any(|buf| concerns(buf.bytes()).contains(&n));
        self.plan.enis[n] = match self.plan.enis[n] {
            Some(_) => None,
            None if !concerned => Some(100 + n),
            None => return,
        };
        self.reload();
    }

    /// Lets all arrive; then nothing may be missing.
    pub fn end(mut self) -> Reached {
        let workers = self.readers.len();
        while self.under_way().next().is_some() {
            for (worker, from) in (0..workers).flat_map(|worker| (0..workers).map(move |from| (worker, from))) {
                self.take(worker, from, 64);
            }
        }
        let scrape = scrape(&self.registry);
        assert_eq!(laws::violations(&scrape), Vec::<String>::new());
        let totals = laws::totals(&scrape);
        let sent: u64 = self.next.iter().sum();
        assert_eq!((totals.received, totals.delivered, totals.copies), (sent, self.delivered, self.copies));
        for eni in self.current.enis.iter().flatten() {
            assert_eq!((eni.counters.in_flight(), eni.counters.copies_in_flight()), (0, 0), "{}", eni.id);
            for reason in Reason::ALL {
                let dropped = Direction::ALL.iter().any(|d| eni.counters.drops(*d, *reason) > 0);
                dropped.then(|| self.reached.drops.insert(*reason, 1));
            }
        }
        for ((session, source), [matched, copies]) in &self.rows {
            let row = self.registry.rows.get(&(format!("s-{session}").into(), id(*source).into())).unwrap();
            let sum =
                |of: fn(&crate::metrics::counters::RowBlock, usize) -> u64| row.counters.sum(|b| of(b, 0) + of(b, 1));
            assert_eq!([sum(|b, d| b.matched[d].get()), sum(|b, d| b.sent[d].get())], [*matched, *copies]);
        }
        for (_, row) in self.registry.rows.iter() {
            for reason in Reason::ALL {
                let skipped = row.counters.sum(|b| b.skips[0].get(*reason) + b.skips[1].get(*reason)) > 0;
                skipped.then(|| self.reached.skips.insert(*reason, 1));
            }
        }
        self.reached
    }
}

/// The load of workers after so many windows of saturation by all ENIs and rings.
fn load(slots: usize, windows: usize) -> Load {
    let mut load = Load::new(Overload::Shed);
    load.fit(slots);
    for turn in 1..=8 * windows as u64 {
        (0..slots).for_each(|slot| load.polled(slot as u32, 1, true));
        load.ring_polled(0, true);
        load.turn(turn * WINDOW / 8, 1000, true);
    }
    load
}

/// A town and what happens in it.
#[derive(Clone, Debug)]
pub struct Case {
    pub workers: usize,
    pub ring: usize,
    pub credit: u32,
    pub plan: Plan,
    pub placement: Vec<usize>,
    pub steps: Vec<Step>,
}

/// What happens next; numbers are taken modulo what there is.
#[derive(Clone, Debug)]
pub enum Step {
    /// Sender, receiver, flow, frames, and whether of all flows.
    Send(usize, usize, usize, usize, bool),
    /// Worker, the worker at the ring's other end, packets.
    Take(usize, usize, usize),
    /// A guest reads its queue.
    Read(usize),
    /// A guest goes, or comes.
    Plug(usize),
    /// A session is switched on or off.
    Switch(usize),
    /// A session gets another target.
    Retarget(usize, usize),
    /// An ENI joins another instance, and perhaps another worker.
    Rehome(usize, usize),
    /// An ENI goes, or comes.
    Leave(usize),
    /// So many windows of saturation, in which all send more than their share.
    Saturate(usize),
    /// An ENI goes, and another comes back and may get its slot.
    Replace(usize, usize),
}
