//! What must outlive a snapshot: slots, generations, counters and placement of ENIs and of session-and-source pairs.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::control::model::EniSpec;
use crate::control::tables::Tables;
use crate::metrics::counters::{EniCounters, PerWorker, RowCounters};
use crate::metrics::laws::Totals;
use crate::mirror::bandwidth::Bucket;
use crate::packet::fragments::Fragments;

/// A pair's key: session id, ENI id.
pub type RowKey = (Arc<str>, Arc<str>);

/// Whose bandwidth a bucket measures.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum BucketOwner {
    /// An instance, by id.
    Instance(Arc<str>),
    /// An ENI that belongs to none, by id.
    Eni(Arc<str>),
}

impl BucketOwner {
    /// The owner of an ENI's bucket.
    #[must_use]
    pub fn of(eni: &EniSpec) -> Self {
        eni.instance.clone().map_or_else(|| BucketOwner::Eni(eni.id.clone()), BucketOwner::Instance)
    }
}

/// How long after its last copy a target's complaint about it may come.
const AFTERMATH: Duration = Duration::from_secs(10);

/// Who sends copies to whom.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CopyPair {
    /// The source's primary address << 32 | the target's.
    pub addresses: u64,
    /// The VPC's id.
    pub vpc: Arc<str>,
    /// The target's id.
    pub target: Arc<str>,
}

/// Pairs that copies go between, and those that they went between a moment ago: ICMP errors about the last copies come
/// after the session is gone, and must not reach the source either. A retired pair is compiled into the snapshots of the
/// next ten seconds, and stays there until the first one after that.
#[derive(Clone, Debug, Default)]
pub struct CopyPairs {
    live: HashSet<CopyPair>,
    retired: HashMap<CopyPair, Instant>,
}

impl CopyPairs {
    /// The pairs of a new configuration.
    pub fn change(&mut self, live: HashSet<CopyPair>, now: Instant) {
        self.retired.extend(self.live.drain().filter(|pair| !live.contains(pair)).map(|pair| (pair, now)));
        self.retired.retain(|pair, since| !live.contains(pair) && now.duration_since(*since) < AFTERMATH);
        self.live = live;
    }

    /// These pairs, none of which goes with the next change of the same configuration.
    fn lasting(&self) -> Self {
        let now = Instant::now();
        CopyPairs { live: self.live.clone(), retired: self.retired.keys().map(|pair| (pair.clone(), now)).collect() }
    }

    /// All pairs whose copies may be complained about: those that were retired first, then later ones, then the present
    /// ones.
    pub fn in_order(&self) -> impl Iterator<Item = &CopyPair> {
        let mut retired: Vec<_> = self.retired.iter().map(|(pair, since)| (since, pair)).collect();
        let mut live: Vec<_> = self.live.iter().collect();
        retired.sort_unstable();
        live.sort_unstable();
        retired.into_iter().map(|(_, pair)| pair).chain(live)
    }
}

/// A place in a snapshot's list, kept as long as its owner exists.
#[derive(Debug)]
pub struct Slot<V> {
    /// Index in the list.
    pub slot: u32,
    /// Tells the owner from one that had the slot before.
    pub generation: u32,
    /// The owner's counters.
    pub counters: Arc<V>,
}

impl<V> Clone for Slot<V> {
    fn clone(&self) -> Self {
        Slot { slot: self.slot, generation: self.generation, counters: self.counters.clone() }
    }
}

/// Hands out slots.
#[derive(Debug)]
pub struct Slots<K, V> {
    owners: HashMap<K, Slot<V>>,
    free: Vec<u32>,
    next: u32,
    generation: u32,
    workers: usize,
}

impl<K: Clone, V> Clone for Slots<K, V> {
    fn clone(&self) -> Self {
        Slots {
            owners: self.owners.clone(),
            free: self.free.clone(),
            next: self.next,
            generation: self.generation,
            workers: self.workers,
        }
    }
}

impl<K: Eq + Hash + Clone, T: Default> Slots<K, PerWorker<T>> {
    fn new(workers: usize) -> Self {
        Slots { owners: HashMap::new(), free: Vec::new(), next: 0, generation: 0, workers }
    }

    /// The owner's slot, a new one if it has none.
    pub fn claim(&mut self, owner: &K) -> Slot<PerWorker<T>> {
        if let Some(slot) = self.owners.get(owner) {
            return slot.clone();
        }
        let slot = self.free.pop().unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        });
        self.generation = self.generation.wrapping_add(1);
        let slot = Slot { slot, generation: self.generation, counters: Arc::new(PerWorker::<T>::new(self.workers)) };
        self.owners.insert(owner.clone(), slot.clone());
        slot
    }

    /// The same slots with counters of their own.
    fn detached(&self) -> Self {
        let own = |slot: &Slot<PerWorker<T>>| Slot { counters: Arc::new(PerWorker::new(self.workers)), ..slot.clone() };
        let owners = self.owners.iter().map(|(owner, slot)| (owner.clone(), own(slot))).collect();
        Slots { owners, free: self.free.clone(), ..*self }
    }

    /// Frees the slots of all owners but those that `keep` names; returns the counters of those that went.
    pub fn retain(&mut self, keep: impl Fn(&K) -> bool) -> Vec<Arc<PerWorker<T>>> {
        let (free, mut gone) = (&mut self.free, Vec::new());
        let before = free.len();
        self.owners.retain(|owner, slot| {
            let kept = keep(owner);
            if !kept {
                free.push(slot.slot);
                gone.push(slot.counters.clone());
            }
            kept
        });
        // Whoever comes next gets the same slot, whatever the order in the map is.
        free[before..].sort_unstable();
        gone
    }

    /// An owner's slot, if it has one.
    #[must_use]
    pub fn get(&self, owner: &K) -> Option<&Slot<PerWorker<T>>> {
        self.owners.get(owner)
    }

    /// One more than the highest slot in use so far.
    #[must_use]
    pub fn len(&self) -> usize {
        self.next as usize
    }

    /// No slot was ever claimed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.next == 0
    }

    /// All owners and their slots.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &Slot<PerWorker<T>>)> {
        self.owners.iter()
    }
}

