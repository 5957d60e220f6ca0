//! Sources, receivers and targets on different workers: two on CPUs of their own, four on shared ones.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;

use vswitch_perf::guest::GuestPort;

use crate::fleet::Shape;
use crate::switch::{PATIENCE, Switch, kill, wait_until};
use crate::traffic::Traffic;

/// A running switch of this shape, its guests, and the worker of each ENI as the switch says; what `change` makes of the
/// configuration file is used.
fn start(shape: Shape, change: impl Fn(String) -> String) -> (Switch, Traffic, Vec<usize>) {
    let mut switch = shape.setup().prepare();
    shape.write(&switch);
    let toml = std::fs::read_to_string(switch.folder.0.join("vswitch.toml")).unwrap();
    switch.folder.write("vswitch.toml", &change(toml));
    switch.run();
    let traffic = Traffic::new(shape, &switch);
    let worker_of = workers_of(&switch);
    let expected: Vec<usize> = (0..3 * shape.workers).map(|eni| eni % shape.workers).collect();
    assert_eq!(worker_of, expected, "two sources and a target a worker");
    let cpus: Vec<String> = (0..shape.workers).map(|worker| (worker % 2).to_string()).collect();
    assert_eq!(worker_cpus(&switch, shape.workers), cpus);
    (switch, traffic, worker_of)
}

/// The worker of each ENI.
fn workers_of(switch: &Switch) -> Vec<usize> {
    let list = switch.ctl_json(&["eni"]);
    list.as_array().unwrap().iter().map(|eni| eni["worker"].as_u64().unwrap() as usize).collect()
}

/// The CPUs that each worker's thread may run on, as the kernel says.
fn worker_cpus(switch: &Switch, workers: usize) -> Vec<String> {
    let read = |path: std::path::PathBuf| std::fs::read_to_string(path).unwrap_or_default();
    let mut cpus = vec![String::new(); workers];
    for task in std::fs::read_dir(format!("/proc/{}/task", switch.pid())).unwrap() {
        let task = task.unwrap().path();
        let name = read(task.join("comm"));
        let Some(worker) = name.trim().strip_prefix("worker-").and_then(|n| n.parse::<usize>().ok()) else {
            continue;
        };
        let status = read(task.join("status"));
        let line = status.lines().find_map(|l| l.strip_prefix("Cpus_allowed_list:"));
        cpus[worker] = line.unwrap().trim().to_owned();
    }
    cpus
}

/// A session's figure, over its sources.
fn of_session(switch: &Switch, flow: usize, what: &str, label: &str) -> u64 {
    switch.metric(&format!("vswitch_mirror_{what}_total"), &[&format!("session=\"s-{flow}\""), label])
}

/// All of a session's copies arrived.
fn assert_whole(switch: &Switch, traffic: &Traffic, flow: usize) {
    let figures = ["matched", "packets", "skips"].map(|what| of_session(switch, flow, what, ""));
    assert_eq!(figures, [traffic.due[flow], traffic.copies_of(flow), 0], "session {flow}");
}

fn every_combination(workers: usize, frames: u64) {
    let shape = Shape::new(workers);
    let (switch, mut traffic, worker_of) = start(shape, |toml| toml);
    traffic.stream(None, |t| t.total() >= frames);
    switch.assert_conserved();
    (0..workers).for_each(|flow| assert_whole(&switch, &traffic, flow));
    assert_eq!(switch.metric("vswitch_eni_drops_total", &[]), 0);
    // Source, receiver or sender, and target: each on each worker, both ways.
    let combinations: HashSet<_> = traffic
        .copies
        .iter()
        .map(|c| (c.outbound(), [c.source, c.peer(), c.target].map(|eni| worker_of[eni])))
        .collect();
    assert_eq!(combinations.len(), 2 * workers.pow(3));
    // What travelled with the copies: how much they keep, and why not more.
    for (label, why) in [("cause=\"packet_length\"", true), ("cause=\"path_mtu\"", false)] {
        let cut = traffic.copies.iter().filter(|c| c.kept < c.total && (c.flow == 1) == why).count() as u64;
        assert!(cut > 0);
        assert_eq!(switch.metric("vswitch_mirror_cut_total", &[label]), cut, "{label}");
    }
    let kept: usize = traffic.copies.iter().map(|c| c.kept).sum();
    // These two a worker counts after what the laws look at.
    assert!(wait_until(|| switch.metric("vswitch_mirror_inner_bytes_total", &[]) == kept as u64));
    // Who is on another worker is reached over a ring, and nobody else.
    let mut crossed = vec![0; shape.sources()];
    let mut moved = vec![0; workers];
    for (from, to) in &traffic.hops {
        let far = u64::from(worker_of[*from] != worker_of[*to]);
        crossed[*from] += far;
        moved[worker_of[*to]] += far;
    }
    for (eni, sent) in traffic.sent.iter().enumerate() {
        let label = format!("eni=\"eni-{eni}\"");
        assert_eq!(switch.metric("vswitch_eni_crossed_total", &[&label]), crossed[eni], "eni-{eni}");
        moved[worker_of[eni]] += sent;
    }
    for (worker, moved) in moved.iter().enumerate() {
        let label = format!("worker=\"{worker}\"");
        assert!(wait_until(|| switch.metric("vswitch_worker_packets_total", &[&label]) == *moved), "{label}: {moved}");
    }
}

