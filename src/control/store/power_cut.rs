//! A disk in memory whose power fails: what was written since the last sync is kept, lost or torn at sectors, in any order.

use std::io::{Error, Result};
use std::sync::Arc;

use ::redb::StorageBackend;
use parking_lot::Mutex;

/// Bytes that a disk writes whole or not at all.
const SECTOR: usize = 512;

/// xorshift64*.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        // Seeds that are neighbours are to differ everywhere.
        Random((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub(super) fn below(&mut self, n: usize) -> usize {
        (self.next() >> 32) as usize % n.max(1)
    }
}

#[derive(Debug)]
enum Change {
    Len(usize),
    /// Sectors, or parts of them.
    Bytes(usize, Vec<u8>),
}

#[derive(Debug, Default)]
struct State {
    /// What a reader sees.
    seen: Vec<u8>,
    /// What a power cut cannot take away, and what it can.
    durable: Vec<u8>,
    pending: Vec<Change>,
    /// Writes, resizes and syncs from here to the power cut; `None`: it does not come.
    left: Option<usize>,
    off: bool,
    /// Syncs say that all is well, and do nothing.
    lies: bool,
}

/// A disk; its clones are the same disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk(Arc<Mutex<State>>);

impl Disk {
    /// A disk on which syncs do nothing.
    pub(super) fn that_lies() -> Self {
        let disk = Disk::default();
        disk.0.lock().lies = true;
        disk
    }

    /// Power fails at the call after so many.
    pub(super) fn cut_after(&self, calls: usize) {
        self.0.lock().left = Some(calls);
    }

    /// Power fails now, unless it did, and is back: what was not durable is kept, lost or torn.
    pub(super) fn power_cycle(&self, random: &mut Random) {
        let mut state = self.0.lock();
        let pending = std::mem::take(&mut state.pending);
        // A disk may have been told everything, nothing or some; each case is to be common.
        let kept_in_100 = [0, 10, 50, 90, 100][random.below(5)];
        let mut pieces = Vec::new();
        for change in pending {
            match change {
                Change::Len(len) => pieces.push(Change::Len(len)),
                Change::Bytes(at, bytes) => {
                    sectors(at, &bytes).for_each(|(at, part)| pieces.push(Change::Bytes(at, part)))
                }
            }
        }
        pieces.retain(|_| random.below(100) < kept_in_100);
        // The order between different sectors is the disk's own; of one sector the last write counts, most of the time.
        if random.below(2) == 0 {
            for n in (1..pieces.len()).rev() {
                pieces.swap(n, random.below(n + 1));
            }
        }
        let mut durable = std::mem::take(&mut state.durable);
        for piece in pieces {
            apply(&mut durable, &piece);
        }
        state.seen.clone_from(&durable);
        state.durable = durable;
        (state.left, state.off) = (None, false);
    }

    fn change(&self, change: Change) -> Result<()> {
        let mut state = self.0.lock();
        let was_off = state.off;
        let outcome = step(&mut state);
        // The write that the power cut falls into may be on the disk, or parts of it.
        if !was_off {
            if outcome.is_ok() {
                apply(&mut state.seen, &change);
            }
            state.pending.push(change);
        }
        outcome
    }
}

fn step(state: &mut State) -> Result<()> {
    if state.left == Some(0) {
        state.off = true;
    }
    if state.off {
        return Err(Error::other("no power"));
    }
    state.left = state.left.map(|n| n - 1);
    Ok(())
}

fn sectors(at: usize, bytes: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> {
    let first = (SECTOR - at % SECTOR).min(bytes.len());
    let (head, rest) = bytes.split_at(first);
    let rest = rest.chunks(SECTOR).enumerate().map(move |(n, part)| (at + first + n * SECTOR, part));
    std::iter::once((at, head)).chain(rest).map(|(at, part)| (at, part.to_vec()))
}

fn apply(disk: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Len(len) => disk.resize(*len, 0),
        // Behind the end: the longer length was lost, or is yet to come.
        Change::Bytes(at, bytes) if disk.len() < at + bytes.len() => {}
        Change::Bytes(at, bytes) => disk[*at..at + bytes.len()].copy_from_slice(bytes),
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> Result<u64> {
        Ok(self.0.lock().seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<()> {
        let state = self.0.lock();
        if state.off {
            return Err(Error::other("no power"));
        }
        let there = state.seen.get(offset as usize..offset as usize + out.len());
        out.copy_from_slice(there.ok_or_else(|| Error::other("behind the end"))?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> Result<()> {
        self.change(Change::Len(len as usize))
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<()> {
        self.change(Change::Bytes(offset as usize, data.to_vec()))
    }

    fn sync_data(&self) -> Result<()> {
        let mut state = self.0.lock();
        step(&mut state)?;
        if !state.lies {
            let state = &mut *state;
            state.pending.drain(..).for_each(|change| apply(&mut state.durable, &change));
        }
        Ok(())
    }
}
impl Disk {
    /// A disk with this on it.
    pub(super) fn of(bytes: Vec<u8>) -> Self {
        let disk = Disk::default();
        disk.0.lock().seen = bytes;
        disk
    }

    /// What is on it.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.0.lock().seen.clone()
    }
}
