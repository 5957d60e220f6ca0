//! The ports of first fragments, remembered for the fragments that follow.
//!
//! An ENI has a table a direction, so that what it is sent never displaces what it sends. A table has one writer, the
//! worker that owns the ENI, and no lock: its words are written one by one, and a table never changes its worker (an ENI
//! that moves gets a new one). It is made with the ENI, never on the packet's way, outlives snapshots as counters do,
//! and never grows: the fragment that was remembered first makes room for the next.
//!
//! Guests choose the keys. Buckets are chosen by the standard library's keyed hash (SipHash 1-3) with a secret of this
//! process, so nobody can fill one bucket on purpose.

use std::hash::{BuildHasher, RandomState};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::Relaxed};

use super::reason::Direction;

/// How long ports are remembered, in nanoseconds: 15 s, RFC 791's lower bound for reassembly.
pub const LIFETIME_NS: u64 = 15_000_000_000;
/// First fragments that an ENI's table remembers in a direction.
pub const CAPACITY: usize = 512;

/// No entry.
const NONE: u32 = u32::MAX;

/// What all fragments of a datagram have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FragmentKey {
    /// Source address.
    pub source: u32,
    /// Destination address.
    pub destination: u32,
    /// Protocol number.
    pub protocol: u8,
    /// The IP header's identification.
    pub id: u16,
}

impl FragmentKey {
    /// Both halves as stored.
    const fn words(self) -> (u64, u32) {
        ((self.source as u64) << 32 | self.destination as u64, (self.id as u32) << 8 | self.protocol as u32)
    }
}

/// A number with one writer.
#[derive(Debug)]
struct Word(AtomicU64);

impl Word {
    fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }

    fn set(&self, value: u64) {
        self.0.store(value, Relaxed);
    }
}

/// The index of an entry, or none, with one writer.
#[derive(Debug)]
struct Link(AtomicU32);

impl Link {
    const fn none() -> Self {
        Link(AtomicU32::new(NONE))
    }

    fn get(&self) -> u32 {
        self.0.load(Relaxed)
    }

    fn set(&self, index: u32) {
        self.0.store(index, Relaxed);
    }
}

/// A remembered first fragment: in the chain of its bucket, and in the list of all by age.
#[derive(Debug)]
struct Entry {
    addresses: Word,
    /// Identification and protocol in the upper half, ports in the lower.
    rest: Word,
    stored: Word,
    bucket: Link,
    next: Link,
    older: Link,
    newer: Link,
}

impl Default for Entry {
    fn default() -> Self {
        let word = || Word(AtomicU64::new(0));
        Entry {
            addresses: word(),
            rest: word(),
            stored: word(),
            bucket: Link::none(),
            next: Link::none(),
            older: Link::none(),
            newer: Link::none(),
        }
    }
}

/// Keys to ports: a hash table with chains over a fixed number of entries.
#[derive(Debug)]
pub struct FragmentTable {
    secret: RandomState,
    buckets: Box<[Link]>,
    entries: Box<[Entry]>,
    /// Entries used so far; those from here on never were.
    used: Link,
    /// Entries that were used and are not, by `next`.
    free: Link,
    oldest: Link,
    newest: Link,
}

impl FragmentTable {
    /// A table of `capacity` entries, at least one.
    #[must_use]
    pub fn new(capacity: usize, secret: RandomState) -> Self {
        let capacity = capacity.clamp(1, 1 << 20);
        FragmentTable {
            secret,
            buckets: (0..(2 * capacity).next_power_of_two()).map(|_| Link::none()).collect(),
            entries: (0..capacity).map(|_| Entry::default()).collect(),
            used: Link(AtomicU32::new(0)),
            free: Link::none(),
            oldest: Link::none(),
            newest: Link::none(),
        }
    }

    /// The ports that the first fragment had.
    #[must_use]
    pub fn find(&self, key: FragmentKey, now: u64) -> Option<(u16, u16)> {
        let entry = self.entry(self.search(key)?)?;
        let ports = entry.rest.get() as u32;
        is_young(entry.stored.get(), now).then_some(((ports >> 16) as u16, ports as u16))
    }

