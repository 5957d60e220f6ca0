//! All workers of the process: pools, rings between them, threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread::JoinHandle;

use super::clock::Clock;
use super::env::Pools;
use super::load::Load;
use super::run::{Aside, Published, Worker};
use super::stats::WorkerStats;
use crate::control::config::Config;
use crate::dpdk::eal::Eal;
use crate::dpdk::lcore::LcoreCtx;
use crate::dpdk::mempool::{Mempool, SizeClass};
use crate::dpdk::ring::{RingRx, RingTx, pair};
use crate::mirror::publish::Publisher;
use crate::port::Turn;

/// Buffers that a pool caches for its worker.
const CACHE: u32 = 256;
/// Memory for what is small: DPDK's own, and devices and queues of guests.
const SMALL: usize = 8 << 20;

/// The running workers.
pub struct Workers {
    threads: Vec<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    turns: Vec<Arc<Turn>>,
    stats: Vec<Arc<WorkerStats>>,
}

impl Workers {
    /// Starts one worker an entry of `cpus`, each reading from `publisher`; the first ones do `asides` between turns.
    ///
    /// # Errors
    /// One plain sentence: no memory for pools or rings, or a CPU that does not exist.
    pub fn start(
        eal: &'static Eal,
        config: &Config,
        cpus: &[usize],
        publisher: &Publisher<Published>,
        asides: Vec<Aside>,
    ) -> Result<Self, String> {
        let mut asides = asides.into_iter();
        let mut workers = Workers {
            threads: Vec::new(),
            stop: Arc::new(AtomicBool::new(false)),
            turns: Vec::new(),
            stats: Vec::new(),
        };
        let clock = Clock::measured();
        let mut rings = Rings::new(eal, cpus.len(), config.worker.ring_size)?;
        for (index, cpu) in cpus.iter().copied().enumerate() {
            let (turn, stats) = (Arc::new(Turn::default()), Arc::new(WorkerStats::default()));
            let worker = Worker {
                index,
                burst: usize::from(config.worker.burst),
                clock,
                idle: config.worker.idle,
                reader: publisher.reader(index).ok_or_else(|| format!("worker {index} has no seat"))?,
                pools: pools(eal, config, index)?,
                outgoing: std::mem::take(&mut rings.out[index]),
                incoming: std::mem::take(&mut rings.into[index]),
                turn: turn.clone(),
                load: Load::new(config.mirror.overload),
                stats: stats.clone(),
                aside: asides.next(),
            };
            workers.turns.push(turn);
            workers.stats.push(stats);
            let thread = workers.spawn(eal, index, cpu, worker);
            match thread {
                Ok(thread) => workers.threads.push(thread),
                Err(e) => {
                    workers.stop();
                    return Err(e);
                }
            }
        }
        Ok(workers)
    }

    fn spawn(&self, eal: &'static Eal, index: usize, cpu: usize, worker: Worker) -> Result<JoinHandle<()>, String> {
        let stop = self.stop.clone();
        let (tell, told) = std::sync::mpsc::channel();
        let thread = std::thread::Builder::new()
            .name(format!("worker-{index}"))
            .spawn(move || match LcoreCtx::enter(eal, cpu) {
                Ok(lcore) => {
                    let _ = tell.send(Ok(()));
                    worker.run(&lcore, &stop);
                }
                Err(e) => {
                    let _ = tell.send(Err(format!("worker {index}: {e}")));
                }
            })
            .map_err(|e| format!("worker {index}: no thread: {e}"))?;
        told.recv().map_err(|_| format!("worker {index} ended at once"))??;
        Ok(thread)
    }

    /// Turn counter of a worker.
    #[must_use]
    pub fn turn(&self, index: usize) -> Arc<Turn> {
        self.turns.get(index).cloned().unwrap_or_default()
    }

    /// Each worker's figures.
    #[must_use]
    pub fn stats(&self) -> &[Arc<WorkerStats>] {
        &self.stats
    }

    /// Ends all loops and waits for the threads.
    pub fn stop(&mut self) {
        self.stop.store(true, SeqCst);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// Is there memory for the pools and rings of so many workers? Asked before DPDK takes any.
///
/// # Errors
/// One plain sentence with the memory that is needed.
pub fn check_memory(config: &Config, workers: usize) -> Result<(), String> {
    let (std_mbufs, jumbo_mbufs) = (config.pools.std_mbufs, config.pools.jumbo_mbufs);
    let page = if config.dpdk.hugepages { 2 << 20 } else { 4096 };
    let pools = SizeClass::Std1500.memory(std_mbufs, page) + SizeClass::Jumbo8500.memory(jumbo_mbufs, page);
    let ring = (config.worker.ring_size as usize + 1).next_power_of_two() * size_of::<usize>();
    let needed = (SMALL + workers * pools + workers * workers.saturating_sub(1) * ring).div_ceil(1 << 20);
    let memory_mb = config.dpdk.memory_mb;
    if needed <= memory_mb as usize {
        return Ok(());
    }
    Err(format!(
        "dpdk.memory_mb = {memory_mb} is too little: {workers} workers with pools.std_mbufs = {std_mbufs} and \
         pools.jumbo_mbufs = {jumbo_mbufs} each need {needed}; set dpdk.memory_mb = {needed}, or make the pools smaller"
    ))
}

fn pools(eal: &'static Eal, config: &Config, index: usize) -> Result<Pools, String> {
    let make = |class, name: &str, count| {
        Mempool::new(eal, &format!("{name}-{index}"), class, count, CACHE)
            .map(Arc::new)
            .map_err(|e| format!("no memory for {count} buffers of the {name} pool of worker {index}: {e}"))
    };
    Ok(Pools {
        standard: make(SizeClass::Std1500, "std", config.pools.std_mbufs)?,
        jumbo: make(SizeClass::Jumbo8500, "jumbo", config.pools.jumbo_mbufs)?,
    })
}

/// A ring from every worker to every other.
struct Rings {
    out: Vec<Vec<Option<RingTx>>>,
    into: Vec<Vec<RingRx>>,
}

impl Rings {
    fn new(eal: &'static Eal, workers: usize, size: u32) -> Result<Self, String> {
        let mut rings = Rings {
            out: (0..workers).map(|_| (0..workers).map(|_| None).collect()).collect(),
            into: (0..workers).map(|_| Vec::new()).collect(),
        };
        for from in 0..workers {
            for to in (0..workers).filter(|to| *to != from) {
                let (tx, rx) = pair(eal, &format!("w{from}-w{to}"), size)
                    .map_err(|e| format!("no ring from worker {from} to worker {to}: {e}"))?;
                rings.out[from][to] = Some(tx);
                rings.into[to].push(rx);
            }
        }
        Ok(rings)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_defaults_have_memory_for_one_worker_and_the_number_for_four_is_named() {
        let mut config = Config::default();
        assert_eq!(check_memory(&config, 1), Ok(()));
        assert_eq!(check_memory(&config, 2), Ok(()));
        let why = check_memory(&config, 4).unwrap_err();
        let needed: u32 =
            why.rsplit("set dpdk.memory_mb = ").next().unwrap().split(',').next().unwrap().parse().unwrap();
        config.dpdk.memory_mb = needed;
        assert_eq!(check_memory(&config, 4), Ok(()));
        config.dpdk.memory_mb = needed - 1;
        assert!(check_memory(&config, 4).is_err());
    }
}
