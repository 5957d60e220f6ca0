//! A thousand changes a second under traffic, through the publisher's own path, in one process: a service packet is
//! neither lost nor doubled, and a copy is what one configuration as a whole makes of its packet.
//! `VSWITCH_HITLESS_SECONDS` says how long, 5 if not given.
#![cfg(feature = "dpdk")]
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../e2e/frames.rs"]
#[allow(dead_code)]
mod frames;
#[path = "../common/stream.rs"]
mod stream;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use stream::{RING, Stream, Table, port, summary};
use vswitch::control::compile::compile;
use vswitch::control::config::Config;
use vswitch::control::fabric::Fabric;
use vswitch::control::model::Model;
use vswitch::control::model_from_json;
use vswitch::control::operations::Operations;
use vswitch::control::registry::Registry;
use vswitch::control::switch::Switch;
use vswitch::dpdk::eal::{Eal, EalSettings};
use vswitch::dpdk::lcore::available_cpus;
use vswitch::mirror::overload::Overload;
use vswitch::worker::fabric::LiveFabric;
use vswitch_perf::guest::{GuestPort, PortConfig};

const PATIENCE: Duration = Duration::from_secs(20);
/// Time from one change to the next.
const PERIOD: Duration = Duration::from_millis(1);

/// What A and B make of each class where it leaves eni-0: rules, priorities, VNIs and PacketLengths differ at once.
const OUTBOUND: Table = [
    [Some((10, 100)), Some((20, 200))],
    [Some((10, 100)), None],
    [None, Some((21, 210))],
    [Some((10, 100)), Some((21, 210))],
    [Some((11, 110)), Some((21, 210))],
    [None, None],
];

/// And where it comes to eni-1: the rules of one filter differ.
const INBOUND: Table = [
    [Some((30, 130)), Some((31, 140))],
    [None, Some((31, 140))],
    [Some((30, 130)), None],
    [Some((30, 130)), Some((31, 140))],
    [Some((30, 130)), None],
    [None, None],
];

/// Filters and sessions of A or B.
fn mirror(b: bool) -> Value {
    let rules = |filter: usize, rules: &[(&str, usize)]| -> Value {
        let rule = |(n, (action, class)): (usize, &(&str, usize))| {
            let port = port(*class);
            json!({
                "TrafficMirrorFilterRuleId": format!("r-{filter}-{n}-{action}-{class}"), "Priority": n + 1, "Action": action,
                "Protocol": "UDP", "DestinationPortRange": format!("{port}/{port}"),
            })
        };
        rules.iter().enumerate().map(rule).collect()
    };
    let session = |n: u32, source: &str, priority: u32, vni: u32, length: u32| {
        json!({
            "TrafficMirrorSessionId": format!("s-{n}"), "TrafficMirrorFilterId": format!("f-{n}"), "Enabled": true,
            "Priority": priority, "PacketLength": length, "VirtualNetworkId": vni, "TrafficMirrorSourceIds": [source],
            "TrafficMirrorTargetId": "eni-2", "TrafficMirrorTargetType": "NetworkInterface",
        })
    };
    let [leaving, coming] = ["eni-0", "eni-1"];
    let (filters, sessions) = if b {
        let second = rules(1, &[("drop", 1), ("accept", 2), ("accept", 3), ("accept", 4)]);
        let third = rules(2, &[("accept", 0), ("accept", 1), ("drop", 2), ("accept", 3)]);
        let sessions =
            [session(0, leaving, 2, 20, 200), session(1, leaving, 1, 21, 210), session(2, coming, 3, 31, 140)];
        ([rules(0, &[("accept", 0)]), second, third], sessions)
    } else {
        let first = rules(0, &[("drop", 2), ("accept", 0), ("accept", 1), ("accept", 3)]);
        let second = rules(1, &[("accept", 2), ("accept", 3), ("accept", 4)]);
        let third = rules(2, &[("accept", 0), ("drop", 1), ("accept", 2), ("accept", 3), ("accept", 4)]);
        let sessions =
            [session(0, leaving, 1, 10, 100), session(1, leaving, 2, 11, 110), session(2, coming, 3, 30, 130)];
        ([first, second, third], sessions)
    };
    json!({
        "TrafficMirrorFilters": [
            {"TrafficMirrorFilterId": "f-0", "EgressRules": filters[0]},
            {"TrafficMirrorFilterId": "f-1", "EgressRules": filters[1]},
            {"TrafficMirrorFilterId": "f-2", "IngressRules": filters[2]},
        ],
        "TrafficMirrorSessions": sessions,
    })
}

