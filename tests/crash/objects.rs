//! Filters and sessions as a client knows them, and as the switch lists them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::rpc::Rpc;

/// Clients of a switch.
pub const CLIENTS: u64 = 4;
/// Sources of a client.
pub const SOURCES: u64 = 4;

/// Parameters of a rule beside its priority, in this order.
pub const RULE: [&str; 4] = ["Action", "Protocol", "SourceCidrBlock", "DestinationPortRange"];
/// Directions, as lists of rules go by.
pub const SIDES: [&str; 2] = ["IngressRules", "EgressRules"];

/// A client's source.
pub fn source(client: u64, n: u64) -> String {
    format!("eni-{client}-{n}")
}

/// A client's target.
pub fn target(client: u64) -> String {
    format!("eni-{client}-target")
}

/// A rule's side and priority.
pub type Place = (usize, u32);

/// A rule; its id is empty while the client does not know it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    pub id: String,
    pub fields: [String; 4],
}

/// A filter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub id: String,
    pub description: String,
    pub tags: BTreeMap<String, String>,
    pub rules: BTreeMap<Place, Rule>,
}

/// A session; its filter goes by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    pub id: String,
    pub tags: BTreeMap<String, String>,
    pub filter: String,
    pub sources: BTreeSet<String>,
    pub priority: u64,
    pub packet_length: u64,
    pub vni: u64,
    pub enabled: bool,
}

/// What a client has, by name. Names are unique, as clients see to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Objects {
    pub filters: BTreeMap<String, Filter>,
    pub sessions: BTreeMap<String, Session>,
}

impl Objects {
    /// What the switch lists, by client. Panics where an object is there twice or belongs to nobody.
    pub fn listed(rpc: &mut Rpc) -> Vec<Objects> {
        let mut list = |kind: &str| {
            let all = [("MaxResults".to_owned(), "100".to_owned())];
            let mut answer = rpc.call(&format!("List{kind}"), &all).unwrap().unwrap();
            assert!(answer["NextToken"].is_null(), "more than a page");
            let Value::Array(list) = answer[kind].take() else { panic!("{answer}") };
            list
        };
        let mut all = vec![Objects::default(); CLIENTS as usize];
        let mut names = BTreeMap::new();
        for filter in list("TrafficMirrorFilters") {
            let (name, id) = (text(&filter, "TrafficMirrorFilterName"), text(&filter, "TrafficMirrorFilterId"));
            names.insert(id, name.clone());
            let twice = owner(&mut all, &name).filters.insert(name.clone(), Filter::read(&filter));
            assert!(twice.is_none(), "filter {name} is there twice");
        }
        for session in list("TrafficMirrorSessions") {
            let name = text(&session, "TrafficMirrorSessionName");
            let filter = names.get(&text(&session, "TrafficMirrorFilterId"));
            let filter = filter.unwrap_or_else(|| panic!("session {name} has a filter that is not there: {session}"));
            let read = Session { filter: filter.clone(), ..Session::read(&session) };
            let twice = owner(&mut all, &name).sessions.insert(name.clone(), read);
            assert!(twice.is_none(), "session {name} is there twice");
        }
        all
    }

    /// Fills in ids that the client does not know, from objects that go by the same name.
    pub fn with_ids_of(mut self, found: &Objects) -> Self {
        for (name, filter) in &mut self.filters {
            let Some(found) = found.filters.get(name) else { continue };
            fill(&mut filter.id, &found.id);
            for (place, rule) in &mut filter.rules {
                found.rules.get(place).iter().for_each(|found| fill(&mut rule.id, &found.id));
            }
        }
        for (name, session) in &mut self.sessions {
            found.sessions.get(name).iter().for_each(|found| fill(&mut session.id, &found.id));
        }
        self
    }

    /// Objects that are not the same in both, a line each.
    pub fn differences(&self, other: &Objects) -> String {
        fn lines<T: PartialEq + std::fmt::Debug>(a: &BTreeMap<String, T>, b: &BTreeMap<String, T>) -> String {
            let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
            let differ = names.into_iter().filter(|name| a.get(*name) != b.get(*name));
            differ.map(|name| format!("  {name}: {:?}\n    but listed: {:?}\n", a.get(name), b.get(name))).collect()
        }
        lines(&self.filters, &other.filters) + &lines(&self.sessions, &other.sessions)
    }
}

impl Filter {
    fn read(listed: &Value) -> Self {
        let mut filter = Filter {
            id: text(listed, "TrafficMirrorFilterId"),
            description: text(listed, "TrafficMirrorFilterDescription"),
            tags: tags(listed),
            rules: BTreeMap::new(),
        };
        for (side, list) in SIDES.into_iter().enumerate() {
            for rule in listed[list].as_array().unwrap() {
                let read =
                    Rule { id: text(rule, "TrafficMirrorFilterRuleId"), fields: RULE.map(|name| text(rule, name)) };
                let place = (side, rule["Priority"].as_u64().unwrap() as u32);
                assert!(filter.rules.insert(place, read).is_none(), "a priority twice: {listed}");
            }
        }
        filter
    }
}

impl Session {
    fn read(listed: &Value) -> Self {
        let number = |name: &str| listed[name].as_u64().unwrap();
        let sources = listed["TrafficMirrorSourceIds"].as_array().unwrap();
        Session {
            id: text(listed, "TrafficMirrorSessionId"),
            tags: tags(listed),
            filter: String::new(),
            sources: sources.iter().map(|s| s.as_str().unwrap().to_owned()).collect(),
            priority: number("Priority"),
            packet_length: number("PacketLength"),
            vni: number("VirtualNetworkId"),
            enabled: listed["Enabled"].as_bool().unwrap(),
        }
    }
}

/// Names begin with their client's number.
fn owner<'a>(all: &'a mut [Objects], name: &str) -> &'a mut Objects {
    let client: usize = name.split('-').next().unwrap().parse().unwrap_or_else(|_| panic!("whose is {name:?}?"));
    &mut all[client]
}

fn fill(id: &mut String, found: &str) {
    if id.is_empty() {
        found.clone_into(id);
    }
}

pub fn text(object: &Value, name: &str) -> String {
    object[name].as_str().unwrap_or_default().to_owned()
}

fn tags(listed: &Value) -> BTreeMap<String, String> {
    listed["Tags"].as_array().unwrap().iter().map(|tag| (text(tag, "Key"), text(tag, "Value"))).collect()
}
