//! Ids and numbers that nobody can guess.

use std::sync::Arc;

/// Letters and digits behind the prefix.
const LENGTH: usize = 21;

/// A new id, such as `tmf-` and 21 letters and digits.
#[must_use]
pub fn fresh(prefix: &str) -> Arc<str> {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghijkmnpqrstuvwx";
    let mut bits = [random(), random()].into_iter().flat_map(u64::to_le_bytes);
    let mut id = String::with_capacity(prefix.len() + 1 + LENGTH);
    id.push_str(prefix);
    id.push('-');
    while id.len() < prefix.len() + 1 + LENGTH {
        let byte = bits.next().unwrap_or_else(|| random() as u8);
        id.push(char::from(ALPHABET[usize::from(byte) % ALPHABET.len()]));
    }
    id.into()
}

/// A random number.
#[must_use]
pub fn random() -> u64 {
    // A kernel without randomness has worse troubles; hash keys are random in their own way.
    getrandom::u64().unwrap_or_else(|_| {
        use std::hash::{BuildHasher, RandomState};
        RandomState::new().hash_one(std::time::Instant::now())
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashSet;

    #[test]
    fn ids_look_like_the_cloud_s_and_differ() {
        let ids: HashSet<_> = (0..1000).map(|_| super::fresh("tmf")).collect();
        assert_eq!(ids.len(), 1000);
        for id in ids {
            let rest = id.strip_prefix("tmf-").unwrap();
            assert!(rest.len() == 21 && rest.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()), "{id}");
            assert!(crate::control::id::is_id(&id));
        }
    }
}
