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

/// A million keys of each kind that a guest may choose, under different secrets: no bucket gets twice its share.
#[test]
fn chosen_keys_do_not_gather_in_a_bucket() {
    const KEYS: u32 = 1_000_000;
    let base = FragmentKey { source: 0x0a00_0001, destination: 0x0a00_0002, protocol: 17, id: 0 };
    type Choose = fn(FragmentKey, u32) -> FragmentKey;
    let kinds: [Choose; 5] = [
        |k, n| FragmentKey { id: n as u16, protocol: (n >> 16) as u8, ..k },
        |k, n| FragmentKey { destination: n, ..k },
        // Multiples of a power of two: what a hash that only masks puts into one bucket.
        |k, n| FragmentKey { destination: n << 12, id: n as u16, ..k },
        |k, n| FragmentKey { source: n.rotate_left(11), destination: n, ..k },
        // Both halves cancel under an exclusive or.
        |k, n| FragmentKey { source: n, destination: n, id: n as u16, ..k },
    ];
    let table = FragmentTable::new(CAPACITY, RandomState::new());
    for (kind, choose) in kinds.into_iter().enumerate() {
        let mut buckets = vec![0u32; table.buckets.len()];
        for n in 0..KEYS {
            buckets[table.bucket(choose(base, n)) as usize] += 1;
        }
        let mean = f64::from(KEYS) / buckets.len() as f64;
        let worst = f64::from(*buckets.iter().max().unwrap_or(&0));
        assert!(worst <= 2.0 * mean, "kind {kind}: worst bucket {worst}, mean {mean}");
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
