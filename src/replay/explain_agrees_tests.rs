//! What `explain` answers is what the packet's way does: random frames, both ways, over one worker and several. And every
//! reason that one packet alone can bring about, it can explain.
#![allow(clippy::unwrap_used)]

use std::cell::RefCell;
use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::env::HeapEnv;
use super::explain::explain;
use super::explain_agrees_values::{ADDRESSES, MACS, VARIANTS, frame, model};
use super::{find, pass, verdicts};
use crate::control::compile::compile;
use crate::control::model::Model;
use crate::control::packet_text::HexFrame;
use crate::control::registry::Registry;
use crate::datapath::run_crossed;
use crate::metrics::scrape::{EniSample, RowSample, Scrape};
use crate::mirror::snapshot::Snapshot;
use crate::packet::{Burst, Direction, HeapBuf, PacketBuf, Reason};
use crate::wire::{be16, be32};

struct Running {
    model: Model,
    registry: Registry,
    snapshot: Snapshot,
    workers: usize,
}

impl Running {
    fn new(variant: usize, workers: usize) -> Self {
        let model = model(variant);
        let mut registry = Registry::new(workers);
        let snapshot = compile(&model, &mut registry, 64).unwrap();
        Running { model, registry, snapshot, workers }
    }

    fn counters(&self) -> String {
        let enis = self.registry.enis.iter().map(|(id, slot)| EniSample {
            id: id.clone(),
            up: true,
            counters: slot.counters.clone(),
        });
        let rows = self.registry.rows.iter().map(|((session, eni), slot)| RowSample {
            session: session.clone(),
            eni: eni.clone(),
            counters: slot.counters.clone(),
        });
        crate::metrics::text::render(&Scrape { enis: enis.collect(), rows: rows.collect(), ..Scrape::default() })
            .unwrap()
    }

    /// The packet's way, to its end; what is said of it, and its copies.
    fn live(&self, eni: &str, direction: Direction, frame: &[u8]) -> (Value, Vec<Vec<u8>>) {
        let eni = find(&self.snapshot, eni).unwrap();
        let (mut env, mut burst) = (HeapEnv { worker: eni.worker, ..HeapEnv::default() }, Burst::<HeapBuf>::default());
        pass(&mut env, &self.snapshot, eni, direction, frame.to_vec(), &mut burst);
        while let Some((worker, buf)) = env.crossed.pop() {
            env.worker = worker;
            burst.bufs.push(Some(buf));
            run_crossed(&mut env, &self.snapshot, &mut burst);
        }
        let line = verdicts::line(0, direction, &self.snapshot, &env.verdicts);
        let copies = env.queued.into_iter().filter(|(_, buf)| buf.meta().copy == 1);
        (line, copies.map(|(_, buf)| buf.into_bytes()).collect())
    }

    fn explained(&self, eni: &str, direction: Direction, frame: &[u8]) -> Result<Value, String> {
        let direction = if direction == Direction::Outbound { "out" } else { "in" };
        let query = json!({ "eni": eni, "direction": direction, "hex": HexFrame(frame.to_vec()).digits() });
        explain(&self.model, self.registry.detached(), 64, &serde_json::from_value(query).unwrap())
    }
}

/// A copy in the words of `explain`.
fn outer(copy: &[u8]) -> Value {
    let address = |at| std::net::Ipv4Addr::from_bits(be32(copy, at).unwrap()).to_string();
    json!({
        "vni": be32(copy, 46).unwrap() >> 8, "bytes": copy.len(), "inner_bytes": copy.len() - 50,
        "source": address(26), "source_port": be16(copy, 34), "destination": address(30), "destination_port": 4789,
    })
}

/// Explains frames, which moves no counter; `None` for questions without sense: frames that no switch would bring.
fn ask(
    running: &Running,
    eni: &str,
    direction: Direction,
    frames: &[Vec<u8>],
) -> Result<Vec<Option<Value>>, TestCaseError> {
    let before = running.counters();
    let told: Vec<_> = frames.iter().map(|frame| running.explained(eni, direction, frame)).collect();
    prop_assert_eq!(&running.counters(), &before, "a counter moved");
    for (told, frame) in told.iter().zip(frames) {
        prop_assert!(told.is_ok() || direction == Direction::Inbound || frame.is_empty(), "{:?}", told);
    }
    Ok(told.into_iter().map(Result::ok).collect())
}

