//! Rules that no session breaks alone, over whatever could be read of each.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::config::Config;
use super::model::{Model, Target};
use super::objects::limit;
use super::raw::Sink;
use super::sessions::Draft;
use super::tables::rules_of;
use crate::packet::Direction;

/// Checks all sessions together.
pub(super) fn across(sink: &Sink, config: &Config, model: &Model, drafts: &[Draft]) {
    priorities(sink, config, model, drafts);
    sources(sink, config, model, drafts);
    quotas(sink, config, model, drafts);
    rules(sink, model, drafts);
}

/// The account that a session belongs to: its sources', or else its target's. `None` when a broken field hides it.
fn account<'a>(model: &'a Model, draft: &Draft) -> Option<&'a str> {
    let of = |eni: usize| model.enis[eni].owner.as_str();
    match (draft.sources.first(), &draft.target) {
        (Some(source), _) => Some(of(*source)),
        (None, _) if !draft.sources_known => None,
        (None, Some(Target::Eni(eni))) => Some(of(*eni)),
        (None, Some(_)) => Some(""),
        (None, None) => None,
    }
}

/// Priorities are unique per account (and region: a process has one), and an account has so many sessions.
fn priorities(sink: &Sink, config: &Config, model: &Model, drafts: &[Draft]) {
    let mut taken: HashMap<(&str, u16), &Draft> = HashMap::new();
    let mut sessions: HashMap<&str, usize> = HashMap::new();
    for draft in drafts {
        let Some(account) = account(model, draft) else { continue };
        *sessions.entry(account).or_default() += 1;
        let Some(priority) = draft.priority else { continue };
        match taken.get(&(account, priority)) {
            None => drop(taken.insert((account, priority), draft)),
            Some(other) => {
                let other = other.id.as_deref().unwrap_or(&other.path);
                let text = format!("session {other} of the account has it; priorities are unique");
                sink.report(format!("{}.Priority", draft.path), Some(&priority.into()), text);
            }
        }
    }
    let most = sessions.values().copied().max().unwrap_or(0);
    limit(sink, "TrafficMirrorSessions", most, config.quotas.sessions, "sessions of an account");
}

/// Sources are nobody's target, and of one account with each other and the target.
fn sources(sink: &Sink, config: &Config, model: &Model, drafts: &[Draft]) {
    let as_eni = |draft: &Draft| if let Some(Target::Eni(eni)) = draft.target { Some(eni) } else { None };
    let targets: HashSet<usize> = drafts.iter().filter_map(as_eni).collect();
    let mut per_source: HashMap<usize, u32> = HashMap::new();
    for draft in drafts {
        let report = |text: String| sink.report(format!("{}.TrafficMirrorSourceIds", draft.path), None, text);
        let (anchor, whose) = match (as_eni(draft), draft.sources.first()) {
            (Some(target), _) => (Some(target), "the target"),
            (None, first) => (first.copied(), "the first source"),
        };
        for source in &draft.sources {
            let eni = &model.enis[*source];
            if targets.contains(source) {
                report(format!("ENI {} is the target of a session: it cannot be a source", eni.id));
            }
            if anchor.is_some_and(|anchor| model.enis[anchor].owner != eni.owner) {
                report(format!("ENI {} belongs to another account than {whose}", eni.id));
            }
            let count = per_source.entry(*source).or_default();
            *count += 1;
            if *count == config.quotas.sessions_per_source + 1 {
                report(format!("ENI {} is in more than {} sessions", eni.id, config.quotas.sessions_per_source));
            }
        }
    }
}

/// Sessions of a filter, and distinct sources of a target. What is over its quota is named once.
fn quotas(sink: &Sink, config: &Config, model: &Model, drafts: &[Draft]) {
    let quotas = &config.quotas;
    let mut per_filter: HashMap<usize, u32> = HashMap::new();
    let mut per_target: HashMap<&Target, (BTreeSet<usize>, bool)> = HashMap::new();
    for draft in drafts {
        if let Some(filter) = draft.filter {
            let count = per_filter.entry(filter).or_default();
            *count += 1;
            if *count == quotas.sessions_per_filter + 1 {
                let filter = &model.filters[filter].id;
                let text = format!("filter {filter} is in more than {} sessions", quotas.sessions_per_filter);
                sink.report(format!("{}.TrafficMirrorFilterId", draft.path), None, text);
            }
        }
        let Some(target) = &draft.target else { continue };
        let (sources, said) = per_target.entry(target).or_default();
        sources.extend(&draft.sources);
        let quota = target_quota(config, model, target);
        if sources.len() > quota as usize && !*said {
            *said = true;
            let id = match target {
                Target::Eni(eni) => &model.enis[*eni].id,
                Target::Away(id) | Target::Slb(id) | Target::Gwlbe(id) => id.as_str(),
            };
            let text = format!("target {id} has more than {quota} sources, the quota");
            sink.report(format!("{}.TrafficMirrorTargetId", draft.path), None, text);
        }
    }
}

/// All rules of a source in a direction are one table, in which each has an index.
fn rules(sink: &Sink, model: &Model, drafts: &[Draft]) {
    let most = usize::from(u16::MAX);
    let mut per_source: HashMap<usize, [usize; 2]> = HashMap::new();
    for draft in drafts.iter().filter(|draft| draft.enabled) {
        let Some(filter) = draft.filter.map(|at| &model.filters[at]) else { continue };
        for source in &draft.sources {
            let counts = per_source.entry(*source).or_default();
            for (direction, count) in Direction::ALL.into_iter().zip(counts) {
                let before = *count;
                *count += rules_of(filter, direction).len();
                if before <= most && *count > most {
                    let eni = &model.enis[*source].id;
                    let text = format!("ENI {eni} has {count} {direction} rules in all; {most} are the most");
                    sink.report(format!("{}.TrafficMirrorSourceIds", draft.path), None, text);
                }
            }
        }
    }
}

fn target_quota(config: &Config, model: &Model, target: &Target) -> u32 {
    let quotas = &config.quotas;
    let Target::Eni(eni) = target else {
        return quotas.sources_per_load_balancer;
    };
    let large = |t: &String| quotas.large_instance_types.contains(t);
    if model.enis[*eni].instance_type.as_ref().is_some_and(large) {
        quotas.sources_per_large_target_eni
    } else {
        quotas.sources_per_target_eni
    }
}