#[test]
fn two_workers_on_two_cores_every_combination() {
    every_combination(2, 4000);
}

#[test]
fn four_workers_on_shared_cores_every_combination() {
    every_combination(4, 6000);
}

/// Streams, and lets `change` happen in the middle of it.
fn amid(traffic: &mut Traffic, lossy: Option<usize>, change: impl FnOnce() + Send) {
    let (started, begun) = channel();
    let done = &AtomicBool::new(false);
    let first = traffic.total();
    std::thread::scope(|scope| {
        let changing = scope.spawn(move || {
            if begun.recv().is_ok() {
                change();
            }
            done.store(true, Ordering::Relaxed);
        });
        let mut end = None;
        traffic.stream(lossy, |t| {
            if t.total() >= first + 300 {
                let _ = started.send(());
            }
            if changing.is_finished() || done.load(Ordering::Relaxed) {
                end.get_or_insert(t.total() + 300);
            }
            end.is_some_and(|end| t.total() >= end)
        });
        changing.join().unwrap();
    });
}

#[test]
fn targets_that_change_under_traffic_change_once_for_each_source_and_nothing_is_lost() {
    const WORKERS: usize = 4;
    let mut shape = Shape::new(WORKERS);
    let (switch, mut traffic, _) = start(shape, |toml| toml);
    for round in 1..=6 {
        let (before, judged) = (shape, traffic.copies.len());
        shape.rotation = round;
        amid(&mut traffic, None, || {
            shape.write(&switch);
            assert!(switch.ctl(&["reload"]).status.success());
        });
        switch.assert_conserved();
        // By source and direction: was the target the new one, in the order of its packets?
        let mut events = vec![Vec::new(); 2 * shape.sources()];
        for copy in &traffic.copies[judged..] {
            let is_new = copy.target == shape.target(copy.flow);
            assert!(is_new || copy.target == before.target(copy.flow), "half a configuration");
            events[2 * copy.source + usize::from(copy.outbound())].push((traffic.order(copy), is_new));
        }
        for events in &mut events {
            events.sort_unstable();
            assert!(events.windows(2).all(|w| w[0].1 <= w[1].1), "back to the old configuration");
            assert!(events.first().is_some_and(|e| !e.1) && events.last().is_some_and(|e| e.1), "no change seen");
        }
    }
    (0..WORKERS).for_each(|flow| assert_whole(&switch, &traffic, flow));
    assert_eq!(switch.metric("vswitch_eni_drops_total", &[]), 0);
}

