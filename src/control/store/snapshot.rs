//! Records as a file of text: the snapshot beside a store, and backups.
//!
//! The first line says `vswitch-store SCHEMA revision=N records=N crc32c=HEX`. A line follows for each record, by kind and
//! key: a JSON list of kind, key and value; of a value that is not UTF-8 `null` and its base64. The checksum is over
//! everything but its own digits.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, ErrorKind, Seek, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::{Contents, Kind, Record, SCHEMA, Store, StoreError};

const TITLE: &str = "vswitch-store";
/// Digits of the checksum, at the end of the first line.
const DIGITS: usize = 8;

/// A snapshot's or backup's bytes.
#[must_use]
pub fn encode(contents: &Contents, intervals: &[Record]) -> Vec<u8> {
    let mut records: Vec<&Record> = contents.records.iter().chain(intervals).collect();
    records.sort_by_key(|r| (r.kind, &r.key));
    let size: usize = records.iter().map(|r| 32 + r.key.len() + r.value.len() * 5 / 4).sum();
    let mut body = Vec::with_capacity(size);
    for record in &records {
        body.extend_from_slice(line(record).as_bytes());
    }
    let head = head(contents.revision, records.len() as u64);
    let sum = checksum(head.as_bytes(), &body);
    let mut data = format!("{head}{sum}\n").into_bytes();
    data.append(&mut body);
    data
}

/// All of the first line but the checksum. Its length is always the same.
fn head(revision: u64, records: u64) -> String {
    format!("{TITLE} {SCHEMA} revision={revision:020} records={records:020} crc32c=")
}

fn line(record: &Record) -> String {
    let (kind, key) = (record.kind.name(), &record.key);
    let line = match std::str::from_utf8(&record.value) {
        Ok(value) => serde_json::json!([kind, key, value]),
        Err(_) => serde_json::json!([kind, key, null, BASE64.encode(&record.value)]),
    };
    format!("{line}\n")
}

fn checksum(head: &[u8], body: &[u8]) -> String {
    format!("{:08x}", crc32c::crc32c_append(crc32c::crc32c(head), body))
}

/// Contents and intervals out of a snapshot's or backup's bytes. `name` is what errors call it.
///
/// # Errors
/// [`StoreError::Newer`]; [`StoreError::Broken`] for all that [`encode`] did not write.
pub fn decode(data: &[u8], name: &str) -> Result<(Contents, Vec<Record>), StoreError> {
    let broken = |what: &str| StoreError::Broken(format!("{name} {what}"));
    let end = data.iter().take(256).position(|b| *b == b'\n');
    let (line, body) = end.map_or((data, &[][..]), |end| (&data[..end], &data[end + 1..]));
    let words: Vec<&str> = std::str::from_utf8(line).map(|l| l.split(' ').collect()).unwrap_or_default();
    let [TITLE, schema, words @ ..] = words.as_slice() else {
        return Err(broken("is neither a snapshot nor a backup of a store"));
    };
    if let Ok(found) = schema.parse()
        && found > SCHEMA
    {
        return Err(StoreError::Newer { path: name.to_owned(), found, known: SCHEMA });
    }
    let damaged = || broken("is damaged: its checksum is wrong");
    let (head, sum) = line.split_at_checked(line.len().saturating_sub(DIGITS)).ok_or_else(damaged)?;
    if end.is_none() || checksum(head, body).as_bytes() != sum {
        return Err(damaged());
    }
    // What follows was written by us, or by somebody who can count.
    let strange = || broken("has a right checksum, but is not what vswitch writes");
    let [revision, count, _] = words else { return Err(strange()) };
    let number = |word: &str, key| word.strip_prefix(key).and_then(|n| n.parse::<u64>().ok()).ok_or_else(strange);
    let revision = number(revision, "revision=")?;
    let text = std::str::from_utf8(body).map_err(|_| strange())?;
    let records: Vec<Record> = text.lines().map(record).collect::<Option<_>>().ok_or_else(strange)?;
    let ordered = records.is_sorted_by(|a, b| (a.kind, &a.key) < (b.kind, &b.key));
    if !ordered || records.len() as u64 != number(count, "records=")? {
        return Err(strange());
    }
    let (intervals, records) = records.into_iter().partition(|r| r.kind == Kind::Interval);
    Ok((Contents { revision, records }, intervals))
}