/// Everything that the packet's way says, `explain` has said.
fn compare(
    running: &Running,
    eni: &str,
    direction: Direction,
    frame: &[u8],
    told: &Value,
) -> Result<(), TestCaseError> {
    let (line, copies) = running.live(eni, direction, frame);
    let service = &told["service"];
    let expected = match service["verdict"].as_str() {
        Some("delivered") => json!("delivered"),
        Some(word) => json!({ word: service["reason"] }),
        None => json!(null),
    };
    prop_assert_eq!(&line["service"], &expected, "{}", told);
    let (ours, theirs) = (line["mirror"].as_array().unwrap(), told["mirror"].as_array().unwrap());
    prop_assert_eq!(ours.len(), theirs.len(), "{} {}", line, told);
    for (said, judged) in ours.iter().zip(theirs) {
        for (key, value) in said.as_object().unwrap() {
            // A target that is no ENI has a name for explain alone.
            if key != "target" || !value.is_null() {
                prop_assert_eq!(&judged[key], value, "{} of {}", key, told);
            }
        }
        prop_assert!(judged["eni"].is_string(), "{}", told);
        let why =
            if judged["verdict"] == "mirrored" { judged["cut_why"].is_string() } else { judged["why"].is_string() };
        prop_assert!(why && judged["sessions"].is_array(), "{}", told);
    }
    let described: Vec<&Value> = theirs.iter().map(|judged| &judged["copy"]).filter(|copy| !copy.is_null()).collect();
    prop_assert_eq!(described.len(), copies.len(), "{}", told);
    for copy in &copies {
        let outer = outer(copy);
        let same = |told: &&&Value| outer.as_object().unwrap().iter().all(|(key, value)| told[key] == *value);
        prop_assert!(described.iter().any(|told| same(&told)), "{} {}", outer, told);
    }
    prop_assert_eq!(&told["mirrored"], &json!(!copies.is_empty()));
    prop_assert!(!crate::ctl::explained::text(told).is_empty());
    Ok(())
}

/// Reasons that a packet meets only because of others, or of guests that do not take it: `explain` sees it alone.
const OF_OTHERS: [Reason; 10] = [
    Reason::Denied,
    Reason::Policed,
    Reason::NoBuffer,
    Reason::WorkerRingFull,
    Reason::CreditExhausted,
    Reason::GuestFull,
    Reason::GuestDown,
    Reason::TargetFull,
    Reason::Bandwidth,
    Reason::Overload,
];

#[test]
fn explain_says_what_the_packet_s_way_does_and_reaches_every_outcome() {
    let worlds: Vec<Running> = (0..VARIANTS).flat_map(|v| [1, 3].map(|workers| Running::new(v, workers))).collect();
    assert!(worlds.iter().any(|w| w.workers == 3 && w.snapshot.enis.iter().flatten().any(|e| e.worker == 2)));
    let seen: RefCell<BTreeSet<String>> = RefCell::default();
    let ids = RefCell::new(0u16);
    let enis = proptest::sample::select(vec![(0, "eni-a"), (0, "eni-a"), (1, "eni-b"), (2, "eni-c")]);
    let strategy = (0..worlds.len(), proptest::collection::vec(any::<u64>(), 20), any::<bool>(), enis);
    let config = ProptestConfig { cases: 300, source_file: Some(file!()), ..ProptestConfig::default() };
    let outcome = TestRunner::new(config).run(&strategy, |(world, seeds, outbound, (index, eni))| {
        // No two frames are of one datagram: explain has no memory of fragments.
        let first = ids.replace_with(|id| id.wrapping_add(20));
        let frames: Vec<_> = seeds.iter().zip(first..).map(|(seed, id)| frame(*seed, id, index, outbound)).collect();
        let direction = if outbound { Direction::Outbound } else { Direction::Inbound };
        let running = &worlds[world];
        for (told, frame) in ask(running, eni, direction, &frames)?.iter().zip(&frames) {
            let Some(told) = told else { continue };
            compare(running, eni, direction, frame, told)?;
            let mut seen = seen.borrow_mut();
            seen.insert(format!("{} {}", told["service"]["verdict"], told["service"]["reason"]).replace('"', ""));
            for judged in told["mirror"].as_array().unwrap() {
                let words = format!("{} {} {}", judged["direction"], judged["verdict"], judged["reason"]);
                seen.insert(words.replace('"', ""));
                seen.insert(format!("cut {}", judged["cut"]).replace('"', ""));
            }
        }
        Ok(())
    });
    outcome.unwrap_or_else(|e| panic!("{e}"));
    let seen = seen.into_inner();
    let said = |words: &str| seen.iter().any(|s| s.ends_with(words));
    let mut missing: Vec<String> = Vec::new();
    for reason in Reason::ALL.iter().filter(|r| !OF_OTHERS.contains(r)) {
        for class in reason.classes() {
            let word = match class {
                crate::packet::reason::Class::Drop(_) => "dropped",
                crate::packet::reason::Class::Consumed => "consumed",
                crate::packet::reason::Class::Excluded => "excluded",
                crate::packet::reason::Class::Skip => "skipped",
            };
            missing.extend(Some(format!("{word} {reason}")).filter(|words| !said(words)));
        }
    }
    for direction in ["outbound", "inbound"] {
        let words = ["mirrored null", "refused null", "unmatched null"].map(|word| format!("{direction} {word}"));
        missing.extend(words.into_iter().filter(|words| !seen.contains(words)));
    }
    let others = ["delivered null", "cut packet_length", "cut path_mtu"].map(str::to_owned);
    missing.extend(others.into_iter().filter(|words| !seen.contains(words)));
    assert!(missing.is_empty(), "never: {missing:?} of {seen:#?}");
}