/// Everything that outlives a snapshot. A candidate configuration works on a clone, which shares the counters.
#[derive(Clone, Debug)]
pub struct Registry {
    /// How many workers count.
    pub workers: usize,
    /// ENIs.
    pub enis: Slots<Arc<str>, EniCounters>,
    /// Session-and-source pairs.
    pub rows: Slots<RowKey, RowCounters>,
    /// What each ENI's worker, which is named, remembers of fragments.
    pub fragments: HashMap<Arc<str>, (usize, Arc<Fragments>)>,
    /// Where each ENI runs.
    pub placement: HashMap<Arc<str>, usize>,
    /// Buckets of those whose bandwidth is limited, each with the worker that writes it.
    pub buckets: HashMap<BucketOwner, (usize, Arc<Bucket>)>,
    /// Who sends copies to whom, or did a moment ago.
    pub copy_pairs: CopyPairs,
    /// Rule tables of the last snapshot.
    pub tables: Arc<Tables>,
    /// Counts for packets that outlive their ENI.
    pub departed: Arc<EniCounters>,
    /// Counts for copies that outlive their session.
    pub departed_rows: Arc<RowCounters>,
    /// Counters of ENIs that went with the last change; workers may still add to them until all have taken it.
    pub leaving: Vec<Arc<EniCounters>>,
    /// Sums of ENIs that went before.
    pub gone: Totals,
    /// Version of the last snapshot compiled.
    pub version: u64,
}

impl Registry {
    /// A registry for `workers` workers; zero counts as one.
    #[must_use]
    pub fn new(workers: usize) -> Self {
        Registry {
            workers: workers.max(1),
            enis: Slots::new(workers),
            rows: Slots::new(workers),
            fragments: HashMap::new(),
            placement: HashMap::new(),
            buckets: HashMap::new(),
            copy_pairs: CopyPairs::default(),
            tables: Arc::default(),
            departed: Arc::new(EniCounters::new(workers)),
            departed_rows: Arc::new(RowCounters::new(workers)),
            leaving: Vec::new(),
            gone: Totals::default(),
            version: 0,
        }
    }

    /// The fragment tables of an ENI that `worker` owns. An ENI that comes from another worker gets new ones: the other
    /// may still write to the old ones until it has taken the next snapshot.
    pub fn fragments(&mut self, eni: &Arc<str>, worker: usize) -> Arc<Fragments> {
        if let Some((owner, fragments)) = self.fragments.get(eni)
            && *owner == worker
        {
            return fragments.clone();
        }
        let fragments = Arc::new(Fragments::new());
        self.fragments.insert(eni.clone(), (worker, fragments.clone()));
        fragments
    }

    /// The bucket of `owner`, whose ENIs `worker` owns. It lives as long as its owner has a limit. When an instance
    /// moves, its new worker gets a bucket that is as full: the old one may be written until the old worker has taken
    /// the new snapshot, and a bucket has one writer.
    pub fn bucket(&mut self, owner: BucketOwner, worker: usize) -> Arc<Bucket> {
        let (writer, bucket) = self.buckets.entry(owner).or_insert_with(|| (worker, Arc::default()));
        if *writer != worker {
            (*writer, *bucket) = (worker, Arc::new(bucket.twin()));
        }
        bucket.clone()
    }

    /// A registry with which the same model compiles to the same snapshot, version and all, with counters of its own:
    /// whatever runs through that snapshot moves nothing of the running one.
    #[must_use]
    pub fn detached(&self) -> Self {
        Registry {
            enis: self.enis.detached(),
            rows: self.rows.detached(),
            placement: self.placement.clone(),
            copy_pairs: self.copy_pairs.lasting(),
            tables: self.tables.clone(),
            version: self.version.saturating_sub(1),
            ..Registry::new(self.workers)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retired_copy_pair_stays_for_ten_seconds_and_goes_with_the_next_change() {
        let pair = CopyPair { vpc: "vpc-1".into(), addresses: 7, target: "eni-c".into() };
        let (mut pairs, began) = (CopyPairs::default(), Instant::now());
        let at = |seconds| began + Duration::from_secs(seconds);
        pairs.change(HashSet::from([pair.clone()]), at(0));
        for seconds in [100, 105, 109] {
            pairs.change(HashSet::new(), at(seconds));
            assert_eq!(pairs.in_order().collect::<Vec<_>>(), [&pair], "retired at 100");
        }
        pairs.change(HashSet::new(), at(110));
        assert_eq!(pairs.in_order().count(), 0);
        pairs.change(HashSet::from([pair.clone()]), at(111));
        pairs.change(HashSet::new(), at(112));
        pairs.change(HashSet::from([pair]), at(113));
        assert_eq!(pairs.in_order().count(), 1, "present again, once");
    }

    #[test]
    fn of_pairs_with_the_same_addresses_the_one_that_was_retired_last_comes_last() {
        let (mut pairs, began) = (CopyPairs::default(), Instant::now());
        let pair = |n: u64| CopyPair { vpc: "vpc-1".into(), addresses: 7, target: format!("eni-{}", 9 - n).into() };
        for n in 0..8 {
            pairs.change(HashSet::from([pair(n)]), began + Duration::from_secs(n));
        }
        assert_eq!(pairs.in_order().cloned().collect::<Vec<_>>(), (0..8).map(pair).collect::<Vec<_>>());
    }
}
