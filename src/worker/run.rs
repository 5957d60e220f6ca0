//! The loop of an lcore: rings from other workers, then every ENI's queues, a burst each, under one snapshot a burst.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use super::clock::Clock;
use super::crossed;
use super::env::{Pools, WorkerEnv};
use super::housekeeping::{PERIOD, Watch};
use super::load::Load;
use super::stats::WorkerStats;
use crate::control::config::Idle;
use crate::datapath::{run_burst, run_crossed};
use crate::dpdk::lcore::{LcoreCtx, tsc};
use crate::dpdk::mbuf::Mbuf;
use crate::dpdk::ring::{RingRx, RingTx};
use crate::dpdk::vhost;
use crate::mirror::publish::Reader;
use crate::mirror::snapshot::Snapshot;
use crate::packet::{BURST, Burst};
use crate::port::{EniPort, Turn};

/// Odd queues transmit in the guest.
const TRANSMIT_QUEUES: u32 = 0xaaaa_aaaa;
/// Turns without a packet before `worker.idle = "sleep"` sleeps.
const PATIENCE: u32 = 64;
/// How long it sleeps.
const NAP: Duration = Duration::from_micros(50);

/// What is published to workers as one value.
#[derive(Debug)]
pub struct Published {
    /// What decides about packets.
    pub snapshot: Snapshot,
    /// Ports by ENI slot.
    pub ports: Box<[Option<Arc<EniPort>>]>,
    /// Slots of the ENIs of each worker.
    pub owned: Box<[Box<[u32]>]>,
}

/// What a harness lets a worker's thread do between its turns: emulate the guests where no CPU is left for them.
pub type Aside = Box<dyn FnMut() + Send>;

/// All that a worker owns.
pub struct Worker {
    /// Its index.
    pub index: usize,
    /// Packets a queue is asked for at a time.
    pub burst: usize,
    /// The time.
    pub clock: Clock,
    /// What to do when there is nothing to do.
    pub idle: Idle,
    /// The published value.
    pub reader: Reader<Published>,
    /// Buffers.
    pub pools: Pools,
    /// Rings to the other workers.
    pub outgoing: Vec<Option<RingTx>>,
    /// Rings from the other workers.
    pub incoming: Vec<RingRx>,
    /// Its turn counter.
    pub turn: Arc<Turn>,
    /// Its own figures.
    pub stats: Arc<WorkerStats>,
    /// How saturated it is.
    pub load: Load,
    /// What else the thread does; a switch in production has none.
    pub aside: Option<Aside>,
}

impl Worker {
    /// Polls until `stop`.
    pub fn run(mut self, _lcore: &LcoreCtx, stop: &AtomicBool) {
        let mut burst = Burst::<Mbuf>::default();
        let mut watch = Watch::default();
        let (mut turns, mut quiet) = (0u32, 0u32);
        let mut began = tsc();
        self.turn.start();
        while !stop.load(Relaxed) {
            self.turn.begin();
            turns = turns.wrapping_add(1);
            let packets = self.turn(self.clock.at(began), &mut burst, &mut watch);
            if turns.is_multiple_of(PERIOD) {
                let published = self.reader.current();
                watch.look(self.index, published);
            }
            let now = tsc();
            let cycles = now.wrapping_sub(began);
            self.stats.turn(packets as u64, cycles);
            if self.load.turn(self.clock.at(now), cycles, packets > 0) {
                self.stats.window(&self.load);
                self.load.fit(self.reader.current().ports.len());
            }
            began = now;
            if let Some(aside) = &mut self.aside {
                aside();
                began = tsc();
            }
            quiet = if packets == 0 { quiet.saturating_add(1) } else { 0 };
            if self.idle == Idle::Sleep && quiet > PATIENCE {
                std::thread::sleep(NAP);
                began = tsc();
            }
        }
        self.turn.end();
    }

    /// One turn, at `now`; returns the packets it moved.
    fn turn(&mut self, now: u64, burst: &mut Burst<Mbuf>, watch: &mut Watch) -> usize {
        let mut packets = 0;
        for (number, ring) in self.incoming.iter_mut().enumerate() {
            let came = crossed::take(&mut burst.bufs, |bufs| ring.receive(bufs), &mut self.reader);
            self.load.ring_polled(number, came.as_ref().is_some_and(|(taken, _)| *taken == BURST));
            if let Some((taken, published)) = came {
                packets += taken;
                let rings = &mut self.outgoing;
                let (index, ports) = (self.index, &*published.ports);
                let mut env = WorkerEnv { index, now, ports, pools: &self.pools, load: &mut self.load, rings };
                run_crossed(&mut env, &published.snapshot, burst);
            }
        }
        let published = self.reader.current();
        let (index, ports) = (self.index, &*published.ports);
        let (load, rings) = (&mut self.load, &mut self.outgoing);
        let mut env = WorkerEnv { index, now, ports, pools: &self.pools, load, rings };
        for slot in published.owned.get(self.index).into_iter().flatten() {
            let Some(eni) = published.snapshot.eni(*slot) else {
                continue;
            };
            let Some(port) = published.ports.get(*slot as usize).and_then(Option::as_ref) else {
                continue;
            };
            let Some((vid, enabled)) = port.device() else {
                continue;
            };
            let pool = self.pools.fitting(eni.mtu.frame().0 as usize);
            let mut queues = enabled & TRANSMIT_QUEUES;
            while queues != 0 {
                let queue = queues.trailing_zeros() as u16;
                queues &= queues - 1;
                let taken = vhost::dequeue(vid, queue, pool, &mut burst.bufs, self.burst);
                watch.polled(*slot, queue, taken);
                env.load.polled(*slot, queue, taken >= self.burst);
                if taken > 0 {
                    packets += taken;
                    run_burst(&mut env, &published.snapshot, eni, burst);
                }
            }
        }
        packets
    }
}
