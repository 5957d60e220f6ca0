//! Writes: drawn, spelled as requests, and applied to what a client knows.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::objects::{Filter, Objects, Place, RULE, Rule, SIDES, SOURCES, Session, source, target, text};
use crate::random::Random;
use crate::rpc::Params;

/// A write. Objects go by name.
#[derive(Clone, Debug)]
pub enum Op {
    CreateFilter(String, Filter),
    Describe(String, String),
    DeleteFilter(String),
    AddRules(String, Vec<(Place, Rule)>),
    ChangeRule(String, Place, Rule),
    DeleteRules(String, Vec<Place>),
    CreateSession(String, Session),
    /// All that an update can change.
    ChangeSession(String, Session),
    DeleteSession(String),
    AddSources(String, BTreeSet<String>),
    RemoveSources(String, BTreeSet<String>),
    /// The same tag for several objects: filters, or else sessions.
    Tag(bool, Vec<String>, (String, String)),
    Untag(bool, Vec<String>, String),
}

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

impl Op {
    pub fn action(&self) -> &'static str {
        match self {
            Op::CreateFilter(..) => "CreateTrafficMirrorFilter",
            Op::Describe(..) => "UpdateTrafficMirrorFilterAttribute",
            Op::DeleteFilter(_) => "DeleteTrafficMirrorFilter",
            Op::AddRules(..) => "CreateTrafficMirrorFilterRules",
            Op::ChangeRule(..) => "UpdateTrafficMirrorFilterRuleAttribute",
            Op::DeleteRules(..) => "DeleteTrafficMirrorFilterRules",
            Op::CreateSession(..) => "CreateTrafficMirrorSession",
            Op::ChangeSession(..) => "UpdateTrafficMirrorSessionAttribute",
            Op::DeleteSession(_) => "DeleteTrafficMirrorSession",
            Op::AddSources(..) => "AddSourcesToTrafficMirrorSession",
            Op::RemoveSources(..) => "RemoveSourcesFromTrafficMirrorSession",
            Op::Tag(..) => "TagResources",
            Op::Untag(..) => "UnTagResources",
        }
    }

    /// Its parameters; `objects` are those before it.
    pub fn params(&self, objects: &Objects, client: u64) -> Params {
        let filter = |name: &str| ("TrafficMirrorFilterId", objects.filters[name].id.clone());
        let session = |name: &str| ("TrafficMirrorSessionId", objects.sessions[name].id.clone());
        let mut out = Out(Params::new());
        match self {
            Op::CreateFilter(name, new) => {
                out.add("TrafficMirrorFilterName", name);
                out.rules(new.rules.iter());
                for (n, (key, value)) in new.tags.iter().enumerate() {
                    out.tag(n + 1, key, value);
                }
            }
            Op::Describe(name, description) => {
                out.pair(filter(name));
                out.add("TrafficMirrorFilterDescription", description);
            }
            Op::DeleteFilter(name) => out.pair(filter(name)),
            Op::AddRules(name, rules) => {
                out.pair(filter(name));
                out.rules(rules.iter().map(|(place, rule)| (place, rule)));
            }
            Op::ChangeRule(_, (_, priority), rule) => {
                out.add("TrafficMirrorFilterRuleId", &rule.id);
                out.add("Priority", &priority.to_string());
                out.add("RuleAction", &rule.fields[0]);
                RULE.iter().zip(&rule.fields).skip(1).for_each(|(name, value)| out.add(name, value));
            }
            Op::DeleteRules(name, places) => {
                out.pair(filter(name));
                out.list("TrafficMirrorFilterRuleIds", places.iter().map(|p| &objects.filters[name].rules[p].id));
            }
            Op::CreateSession(name, new) => {
                out.add("TrafficMirrorSessionName", name);
                out.add("TrafficMirrorTargetId", &target(client));
                out.add("TrafficMirrorTargetType", "NetworkInterface");
                out.add("Priority", &new.priority.to_string());
                out.list("TrafficMirrorSourceIds", &new.sources);
                out.settings(new, filter(&new.filter));
            }
            Op::ChangeSession(name, new) => {
                out.pair(session(name));
                out.settings(new, filter(&new.filter));
            }
            Op::DeleteSession(name) => out.pair(session(name)),
            Op::AddSources(name, sources) | Op::RemoveSources(name, sources) => {
                out.pair(session(name));
                out.list("TrafficMirrorSourceIds", sources);
            }
            Op::Tag(of_filters, names, (key, value)) => {
                out.resources(*of_filters, names, objects);
                out.tag(1, key, value);
            }
            Op::Untag(of_filters, names, key) => {
                out.resources(*of_filters, names, objects);
                out.add("TagKey.1", key);
            }
        }
        out.0
    }

    /// What it makes of `objects`. Of a write that was not answered (`null`) ids stay unknown.
    pub fn apply(&self, objects: &mut Objects, answer: &Value) {
        let Objects { filters, sessions } = objects;
        match self {
            Op::CreateFilter(name, new) => {
                let id = text(answer, "TrafficMirrorFilterId");
                filters.insert(name.clone(), Filter { id, ..new.clone() });
            }
            Op::Describe(name, text) => filters.get_mut(name).unwrap().description.clone_from(text),
            Op::DeleteFilter(name) => drop(filters.remove(name)),
            Op::AddRules(name, rules) => {
                let mut made = SIDES.map(|list| answer[list].as_array().into_iter().flatten());
                for (place, rule) in rules {
                    let id = made[place.0].next().map(|made| text(made, "InstanceId")).unwrap_or_default();
                    filters.get_mut(name).unwrap().rules.insert(*place, Rule { id, ..rule.clone() });
                }
            }
            Op::ChangeRule(name, place, rule) => {
                filters.get_mut(name).unwrap().rules.insert(*place, rule.clone());
            }
            Op::DeleteRules(name, places) => {
                filters.get_mut(name).unwrap().rules.retain(|place, _| !places.contains(place));
            }
            Op::CreateSession(name, new) => {
                let id = text(answer, "TrafficMirrorSessionId");
                sessions.insert(name.clone(), Session { id, ..new.clone() });
            }
            Op::ChangeSession(name, new) => drop(sessions.insert(name.clone(), new.clone())),
            Op::DeleteSession(name) => drop(sessions.remove(name)),
            Op::AddSources(name, more) => sessions.get_mut(name).unwrap().sources.extend(more.iter().cloned()),
            Op::RemoveSources(name, fewer) => {
                sessions.get_mut(name).unwrap().sources.retain(|source| !fewer.contains(source));
            }
            Op::Tag(of_filters, names, (key, value)) => {
                each_tags(objects, *of_filters, names, |tags| drop(tags.insert(key.clone(), value.clone())));
            }
            Op::Untag(of_filters, names, key) => {
                each_tags(objects, *of_filters, names, |tags| drop(tags.remove(key)));
            }
        }
    }
}