fn inventory(dir: &Path) -> Value {
    let eni = |n: usize| {
        json!({
            "NetworkInterfaceId": format!("eni-{n}"), "VSwitchId": "vsw-1", "Socket": socket(dir, n),
            "MacAddress": format!("02:00:00:00:00:{:02x}", 10 + n), "PrivateIpAddress": format!("10.0.0.{}", 10 + n),
        })
    };
    json!({
        "RegionId": "local",
        "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}],
        "VSwitches": [{"VSwitchId": "vsw-1", "VpcId": "vpc-1", "CidrBlock": "10.0.0.0/24"}],
        "NetworkInterfaces": [eni(0), eni(1), eni(2)],
    })
}

fn socket(dir: &Path, eni: usize) -> PathBuf {
    dir.join(format!("eni-{eni}.sock"))
}

/// A switch with a worker on the last CPU, and everything else on the first.
fn switch(config: Config) -> Switch {
    let cpus = available_cpus();
    let eal = Eal::init(&EalSettings {
        file_prefix: format!("hitless-{}", std::process::id()),
        memory_mb: config.dpdk.memory_mb,
        hugepages: false,
        control_cpu: cpus[0],
    })
    .unwrap();
    let empty = compile(&Model::default(), &mut Registry::new(1), config.ports.credit).unwrap();
    let fabric: Box<dyn Fabric> = Box::new(LiveFabric::start(eal, &config, &cpus[cpus.len() - 1..], empty).unwrap());
    Switch::new(config, fabric)
}

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_thousand_changes_a_second() {
    let folder = Folder(std::env::temp_dir().join(format!("vswitch-hitless-{}", std::process::id())));
    std::fs::create_dir_all(&folder.0).unwrap();
    let mut config = Config::default();
    config.pools.std_mbufs = 8192;
    config.pools.jumbo_mbufs = 512;
    // Nothing is given up: every copy is counted.
    config.mirror.overload = Overload::Share;
    let model = |b: bool| {
        let (inventory, mirror) = (inventory(&folder.0).to_string(), mirror(b).to_string());
        model_from_json(("inventory", &inventory), ("mirror", &mirror), &config).unwrap()
    };
    let models = [model(false), model(true)];
    let switch = switch(config.clone());
    let open =
        |eni| GuestPort::open(PortConfig { queue_size: RING, ..PortConfig::new(socket(&folder.0, eni)) }).unwrap();
    let mut guests = [open(0), open(1), open(2)];
    switch.apply(models[0].clone()).unwrap();
    for guest in &mut guests {
        guest.connect(PATIENCE).unwrap();
    }
    let deadline = Instant::now() + PATIENCE;
    while !switch.scrape().enis.iter().all(|eni| eni.up) {
        assert!(Instant::now() < deadline, "guests do not come up");
        std::thread::sleep(Duration::from_millis(1));
    }

    let seconds = std::env::var("VSWITCH_HITLESS_SECONDS").map_or(5.0, |s| s.parse().unwrap());
    let mut stream = Stream::new(guests, [OUTBOUND, INBOUND]);
    let rate = stream.lossless_rate();
    assert_eq!(stream.only[1], 0, "B was never applied");
    let (before, done) = (stream.copies(), AtomicBool::new(false));
    let (times, run) = std::thread::scope(|scope| {
        let traffic = scope.spawn(|| stream.run(rate / 2.0, |_| done.load(Ordering::Relaxed)));
        let times = changes(&switch, &models, Duration::from_secs_f64(seconds));
        done.store(true, Ordering::Relaxed);
        (times, traffic.join().unwrap())
    });
    println!(
        "lossless at {rate} packets a second; then {run:?} at half of it, with {} copies",
        stream.copies() - before
    );
    println!("{}", summary(times, seconds));
    stream.assert_hitless();
    let stats = switch.stats();
    assert_eq!((&stats["violations"], &stats["in_flight"]), (&json!([]), &json!(0)), "{stats}");
    switch.stop();
}

/// Applies B and A in turn, once a period, for a while; how long each took.
fn changes(switch: &Switch, models: &[Model; 2], length: Duration) -> Vec<Duration> {
    let (began, mut times) = (Instant::now(), Vec::new());
    while began.elapsed() < length {
        let model = models[(times.len() + 1) % 2].clone();
        let start = Instant::now();
        let candidate = switch.prepare(model).unwrap();
        switch.adopt(candidate).map_err(|(problems, _)| problems).unwrap();
        times.push(start.elapsed());
        let next = PERIOD * times.len() as u32;
        std::thread::sleep(next.saturating_sub(began.elapsed()));
    }
    times
}