#[test]
fn a_target_that_goes_away_under_traffic_costs_nobody_else_anything() {
    const WORKERS: usize = 4;
    let shape = Shape::new(WORKERS);
    let (switch, mut traffic, _) = start(shape, |toml| toml);
    let gone = shape.target(0);
    // Its guest goes, and comes again.
    let first = traffic.total();
    let down = || of_session(&switch, 0, "skips", "reason=\"target_down\"");
    traffic.stream(Some(0), |t| {
        if t.total() >= first + 500 {
            t.guests[gone] = None;
        }
        t.guests[gone].is_none() && down() >= 100
    });
    switch.assert_conserved();
    let [matched, sent, skips] = ["matched", "packets", "skips"].map(|what| of_session(&switch, 0, what, ""));
    assert_eq!((matched, sent + skips), (traffic.due[0], traffic.due[0]));
    let full = of_session(&switch, 0, "skips", "reason=\"target_full\"");
    assert_eq!(skips, down() + full, "for no other reason");
    // What its ring held when it went was not read.
    assert!((sent.saturating_sub(1024)..=sent).contains(&traffic.copies_of(0)), "{sent}");
    (1..WORKERS).for_each(|flow| assert_whole(&switch, &traffic, flow));
    let mut guest = GuestPort::open(switch.port_config(gone)).unwrap();
    guest.connect(PATIENCE).unwrap();
    switch.wait_up(gone);
    traffic.guests[gone] = Some(guest);
    let (end, due) = (traffic.total() + 500, traffic.due[0]);
    traffic.stream(None, |t| t.total() >= end);
    assert_eq!(of_session(&switch, 0, "packets", "") - sent, traffic.due[0] - due, "copies come again");
}

#[test]
fn a_target_that_is_removed_under_traffic_costs_nobody_else_anything() {
    const WORKERS: usize = 4;
    let whole = Shape::new(WORKERS);
    let (switch, mut traffic, worker_of) = start(whole, |toml| toml);
    let gone = whole.target(0);
    for _ in 0..2 {
        for shape in [Shape { without: Some(0), ..whole }, whole] {
            amid(&mut traffic, Some(0), || {
                shape.write(&switch);
                assert!(switch.ctl(&["reload"]).status.success());
            });
            // Whatever was on a ring to it is counted, with what is gone.
            switch.assert_conserved();
        }
        traffic.guests[gone].as_mut().unwrap().connect(PATIENCE).unwrap();
        switch.wait_up(gone);
        assert_eq!(workers_of(&switch), worker_of);
        let (end, due, before) = (traffic.total() + 500, traffic.due[0], traffic.copies_of(0));
        traffic.stream(None, |t| t.total() >= end);
        assert_eq!(traffic.copies_of(0) - before, traffic.due[0] - due, "copies come again");
    }
    (1..WORKERS).for_each(|flow| assert_whole(&switch, &traffic, flow));
    assert_eq!(switch.metric("vswitch_eni_drops_total", &[]), 0);
}

#[test]
fn full_rings_lose_only_what_is_counted() {
    const WORKERS: usize = 4;
    let shape = Shape::new(WORKERS);
    let small =
        |toml: String| toml.replace("[worker]\n", "[worker]\nring_size = 127\n").replace("credit = 512", "credit = 63");
    let (switch, mut traffic, _) = start(shape, small);
    let reasons = ["worker_ring_full", "credit_exhausted"].map(|reason| format!("reason=\"{reason}\""));
    let lost = |label: &str| {
        ["vswitch_eni_drops_total", "vswitch_mirror_skips_total"].map(|name| switch.metric(name, &[label]))
    };
    // Both sources of a worker send to the same other worker, all at once: the workers find full queues.
    traffic.run = 50;
    let taken = || switch.metric("vswitch_eni_rx_packets_total", &[]);
    let reached = wait_until(|| {
        kill(switch.pid(), libc::SIGSTOP);
        while traffic.send() {}
        kill(switch.pid(), libc::SIGCONT);
        assert!(wait_until(|| (taken(), traffic.take()).0 == traffic.total()));
        reasons.iter().all(|reason| lost(reason).iter().all(|n| *n > 0))
    });
    assert!(reached, "{}", switch.get("/metrics"));
    switch.assert_conserved();
    traffic.take();
    let [drops, skips] = lost("");
    assert_eq!(traffic.service.len() as u64 + drops, traffic.total());
    let copies: u64 = (0..WORKERS).map(|flow| of_session(&switch, flow, "packets", "")).sum();
    let matched: u64 = (0..WORKERS).map(|flow| of_session(&switch, flow, "matched", "")).sum();
    assert_eq!((traffic.copies.len() as u64, copies + skips), (copies, matched));
    // All that was sent was mirrored outbound, all that arrived inbound.
    let outbound = switch.metric("vswitch_mirror_matched_total", &["direction=\"outbound\""]);
    assert!(outbound > 0 && matched > outbound);
    println!("{} sent, {drops} dropped; {matched} copies due, {skips} skipped", traffic.total());
}
