use std::collections::{HashMap, VecDeque};

use proptest::prelude::*;

use super::*;

/// The slow obvious twin: a map, and the keys in the order they were stored.
#[derive(Default)]
struct Twin {
    ports: HashMap<FragmentKey, ((u16, u16), u64)>,
    order: VecDeque<FragmentKey>,
}

impl Twin {
    fn find(&self, key: FragmentKey, now: u64) -> Option<(u16, u16)> {
        let (ports, stored) = self.ports.get(&key)?;
        (now.saturating_sub(*stored) < 15_000_000_000).then_some(*ports)
    }

    fn store(&mut self, key: FragmentKey, ports: (u16, u16), now: u64, capacity: usize) -> bool {
        self.forget(key);
        let mut evicted = false;
        if self.order.len() == capacity {
            let oldest = self.order[0];
            evicted = self.find(oldest, now).is_some();
            self.forget(oldest);
        }
        self.order.push_back(key);
        self.ports.insert(key, (ports, now));
        evicted
    }

    fn forget(&mut self, key: FragmentKey) {
        self.order.retain(|other| *other != key);
        self.ports.remove(&key);
    }
}

/// Few keys, which differ in one field each.
fn key(n: u8) -> FragmentKey {
    let base = FragmentKey { source: 1, destination: 2, protocol: 17, id: 7 };
    match n % 4 {
        0 => FragmentKey { source: u32::from(n) << 24, ..base },
        1 => FragmentKey { destination: u32::from(n), ..base },
        2 => FragmentKey { protocol: n, ..base },
        _ => FragmentKey { id: u16::from(n) << 8, ..base },
    }
}

#[derive(Clone, Debug)]
enum Step {
    Store(u8, (u16, u16)),
    Forget(u8),
    Find(u8),
    /// Milliseconds, back as well.
    Wait(i16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (0u8..40, any::<(u16, u16)>()).prop_map(|(k, ports)| Step::Store(k, ports)),
        1 => (0u8..40).prop_map(Step::Forget),
        3 => (0u8..40).prop_map(Step::Find),
        2 => (-2_000i16..16_000).prop_map(Step::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]
    #[test]
    fn equals_its_twin(capacity in 1usize..12, steps in proptest::collection::vec(step(), 0..200)) {
        let table = FragmentTable::new(capacity, RandomState::new());
        let (mut twin, mut now) = (Twin::default(), 1_000_000_000_000u64);
        for step in steps {
            match step {
                Step::Store(k, ports) => {
                    let expected = twin.store(key(k), ports, now, capacity);
                    prop_assert_eq!(table.store(key(k), ports, now), expected);
                }
                Step::Forget(k) => {
                    twin.forget(key(k));
                    table.forget(key(k));
                }
                Step::Find(k) => prop_assert_eq!(table.find(key(k), now), twin.find(key(k), now)),
                Step::Wait(ms) => now = now.saturating_add_signed(i64::from(ms) * 1_000_000),
            }
            for k in 0..40 {
                prop_assert_eq!(table.find(key(k), now), twin.find(key(k), now), "key {}", k);
            }
        }
    }
}

#[test]
fn ports_are_known_for_fifteen_seconds() {
    let table = FragmentTable::new(4, RandomState::new());
    assert!(!table.store(key(0), (5, 6), 1000));
    assert_eq!(table.find(key(0), 1000 + LIFETIME_NS - 1), Some((5, 6)));
    assert_eq!(table.find(key(0), 1000 + LIFETIME_NS), None);
}

#[test]
fn the_oldest_makes_room_and_counts_only_while_it_was_known() {
    let table = FragmentTable::new(2, RandomState::new());
    assert_eq!([0, 1, 2].map(|k| table.store(key(k), (1, 1), u64::from(k))), [false, false, true]);
    assert_eq!([0, 1, 2].map(|k| table.find(key(k), 3).is_some()), [false, true, true]);
    assert!(!table.store(key(3), (1, 1), LIFETIME_NS + 2), "key 1 was over");
}

const KEYS: u32 = 1_000_000;
/// What a guest sends to another; it may choose whom, and the identification.
const SENT: FragmentKey = FragmentKey { source: 0x0a00_0001, destination: 0x0a00_0002, protocol: 17, id: 0 };

/// No bucket of a table gets twice its share of a million keys.
fn assert_even(table: &FragmentTable, keys: impl Iterator<Item = FragmentKey>, what: &str) {
    let mut buckets = vec![0u32; table.buckets.len()];
    keys.for_each(|key| buckets[table.bucket(key) as usize] += 1);
    let count: u32 = buckets.iter().sum();
    assert!(count >= KEYS, "{what}: {count} keys");
    let mean = f64::from(count) / buckets.len() as f64;
    let worst = f64::from(*buckets.iter().max().unwrap_or(&0));
    assert!(worst <= 2.0 * mean, "{what}: worst bucket {worst}, mean {mean}");
}

/// Plain patterns: counters, strides, and halves that cancel.
#[test]
fn chosen_keys_do_not_gather_in_a_bucket() {
    type Choose = fn(u32) -> FragmentKey;
    let kinds: [Choose; 5] = [
        |n| FragmentKey { id: n as u16, protocol: (n >> 16) as u8, ..SENT },
        |n| FragmentKey { destination: n, ..SENT },
        // Multiples of a power of two: what a hash that only masks puts into one bucket.
        |n| FragmentKey { destination: n << 12, id: n as u16, ..SENT },
        |n| FragmentKey { source: n.rotate_left(11), destination: n, ..SENT },
        // Both halves cancel under an exclusive or.
        |n| FragmentKey { source: n, destination: n, id: n as u16, ..SENT },
    ];
    let table = FragmentTable::new(CAPACITY, RandomState::new());
    for (kind, choose) in kinds.into_iter().enumerate() {
        assert_even(&table, (0..KEYS).map(choose), &format!("kind {kind}"));
    }
}

/// CRC-32C (RFC 3720, appendix B.4), by which many switches choose buckets: linear, and the same everywhere.
fn crc(key: FragmentKey) -> u32 {
    let (addresses, rest) = key.words();
    let bytes = addresses.to_be_bytes().into_iter().chain(rest.to_be_bytes());
    bytes.fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 })
    })
}

