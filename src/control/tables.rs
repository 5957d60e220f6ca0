//! Rule tables, each compiled once and shared by all sources whose sessions have the same filters in the same order.
//!
//! A filter's rules of a direction are a list, and a list has a version as long as it does not change; so versions, in
//! session order, name a table. What a model does not use is forgotten with its compilation.

use std::collections::HashMap;
use std::sync::Arc;

use super::model::{Filter, FilterRule, Model, Session};
use crate::classify::rule::Action;
use crate::classify::{Compiled, TooManyRules};
use crate::mirror::session::{MirrorTable, Outcome};
use crate::packet::Direction;

/// A filter's rules of a direction, in order.
pub(crate) fn rules_of(filter: &Filter, direction: Direction) -> &[FilterRule] {
    match direction {
        Direction::Outbound => &filter.egress,
        Direction::Inbound => &filter.ingress,
    }
}

/// Version of a list without rules, whoever's it is.
const NO_RULES: u64 = 0;

/// Rules as they were compiled.
#[derive(Clone, Debug)]
struct List {
    version: u64,
    rules: Arc<[FilterRule]>,
}

/// The tables of one snapshot.
#[derive(Debug, Default)]
pub struct Tables {
    /// By filter id, then by direction.
    lists: HashMap<Arc<str>, [List; 2]>,
    /// By the versions of their lists.
    tables: HashMap<Box<[u64]>, Arc<MirrorTable>>,
    /// The highest version so far.
    version: u64,
}

impl Tables {
    /// All different tables, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<MirrorTable>> {
        self.tables.values()
    }

    /// The table of sessions that are in session priority order, in the model that these tables are of.
    pub(super) fn of(&self, model: &Model, sessions: &[&Session], direction: Direction) -> Option<&MirrorTable> {
        let version = |s: &&Session| Some(self.lists.get(&model.filters[s.filter].id)?[direction.index()].version);
        let versions: Option<Vec<u64>> = sessions.iter().map(version).collect();
        self.tables.get(&*name(versions?)).map(|table| &**table)
    }
}

/// What names a table: lists without rules count only by what comes after them.
fn name(mut versions: Vec<u64>) -> Box<[u64]> {
    versions.truncate(versions.iter().rposition(|v| *v != NO_RULES).map_or(0, |last| last + 1));
    versions.into_boxed_slice()
}

/// Tables for a model, made from those of the model before.
pub(super) struct Tabling<'a> {
    model: &'a Model,
    before: &'a Tables,
    now: Tables,
    /// Versions of lists, by filter and direction, of those filters that were asked for.
    versions: Vec<Option<[u64; 2]>>,
}

impl<'a> Tabling<'a> {
    pub(super) fn new(model: &'a Model, before: &'a Tables) -> Self {
        let now = Tables { version: before.version, ..Tables::default() };
        Tabling { model, before, now, versions: vec![None; model.filters.len()] }
    }

    /// The table of a source's sessions, which are in session priority order: the old one, if these lists had one.
    pub(super) fn table(
        &mut self,
        sessions: &[&Session],
        direction: Direction,
    ) -> Result<Arc<MirrorTable>, TooManyRules> {
        let name = name(sessions.iter().map(|s| self.versions(s.filter)[direction.index()]).collect());
        if let Some(table) = self.now.tables.get(&name) {
            return Ok(table.clone());
        }
        let table = match self.before.tables.get(&name) {
            Some(table) => table.clone(),
            None => Arc::new(compile(self.model, sessions, direction)?),
        };
        self.now.tables.insert(name, table.clone());
        Ok(table)
    }

    /// What to make the next model's tables from.
    pub(super) fn finish(self) -> Tables {
        self.now
    }

    /// The versions of a filter's lists: old ones, if they are as they were.
    fn versions(&mut self, index: usize) -> [u64; 2] {
        if let Some(versions) = self.versions[index] {
            return versions;
        }
        let filter = &self.model.filters[index];
        let before = self.before.lists.get(&filter.id);
        let lists = Direction::ALL.map(|direction| {
            let rules = rules_of(filter, direction);
            match before.map(|lists| &lists[direction.index()]) {
                Some(list) if *list.rules == *rules => list.clone(),
                _ if rules.is_empty() => List { version: NO_RULES, rules: Arc::default() },
                _ => {
                    self.now.version += 1;
                    List { version: self.now.version, rules: rules.into() }
                }
            }
        });
        let versions = [lists[0].version, lists[1].version];
        self.now.lists.insert(filter.id.clone(), lists);
        self.versions[index] = Some(versions);
        versions
    }
}

fn compile(model: &Model, sessions: &[&Session], direction: Direction) -> Result<MirrorTable, TooManyRules> {
    let lists = || sessions.iter().map(|s| rules_of(&model.filters[s.filter], direction));
    let count = lists().map(<[FilterRule]>::len).sum();
    let (mut rules, mut outcomes, mut ids) =
        (Vec::with_capacity(count), Vec::with_capacity(count), Vec::with_capacity(count));
    for (row, list) in lists().enumerate() {
        let row = row as u16;
        for filter_rule in list {
            rules.push(filter_rule.rule);
            ids.push(filter_rule.id.clone());
            outcomes.push(match filter_rule.rule.action {
                Action::Accept => Outcome::Mirror(row),
                Action::Drop => Outcome::Refuse(row),
            });
        }
    }
    Ok(MirrorTable {
        classifier: Compiled::new(&rules)?,
        outcomes: outcomes.into_boxed_slice(),
        rules: ids.into_boxed_slice(),
    })
}