    /// Remembers a first fragment's ports, for the full time again when they are there already. The answer is whether
    /// another one, whose time was not over, had to make room.
    pub fn store(&self, key: FragmentKey, ports: (u16, u16), now: u64) -> bool {
        self.forget(key);
        let mut evicted = false;
        let index = match self.vacant() {
            Some(index) => index,
            None => {
                let oldest = self.oldest.get();
                evicted = self.entry(oldest).is_some_and(|entry| is_young(entry.stored.get(), now));
                self.remove(oldest);
                match self.vacant() {
                    Some(index) => index,
                    None => return evicted,
                }
            }
        };
        let bucket = self.bucket(key);
        let (Some(entry), Some(head)) = (self.entry(index), self.buckets.get(bucket as usize)) else {
            return evicted;
        };
        let (addresses, rest) = key.words();
        entry.addresses.set(addresses);
        entry.rest.set(u64::from(rest) << 32 | u64::from(ports.0) << 16 | u64::from(ports.1));
        entry.stored.set(now);
        entry.bucket.set(bucket);
        entry.next.set(head.get());
        head.set(index);
        let newest = self.newest.get();
        entry.older.set(newest);
        entry.newer.set(NONE);
        self.entry(newest).map_or(&self.oldest, |entry| &entry.newer).set(index);
        self.newest.set(index);
        evicted
    }

    /// Forgets a first fragment: another one with the same key has no ports to remember.
    pub fn forget(&self, key: FragmentKey) {
        if let Some(index) = self.search(key) {
            self.remove(index);
        }
    }

    fn entry(&self, index: u32) -> Option<&Entry> {
        self.entries.get(index as usize)
    }

    fn bucket(&self, key: FragmentKey) -> u32 {
        let (addresses, rest) = key.words();
        (self.secret.hash_one((addresses, rest)) as usize & (self.buckets.len() - 1)) as u32
    }

    /// The entry of a key.
    fn search(&self, key: FragmentKey) -> Option<u32> {
        let (addresses, rest) = key.words();
        let same = |entry: &Entry| entry.addresses.get() == addresses && (entry.rest.get() >> 32) as u32 == rest;
        self.walk(self.bucket(key), |entry, _| same(entry)).map(|(index, _)| index)
    }

    /// The first entry of a bucket's chain that is wanted, and the one before it.
    fn walk(&self, bucket: u32, wanted: impl Fn(&Entry, u32) -> bool) -> Option<(u32, u32)> {
        let (mut at, mut before) = (self.buckets.get(bucket as usize)?.get(), NONE);
        loop {
            let entry = self.entry(at)?;
            if wanted(entry, at) {
                return Some((at, before));
            }
            (before, at) = (at, entry.next.get());
        }
    }

    /// Takes an entry out of its chain and out of the list.
    fn remove(&self, index: u32) {
        let Some(entry) = self.entry(index) else {
            return;
        };
        let bucket = entry.bucket.get();
        if let (Some((_, before)), Some(head)) =
            (self.walk(bucket, |_, at| at == index), self.buckets.get(bucket as usize))
        {
            self.entry(before).map_or(head, |entry| &entry.next).set(entry.next.get());
        }
        let (older, newer) = (entry.older.get(), entry.newer.get());
        self.entry(older).map_or(&self.oldest, |entry| &entry.newer).set(newer);
        self.entry(newer).map_or(&self.newest, |entry| &entry.older).set(older);
        entry.next.set(self.free.get());
        self.free.set(index);
    }

    /// An entry without a key.
    fn vacant(&self) -> Option<u32> {
        let free = self.free.get();
        if let Some(entry) = self.entry(free) {
            self.free.set(entry.next.get());
            return Some(free);
        }
        let used = self.used.get();
        self.entry(used)?;
        self.used.set(used + 1);
        Some(used)
    }
}

/// A clock that went back makes nothing old.
const fn is_young(stored: u64, now: u64) -> bool {
    now.saturating_sub(stored) < LIFETIME_NS
}

/// An ENI's tables.
#[derive(Debug)]
pub struct Fragments([FragmentTable; 2]);

impl Fragments {
    /// Empty ones, keyed with this process's secret.
    #[must_use]
    pub fn new() -> Self {
        static SECRET: OnceLock<RandomState> = OnceLock::new();
        let table = || FragmentTable::new(CAPACITY, SECRET.get_or_init(RandomState::new).clone());
        Fragments([table(), table()])
    }

    /// The table of a direction.
    #[must_use]
    pub const fn of(&self, direction: Direction) -> &FragmentTable {
        &self.0[direction.index()]
    }
}

impl Default for Fragments {
    fn default() -> Self {
        Fragments::new()
    }
}

#[cfg(test)]
#[path = "fragments_tests.rs"]
mod tests;
