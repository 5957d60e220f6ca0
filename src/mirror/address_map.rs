//! A small read-only hash table from addresses to slots: open addressing, at most half full. Its keys come from the
//! platform's inventory, never from a guest, so the hash needs no secret.

/// Slot that no entry has.
const EMPTY: u32 = u32::MAX;

/// Addresses (IPv4 in the low 32 bits, or MAC in the low 48) to slots.
#[derive(Clone, Debug, Default)]
pub struct AddressMap {
    entries: Box<[(u64, u32)]>,
    shift: u32,
}

impl AddressMap {
    /// A table of these entries; of two with the same address the later wins. Slots are below `u32::MAX`.
    #[must_use]
    pub fn new(items: impl IntoIterator<Item = (u64, u32)>) -> Self {
        let items: Vec<_> = items.into_iter().collect();
        let size = (items.len().max(1) * 2).next_power_of_two();
        let mut map =
            AddressMap { entries: vec![(0, EMPTY); size].into_boxed_slice(), shift: 64 - size.trailing_zeros() };
        for (address, slot) in items {
            let mut at = map.home(address);
            while map.entries[at].1 != EMPTY && map.entries[at].0 != address {
                at = (at + 1) & (size - 1);
            }
            map.entries[at] = (address, slot);
        }
        map
    }

    #[inline]
    fn home(&self, address: u64) -> usize {
        (address.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> self.shift) as usize
    }

    /// The slot of an address.
    #[inline]
    #[must_use]
    pub fn get(&self, address: u64) -> Option<u32> {
        if self.entries.is_empty() {
            return None;
        }
        let mut at = self.home(address);
        loop {
            let (key, slot) = self.entries[at];
            if slot == EMPTY {
                return None;
            }
            if key == address {
                return Some(slot);
            }
            at = (at + 1) & (self.entries.len() - 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    proptest! {
        #[test]
        fn equals_a_hash_map(items in proptest::collection::vec((0u64..64, 0u32..1000), 0..100)) {
            let map = AddressMap::new(items.clone());
            let oracle: HashMap<u64, u32> = items.into_iter().collect();
            for key in 0..64 {
                prop_assert_eq!(map.get(key), oracle.get(&key).copied());
            }
        }
    }

    #[test]
    fn an_empty_table_has_nothing() {
        assert_eq!(AddressMap::default().get(1), None);
        assert_eq!(AddressMap::new([]).get(0), None);
    }
}