fn record(line: &str) -> Option<Record> {
    let fields: Vec<Option<String>> = serde_json::from_str(line).ok()?;
    let (kind, key, value) = match fields.as_slice() {
        [Some(kind), Some(key), Some(value)] => (kind, key, value.as_bytes().to_vec()),
        [Some(kind), Some(key), None, Some(base64)] => (kind, key, BASE64.decode(base64).ok()?),
        _ => return None,
    };
    let kind = Kind::ALL.into_iter().find(|k| k.name() == kind)?;
    Some(Record { kind, key: key.clone(), value })
}

/// A snapshot in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SnapshotFile {
    /// Where it is.
    pub path: PathBuf,
}

impl SnapshotFile {
    /// The one that belongs to a store: its path with `.snapshot` behind.
    #[must_use]
    pub fn beside(store: &Path) -> Self {
        SnapshotFile { path: super::beside(store, ".snapshot") }
    }

    /// Replaces the file as a whole: after a power cut it is the old one or this one.
    ///
    /// # Errors
    /// [`StoreError::Broken`].
    pub fn write(&self, contents: &Contents) -> Result<(), StoreError> {
        self.unwritten(write_whole(&self.path, &encode(contents, &[])))
    }

    /// The same of what a store holds, with one record in memory at a time.
    ///
    /// # Errors
    /// [`StoreError::Broken`], of the store or of the file.
    pub fn copy(&self, store: &dyn Store) -> Result<(), StoreError> {
        let mut of_store = Ok(());
        let written = write_draft(&self.path, |file| {
            let mut file = BufWriter::new(file);
            file.write_all(head(0, 0).as_bytes())?;
            file.write_all(&[b'0'; DIGITS])?;
            file.write_all(b"\n")?;
            let (mut records, mut length, mut sum, mut failed) = (0, 0, 0, Ok(()));
            let visited = store.visit(&mut |record| {
                let line = line(&record);
                (records, length, sum) =
                    (records + 1, length + line.len(), crc32c::crc32c_append(sum, line.as_bytes()));
                if failed.is_ok() {
                    failed = file.write_all(line.as_bytes());
                }
            });
            failed?;
            match visited {
                Ok(revision) => {
                    let head = head(revision, records);
                    let sum = crc32c::crc32c_combine(crc32c::crc32c(head.as_bytes()), sum, length);
                    file.seek(SeekFrom::Start(0))?;
                    write!(file, "{head}{sum:08x}")?;
                    file.flush()
                }
                Err(e) => {
                    of_store = Err(e);
                    Err(std::io::Error::other("the store cannot be read"))
                }
            }
        });
        of_store.and_then(|()| self.unwritten(written))
    }

    fn unwritten(&self, outcome: std::io::Result<()>) -> Result<(), StoreError> {
        outcome.map_err(|e| StoreError::Broken(format!("{} cannot be written: {e}", self.path.display())))
    }

    /// What was written last.
    ///
    /// # Errors
    /// See [`decode`].
    pub fn read(&self) -> Result<Contents, StoreError> {
        let name = self.path.display().to_string();
        let data = std::fs::read(&self.path).map_err(|e| StoreError::Broken(format!("{name} cannot be read: {e}")))?;
        decode(&data, &name).map(|(contents, _)| contents)
    }
}

/// Writes a file of secrets, mode 0600, durable and whole or not at all.
///
/// # Errors
/// Those of the file system.
pub fn write_whole(path: &Path, data: &[u8]) -> std::io::Result<()> {
    write_draft(path, |file| file.write_all(data))
}

/// The same of what `fill` writes.
fn write_draft(path: &Path, fill: impl FnOnce(&mut File) -> std::io::Result<()>) -> std::io::Result<()> {
    let draft = super::beside(path, ".new");
    // One of an earlier try may belong to others, or be open to them.
    match std::fs::remove_file(&draft) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut file: File = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    fill(&mut file)?;
    file.sync_all()?;
    std::fs::rename(&draft, path)?;
    super::sync_folder(path)
}

/// Fuzz entry: any bytes are a snapshot; what is taken for one is written as the same records again.
pub fn fuzz_snapshot(data: &[u8]) {
    read_write_read(data);
    // Hardly any input has a right checksum: the same with one.
    if let Some(end) = data.iter().position(|b| *b == b'\n')
        && let Some(head) = data.get(..end.saturating_sub(DIGITS))
    {
        let body = &data[end + 1..];
        read_write_read(&[head, checksum(head, body).as_bytes(), b"\n", body].concat());
    }
}

fn read_write_read(data: &[u8]) {
    let Ok((contents, intervals)) = decode(data, "snapshot") else { return };
    let again = decode(&encode(&contents, &intervals), "snapshot");
    assert!(again == Ok((contents, intervals)), "not the same again");
}
