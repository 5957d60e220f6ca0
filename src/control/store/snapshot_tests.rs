//! Snapshots: what is read is what was written, or nothing.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use proptest::prelude::*;

use super::scratch::Scratch;
use super::snapshot::{SnapshotFile, decode, encode};
use super::snapshot_writer::SnapshotWriter;
use super::*;

pub(super) fn record(kind: Kind, key: &str, value: &[u8]) -> Record {
    Record { kind, key: key.to_owned(), value: value.to_vec() }
}

fn small() -> (Contents, Vec<Record>) {
    let records = vec![
        record(Kind::Account, "1", br#"{"secret":"s"}"#),
        record(Kind::Session, "tms-\n\"é", b""),
        record(Kind::Token, "1/t", &[0xff, 0, b'\n']),
    ];
    (Contents { revision: 42, records }, vec![record(Kind::Interval, "1/2/3/4", b"{}")])
}

#[test]
fn the_format_is_this_one() {
    let (contents, intervals) = small();
    let expected = r#"vswitch-store 1 revision=00000000000000000042 records=00000000000000000004 crc32c=CRC
["account","1","{\"secret\":\"s\"}"]
["session","tms-\n\"é",""]
["token","1/t",null,"/wAK"]
["interval","1/2/3/4","{}"]
"#;
    let text = String::from_utf8(encode(&contents, &intervals)).unwrap();
    let sum = crc32c::crc32c(expected.replacen("CRC\n", "", 1).as_bytes());
    assert_eq!(text, expected.replacen("CRC", &format!("{sum:08x}"), 1));
    assert_eq!(decode(text.as_bytes(), "it"), Ok((contents, intervals)));
}

#[test]
fn every_flipped_bit_and_every_cut_is_refused() {
    let (contents, intervals) = small();
    let data = encode(&contents, &intervals);
    for at in 0..data.len() {
        for flip in (0..8).map(|bit| 1 << bit).chain([0xff]) {
            let mut flipped = data.clone();
            flipped[at] ^= flip;
            assert!(decode(&flipped, "it").is_err(), "byte {at}, flipped {flip:#x}");
        }
        assert!(decode(&data[..at], "it").is_err(), "cut at {at}");
    }
    assert!(decode(&[&data[..], b"\n"].concat(), "it").is_err());
}

#[test]
fn refusals_say_why() {
    let refusal = |data: &[u8]| decode(data, "f").unwrap_err().to_string();
    let newer = "f has schema 2; this vswitch knows schemas up to 1: run a newer vswitch, or restore a backup";
    assert_eq!(refusal(b"vswitch-store 2 what=ever\n"), newer);
    assert_eq!(refusal(b"{}\n"), "f is neither a snapshot nor a backup of a store");
    assert_eq!(refusal(b""), "f is neither a snapshot nor a backup of a store");
    assert_eq!(
        refusal(b"vswitch-store 1 revision=1 records=0 crc32c=00000000\n"),
        "f is damaged: its checksum is wrong"
    );
    // Right sums over what nobody writes: a wrong count, a record twice, an unknown kind.
    for (count, body) in [
        (1, ""),
        (2, "[\"vpc\",\"a\",\"\"]\n[\"vpc\",\"a\",\"\"]\n"),
        (1, "[\"router\",\"a\",\"\"]\n"),
        (1, "[\"vpc\",\"a\",null]\n"),
        (1, "[\"vpc\",\"a\",\"\",\"AA==\"]\n"),
    ] {
        let head = format!("vswitch-store 1 revision=1 records={count} crc32c=");
        let sum = crc32c::crc32c_append(crc32c::crc32c(head.as_bytes()), body.as_bytes());
        let text = format!("{head}{sum:08x}\n{body}");
        assert_eq!(refusal(text.as_bytes()), "f has a right checksum, but is not what vswitch writes", "{text}");
    }
}

proptest! {
    #[test]
    fn what_is_read_is_what_was_written(
        revision in any::<u64>(),
        records in prop::collection::btree_map((prop::sample::select(Kind::ALL.to_vec()), ".{0,8}"), prop::collection::vec(any::<u8>(), 0..40), 0..20)
    ) {
        let all = records.iter().map(|((kind, key), value)| record(*kind, key, value));
        let (intervals, records): (Vec<_>, Vec<_>) = all.partition(|r| r.kind == Kind::Interval);
        let contents = Contents { revision, records };
        prop_assert_eq!(decode(&encode(&contents, &intervals), "it"), Ok((contents.clone(), intervals)));
        let scratch = Scratch::new();
        let file = SnapshotFile { path: scratch.file("s") };
        file.write(&Contents::default()).unwrap();
        file.write(&contents).unwrap();
        prop_assert_eq!(file.read(), Ok(contents));
        prop_assert_eq!(scratch.files(), ["s"]);
        prop_assert_eq!(std::fs::metadata(&file.path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

fn revision(revision: u64) -> Contents {
    Contents { revision, records: Vec::new() }
}

#[test]
fn a_copy_of_a_store_is_what_writing_its_contents_makes() {
    let scratch = Scratch::new();
    let file = SnapshotFile { path: scratch.file("s") };
    let store = MemoryStore::default();
    for n in 0..300u32 {
        let value = Some(vec![b'x'; n as usize]);
        store.commit(n.into(), &[Write { kind: Kind::Session, key: format!("tms-{n:03}"), value }]).unwrap();
    }
    file.copy(&store).unwrap();
    assert_eq!(std::fs::read(&file.path).unwrap(), encode(&store.load().unwrap(), &[]));
    assert_eq!(file.read(), store.load());
}

#[test]
fn the_writer_writes_the_newest() {
    let scratch = Scratch::new();
    let file = SnapshotFile { path: scratch.file("s") };
    let writer = SnapshotWriter::start(file.clone()).unwrap();
    let made = Arc::new(AtomicU32::new(0));
    for n in 1..=1000 {
        let made = made.clone();
        writer.submit(move |file| {
            made.fetch_add(1, Ordering::Relaxed);
            file.write(&revision(n))
        });
    }
    writer.flush();
    assert_eq!(file.read().unwrap().revision, 1000);
    // The first ones, perhaps, and the last one that the flush hurried for.
    assert!(made.load(Ordering::Relaxed) <= 3, "{made:?}");
    writer.submit(|file| file.write(&revision(1001)));
    drop(writer);
    assert_eq!(file.read().unwrap().revision, 1001);
}

#[test]
fn a_writer_that_fails_counts_and_tries_again() {
    let scratch = Scratch::new();
    let file = SnapshotFile { path: scratch.file("missing/s") };
    let writer = SnapshotWriter::start(file.clone()).unwrap();
    writer.submit(|file| file.write(&revision(1)));
    writer.flush();
    assert!(writer.write_errors() >= 1);
    assert!(file.read().is_err());
    std::fs::create_dir(scratch.file("missing")).unwrap();
    // Nothing new is submitted: what failed is tried again.
    writer.flush();
    assert_eq!(file.read().unwrap().revision, 1);
}