/// Keys that differ by what a linear hash does not see: all of them are in one of its buckets, whatever it adds to them.
#[test]
fn keys_chosen_against_a_linear_hash_do_not_gather() {
    let table = FragmentTable::new(CAPACITY, RandomState::new());
    let mask = table.buckets.len() as u32 - 1;
    let key = |bits: u64| FragmentKey { destination: (bits >> 16) as u32, id: bits as u16, ..SENT };
    let change = |bits: u64| (crc(key(bits)) ^ crc(key(0))) & mask;
    // Gauss: changes that are independent of each other, and those that make no difference to the bucket.
    let (mut pivots, mut unseen): (Vec<(u64, u32)>, Vec<u64>) = (Vec::new(), Vec::new());
    for bit in 0..48 {
        let (mut bits, mut image) = (1u64 << bit, change(1 << bit));
        for (other, pivot) in &pivots {
            if image ^ pivot < image {
                (bits, image) = (bits ^ other, image ^ pivot);
            }
        }
        if image == 0 {
            unseen.push(bits)
        } else {
            pivots.push((bits, image))
        }
        pivots.sort_by_key(|(_, image)| std::cmp::Reverse(*image));
    }
    assert_eq!((pivots.len(), unseen.len()), (10, 38));
    let chosen = |n: u32| {
        let parts = unseen[..20].iter().enumerate().filter(|(at, _)| n >> at & 1 == 1);
        key(parts.fold(0, |bits, (_, part)| bits ^ part))
    };
    assert!((0..5000).map(|n| chosen(n * 200)).all(|chosen| crc(chosen) & mask == crc(key(0)) & mask));
    assert_even(&table, (0..1 << 20).map(chosen), "linear");
}

/// Who runs this very program finds keys for one bucket of his own; here, with another secret, they are like any others.
#[test]
fn keys_chosen_with_the_same_program_and_another_secret_do_not_gather() {
    let theirs = FragmentTable::new(2, RandomState::new());
    let all = (0..u32::MAX).map(|n| FragmentKey { destination: n, ..SENT });
    let chosen: Vec<_> = all.filter(|key| theirs.bucket(*key) == 0).take(KEYS as usize).collect();
    for capacity in [2, CAPACITY] {
        assert_even(&FragmentTable::new(capacity, RandomState::new()), chosen.iter().copied(), "another's bucket");
    }
}

#[test]
fn another_secret_is_another_order() {
    let keys = || (0..1000u16).map(|id| FragmentKey { id, ..key(0) });
    let [one, other] = [0, 1].map(|_| FragmentTable::new(CAPACITY, RandomState::new()));
    let same = keys().filter(|k| one.bucket(*k) == other.bucket(*k)).count();
    assert!(same < 50, "{same} of 1,000 keys in the same of 1,024 buckets");
    let shared = [0, 1].map(|_| Fragments::new());
    let [a, b] = shared.each_ref().map(|f| f.of(Direction::Inbound));
    assert!(keys().all(|k| a.bucket(k) == b.bucket(k)), "one secret a process");
}
