//! Which worker owns which ENI: a pure function. ENIs of one instance stay together, and nothing that was placed moves.

use std::collections::HashMap;
use std::sync::Arc;

/// An ENI to place.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// The ENI.
    pub eni: Arc<str>,
    /// The instance it belongs to, or the ENI's own id when it has none.
    pub group: Arc<str>,
}

/// Places every candidate on one of `workers` workers (at least one). A group stays where one of its ENIs was
/// `before`; a new group goes where the fewest ENIs are, the lowest number among equals. The candidates' order decides
/// ties, so sorted input gives the same answer on every run.
#[must_use]
pub fn place(candidates: &[Candidate], before: &HashMap<Arc<str>, usize>, workers: usize) -> HashMap<Arc<str>, usize> {
    let workers = workers.max(1);
    let mut load = vec![0usize; workers];
    let mut groups: HashMap<&str, usize> = HashMap::new();
    for c in candidates {
        if let Some(worker) = before.get(&c.eni).filter(|w| **w < workers) {
            groups.entry(&c.group).or_insert(*worker);
        }
    }
    for c in candidates {
        if let Some(worker) = groups.get(&*c.group) {
            load[*worker] += 1;
        }
    }
    let mut placed = HashMap::new();
    for c in candidates {
        let worker = match groups.get(&*c.group) {
            Some(worker) => *worker,
            None => {
                let least = (0..workers).min_by_key(|w| load[*w]).unwrap_or(0);
                load[least] += candidates.iter().filter(|o| o.group == c.group).count();
                groups.insert(&c.group, least);
                least
            }
        };
        placed.insert(c.eni.clone(), worker);
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn candidate(eni: u16, group: u16) -> Candidate {
        Candidate { eni: format!("eni-{eni}").into(), group: format!("i-{group}").into() }
    }

    proptest! {
        #[test]
        fn groups_stay_together_nothing_moves_and_load_is_even(
            groups in proptest::collection::vec(0u16..20, 1..60), more in 0usize..20, workers in 1usize..9
        ) {
            let all: Vec<_> = groups.iter().enumerate().map(|(i, g)| candidate(i as u16, *g)).collect();
            let first = place(&all[..all.len().saturating_sub(more)], &HashMap::new(), workers);
            let second = place(&all, &first, workers);
            for (eni, worker) in &first {
                prop_assert_eq!(second[eni], *worker);
            }
            for a in &all {
                for b in &all {
                    if a.group == b.group {
                        prop_assert_eq!(second[&a.eni], second[&b.eni]);
                    }
                }
            }
        }
    }

    #[test]
    fn single_enis_are_spread_evenly() {
        let all: Vec<_> = (0..64).map(|i| candidate(i, i)).collect();
        let placed = place(&all, &HashMap::new(), 4);
        for worker in 0..4 {
            assert_eq!(placed.values().filter(|w| **w == worker).count(), 16);
        }
    }
}
