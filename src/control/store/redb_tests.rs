//! The embedded store against its twin, and what it refuses to open.

use std::os::unix::fs::PermissionsExt;

use ::redb::backends::FileBackend;
use ::redb::{Database, TableDefinition};
use proptest::prelude::*;

use super::scratch::Scratch;
use super::*;

pub(super) fn put(kind: Kind, key: &str, value: &str) -> Write {
    Write { kind, key: key.to_owned(), value: Some(value.as_bytes().to_vec()) }
}

#[derive(Clone, Debug)]
enum Step {
    /// The expected revision is off by this.
    Commit(u64, Vec<Write>),
    Scan(Kind, String, usize),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    let kind = || prop::sample::select(Kind::ALL.to_vec());
    let key = || "[ab/é]{0,3}";
    let value = prop::option::of(prop::collection::vec(any::<u8>(), 0..40));
    let write = (kind(), key(), value).prop_map(|(kind, key, value)| Write { kind, key, value });
    let off = prop_oneof![8 => Just(0u64), 1 => 1u64..3];
    prop_oneof![
        6 => (off, prop::collection::vec(write, 0..8)).prop_map(|(off, writes)| Step::Commit(off, writes)),
        3 => (kind(), key(), 0usize..5).prop_map(|(kind, key, limit)| Step::Scan(kind, key, limit)),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn like_its_twin(steps in prop::collection::vec(step(), 1..24)) {
        let scratch = Scratch::new();
        let path = scratch.file("store.redb");
        let twin = MemoryStore::default();
        let mut store = RedbStore::open(&path).unwrap();
        let mut revision = 0;
        for step in steps {
            match step {
                Step::Commit(off, writes) => {
                    let outcome = store.commit(revision + off, &writes);
                    prop_assert_eq!(&outcome, &twin.commit(revision + off, &writes));
                    revision = outcome.unwrap_or(revision);
                }
                Step::Scan(kind, from, limit) => {
                    prop_assert_eq!(store.scan(kind, &from, limit), twin.scan(kind, &from, limit));
                }
                Step::Reopen => {
                    drop(store);
                    store = RedbStore::open(&path).unwrap();
                }
            }
            prop_assert_eq!(store.dump(), twin.dump());
            prop_assert_eq!(store.load(), twin.load());
        }
        prop_assert_eq!(scratch.files(), ["store.redb"]);
    }
}

#[test]
fn files_and_folders_are_the_owners_alone() {
    let scratch = Scratch::new();
    let path = scratch.file("made/for/it/store.redb");
    drop(RedbStore::open(&path).unwrap());
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
}

#[test]
fn one_at_a_time() {
    let scratch = Scratch::new();
    let path = scratch.file("store.redb");
    let store = RedbStore::open(&path).unwrap();
    let in_use = StoreError::InUse { path: path.display().to_string() };
    assert_eq!(RedbStore::open(&path).unwrap_err(), in_use);
    assert_eq!(RedbStore::create(&path).unwrap_err(), in_use);
    assert_eq!(store.commit(0, &[put(Kind::Vpc, "vpc-1", "{}")]), Ok(1));
    drop(store);
    assert_eq!(RedbStore::open(&path).unwrap().load().unwrap().revision, 1);
}

/// Locks hold between processes: Python's `fcntl` takes the place of the other one.
#[test]
fn another_process_has_it() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    let scratch = Scratch::new();
    let path = scratch.file("store.redb");
    drop(RedbStore::open(&path).unwrap());
    let program =
        "import fcntl,sys\nf=open(sys.argv[1],'r+')\nfcntl.lockf(f,fcntl.LOCK_EX)\nprint(flush=True)\nsys.stdin.read()";
    let mut other = Command::new("python3")
        .args(["-c", program])
        .arg(&path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(other.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let refusal = RedbStore::open(&path).map(drop);
    drop(other.stdin.take());
    other.wait().unwrap();
    assert_eq!(refusal, Err(StoreError::InUse { path: path.display().to_string() }));
    RedbStore::open(&path).unwrap();
}

#[test]
fn a_newer_schema_is_left_as_it_is() {
    let scratch = Scratch::new();
    let path = scratch.file("store.redb");
    drop(RedbStore::open(&path).unwrap());
    let set = |schema: u64| {
        let file = File::options().read(true).write(true).open(&path).unwrap();
        let database = Database::builder().create_with_backend(FileBackend::new(file).unwrap()).unwrap();
        let transaction = database.begin_write().unwrap();
        transaction.open_table(TableDefinition::<&str, u64>::new("meta")).unwrap().insert("schema", schema).unwrap();
        transaction.commit().unwrap();
    };
    set(7);
    let before = std::fs::read(&path).unwrap();
    let refusal = RedbStore::open(&path).unwrap_err();
    assert_eq!(refusal, StoreError::Newer { path: path.display().to_string(), found: 7, known: 1 });
    assert!(std::fs::read(&path).unwrap() == before, "the file was changed");
    set(0);
    assert!(matches!(RedbStore::open(&path), Err(StoreError::Broken(_))));
    set(1);
    RedbStore::open(&path).unwrap();
}

#[test]
fn what_is_no_store_is_refused_and_left() {
    let scratch = Scratch::new();
    let path = scratch.file("store.redb");
    let database = Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(TableDefinition::<&str, u64>::new("another")).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let another = std::fs::read(&path).unwrap();
    for content in [another, Vec::new(), b"short".to_vec(), vec![0; 8192], b"# not a store\n".repeat(5000)] {
        std::fs::write(&path, &content).unwrap();
        let Err(StoreError::Broken(reason)) = RedbStore::open(&path).map(drop) else { panic!("opened") };
        assert!(reason.starts_with(&path.display().to_string()), "{reason}");
        assert!(std::fs::read(&path).unwrap() == content, "the file was changed");
    }
    let folder = scratch.file("folder");
    std::fs::create_dir(&folder).unwrap();
    assert!(matches!(RedbStore::open(&folder), Err(StoreError::Broken(_))));
}

#[test]
fn a_twin_told_to_fail_keeps_what_it_had() {
    let twin = MemoryStore::default();
    twin.fail_next(2);
    for _ in 0..2 {
        assert!(matches!(twin.commit(0, &[put(Kind::Vpc, "vpc-1", "{}")]), Err(StoreError::Broken(_))));
    }
    assert_eq!(twin.load(), Ok(Contents::default()));
    assert_eq!(twin.commit(0, &[]), Ok(1));
}
