//! Classic pcap files, as far as a guest needs them: little-endian, microseconds, Ethernet.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

const MAGIC: u32 = 0xa1b2_c3d4;
const LONGEST: u32 = 65_535;

/// All frames of a file.
///
/// # Errors
/// The kernel's, or a file that is not such a pcap.
pub fn read(path: &Path) -> io::Result<Vec<Vec<u8>>> {
    let mut file = BufReader::new(File::open(path)?);
    let bad = |what: &str| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {what}", path.display()));
    let mut header = [0; 24];
    file.read_exact(&mut header)?;
    if header[..4] != MAGIC.to_le_bytes() {
        return Err(bad("not a little-endian classic pcap of microseconds"));
    }
    let mut frames = Vec::new();
    let mut record = [0; 16];
    while file.read_exact(&mut record).is_ok() {
        let len = u32::from_le_bytes([record[8], record[9], record[10], record[11]]);
        if len > LONGEST {
            return Err(bad("a record is longer than 65535 bytes"));
        }
        let mut frame = vec![0; len as usize];
        file.read_exact(&mut frame)?;
        frames.push(frame);
    }
    Ok(frames)
}

/// Writes frames to a file.
#[derive(Debug)]
pub struct PcapWriter {
    file: BufWriter<File>,
}

impl PcapWriter {
    /// A new file.
    ///
    /// # Errors
    /// The kernel's.
    pub fn create(path: &Path) -> io::Result<Self> {
        let mut file = BufWriter::new(File::create(path)?);
        for word in [MAGIC, 2 | 4 << 16, 0, 0, LONGEST, 1] {
            file.write_all(&word.to_le_bytes())?;
        }
        Ok(PcapWriter { file })
    }

    /// Appends a frame with the present time.
    ///
    /// # Errors
    /// The kernel's.
    pub fn write(&mut self, frame: &[u8]) -> io::Result<()> {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let len = frame.len() as u32;
        for word in [now.as_secs() as u32, now.subsec_micros(), len, len] {
            self.file.write_all(&word.to_le_bytes())?;
        }
        self.file.write_all(frame)?;
        self.file.flush()
    }
}
