//! Power cuts at any moment, also in the repair after one: what was answered stays, the rest is whole or not there.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::power_cut::{Disk, Random};
use super::*;

/// Writes, resizes and syncs before the power fails, at most: some dozens of commits.
const CALLS: usize = 600;
/// The same in a repair, which takes about as many.
const CALLS_OF_A_REPAIR: usize = 24;

/// Commits to a disk until its power fails, opens it again, and so on.
///
/// # Errors
/// What was lost, and how.
fn power_cuts(seed: u64, disk: &Disk) -> Result<(), String> {
    let mut random = Random::new(seed);
    // The power lasts until the store is made: a file gets its name only then.
    let mut store = RedbStore::on(disk.clone(), "disk").map_err(|e| e.to_string())?;
    let mut answered = (Contents::default(), Vec::new());
    for round in 0..=random.below(3) {
        disk.cut_after(random.below(CALLS));
        let last = commits_until_cut(store, disk, &mut answered, &mut random);
        disk.power_cycle(&mut random);
        store = repaired(disk, &mut random).map_err(|e| format!("round {round}: {e}"))?;
        let found = store.dump().unwrap();
        if found != answered && found != last {
            let (answered, found) = (answered.0.revision, found.0.revision);
            return Err(format!(
                "round {round}: revision {answered} was answered, revision {found} is there, or a mix"
            ));
        }
        answered = found;
    }
    Ok(())
}

/// Keeps in `answered` what must be there afterwards, and returns what may be there instead.
fn commits_until_cut(
    mut store: RedbStore,
    disk: &Disk,
    answered: &mut (Contents, Vec<Record>),
    random: &mut Random,
) -> (Contents, Vec<Record>) {
    let twin = MemoryStore::with(answered.0.clone(), answered.1.clone());
    loop {
        let writes = some_writes(random);
        twin.commit(answered.0.revision, &writes).unwrap();
        if store.commit(answered.0.revision, &writes).is_err() {
            return twin.dump().unwrap();
        }
        *answered = twin.dump().unwrap();
        if random.below(30) == 0 {
            drop(store);
            match RedbStore::on(disk.clone(), "disk") {
                Ok(again) => store = again,
                Err(_) => return answered.clone(),
            }
        }
    }
}

/// Opens a store after a power cut. The power may fail in that too, twice.
fn repaired(disk: &Disk, random: &mut Random) -> Result<RedbStore, StoreError> {
    for _ in 0..random.below(3) {
        disk.cut_after(random.below(CALLS_OF_A_REPAIR));
        drop(RedbStore::on(disk.clone(), "disk"));
        disk.power_cycle(random);
    }
    RedbStore::on(disk.clone(), "disk")
}

/// Small and large values, few keys, so that records are replaced and removed as well.
fn some_writes(random: &mut Random) -> Vec<Write> {
    let count = 1 + random.below(5);
    let kinds = [Kind::Session, Kind::Filter, Kind::Token, Kind::Interval];
    let write = |_| {
        let kind = kinds[random.below(kinds.len())];
        let key = format!("key-{}", random.below(12));
        let size = if random.below(10) == 0 { random.below(9000) } else { random.below(300) };
        let value = (random.below(4) > 0).then(|| vec![random.next() as u8; size]);
        Write { kind, key, value }
    };
    (0..count).map(write).collect()
}

fn outcome(seed: u64, disk: &Disk) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(|| power_cuts(seed, disk))).unwrap_or_else(|_| Err("a panic".to_owned()))
}

#[test]
fn no_answered_commit_is_lost() {
    let variable = |name| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let seeds = match variable("VSWITCH_POWER_CUT_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..variable("VSWITCH_POWER_CUTS").unwrap_or(500),
    };
    for seed in seeds {
        if let Err(lost) = outcome(seed, &Disk::default()) {
            panic!("{lost}; again: VSWITCH_POWER_CUT_SEED={seed} cargo test --lib no_answered_commit_is_lost");
        }
    }
}

#[test]
fn after_a_failure_the_store_is_not_used_until_it_is_opened_anew() {
    let disk = Disk::default();
    let store = RedbStore::on(disk.clone(), "disk").unwrap();
    disk.cut_after(2);
    let write = super::redb_tests::put(Kind::Account, "1", "secret");
    assert!(!format!("{write:?}").contains("secret") && !format!("{write:?}").contains("115"));
    let failure = store.commit(0, std::slice::from_ref(&write)).unwrap_err();
    assert!(failure.to_string().starts_with("disk failed and is not used until it is opened again"), "{failure}");
    disk.power_cycle(&mut Random::new(1));
    assert_eq!(store.commit(0, &[]), Err(failure.clone()));
    assert_eq!(store.load(), Err(failure.clone()));
    assert_eq!(store.scan(Kind::Account, "", 1), Err(failure));
    drop(store);
    let store = RedbStore::on(disk, "disk").unwrap();
    assert_eq!(store.commit(store.load().unwrap().revision, &[write]).map(drop), Ok(()));
}

/// The test of power cuts can fail.
#[test]
fn a_disk_that_lies_about_syncs_loses_commits() {
    let lost: Vec<String> = (0..40).filter_map(|seed| outcome(seed, &Disk::that_lies()).err()).collect();
    assert!(lost.iter().any(|l| l.contains("was answered")), "{lost:?}");
}
