//! Changes over the tenant API, under traffic: see [`crate::stream`]. The same in one process, a thousand a second, is
//! the test `hitless`. `VSWITCH_HITLESS_SECONDS` says how long, 5 if not given.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use serde_json::Value;
use vswitch_perf::sys::cpu;

use crate::rpc::{Params, Rpc};
use crate::stream::{CLASSES, RING, Stream, Table, port, summary};
use crate::switch::Setup;

/// The session has filter A, VNI 10 and PacketLength 100, or filter B, VNI 20 and PacketLength 200.
const TABLE: Table = [
    [Some((10, 100)), Some((20, 200))],
    [Some((10, 100)), None],
    [None, Some((20, 200))],
    [Some((10, 100)), Some((20, 200))],
    [None, None],
    [None, None],
];

/// The receiver is no source.
const NOTHING: Table = [[None; 2]; CLASSES];

fn params(pairs: &[(&str, &str)]) -> Params {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn done(rpc: &mut Rpc, action: &str, params: &Params) -> Value {
    rpc.call(action, params).unwrap().unwrap_or_else(|refusal| panic!("{action}: {refusal:?}"))
}

/// A filter that accepts what A, or B, mirrors; its id.
fn filter(rpc: &mut Rpc, of: usize) -> String {
    let mut rules = Params::new();
    let classes = TABLE.iter().enumerate().filter(|(_, made)| made[of].is_some());
    for (n, (class, _)) in classes.enumerate() {
        let (n, port) = (n + 1, port(class));
        let mut field = |name: &str, value: String| rules.push((format!("EgressRules.{n}.{name}"), value));
        field("Priority", n.to_string());
        field("Action", "accept".to_owned());
        field("Protocol", "UDP".to_owned());
        field("DestinationPortRange", format!("{port}/{port}"));
    }
    done(rpc, "CreateTrafficMirrorFilter", &rules)["TrafficMirrorFilterId"].as_str().unwrap().to_owned()
}

/// Changes the session as fast as it goes; how long each change took until its answer.
fn changes(rpc: &mut Rpc, session: &str, filters: &[String; 2], length: Duration) -> Vec<Duration> {
    let (began, mut times) = (Instant::now(), Vec::new());
    while began.elapsed() < length {
        let to = (times.len() + 1) % 2;
        let update = params(&[
            ("TrafficMirrorSessionId", session),
            ("TrafficMirrorFilterId", &filters[to]),
            ("VirtualNetworkId", ["10", "20"][to]),
            ("PacketLength", ["100", "200"][to]),
        ]);
        let start = Instant::now();
        done(rpc, "UpdateTrafficMirrorSessionAttribute", &update);
        times.push(start.elapsed());
    }
    times
}

#[test]
fn changes_over_the_api_lose_and_mix_nothing() {
    let switch = Setup { api: true, ..Setup::default() }.start();
    let mut rpc = switch.rpc();
    done(&mut rpc, "OpenTrafficMirrorService", &Params::new());
    let filters = [filter(&mut rpc, 0), filter(&mut rpc, 1)];
    let session = params(&[
        ("TrafficMirrorFilterId", &filters[0]),
        ("TrafficMirrorSourceIds.1", "eni-0"),
        ("TrafficMirrorTargetId", "eni-2"),
        ("TrafficMirrorTargetType", "NetworkInterface"),
        ("Priority", "1"),
        ("VirtualNetworkId", "10"),
        ("PacketLength", "100"),
        ("Enabled", "true"),
    ]);
    let session = done(&mut rpc, "CreateTrafficMirrorSession", &session);
    let session = session["TrafficMirrorSessionId"].as_str().unwrap();
    let mut stream =
        Stream::new([0, 1, 2].map(|eni| switch.guest_like(eni, |c| c.queue_size = RING)), [TABLE, NOTHING]);
    // Guests and client stay beside the worker's CPU.
    let pin = || cpu::pin(cpu::allowed()[0]).unwrap();

    let seconds = std::env::var("VSWITCH_HITLESS_SECONDS").map_or(5.0, |s| s.parse().unwrap());
    let (over, (tell, told)) = (AtomicBool::new(false), channel());
    std::thread::scope(|scope| {
        let traffic = scope.spawn(|| {
            let tell = tell;
            pin();
            let (rate, before) = (stream.lossless_rate(), stream.copies());
            tell.send(rate).unwrap();
            let run = stream.run(rate / 2.0, |_| over.load(Ordering::Relaxed));
            println!("{run:?}, {} copies", stream.copies() - before);
        });
        println!("lossless at {} packets a second; then half of it", told.recv().unwrap());
        let client = scope.spawn(|| {
            pin();
            // A connection of its own: one that is idle for ten seconds is closed.
            let mut rpc = switch.rpc();
            let times = changes(&mut rpc, session, &filters, Duration::from_secs_f64(seconds));
            println!("{}", summary(times, seconds));
        });
        let outcome = client.join();
        over.store(true, Ordering::Relaxed);
        traffic.join().unwrap();
        outcome.unwrap();
    });
    stream.assert_hitless();
}