fn each_tags(objects: &mut Objects, of_filters: bool, names: &[String], edit: impl Fn(&mut BTreeMap<String, String>)) {
    for name in names {
        let tags = match of_filters {
            true => &mut objects.filters.get_mut(name).unwrap().tags,
            false => &mut objects.sessions.get_mut(name).unwrap().tags,
        };
        edit(tags);
    }
}

/// Parameters in the making.
struct Out(Params);

impl Out {
    fn add(&mut self, name: &str, value: &str) {
        self.0.push((name.to_owned(), value.to_owned()));
    }

    fn pair(&mut self, (name, value): (&str, String)) {
        self.0.push((name.to_owned(), value));
    }

    fn list<'a>(&mut self, name: &str, values: impl IntoIterator<Item = &'a String>) {
        values.into_iter().enumerate().for_each(|(n, value)| self.add(&format!("{name}.{}", n + 1), value));
    }

    fn tag(&mut self, n: usize, key: &str, value: &str) {
        self.add(&format!("Tag.{n}.Key"), key);
        self.add(&format!("Tag.{n}.Value"), value);
    }

    fn rules<'a>(&mut self, rules: impl Iterator<Item = (&'a Place, &'a Rule)>) {
        let mut counts = [0; 2];
        for ((side, priority), rule) in rules {
            counts[*side] += 1;
            let prefix = format!("{}.{}", SIDES[*side], counts[*side]);
            self.add(&format!("{prefix}.Priority"), &priority.to_string());
            RULE.iter().zip(&rule.fields).for_each(|(name, value)| self.add(&format!("{prefix}.{name}"), value));
        }
    }

    fn settings(&mut self, session: &Session, filter: (&str, String)) {
        self.pair(filter);
        self.add("PacketLength", &session.packet_length.to_string());
        self.add("VirtualNetworkId", &session.vni.to_string());
        self.add("Enabled", &session.enabled.to_string());
    }

    fn resources(&mut self, of_filters: bool, names: &[String], objects: &Objects) {
        self.add("ResourceType", if of_filters { "TRAFFICMIRRORFILTER" } else { "TRAFFICMIRRORSESSION" });
        let id = |name: &String| if of_filters { &objects.filters[name].id } else { &objects.sessions[name].id };
        self.list("ResourceId", names.iter().map(id));
    }
}
