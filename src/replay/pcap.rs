//! Classic pcap files (draft-ietf-opsawg-pcap): Ethernet, both byte orders, microseconds and nanoseconds.

use std::fs::File;
use std::io::{BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

const MICROSECONDS: u32 = 0xa1b2_c3d4;
const NANOSECONDS: u32 = 0xa1b2_3c4d;
/// First bytes of a pcapng file.
const PCAPNG: u32 = 0x0a0d_0d0a;
const ETHERNET: u32 = 1;
/// Longest frame that a record may hold.
const LONGEST: u32 = 65_550;

/// A recorded frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Nanoseconds since 1970.
    pub time_ns: u64,
    /// The frame's bytes.
    pub frame: Vec<u8>,
}

/// Reads a capture record by record.
#[derive(Debug)]
pub struct Reader<R> {
    input: R,
    name: String,
    big_endian: bool,
    nanoseconds: bool,
    next: u64,
    ended: bool,
}

impl Reader<BufReader<File>> {
    /// Opens a file.
    ///
    /// # Errors
    /// One sentence with the file's name.
    pub fn open(path: &Path) -> Result<Self, String> {
        let name = path.display().to_string();
        let file = File::open(path).map_err(|e| format!("{name}: {e}"))?;
        Reader::new(BufReader::new(file), name)
    }
}

impl<R: Read> Reader<R> {
    /// Reads the file header.
    ///
    /// # Errors
    /// One sentence with the name.
    pub fn new(mut input: R, name: String) -> Result<Self, String> {
        let mut header = [0u8; 24];
        input.read_exact(&mut header).map_err(|_| format!("{name}: shorter than a pcap's header"))?;
        let word = |at: usize, big: bool| word(&header, at, big);
        let (big_endian, nanoseconds) = match (word(0, false), word(0, true)) {
            (MICROSECONDS, _) => (false, false),
            (NANOSECONDS, _) => (false, true),
            (_, MICROSECONDS) => (true, false),
            (_, NANOSECONDS) => (true, true),
            (PCAPNG, _) => {
                return Err(format!("{name}: is pcapng; convert it with `editcap -F pcap`"));
            }
            _ => return Err(format!("{name}: is not a pcap file")),
        };
        let link = word(20, big_endian) & 0x0fff_ffff;
        if link != ETHERNET {
            return Err(format!("{name}: link type {link}; only Ethernet (1) can be replayed"));
        }
        Ok(Reader { input, name, big_endian, nanoseconds, next: 0, ended: false })
    }

    fn record(&mut self) -> Result<Option<Record>, String> {
        let (name, index) = (self.name.clone(), self.next);
        let error = |what: &str| format!("{name}: record {index}: {what}");
        let mut header = [0u8; 16];
        match self.input.read(&mut header) {
            Ok(0) => return Ok(None),
            Ok(n) => self.input.read_exact(&mut header[n..]).map_err(|_| error("ends inside its header"))?,
            Err(e) => return Err(error(&e.to_string())),
        }
        let word = |at: usize| word(&header, at, self.big_endian);
        let (seconds, fraction, kept, original) = (word(0), word(4), word(8), word(12));
        if kept > LONGEST {
            return Err(error(&format!("{kept} bytes; at most {LONGEST} are read")));
        }
        if kept < original {
            return Err(error(&format!("only {kept} of {original} bytes were recorded; record with `tcpdump -s 0`")));
        }
        let mut frame = vec![0; kept as usize];
        self.input.read_exact(&mut frame).map_err(|_| error("ends inside its frame"))?;
        let scale = if self.nanoseconds { 1 } else { 1000 };
        self.next += 1;
        Ok(Some(Record { time_ns: u64::from(seconds) * 1_000_000_000 + u64::from(fraction) * scale, frame }))
    }
}

fn word(bytes: &[u8], at: usize, big_endian: bool) -> u32 {
    let b = [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
    if big_endian { u32::from_be_bytes(b) } else { u32::from_le_bytes(b) }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<Record, String>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let record = self.record().transpose();
        self.ended = !matches!(record, Some(Ok(_)));
        record
    }
}

/// Writes a capture: little-endian, nanoseconds.
#[derive(Debug)]
pub struct Writer {
    file: BufWriter<File>,
    path: PathBuf,
}

impl Writer {
    /// Creates a file.
    ///
    /// # Errors
    /// One sentence with the file's name.
    pub fn create(path: &Path) -> Result<Self, String> {
        let file = File::create(path).map_err(|e| format!("{}: {e}", path.display()))?;
        let mut writer = Writer { file: BufWriter::new(file), path: path.to_owned() };
        writer.words(&[NANOSECONDS, 2 | 4 << 16, 0, 0, LONGEST, ETHERNET])?;
        Ok(writer)
    }

    fn words(&mut self, words: &[u32]) -> Result<(), String> {
        let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        self.bytes(&bytes)
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.file.write_all(bytes).map_err(|e| format!("{}: {e}", self.path.display()))
    }

    /// Appends a frame.
    ///
    /// # Errors
    /// One sentence with the file's name.
    pub fn write(&mut self, time_ns: u64, frame: &[u8]) -> Result<(), String> {
        let len = frame.len() as u32;
        let seconds = (time_ns / 1_000_000_000) as u32;
        self.words(&[seconds, (time_ns % 1_000_000_000) as u32, len, len])?;
        self.bytes(frame)
    }
}

/// Fuzz entry: any bytes are a capture or a sentence.
pub fn fuzz_pcap(data: &[u8]) {
    if let Ok(reader) = Reader::new(data, "fuzz".to_owned()) {
        for record in reader.flatten() {
            assert!(record.frame.len() <= LONGEST as usize);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let path = std::env::temp_dir().join(format!("vswitch-pcap-{}.pcap", std::process::id()));
        let mut writer = Writer::create(&path).unwrap();
        writer.write(1_000_000_007, b"one").unwrap();
        writer.write(2_000_000_000, b"").unwrap();
        drop(writer);
        let records: Vec<_> = Reader::open(&path).unwrap().map(Result::unwrap).collect();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(records.len(), 2);
        assert_eq!(records[0], Record { time_ns: 1_000_000_007, frame: b"one".to_vec() });
    }

    #[test]
    fn other_files_are_refused_with_a_hint() {
        let refuse = |bytes: &[u8]| Reader::new(bytes, "f".to_owned()).unwrap_err();
        assert!(refuse(b"").contains("shorter"));
        let mut pcapng = [0u8; 24];
        pcapng[..4].copy_from_slice(&PCAPNG.to_le_bytes());
        assert!(refuse(&pcapng).contains("editcap"));
        let mut raw_ip = [0u8; 24];
        raw_ip[..4].copy_from_slice(&MICROSECONDS.to_be_bytes());
        raw_ip[23] = 101;
        assert!(refuse(&raw_ip).contains("link type 101"));
    }
}