/// What people write is the frame that the switch would make of it, either way.
#[test]
fn a_written_packet_is_explained_as_its_frame() {
    let running = Running::new(0, 2);
    for (direction, name) in [(Direction::Outbound, "out"), (Direction::Inbound, "in")] {
        for (protocol, source_port, destination_port) in [("tcp", 1, 2), ("udp", 1, 2), ("udp", 68, 67), ("icmp", 0, 0)]
        {
            let (source, destination) =
                if name == "out" { ("10.0.1.10", "10.0.2.40") } else { ("10.0.2.40", "10.0.1.10") };
            let query = json!({
                "eni": "eni-a", "direction": name, "source": source, "destination": destination, "protocol": protocol,
                "source_port": source_port, "destination_port": destination_port, "length": 1451,
            });
            let query = serde_json::from_value(query).unwrap();
            let told = explain(&running.model, running.registry.detached(), 64, &query).unwrap();
            assert_eq!(told["service"]["verdict"], "delivered", "{name} {protocol}");
            assert_eq!((&told["packet"]["length"], &told["mirror"][0]["eni"]), (&json!(1451), &json!("eni-a")));
            let crate::control::operations::Asked::Packet(packet) = query.asked().unwrap() else { panic!() };
            let eni = find(&running.snapshot, "eni-a").unwrap();
            let frame = super::made_up::frame(&running.snapshot, eni, direction, &packet);
            assert_eq!(running.explained("eni-a", direction, &frame), Ok(told.clone()), "{name} {protocol}");
            compare(&running, "eni-a", direction, &frame, &told).unwrap_or_else(|e| panic!("{name} {protocol}: {e}"));
        }
    }
}

/// The running switch's memory of fragments is its own: a question leaves nothing there.
#[test]
fn a_first_fragment_that_was_only_asked_about_is_not_remembered() {
    let running = Running::new(0, 1);
    let mut first = vec![0u8; 60];
    first[..14].copy_from_slice(&[&MACS[1][..], &MACS[0], &[8, 0]].concat());
    first[14..24].copy_from_slice(&[0x45, 0, 0, 46, 0, 7, 0x20, 0, 64, 17]);
    first[26..34].copy_from_slice(&[ADDRESSES[0], ADDRESSES[1]].concat());
    first[34..40].copy_from_slice(&[0, 1, 0, 1, 0, 26]);
    let mut later = first.clone();
    later[20..22].copy_from_slice(&[0, 9]);
    let told = running.explained("eni-a", Direction::Outbound, &first).unwrap();
    assert_eq!(told["mirror"][0]["verdict"], "mirrored");
    let verdict = |frame: &[u8]| running.live("eni-a", Direction::Outbound, frame).0["mirror"][0]["reason"].clone();
    assert_eq!(verdict(&later), "fragment_orphan");
    assert_eq!((verdict(&first), verdict(&later)), (json!(null), json!(null)), "once it has passed, it is");
    let told = running.explained("eni-a", Direction::Outbound, &later).unwrap();
    assert_eq!(told["mirror"][0]["reason"], "fragment_orphan");
    assert!(told["note"].as_str().unwrap().contains("fragment"), "{}", told["note"]);
}
