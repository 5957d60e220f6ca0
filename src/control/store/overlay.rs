//! A storage that reads a file and keeps what is written in memory: opening a redb file writes to it, and a file that turns
//! out to be a newer vswitch's must stay as it is.

use std::collections::BTreeMap;
use std::io::{Error, Result};
use std::ops::Bound;

use ::redb::backends::FileBackend;
use ::redb::{BackendError, StorageBackend};
use parking_lot::Mutex;

const PAGE: u64 = 4096;

/// A file that is never written.
#[derive(Debug)]
pub(super) struct Overlay {
    file: FileBackend,
    written: Mutex<Written>,
}

#[derive(Debug)]
struct Written {
    pages: BTreeMap<u64, Vec<u8>>,
    len: u64,
    /// Bytes of the file from here on have been cut off.
    file_len: u64,
}

impl Overlay {
    pub(super) fn new(file: FileBackend) -> Result<Self> {
        let len = file.len()?;
        Ok(Overlay { file, written: Mutex::new(Written { pages: BTreeMap::new(), len, file_len: len }) })
    }

    /// A page as it is in the file: zeros behind its end.
    fn original(&self, number: u64, file_len: u64) -> Result<Vec<u8>> {
        let mut page = vec![0; PAGE as usize];
        let there = file_len.saturating_sub(number * PAGE).min(PAGE) as usize;
        self.file.read(number * PAGE, &mut page[..there])?;
        Ok(page)
    }
}

/// The parts of pages that bytes lie in: page, first byte in it, length.
fn parts(offset: u64, len: usize) -> impl Iterator<Item = (u64, usize, usize)> {
    let end = offset + len as u64;
    let mut at = offset;
    std::iter::from_fn(move || {
        let (number, start) = (at / PAGE, at % PAGE);
        let part = (PAGE - start).min(end - at);
        at += part;
        (part > 0).then_some((number, start as usize, part as usize))
    })
}

impl StorageBackend for Overlay {
    fn len(&self) -> Result<u64> {
        Ok(self.written.lock().len)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        let written = self.written.lock();
        if offset.checked_add(out.len() as u64).is_none_or(|end| end > written.len) {
            return Err(Error::other("read behind the end"));
        }
        let mut rest = out;
        for (number, start, len) in parts(offset, rest.len()) {
            let (part, behind) = rest.split_at_mut(len);
            match written.pages.get(&number) {
                Some(page) => part.copy_from_slice(&page[start..start + len]),
                None => part.copy_from_slice(&self.original(number, written.file_len)?[start..start + len]),
            }
            rest = behind;
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<()> {
        let mut written = self.written.lock();
        if len < written.len {
            written.file_len = written.file_len.min(len);
            written.pages.retain(|number, _| number * PAGE < len);
            if let Some(page) = written.pages.get_mut(&(len / PAGE)) {
                page[(len % PAGE) as usize..].fill(0);
            }
        }
        written.len = len;
        Ok(())
    }

    fn sync_data(&self) -> Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<()> {
        let mut written = self.written.lock();
        let mut rest = data;
        for (number, start, len) in parts(offset, data.len()) {
            if !written.pages.contains_key(&number) {
                let page = self.original(number, written.file_len)?;
                written.pages.insert(number, page);
            }
            if let Some(page) = written.pages.get_mut(&number) {
                page[start..start + len].copy_from_slice(&rest[..len]);
            }
            rest = &rest[len..];
        }
        Ok(())
    }

    fn close(&self) -> Result<()> {
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> std::result::Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> std::result::Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }
}
