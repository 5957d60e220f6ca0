//! No answered write is lost: four clients storm a switch with writes, it is killed, started again over the same store,
//! and asked. `VSWITCH_KILLS` says how often, `VSWITCH_CRASH_SEED` draws the same writes again.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod client;
mod daemon;
mod draw;
mod objects;
mod op;
mod random;
#[path = "../common/rpc.rs"]
mod rpc;

use std::net::SocketAddr;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use client::{Client, Tally};
use daemon::{Daemon, Home, connect};
use objects::{CLIENTS, Objects};
use random::Random;
use rpc::Rpc;
use serde_json::json;

/// Stores at a time: each start waits for the next second, whose requests cannot be those of a former process.
const LANES: usize = 8;
/// Answers after which a storm may end.
const STORM: u64 = 32;
/// Longest time from the last of these answers to the kill, and from a start that is killed before it is ready.
const MOMENT: Duration = Duration::from_millis(5);
const START: Duration = Duration::from_millis(100);

/// A store's life.
struct Lane {
    name: String,
    home: Home,
    random: Random,
    clients: Vec<Client>,
    /// The store's revision before the first write.
    base: u64,
    starts: Vec<Duration>,
    killed_early: u64,
}

impl Lane {
    fn new(number: usize, seed: u64) -> Self {
        let mut random = Random::new(seed.wrapping_add(number as u64));
        let clients = (0..CLIENTS).map(|n| Client::new(n, random.next())).collect();
        let name = format!("VSWITCH_CRASH_SEED={seed}, lane {number}");
        Lane { name, home: Home::new(number), random, clients, base: 0, starts: Vec::new(), killed_early: 0 }
    }

    fn tally(&self) -> Tally {
        let mut all = Tally::default();
        self.clients.iter().for_each(|client| all += client.tally);
        all
    }

    /// One storm and its end.
    fn round(&mut self) {
        let (mut daemon, address) = self.start();
        let (tell, told) = channel();
        let (answers, after) = (1 + self.random.below(STORM), self.random.below(MOMENT.as_micros() as u64));
        std::thread::scope(|scope| {
            for client in &mut self.clients {
                let tell = tell.clone();
                scope.spawn(move || client.storm(connect(address).unwrap(), &tell));
            }
            drop(tell);
            for _ in 0..answers {
                // Without an answer to come, all clients have ended: badly.
                if told.recv().is_err() {
                    break;
                }
            }
            std::thread::sleep(Duration::from_micros(after));
            daemon.kill();
        });
    }

    /// A switch over the store, after a look at all that is in it.
    fn start(&mut self) -> (Daemon, SocketAddr) {
        while self.random.one_in(4) {
            let mut daemon = self.home.launch();
            std::thread::sleep(Duration::from_micros(self.random.below(START.as_micros() as u64)));
            daemon.kill();
            self.killed_early += 1;
        }
        let began = Instant::now();
        let daemon = self.home.launch();
        let address = daemon.ready();
        let mut rpc = connect(address).unwrap();
        self.starts.push(began.elapsed());
        if self.base == 0 {
            rpc.call("OpenTrafficMirrorService", &[]).unwrap().unwrap();
            self.base = sound(&daemon);
        }
        self.look(&mut rpc, &daemon);
        for client in &mut self.clients {
            client.send_again(&mut rpc);
        }
        self.look(&mut rpc, &daemon);
        (daemon, address)
    }

    /// Everything is as the clients know it, and every commit counted.
    fn look(&mut self, rpc: &mut Rpc, daemon: &Daemon) {
        let service = rpc.call("GetTrafficMirrorServiceStatus", &[]).unwrap().unwrap();
        assert_eq!(service["Enabled"], true);
        for (client, found) in self.clients.iter_mut().zip(Objects::listed(rpc)) {
            client.judge(&found);
        }
        assert_eq!(sound(daemon), self.base + self.tally().commits(), "revision, and writes: {:?}", self.tally());
    }

    /// All rounds, and an end that is no crash.
    fn live(mut self, kills: u64) -> (Tally, u64, Vec<Duration>) {
        for _ in 0..kills {
            self.round();
        }
        self.start().0.stop();
        // A first start that is killed may leave the draft of an empty store.
        let files = self.home.stored_files();
        let drafts = files.iter().filter(|name| name.starts_with("store.redb.new-")).count();
        assert!(drafts as u64 <= self.killed_early && files.len() == drafts + 2, "of the killed is left: {files:?}");
        (self.tally(), self.killed_early, std::mem::take(&mut self.starts))
    }
}

/// The revision of a store that is well.
fn sound(daemon: &Daemon) -> u64 {
    let status = daemon.status();
    assert_eq!((&status["store"]["state"], &status["trouble"]), (&json!("ok"), &json!(null)), "{status}");
    status["desired_revision"].as_u64().unwrap()
}

impl Drop for Lane {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}, start {}: the switch said\n{}", self.name, self.starts.len(), self.home.log());
        }
    }
}

#[test]
fn no_answered_write_is_lost() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let kills = number("VSWITCH_KILLS").unwrap_or(200);
    let seed = number("VSWITCH_CRASH_SEED").unwrap_or_else(|| u64::from(std::process::id()) << 20);
    let began = Instant::now();
    let lives: Vec<_> = std::thread::scope(|scope| {
        let live = |lane| scope.spawn(move || Lane::new(lane, seed).live(kills.div_ceil(LANES as u64)));
        let lanes: Vec<_> = (0..LANES).map(live).collect();
        lanes.into_iter().map(|lane| lane.join().expect("a lane failed; its seed is above")).collect()
    });
    let (mut tally, mut early, mut starts) = (Tally::default(), 0, Vec::new());
    for (its, killed_early, its_starts) in lives {
        tally += its;
        early += killed_early;
        starts.extend(its_starts);
    }
    starts.sort();
    println!("{} kills in a storm and {early} in a start, {:?}: {tally:?}", starts.len() - LANES, began.elapsed());
    println!(
        "from a start to the open API: median {:?}, last {:?}",
        starts[starts.len() / 2],
        starts[starts.len() - 1]
    );
    assert!(tally.answered > kills && tally.undone > 0, "no storm: {tally:?}");
    assert!(tally.done > 0 || kills < 100, "no kill between a commit and its answer: {tally:?}");
}
