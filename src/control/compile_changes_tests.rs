//! Compiling after any changes of the model gives what compiling from scratch gives.

use proptest::prelude::*;

use super::compile_tests::{FILTERS, SOURCES, compiled, meaning, rule, some_sources};
use super::model::Model;
use super::registry::Registry;
use crate::classify::rule::PortRange;

/// One change of a configuration.
#[derive(Clone, Debug)]
enum Change {
    Port { filter: usize, inbound: bool, rule: usize, port: u16 },
    Empty { filter: usize, inbound: bool },
    Add { filter: usize, inbound: bool, rule: usize, port: u16 },
    Session { session: usize, filter: usize, sources: Vec<usize> },
    Priority { session: usize, priority: u16 },
    Enabled { session: usize, enabled: bool },
    SwapFilters,
}

impl Change {
    fn apply(&self, model: &mut Model) {
        let mut rules = |filter: usize, inbound: bool| {
            let filter = &mut model.filters[filter];
            if inbound { std::mem::take(&mut filter.ingress) } else { std::mem::take(&mut filter.egress) }
        };
        let (filter, inbound, changed) = match *self {
            Change::Port { filter, inbound, rule: n, port } => {
                let mut rules = rules(filter, inbound);
                let len = rules.len().max(1);
                if let Some(changed) = rules.get_mut(n % len) {
                    changed.rule.dst_ports = Some(PortRange { first: port, last: port });
                }
                (filter, inbound, rules)
            }
            Change::Empty { filter, inbound } => (filter, inbound, Vec::new()),
            Change::Add { filter, inbound, rule: n, port } => {
                let mut rules = rules(filter, inbound);
                rules.insert(0, rule(filter, if inbound { "in" } else { "out" }, n, port));
                (filter, inbound, rules)
            }
            Change::Session { session: n, filter, ref sources } => {
                let changed = &mut model.sessions[n];
                (changed.filter, changed.sources) = (filter, sources.clone());
                return;
            }
            // Priorities stay unique: the session's number is the rest.
            Change::Priority { session, priority } => {
                model.sessions[session].priority = priority * 8 + session as u16;
                return;
            }
            Change::Enabled { session, enabled } => {
                model.sessions[session].enabled = enabled;
                return;
            }
            // Lists change their places, and ids are what tells filters apart.
            Change::SwapFilters => {
                model.filters.rotate_left(1);
                return;
            }
        };
        let filter = &mut model.filters[filter];
        *(if inbound { &mut filter.ingress } else { &mut filter.egress }) = changed;
    }
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let list = || (0..FILTERS, any::<bool>());
    let sources = prop::sample::subsequence((0..SOURCES).collect::<Vec<_>>(), 0..=SOURCES);
    let change = prop_oneof![
        3 => (list(), 0usize..4, 1u16..5).prop_map(|((filter, inbound), rule, port)| Change::Port { filter, inbound, rule, port }),
        1 => list().prop_map(|(filter, inbound)| Change::Empty { filter, inbound }),
        2 => (list(), 0usize..4, 0u16..5).prop_map(|((filter, inbound), rule, port)| Change::Add { filter, inbound, rule, port }),
        3 => (0usize..6, 0..FILTERS, sources).prop_map(|(session, filter, sources)| Change::Session { session, filter, sources }),
        2 => (0usize..6, 0u16..4).prop_map(|(session, priority)| Change::Priority { session, priority }),
        2 => (0usize..6, any::<bool>()).prop_map(|(session, enabled)| Change::Enabled { session, enabled }),
        1 => Just(Change::SwapFilters),
    ];
    prop::collection::vec(change, 1..12)
}

proptest! {
    #[test]
    fn compiling_after_changes_is_compiling_from_scratch(changes in changes()) {
        let (mut model, mut registry) = (some_sources(), Registry::new(1));
        compiled(&model, &mut registry);
        for change in changes {
            change.apply(&mut model);
            // Not what is tested, and large.
            let mut scratch = Registry { fragments: registry.fragments.clone(), ..Registry::new(1) };
            prop_assert_eq!(meaning(&compiled(&model, &mut registry)), meaning(&compiled(&model, &mut scratch)), "{:?}", change);
            prop_assert_eq!(registry.tables.iter().count(), scratch.tables.iter().count(), "tables in use, and no other");
        }
    }
}
