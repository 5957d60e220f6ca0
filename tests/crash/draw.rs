//! Writes that a client draws.

use std::collections::BTreeSet;

use crate::objects::{Filter, Objects, Place, Rule, SOURCES, Session, source};
use crate::op::Op;
use crate::random::Random;

/// Filters, and sessions, that a client has at most.
const FILTERS: usize = 5;
const SESSIONS: usize = 4;
/// Rules that a filter gets no more from.
const RULES: usize = 12;
/// Sessions that a source may be in.
const SESSIONS_PER_SOURCE: usize = 3;

/// Draws writes of a client.
pub struct Draw<'a> {
    pub random: &'a mut Random,
    pub objects: &'a Objects,
    pub client: u64,
    /// Counts what was drawn, for names and values that are new.
    pub count: &'a mut u64,
}

impl Draw<'_> {
    /// A write that will be accepted and changes something.
    pub fn op(&mut self) -> Op {
        *self.count += 1;
        loop {
            if let Some(op) = self.try_op() {
                return op;
            }
        }
    }

    fn try_op(&mut self) -> Option<Op> {
        let Objects { filters, sessions } = self.objects;
        let (fresh, new) = (*self.count, format!("{}-{}", self.client, self.count));
        match self.random.below(14) {
            0 | 1 if filters.len() < FILTERS => {
                let rules = self.rules(&Filter::default()).into_iter().collect();
                let tags = if self.random.one_in(2) { [self.tag()].into() } else { Default::default() };
                Some(Op::CreateFilter(new, Filter { rules, tags, description: String::new(), id: String::new() }))
            }
            2 => Some(Op::Describe(self.a_filter()?.0, format!("d{fresh}"))),
            3 => {
                let (name, _) = self.a_filter()?;
                let used = sessions.values().any(|session| session.filter == name);
                (!used).then_some(Op::DeleteFilter(name))
            }
            4 | 5 => {
                let (name, filter) = self.a_filter()?;
                (filter.rules.len() < RULES).then(|| Op::AddRules(name, self.rules(&filter)))
            }
            6 => {
                let (name, filter) = self.a_filter()?;
                let place = *self.random.pick(&known_rules(&filter))?;
                let rule = Rule { id: filter.rules[&place].id.clone(), ..self.rule() };
                (rule != filter.rules[&place]).then_some(Op::ChangeRule(name, place, rule))
            }
            7 => {
                let (name, filter) = self.a_filter()?;
                let places: Vec<Place> = known_rules(&filter).into_iter().filter(|_| self.random.one_in(2)).collect();
                (!places.is_empty()).then_some(Op::DeleteRules(name, places))
            }
            8 | 9 if sessions.len() < SESSIONS => {
                let filter = self.a_filter()?.0;
                let sources = self.sources(&BTreeSet::new());
                let priority = 1 + self.client * 8000 + fresh % 8000;
                let session = Session { filter, sources, priority, ..self.settings() };
                (!session.sources.is_empty()).then_some(Op::CreateSession(new, session))
            }
            10 => {
                let (name, before) = self.a_session()?;
                let filter = if self.random.one_in(2) { self.a_filter()?.0 } else { before.filter.clone() };
                let Session { packet_length, vni, enabled, .. } = self.settings();
                Some(Op::ChangeSession(name, Session { filter, packet_length, vni, enabled, ..before }))
            }
            11 => Some(Op::DeleteSession(self.a_session()?.0)),
            12 => {
                let (name, session) = self.a_session()?;
                if self.random.one_in(2) {
                    let sources = self.sources(&session.sources);
                    return (!sources.is_empty()).then_some(Op::AddSources(name, sources));
                }
                let sources: BTreeSet<String> = session.sources.into_iter().filter(|_| self.random.one_in(2)).collect();
                (!sources.is_empty()).then_some(Op::RemoveSources(name, sources))
            }
            13 => {
                let of_filters = self.random.one_in(2);
                let names: Vec<String> =
                    if of_filters { filters.keys().cloned().collect() } else { sessions.keys().cloned().collect() };
                let tags = |name: &String| if of_filters { &filters[name].tags } else { &sessions[name].tags };
                let (key, value) = self.tag();
                if self.random.one_in(3) {
                    let tagged: Vec<String> = names.into_iter().filter(|name| tags(name).contains_key(&key)).collect();
                    return (!tagged.is_empty()).then_some(Op::Untag(of_filters, tagged, key));
                }
                (!names.is_empty()).then_some(Op::Tag(of_filters, names, (key, value)))
            }
            _ => None,
        }
    }

    fn a_filter(&mut self) -> Option<(String, Filter)> {
        let all: Vec<_> = self.objects.filters.iter().collect();
        self.random.pick(&all).map(|(name, filter)| ((*name).clone(), (*filter).clone()))
    }

    fn a_session(&mut self) -> Option<(String, Session)> {
        let all: Vec<_> = self.objects.sessions.iter().collect();
        self.random.pick(&all).map(|(name, session)| ((*name).clone(), (*session).clone()))
    }

    /// One of four keys, and a value that no tag had before.
    fn tag(&mut self) -> (String, String) {
        (format!("k{}", self.random.below(4)), format!("v{}", self.count))
    }

    /// Some new rules of both directions, at least one.
    fn rules(&mut self, filter: &Filter) -> Vec<(Place, Rule)> {
        let count = 1 + self.random.below(6) as usize;
        let mut places = BTreeSet::new();
        while places.len() < count {
            let place = (self.random.below(2) as usize, 1 + self.random.below(1000) as u32);
            if !filter.rules.contains_key(&place) {
                places.insert(place);
            }
        }
        places.into_iter().map(|place| (place, self.rule())).collect()
    }

    fn rule(&mut self) -> Rule {
        let [action, protocol] = [["accept", "drop"], ["TCP", "UDP"]].map(|all| all[self.random.below(2) as usize]);
        let (net, port) = (self.random.below(256), self.random.below(60_000));
        let fields = [action.to_owned(), protocol.to_owned(), format!("10.{net}.0.0/16"), format!("{port}/{port}")];
        Rule { id: String::new(), fields }
    }

    /// Some sources of the client that may get one more session.
    fn sources(&mut self, already: &BTreeSet<String>) -> BTreeSet<String> {
        let sessions = |id: &String| self.objects.sessions.values().filter(|s| s.sources.contains(id)).count();
        let free = (0..SOURCES).map(|n| source(self.client, n)).filter(|id| sessions(id) < SESSIONS_PER_SOURCE);
        let free: Vec<String> = free.filter(|id| !already.contains(id)).collect();
        free.into_iter().filter(|_| self.random.one_in(2)).collect()
    }

    /// What a session can have new at any time.
    fn settings(&mut self) -> Session {
        Session {
            packet_length: 64 + self.random.below(1400),
            vni: self.random.below(1 << 24),
            enabled: self.random.one_in(2),
            ..Session::default()
        }
    }
}

/// Rules whose ids are known: those that came with their filter are not, until it is listed.
fn known_rules(filter: &Filter) -> Vec<Place> {
    filter.rules.iter().filter(|(_, rule)| !rule.id.is_empty()).map(|(place, _)| *place).collect()
}
