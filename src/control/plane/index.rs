//! Look-ups over all filters and sessions, kept in step with every change.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::filter::MirrorFilter;
use super::session::{MirrorSession, Target};

/// What the checks of a request ask, each answered without a walk over all sessions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    /// Sessions by account and priority.
    priorities: HashMap<Arc<str>, BTreeMap<u16, Arc<str>>>,
    /// Sessions that use a filter.
    by_filter: HashMap<Arc<str>, BTreeSet<Arc<str>>>,
    /// Sessions that have an ENI as source, by id; few.
    by_source: HashMap<Arc<str>, Vec<Arc<str>>>,
    /// Sessions and sources of a target. A target without sources is here, too.
    by_target: HashMap<Target, TargetUse>,
    /// Filters by rule.
    by_rule: HashMap<Arc<str>, Arc<str>>,
    /// Filters of an account.
    filters: HashMap<Arc<str>, usize>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct TargetUse {
    sessions: BTreeSet<Arc<str>>,
    /// By account, each with the number of sessions that connect the two. Several accounts may name one load balancer.
    sources: HashMap<Arc<str>, BTreeMap<Arc<str>, u32>>,
}

impl TargetUse {
    fn remove_sources(&mut self, session: &MirrorSession) {
        let Some(sources) = self.sources.get_mut(&session.account) else { return };
        for source in &session.sources {
            if let Some(count) = sources.get_mut(source) {
                *count -= 1;
                if *count == 0 {
                    sources.remove(source);
                }
            }
        }
        if sources.is_empty() {
            self.sources.remove(&session.account);
        }
    }
}

impl Index {
    /// Takes no more memory than needed.
    pub(super) fn pack(&mut self) {
        fn again<T: Default + IntoIterator + FromIterator<T::Item>>(tree: &mut T) {
            *tree = std::mem::take(tree).into_iter().collect();
        }
        self.priorities.values_mut().for_each(again);
        self.by_filter.values_mut().for_each(again);
        self.by_source.values_mut().for_each(Vec::shrink_to_fit);
        for used in self.by_target.values_mut() {
            again(&mut used.sessions);
            again(&mut used.sources);
        }
    }

    pub(super) fn add_filter(&mut self, filter: &MirrorFilter) {
        *self.filters.entry(filter.account.clone()).or_default() += 1;
        self.by_rule.extend(filter.all_rules().map(|(_, rule)| (rule.id.clone(), filter.id.clone())));
    }

    pub(super) fn remove_filter(&mut self, filter: &MirrorFilter) {
        if let Some(count) = self.filters.get_mut(&filter.account) {
            *count -= 1;
            if *count == 0 {
                self.filters.remove(&filter.account);
            }
        }
        filter.all_rules().for_each(|(_, rule)| drop(self.by_rule.remove(&rule.id)));
    }

    pub(super) fn add_session(&mut self, session: &MirrorSession) {
        let id = &session.id;
        self.priorities.entry(session.account.clone()).or_default().insert(session.priority, id.clone());
        self.by_filter.entry(session.filter.clone()).or_default().insert(id.clone());
        for source in &session.sources {
            let sessions = self.by_source.entry(source.clone()).or_default();
            sessions.insert(sessions.partition_point(|s| s < id), id.clone());
        }
        let used = self.by_target.entry(session.target.clone()).or_default();
        used.sessions.insert(id.clone());
        for source in &session.sources {
            let sources = used.sources.entry(session.account.clone()).or_default();
            *sources.entry(source.clone()).or_default() += 1;
        }
    }

    pub(super) fn remove_session(&mut self, session: &MirrorSession) {
        let id = &session.id;
        if let Some(priorities) = self.priorities.get_mut(&session.account) {
            priorities.remove(&session.priority);
            if priorities.is_empty() {
                self.priorities.remove(&session.account);
            }
        }
        if let Some(sessions) = self.by_filter.get_mut(&session.filter) {
            sessions.remove(id);
            if sessions.is_empty() {
                self.by_filter.remove(&session.filter);
            }
        }
        for source in &session.sources {
            if let Some(sessions) = self.by_source.get_mut(source) {
                sessions.retain(|s| s != id);
                if sessions.is_empty() {
                    self.by_source.remove(source);
                }
            }
        }
        if let Some(used) = self.by_target.get_mut(&session.target) {
            used.sessions.remove(id);
            used.remove_sources(session);
            if used.sessions.is_empty() {
                self.by_target.remove(&session.target);
            }
        }
    }

    /// The session of an account that has a priority.
    #[must_use]
    pub fn session_with_priority(&self, account: &str, priority: u16) -> Option<&Arc<str>> {
        self.priorities.get(account)?.get(&priority)
    }

    /// Sessions of an account.
    #[must_use]
    pub fn sessions_of_account(&self, account: &str) -> usize {
        self.priorities.get(account).map_or(0, BTreeMap::len)
    }

    /// Filters of an account.
    #[must_use]
    pub fn filters_of_account(&self, account: &str) -> usize {
        self.filters.get(account).copied().unwrap_or(0)
    }

    /// Sessions that use a filter.
    pub fn sessions_of_filter<'a>(&'a self, filter: &str) -> impl ExactSizeIterator<Item = &'a Arc<str>> + use<'a> {
        static NONE: BTreeSet<Arc<str>> = BTreeSet::new();
        self.by_filter.get(filter).unwrap_or(&NONE).iter()
    }

    /// Sessions that have an ENI as source.
    #[must_use]
    pub fn sessions_of_source(&self, eni: &str) -> &[Arc<str>] {
        self.by_source.get(eni).map_or(&[], Vec::as_slice)
    }

    /// Sessions that have a target.
    pub fn sessions_of_target<'a>(&'a self, target: &Target) -> impl Iterator<Item = &'a Arc<str>> + use<'a> {
        self.by_target.get(target).into_iter().flat_map(|used| &used.sessions)
    }

    /// Distinct sources of a target over all sessions of an account, with the number of sessions that each has with it.
    #[must_use]
    pub fn sources_of_target(&self, account: &str, target: &Target) -> Option<&BTreeMap<Arc<str>, u32>> {
        self.by_target.get(target)?.sources.get(account)
    }

    /// The filter that has a rule.
    #[must_use]
    pub fn filter_of_rule(&self, rule: &str) -> Option<&Arc<str>> {
        self.by_rule.get(rule)
    }
}
