//! What of the desired state concerns this host: the model that is compiled, and whether a change touches it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::desired::{Change, Desired};
use super::session::{MirrorSession, TargetType};
use crate::control::model::{Model, Session, Target};

impl Desired {
    /// The inventory, and the sessions that have a source on this host with their filters.
    #[must_use]
    pub fn model(&self) -> Model {
        let mut model = self.world.model.clone();
        let sessions: BTreeMap<&Arc<str>, &Arc<MirrorSession>> = model
            .enis
            .iter()
            .flat_map(|eni| self.index.sessions_of_source(&eni.id))
            .filter_map(|id| self.sessions.get_key_value(id))
            .collect();
        let mut filters: BTreeMap<&Arc<str>, usize> = BTreeMap::new();
        for session in sessions.into_values() {
            let Some(filter) = self.filters.get(&session.filter) else { continue };
            let place = *filters.entry(&session.filter).or_insert_with(|| {
                model.filters.push(filter.compiled());
                model.filters.len() - 1
            });
            model.sessions.push(self.compiled(session, place));
        }
        model
    }

    fn compiled(&self, session: &MirrorSession, filter: usize) -> Session {
        let (kind, id) = &session.target;
        Session {
            id: session.id.clone(),
            name: session.labels.name.clone(),
            enabled: session.enabled,
            locked: self.world.is_locked(&session.account),
            priority: session.priority,
            packet_length: session.packet_length,
            vni: session.vni,
            filter,
            sources: session.sources.iter().filter_map(|id| self.world.local(id)).collect(),
            target: match kind {
                TargetType::NetworkInterface => {
                    self.world.local(id).map_or_else(|| Target::Away(id.to_string()), Target::Eni)
                }
                TargetType::Slb => Target::Slb(id.to_string()),
                TargetType::GatewayLoadBalancerEndpoint => Target::Gwlbe(id.to_string()),
            },
        }
    }

    /// A session's source is on this host.
    fn is_local(&self, session: &MirrorSession) -> bool {
        session.sources.iter().any(|source| self.world.local(source).is_some())
    }

    /// Workers must learn of a change before it is in force; asked before it is applied.
    #[must_use]
    pub fn concerns_workers(&self, change: &Change) -> bool {
        match change {
            Change::Session(id, after) => {
                let before = self.sessions.get(id);
                let runs = |s: Option<&Arc<MirrorSession>>| s.is_some_and(|s| s.enabled && self.is_local(s));
                let same = match (before, after) {
                    (Some(before), Some(after)) => before.same_but_labels(after),
                    _ => false,
                };
                !same && (runs(before) || runs(after.as_ref()))
            }
            Change::Filter(id, after) => {
                let same = match (self.filters.get(id), after) {
                    (Some(before), Some(after)) => before.ingress == after.ingress && before.egress == after.egress,
                    _ => false,
                };
                let runs = |id| self.sessions.get(id).is_some_and(|s| s.enabled && self.is_local(s));
                !same && self.index.sessions_of_filter(id).any(runs)
            }
            Change::World(_) => true,
            Change::Service(..) | Change::Token(..) => false,
        }
    }

    /// The local ENIs or sessions that are shown to operators change.
    #[must_use]
    pub fn concerns_host(&self, change: &Change) -> bool {
        match change {
            Change::Session(id, after) => {
                self.sessions.get(id).into_iter().chain(after).any(|session| self.is_local(session))
            }
            Change::Filter(id, _) => {
                let local = |id| self.sessions.get(id).is_some_and(|s| self.is_local(s));
                self.index.sessions_of_filter(id).any(local)
            }
            Change::World(_) => true,
            Change::Service(..) | Change::Token(..) => false,
        }
    }
}
