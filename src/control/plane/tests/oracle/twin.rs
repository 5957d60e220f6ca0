//! The slow, obvious twin: lists of objects, and the specification's words, each a walk over everything.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::ask::{Ask, Names, RuleAsk, RuleEdit, SessionAsk, pick};
use crate::control::plane::codes;
use crate::control::plane::session::TargetType;

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Rule {
    pub(super) id: String,
    pub(super) ingress: bool,
    pub(super) priority: u32,
    pub(super) protocol: &'static str,
    pub(super) ports: &'static str,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Filter {
    pub(super) id: String,
    pub(super) account: &'static str,
    pub(super) rules: Vec<Rule>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Session {
    pub(super) id: String,
    pub(super) account: &'static str,
    pub(super) filter: String,
    pub(super) sources: Vec<&'static str>,
    pub(super) target: (TargetType, &'static str),
    pub(super) priority: u32,
    pub(super) vni: u32,
    pub(super) length: u32,
    pub(super) enabled: bool,
    pub(super) tagged: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Twin {
    pub(super) open: BTreeSet<&'static str>,
    pub(super) locked: BTreeSet<&'static str>,
    /// ENIs that left the inventory.
    pub(super) gone: BTreeSet<&'static str>,
    pub(super) filters: Vec<Filter>,
    pub(super) sessions: Vec<Session>,
    /// By account and token: the request, and its answer.
    pub(super) tokens: BTreeMap<(&'static str, u8), (String, Value)>,
}

/// Reasons to refuse a request; it is done if there are none.
type Reasons = BTreeSet<String>;

/// Adds a reason if it holds.
fn say(reasons: &mut Reasons, holds: bool, code: &str) {
    if holds {
        reasons.insert(code.to_owned());
    }
}

fn missing(name: &str) -> String {
    format!("Missing{name}")
}

fn invalid(name: &str) -> String {
    format!("InvalidParameter.{name}")
}

fn has_ports(protocol: &str) -> bool {
    protocol == "TCP" || protocol == "UDP"
}

impl Twin {
    pub(super) fn owner(&self, eni: &str) -> Option<&'static str> {
        if eni == "eni-none" || self.gone.contains(eni) {
            return None;
        }
        Some(if eni.starts_with("eni-b") { "b" } else { "a" })
    }

    pub(super) fn filter(&self, account: &str, id: &str) -> Option<&Filter> {
        self.filters.iter().find(|f| f.id == id && f.account == account)
    }

    pub(super) fn session(&self, account: &str, id: &str) -> Option<&Session> {
        self.sessions.iter().find(|s| s.id == id && s.account == account)
    }

    fn rule(&self, account: &str, id: &str) -> Option<(&Filter, &Rule)> {
        let filters = self.filters.iter().filter(|f| f.account == account);
        filters.flat_map(|f| f.rules.iter().map(move |r| (f, r))).find(|(_, r)| r.id == id)
    }

    pub(super) fn judge(&self, account: &'static str, ask: &Ask, names: &Names) -> Reasons {
        let mut no = Reasons::new();
        say(&mut no, self.locked.contains(account), codes::LOCKED.code);
        say(&mut no, !matches!(ask, Ask::Open) && !self.open.contains(account), codes::NOT_OPEN.code);
        match ask {
            Ask::Open | Ask::Lock(_) | Ask::Eni(..) => {}
            Ask::CreateFilter(rules) => {
                let own = self.filters.iter().filter(|f| f.account == account).count();
                say(&mut no, own + 1 > 3, codes::QUOTA_FILTERS.code);
                new_rules(&[], rules, &mut no);
            }
            Ask::DeleteFilter(n) => match self.filter(account, pick(&names.filters, *n)) {
                None => say(&mut no, true, codes::FILTER_NOT_FOUND.code),
                Some(f) => say(&mut no, self.sessions.iter().any(|s| s.filter == f.id), codes::FILTER_IN_USE.code),
            },
            Ask::CreateRules(n, rules) => match self.filter(account, pick(&names.filters, *n)) {
                None => say(&mut no, true, codes::FILTER_NOT_FOUND.code),
                Some(filter) => {
                    say(&mut no, rules.is_empty(), &missing("IngressRules"));
                    new_rules(&filter.rules, rules, &mut no);
                }
            },
            Ask::UpdateRule(n, edit) => match self.rule(account, pick(&names.rules, *n)) {
                None => say(&mut no, true, codes::RULE_NOT_FOUND.code),
                Some((filter, rule)) => changed_rule(filter, rule, edit, &mut no),
            },
            Ask::DeleteRules(n, rules) => match self.filter(account, pick(&names.filters, *n)) {
                None => say(&mut no, true, codes::FILTER_NOT_FOUND.code),
                Some(filter) => {
                    say(&mut no, rules.is_empty(), &missing("TrafficMirrorFilterRuleIds"));
                    let ids: Vec<&str> = rules.iter().map(|n| pick(&names.rules, *n)).collect();
                    let known = ids.iter().all(|id| filter.rules.iter().any(|r| r.id == *id));
                    let once = ids.iter().collect::<BTreeSet<_>>().len() == ids.len();
                    say(&mut no, !known || !once, codes::RULE_NOT_FOUND.code);
                }
            },
            Ask::CreateSession(ask) => self.new_session(account, ask, names, &mut no),
            Ask::UpdateSession(n, ask) => match self.session(account, pick(&names.sessions, *n)) {
                None => say(&mut no, true, codes::SESSION_NOT_FOUND.code),
                Some(session) => self.changed_session(session, ask, names, &mut no),
            },
            Ask::DeleteSession(n) | Ask::Tag(n) => {
                let known = self.session(account, pick(&names.sessions, *n)).is_some();
                say(&mut no, !known, codes::SESSION_NOT_FOUND.code);
            }
            Ask::Add(n, sources) => match self.session(account, pick(&names.sessions, *n)) {
                None => say(&mut no, true, codes::SESSION_NOT_FOUND.code),
                Some(s) => self.new_sources(account, &s.sources, sources, s.target, &mut no),
            },
            Ask::Remove(n, sources) => match self.session(account, pick(&names.sessions, *n)) {
                None => say(&mut no, true, codes::SESSION_NOT_FOUND.code),
                Some(s) => {
                    say(&mut no, sources.is_empty(), &missing("TrafficMirrorSourceIds"));
                    let known = sources.iter().all(|id| s.sources.contains(id));
                    let once = sources.iter().collect::<BTreeSet<_>>().len() == sources.len();
                    say(&mut no, !known || !once, codes::SOURCE_NOT_THERE.code);
                }
            },
        }
        no
    }

    fn new_session(&self, account: &'static str, ask: &SessionAsk, names: &Names, no: &mut Reasons) {
        say(no, ask.filter.is_none(), &missing("TrafficMirrorFilterId"));
        say(no, ask.target.is_none(), &missing("TrafficMirrorTargetType"));
        say(no, ask.priority.is_none(), &missing("Priority"));
        let own = self.sessions.iter().filter(|s| s.account == account).count();
        say(no, own + 1 > 4, codes::QUOTA_SESSIONS.code);
        if let Some(n) = ask.filter {
            self.new_filter(account, pick(&names.filters, n), no);
        }
        if let Some(target) = ask.target {
            self.new_target(account, target, &ask.sources, no);
            self.new_sources(account, &[], &ask.sources, target, no);
        }
        self.values(account, None, ask, no);
    }

    fn changed_session(&self, session: &Session, ask: &SessionAsk, names: &Names, no: &mut Reasons) {
        let filter = ask.filter.map(|n| pick(&names.filters, n)).filter(|id| *id != session.filter);
        filter.into_iter().for_each(|id| self.new_filter(session.account, id, no));
        if let Some(target) = ask.target.filter(|target| *target != session.target) {
            self.new_target(session.account, target, &session.sources, no);
        }
        self.values(session.account, Some(&session.id), ask, no);
    }

    fn new_filter(&self, account: &str, id: &str, no: &mut Reasons) {
        say(no, self.filter(account, id).is_none(), codes::FILTER_NOT_FOUND.code);
        let users = self.sessions.iter().filter(|s| s.filter == id).count();
        say(no, users + 1 > 3, codes::QUOTA_SESSIONS_PER_FILTER.code);
    }

    /// What a session says in numbers; its own priority does not count.
    fn values(&self, account: &str, own: Option<&str>, ask: &SessionAsk, no: &mut Reasons) {
        let outside = |n: Option<u32>, least: u32, most: u32| n.is_some_and(|n| n < least || n > most);
        say(no, outside(ask.priority, 1, 32_766), &invalid("Priority"));
        say(no, outside(ask.vni, 0, 16_777_215), &invalid("VirtualNetworkId"));
        say(no, outside(ask.length, 64, 8500), &invalid("PacketLength"));
        let mut others = self.sessions.iter().filter(|s| s.account == account && Some(&*s.id) != own);
        say(no, others.any(|s| Some(s.priority) == ask.priority), codes::PRIORITY_TAKEN.code);
    }

    fn eni(&self, account: &str, eni: &str, no: &mut Reasons) {
        say(no, self.owner(eni) != Some(account), codes::ENI_NOT_FOUND.code);
        say(no, eni == "eni-managed" && self.owner(eni) == Some(account), codes::MANAGED_ENI.code);
    }

    fn new_target(
        &self,
        account: &str,
        target: (TargetType, &'static str),
        sources: &[&'static str],
        no: &mut Reasons,
    ) {
        if target.0 == TargetType::NetworkInterface {
            self.eni(account, target.1, no);
            let source = self.sessions.iter().any(|s| s.sources.contains(&target.1)) || sources.contains(&target.1);
            say(no, source, codes::ROLE_CONFLICT.code);
        }
        self.crowd(account, target, sources, no);
    }

    fn new_sources(
        &self,
        account: &str,
        already: &[&'static str],
        new: &[&'static str],
        target: (TargetType, &'static str),
        no: &mut Reasons,
    ) {
        say(no, new.is_empty(), &missing("TrafficMirrorSourceIds"));
        let is_target = |eni: &str| {
            let targets = self.sessions.iter().map(|s| s.target).chain([target]);
            targets.into_iter().any(|(kind, id)| kind == TargetType::NetworkInterface && id == eni)
        };
        for (n, eni) in new.iter().enumerate() {
            self.eni(account, eni, no);
            say(no, already.contains(eni) || new[..n].contains(eni), codes::SOURCE_TWICE.code);
            say(no, is_target(eni), codes::ROLE_CONFLICT.code);
            let sessions = self.sessions.iter().filter(|s| s.sources.contains(eni)).count();
            say(no, sessions + 1 > 2, codes::QUOTA_SESSIONS_PER_SOURCE.code);
        }
        say(no, already.len() + new.len() > 2, codes::QUOTA_SOURCES_PER_SESSION.code);
        self.crowd(account, target, new, no);
    }

    /// Distinct sources of a target.
    fn crowd(&self, account: &str, target: (TargetType, &'static str), new: &[&'static str], no: &mut Reasons) {
        let (limit, code) = match target.0 {
            TargetType::Slb => (2, codes::QUOTA_SLB_TARGET),
            TargetType::GatewayLoadBalancerEndpoint => (2, codes::QUOTA_GWLBE_TARGET),
            TargetType::NetworkInterface if target.1 == "eni-large" && !self.gone.contains("eni-large") => {
                (3, codes::QUOTA_LARGE_TARGET)
            }
            TargetType::NetworkInterface => (2, codes::QUOTA_SMALL_TARGET),
        };
        let sessions = self.sessions.iter().filter(|s| s.target == target && s.account == account);
        let before: BTreeSet<&str> = sessions.flat_map(|s| s.sources.iter().copied()).collect();
        let after: BTreeSet<&str> = before.iter().copied().chain(new.iter().copied()).collect();
        say(no, after.len() > before.len() && after.len() > limit, code.code);
    }
}

fn new_rules(before: &[Rule], new: &[RuleAsk], no: &mut Reasons) {
    say(no, before.len() + new.len() > 3 && !new.is_empty(), codes::QUOTA_RULES_PER_FILTER.code);
    for (n, RuleAsk { ingress, edit }) in new.iter().enumerate() {
        let list = if *ingress { "IngressRules" } else { "EgressRules" };
        say(no, edit.priority.is_none() || edit.protocol.is_none(), &missing(list));
        say(no, edit.priority.is_some_and(|p| !(1..=16_777_216).contains(&p)), &invalid(list));
        let ports = edit.ports.is_some_and(|p| p != "-1/-1") && edit.protocol.is_some_and(|p| !has_ports(p));
        say(no, ports, &invalid(list));
        let same = |other: bool, priority: Option<u32>| other == *ingress && priority == edit.priority;
        let taken = before.iter().any(|r| same(r.ingress, Some(r.priority)))
            || new[..n].iter().any(|r| same(r.ingress, r.edit.priority));
        say(no, taken, codes::PRIORITY_TAKEN.code);
    }
}

fn changed_rule(filter: &Filter, rule: &Rule, edit: &RuleEdit, no: &mut Reasons) {
    say(no, edit.priority.is_some_and(|p| !(1..=16_777_216).contains(&p)), &invalid("Priority"));
    let mut others = filter.rules.iter().filter(|r| r.id != rule.id && r.ingress == rule.ingress);
    say(no, others.any(|r| Some(r.priority) == edit.priority), codes::PRIORITY_TAKEN.code);
    let ports = edit.ports.is_some_and(|p| p != "-1/-1") && !has_ports(edit.protocol.unwrap_or(rule.protocol));
    say(no, ports, &invalid("DestinationPortRange"));
}

impl Twin {
    /// As lists show it; rules by priority.
    pub(super) fn listed_filters(&self, account: &str) -> Vec<Value> {
        let mut filters: Vec<&Filter> = self.filters.iter().filter(|f| f.account == account).collect();
        filters.sort_by(|a, b| a.id.cmp(&b.id));
        let rules = |filter: &Filter, ingress: bool| {
            let mut rules: Vec<&Rule> = filter.rules.iter().filter(|r| r.ingress == ingress).collect();
            rules.sort_by_key(|r| r.priority);
            rules.iter().map(|r| json!([r.id, r.priority, r.protocol, r.ports])).collect::<Value>()
        };
        filters.into_iter().map(|f| json!([f.id, rules(f, true), rules(f, false)])).collect()
    }

    pub(super) fn listed_sessions(&self, account: &str) -> Vec<Value> {
        let mut sessions: Vec<&Session> = self.sessions.iter().filter(|s| s.account == account).collect();
        sessions.sort_by(|a, b| a.id.cmp(&b.id));
        let listed = |s: &&Session| {
            let (kind, target) = s.target;
            json!([s.id, s.filter, s.sources, kind.name(), target, s.priority, s.vni, s.length, s.enabled, s.tagged])
        };
        sessions.iter().map(listed).collect()
    }
}
