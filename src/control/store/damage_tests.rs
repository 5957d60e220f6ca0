//! Files that were damaged while nobody had them open: what was in them is found, or an error.

use std::panic::catch_unwind;

use super::power_cut::{Disk, Random};
use super::redb_tests::put;
use super::*;

/// A store's bytes after a clean end, and in the middle of its work, each with what it held then.
fn images() -> [(Vec<u8>, (Contents, Vec<Record>)); 2] {
    let disk = Disk::default();
    let store = RedbStore::on(disk.clone(), "disk").unwrap();
    for revision in 0..40 {
        let value = "x".repeat(revision as usize * 30);
        store.commit(revision, &[put(Kind::Session, &format!("tms-{}", revision % 25), &value)]).unwrap();
    }
    let working = disk.bytes();
    let contents = store.dump().unwrap();
    drop(store);
    [(disk.bytes(), contents.clone()), (working, contents)]
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Same,
    Refused,
    /// Another revision, whole.
    Older(u64),
    Wrong,
    Panic,
}

fn outcome(data: Vec<u8>, expected: &(Contents, Vec<Record>)) -> Outcome {
    let opened = catch_unwind(|| RedbStore::on(Disk::of(data), "disk").and_then(|store| store.dump()));
    match opened {
        Err(_) => Outcome::Panic,
        Ok(Err(_)) => Outcome::Refused,
        Ok(Ok(found)) if found == *expected => Outcome::Same,
        Ok(Ok((found, _))) if found.revision < expected.0.revision => Outcome::Older(found.revision),
        Ok(Ok(_)) => Outcome::Wrong,
    }
}

#[test]
fn stats() {
    for (data, expected) in images() {
        println!("{} bytes", data.len());
        let mut count = std::collections::BTreeMap::new();
        for at in 0..4096 {
            for flip in [0xff, 1, 2, 4, 8, 0x80] {
                let mut damaged = data.clone();
                damaged[at] ^= flip;
                let o = outcome(damaged, &expected);
                if !matches!(o, Outcome::Same | Outcome::Refused) {
                    println!("{at} {flip} {o:?}");
                }
                *count.entry(format!("{o:?}")).or_insert(0) += 1;
            }
        }
        println!("{count:?}");
        let mut count = std::collections::BTreeMap::new();
        let mut r = Random::new(1);
        for _ in 0..3000 {
            let mut damaged = data.clone();
            let at = r.below(data.len());
            damaged[at] ^= 1 << r.below(8);
            let o = outcome(damaged, &expected);
            if !matches!(o, Outcome::Same | Outcome::Refused) {
                println!("{at} {o:?}");
            }
            *count.entry(format!("{o:?}")).or_insert(0) += 1;
        }
        println!("{count:?}");
        let mut count = std::collections::BTreeMap::new();
        for _ in 0..1000 {
            let mut damaged = data.clone();
            damaged.truncate(r.below(data.len()) / [1, 512, 4096][r.below(3)] * [1, 512, 4096][r.below(3)]);
            let n = damaged.len();
            let o = outcome(damaged, &expected);
            if !matches!(o, Outcome::Same | Outcome::Refused) {
                println!("len {n} {o:?}");
            }
            *count.entry(format!("{o:?}")).or_insert(0) += 1;
        }
        println!("{count:?}");
    }
}
