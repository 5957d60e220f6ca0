//! Which sessions and rules a packet was tried against, in order. What a rule says is asked of the very classifier that
//! workers use, with fewer rules or fewer fields.

use serde_json::{Value, json};

use crate::classify::rule::{Action, Protocol, Rule};
use crate::classify::{Compiled, Keys, Verdict};
use crate::control::answers;
use crate::control::compile::rules_of;
use crate::control::model::{FilterRule, Model, Session};
use crate::datapath::key;
use crate::packet::{BURST, Direction, Headers};

/// Every session of the source `eni` (its index in the model), those that are not enabled too, in session order. With
/// `asked` no rule was looked at.
pub(super) fn sessions(model: &Model, eni: usize, direction: Direction, asked: Option<&Headers>) -> Value {
    let mut sessions: Vec<&Session> = model.sessions.iter().filter(|s| s.sources.contains(&eni)).collect();
    sessions.sort_by_key(|s| s.priority);
    let rules: Vec<&FilterRule> =
        sessions.iter().filter(|s| s.enabled).flat_map(|s| rules_of(&model.filters[s.filter], direction)).collect();
    let decides = asked.and_then(|headers| first(&rules, headers));
    let mut index = 0;
    let list = sessions.into_iter().map(|session| {
        let filter = &model.filters[session.filter];
        let mut value = json!({
            "session": &*session.id, "priority": session.priority, "filter": &*filter.id, "result": "not_enabled",
            "rules": [],
        });
        if !session.enabled {
            return value;
        }
        let begin = index;
        let rules = rules_of(filter, direction).iter().map(|rule| {
            let result = judged(rule, index, decides, asked);
            index += 1;
            result
        });
        value["rules"] = rules.collect();
        value["result"] = json!(match (asked, decides) {
            (None, _) => "not_asked",
            (_, Some((at, _))) if at < begin => "not_reached",
            (_, Some((at, _))) if at < index => "decided",
            _ if begin == index => "no_rules",
            _ => "no_rule_matched",
        });
        value
    });
    list.collect()
}

/// The rule at which the search ends, and whether it ends there because the packet's ports are not known.
fn first(rules: &[&FilterRule], headers: &Headers) -> Option<(usize, bool)> {
    let plain: Vec<Rule> = rules.iter().map(|r| r.rule).collect();
    let ends = |count: usize| ask(&plain[..count], headers) != Verdict::None;
    // The search ends at the first rule without which it would not have ended.
    let count = (1..=plain.len()).find(|count| ends(*count))?;
    Some((count - 1, ask(&plain[..count], headers) == Verdict::Unknown))
}

fn ask(rules: &[Rule], headers: &Headers) -> Verdict {
    let (mut keys, mut verdicts) = (Keys::default(), [Verdict::None; BURST]);
    keys.push(key(headers));
    if let Ok(classifier) = Compiled::new(rules) {
        classifier.classify(&keys, &mut verdicts);
    }
    verdicts[0]
}

/// A rule, what became of it, and which of its fields the packet does not fit.
fn judged(rule: &FilterRule, index: usize, decides: Option<(usize, bool)>, asked: Option<&Headers>) -> Value {
    let mut value = answers::rule(rule);
    let (result, headers) = match (asked, decides) {
        (None, _) => ("not_asked", None),
        (_, Some((at, _))) if at < index => ("not_reached", None),
        (_, Some((at, false))) if at == index => ("matched", None),
        (_, Some((at, true))) if at == index => ("ports_unknown", None),
        (headers, _) => ("no_match", headers),
    };
    value["result"] = json!(result);
    if let Some(headers) = headers {
        value["differs"] = json!(differs(&rule.rule, headers));
    }
    value
}

/// Fields that do not match: each is tried alone.
fn differs(rule: &Rule, headers: &Headers) -> Vec<&'static str> {
    let any = Rule {
        src: ipnet::Ipv4Net::default(),
        dst: ipnet::Ipv4Net::default(),
        protocol: Protocol::All,
        src_ports: None,
        dst_ports: None,
        action: Action::Accept,
    };
    let alone = [
        ("source", Rule { src: rule.src, ..any }),
        ("destination", Rule { dst: rule.dst, ..any }),
        ("protocol", Rule { protocol: rule.protocol, ..any }),
        ("source_ports", Rule { src_ports: rule.src_ports, ..any }),
        ("destination_ports", Rule { dst_ports: rule.dst_ports, ..any }),
    ];
    alone.iter().filter(|(_, rule)| ask(&[*rule], headers) == Verdict::None).map(|(field, _)| *field).collect()
}
