//! Writes, spelled as requests and applied to what a client knows.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::objects::{Filter, Objects, Place, RULE, Rule, SIDES, Session, target, text};
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
