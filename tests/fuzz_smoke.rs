//! The fuzz entry points on stable: every file of the committed corpus, then random mutations of it for
//! `VSWITCH_FUZZ_SECONDS` (2). Coverage-guided runs by hand: see `fuzz/README.md`.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::time::{Duration, Instant};

/// xorshift64*: enough to mutate bytes, with a seed that a failure prints.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

fn mutate(random: &mut Random, data: &mut Vec<u8>) {
    for _ in 0..=random.below(6) {
        let at = random.below(data.len());
        match random.below(6) {
            0 if !data.is_empty() => data[at] ^= 1 << random.below(8),
            1 if !data.is_empty() => data[at] = random.next() as u8,
            2 => data.truncate(at),
            3 => data.insert(at, random.next() as u8),
            4 if at + 1 < data.len() => {
                let word = [0u16, 1, 19, 20, 1500, 8500, u16::MAX][random.below(7)];
                data[at..at + 2].copy_from_slice(&word.to_be_bytes());
            }
            _ => data.extend_from_within(at..data.len().min(at + 8)),
        }
    }
}

fn run(corpus: &str, target: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(corpus);
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    let seeds: Vec<Vec<u8>> = files.iter().map(|f| std::fs::read(f).unwrap()).collect();
    assert!(!seeds.is_empty());
    seeds.iter().for_each(|s| target(s));
    let seconds = std::env::var("VSWITCH_FUZZ_SECONDS").ok().and_then(|s| s.parse().ok()).unwrap_or(2.0);
    let seed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as u64 | 1;
    println!("{corpus}: seed {seed}");
    let mut random = Random(seed);
    let end = Instant::now() + Duration::from_secs_f64(seconds / 9.0);
    let mut runs = 0u64;
    while Instant::now() < end {
        for _ in 0..64 {
            let mut data = seeds[random.below(seeds.len())].clone();
            mutate(&mut random, &mut data);
            let outcome = std::panic::catch_unwind(|| target(&data));
            assert!(outcome.is_ok(), "{corpus}: seed {seed}, input {data:02x?}");
            runs += 1;
        }
    }
    println!("{corpus}: {runs} inputs");
}

#[test]
fn frames() {
    run("frames", vswitch::replay::fuzz::fuzz_frames);
}

#[test]
fn segments() {
    run("segments", vswitch::datapath::fuzz::fuzz_segments);
}

#[test]
fn pcap() {
    run("pcap", vswitch::replay::pcap::fuzz_pcap);
}

#[test]
fn objects() {
    run("objects", vswitch::control::fuzz_objects);
}

#[test]
fn request() {
    run("request", vswitch::control::api::fuzz::fuzz_request);
}

#[test]
fn classify() {
    run("classify", vswitch::classify::fuzz::fuzz_classify);
}

#[test]
fn snapshot() {
    run("snapshot", vswitch::control::store::snapshot::fuzz_snapshot);
}

#[test]
fn rule_text() {
    run("rule_text", vswitch::cli::rule_text::fuzz_rule);
}

#[test]
fn host_texts() {
    run("host_texts", vswitch::ctl::doctor::fuzz_texts);
}
