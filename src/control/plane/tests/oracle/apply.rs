//! What a request that was done makes of the twin.

use serde_json::Value;

use super::ask::{Ask, Names, RuleAsk, SessionAsk, pick};
use super::twin::{Filter, Rule, Session, Twin};
use crate::control::plane::tests::Kit;

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

impl Twin {
    pub(super) fn apply(&mut self, kit: &Kit, account: &'static str, ask: &Ask, names: &mut Names, answer: &Value) {
        match ask {
            Ask::Open => drop(self.open.insert(account)),
            Ask::Lock(true) => drop(self.locked.insert(account)),
            Ask::Lock(false) => drop(self.locked.remove(account)),
            Ask::Eni(eni, true) => drop(self.gone.remove(eni)),
            Ask::Eni(eni, false) => drop(self.gone.insert(eni)),
            Ask::CreateFilter(rules) => {
                let id = text(&answer["TrafficMirrorFilterId"]);
                let mut filter = Filter { id: id.clone(), account, rules: Vec::new() };
                filter.add(kit, rules, names);
                names.filters.push(id);
                self.filters.push(filter);
            }
            Ask::DeleteFilter(n) => {
                let id = pick(&names.filters, *n);
                self.filters.retain(|f| f.id != id);
            }
            Ask::CreateRules(n, rules) => {
                let id = pick(&names.filters, *n).to_owned();
                self.filters.iter_mut().filter(|f| f.id == id).for_each(|f| f.add(kit, rules, names));
            }
            Ask::UpdateRule(n, edit) => {
                let id = pick(&names.rules, *n);
                let rule = self.filters.iter_mut().flat_map(|f| &mut f.rules).find(|r| r.id == id).unwrap();
                rule.priority = edit.priority.unwrap_or(rule.priority);
                rule.protocol = edit.protocol.unwrap_or(rule.protocol);
                rule.ports = edit.ports.unwrap_or(rule.ports);
                if matches!(rule.protocol, "ALL" | "ICMP") {
                    rule.ports = "-1/-1";
                }
            }
            Ask::DeleteRules(_, rules) => {
                let ids: Vec<&str> = rules.iter().map(|n| pick(&names.rules, *n)).collect();
                self.filters.iter_mut().for_each(|f| f.rules.retain(|r| !ids.contains(&&*r.id)));
            }
            Ask::CreateSession(ask) => {
                let id = text(&answer["TrafficMirrorSessionId"]);
                names.sessions.push(id.clone());
                let random = || kit.listed_of(account, &id)["VirtualNetworkId"].as_u64().unwrap() as u32;
                let session = Session {
                    account,
                    filter: pick(&names.filters, ask.filter.unwrap()).to_owned(),
                    sources: ask.sources.clone(),
                    target: ask.target.unwrap(),
                    priority: ask.priority.unwrap(),
                    vni: ask.vni.unwrap_or_else(random),
                    length: ask.length.unwrap_or(1500),
                    enabled: ask.enabled.unwrap_or(false),
                    tagged: false,
                    id,
                };
                self.sessions.push(session);
            }
            Ask::UpdateSession(n, ask) => self.edit(pick(&names.sessions, *n), |s| s.update(ask, names)),
            Ask::DeleteSession(n) => {
                let id = pick(&names.sessions, *n);
                self.sessions.retain(|s| s.id != id);
            }
            Ask::Add(n, sources) => self.edit(pick(&names.sessions, *n), |s| s.sources.extend(sources)),
            Ask::Remove(n, sources) => {
                self.edit(pick(&names.sessions, *n), |s| s.sources.retain(|id| !sources.contains(id)));
            }
            Ask::Tag(n) => self.edit(pick(&names.sessions, *n), |s| s.tagged = true),
        }
    }

    fn edit(&mut self, id: &str, edit: impl FnOnce(&mut Session)) {
        edit(self.sessions.iter_mut().find(|s| s.id == id).unwrap());
    }
}

impl Session {
    fn update(&mut self, ask: &SessionAsk, names: &Names) {
        if let Some(n) = ask.filter {
            pick(&names.filters, n).clone_into(&mut self.filter);
        }
        self.target = ask.target.unwrap_or(self.target);
        self.priority = ask.priority.unwrap_or(self.priority);
        self.vni = ask.vni.unwrap_or(self.vni);
        self.length = ask.length.unwrap_or(self.length);
        self.enabled = ask.enabled.unwrap_or(self.enabled);
    }
}

impl Filter {
    /// New rules; their ids are what the list says of the direction and priority.
    fn add(&mut self, kit: &Kit, rules: &[RuleAsk], names: &mut Names) {
        let state = kit.control.lock();
        let filter = &state.desired.filters[&*self.id];
        for RuleAsk { ingress, edit } in rules {
            let list = if *ingress { &filter.ingress } else { &filter.egress };
            let rule = list.iter().find(|r| Some(r.priority) == edit.priority).unwrap();
            names.rules.push(rule.id.to_string());
            self.rules.push(Rule {
                id: rule.id.to_string(),
                ingress: *ingress,
                priority: rule.priority,
                protocol: edit.protocol.unwrap(),
                ports: edit.ports.unwrap_or("-1/-1"),
            });
        }
    }
}
