//! What a start makes of stores and snapshots that are there, broken or missing; backups.

use super::opened::{Opened, replace_broken};
use super::redb_tests::put;
use super::restore::{backup, restore};
use super::scratch::Scratch;
use super::snapshot::SnapshotFile;
use super::*;

/// A store with two commits and an interval, closed, and its contents.
fn two_commits(path: &Path) -> (Contents, Vec<Record>) {
    let store = RedbStore::open(path).unwrap();
    store.commit(0, &[put(Kind::Vpc, "vpc-1", "{}"), put(Kind::Interval, "1/2/s/e", "{}")]).unwrap();
    store.commit(1, &[put(Kind::Session, "tms-1", "{}")]).unwrap();
    store.dump().unwrap()
}

fn live(path: &Path) -> Contents {
    match Opened::open(path) {
        Opened::Live { contents, .. } => contents,
        other => panic!("{other:?}"),
    }
}

fn read_only(path: &Path) -> (Contents, String) {
    match Opened::open(path) {
        Opened::ReadOnly { contents, reason } => (contents, reason),
        other => panic!("{other:?}"),
    }
}

fn refused(path: &Path) -> String {
    match Opened::open(path) {
        Opened::Refused { reasons } => reasons.join("\n"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_store_if_it_is_sound() {
    let scratch = Scratch::new();
    let path = scratch.file("store.redb");
    assert_eq!(live(&path), Contents::default());
    let (contents, _) = two_commits(&path);
    assert_eq!(live(&path), contents);
    // A snapshot that is behind or damaged does not matter.
    let snapshot = SnapshotFile::beside(&path);
    snapshot.write(&Contents { revision: 1, records: Vec::new() }).unwrap();
    assert_eq!(live(&path), contents);
    std::fs::write(&snapshot.path, "damaged").unwrap();
    assert_eq!(live(&path), contents);
}

#[test]
fn the_snapshot_if_the_store_is_broken_missing_or_behind() {
    let scratch = Scratch::new();
    let path = scratch.file("store.redb");
    let (contents, _) = two_commits(&path);
    let snapshot = SnapshotFile::beside(&path);
    snapshot.write(&contents).unwrap();
    assert_eq!(live(&path), contents);
    let says = |reason: &str, words: &[&str]| {
        let files = [path.display().to_string(), snapshot.path.display().to_string()];
        for word in words.iter().copied().chain(files.iter().map(String::as_str)).chain(["vswitchctl restore FILE"]) {
            assert!(reason.contains(word), "{word}: {reason}");
        }
    };

    std::fs::write(&path, "broken").unwrap();
    let (found, reason) = read_only(&path);
    assert_eq!(found, contents);
    says(&reason, &["is not a sound store", "revision 2", "all writes are refused"]);

    let aside = replace_broken(&path).unwrap().unwrap();
    assert!(aside.display().to_string().starts_with(&format!("{}.broken-", path.display())));
    assert_eq!(std::fs::read(aside).unwrap(), b"broken");
    assert_eq!(replace_broken(&path), Ok(None));
    let (found, reason) = read_only(&path);
    assert_eq!(found, contents);
    says(&reason, &["is missing"]);
    assert!(!path.exists(), "an empty store was made");

    two_commits(&path);
    snapshot.write(&Contents { revision: 3, ..contents.clone() }).unwrap();
    let (found, reason) = read_only(&path);
    assert_eq!(found, Contents { revision: 3, ..contents });
    says(&reason, &["at revision 2", "at 3", "commits are lost"]);

    std::fs::write(&path, "broken").unwrap();
    std::fs::write(&snapshot.path, "vswitch-store 1").unwrap();
    says(&refused(&path), &["is not a sound store", "move both files away", "is damaged"]);
    std::fs::remove_file(&snapshot.path).unwrap();
    says(&refused(&path), &["is not a sound store", "is missing as well"]);
}

#[test]
fn a_store_that_is_somebody_elses_is_not_replaced_by_a_snapshot() {
    let scratch = Scratch::new();
    let path = scratch.file("store.redb");
    let store = RedbStore::open(&path).unwrap();
    SnapshotFile::beside(&path).write(&Contents::default()).unwrap();
    assert_eq!(refused(&path), format!("{} is in use by another process", path.display()));
    drop(store);
    assert_eq!(live(&path), Contents::default());
}

#[test]
fn a_backup_brings_back_everything() {
    let scratch = Scratch::new();
    let path = scratch.file("store.redb");
    let (contents, intervals) = two_commits(&path);
    let store = RedbStore::open(&path).unwrap();
    let backup = backup(&store).unwrap();
    let in_use = StoreError::InUse { path: path.display().to_string() };
    assert_eq!(restore(&path, &backup, "backup"), Err(in_use));
    drop(store);

    let snapshot = SnapshotFile::beside(&path);
    snapshot.write(&Contents { revision: 9, records: Vec::new() }).unwrap();
    std::fs::write(&path, "broken").unwrap();
    let restored = restore(&path, &backup, "backup").unwrap();
    assert_eq!((restored.revision, restored.records), (10, 3));
    assert_eq!(std::fs::read(restored.aside.unwrap()).unwrap(), b"broken");
    let Opened::Live { store, contents: found } = Opened::open(&path) else { panic!("not live") };
    assert_eq!(found, Contents { revision: 10, ..contents });
    assert_eq!(snapshot.read().unwrap(), found);
    assert_eq!(store.dump().unwrap().1, intervals);
    assert_eq!(store.commit(10, &[]), Ok(11));
    assert!(scratch.files().iter().all(|f| !f.contains(".new")), "{:?}", scratch.files());

    // Where nothing was, and from what is no backup.
    let other = scratch.file("new/store.redb");
    assert!(restore(&other, b"no backup", "it").is_err());
    assert!(!other.exists());
    assert_eq!(restore(&other, &backup, "backup").unwrap().aside, None);
    assert_eq!(live(&other).revision, 3);
}
