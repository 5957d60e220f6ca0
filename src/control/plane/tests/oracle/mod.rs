//! Sequences of requests of two accounts, against a twin that keeps plain lists and walks them.
//!
//! `VSWITCH_PLANE_SEQUENCES` is how many; a run by hand may take more.

mod apply;
mod ask;
mod checks;
mod twin;

use proptest::prelude::*;
use serde_json::Value;

use super::inventory::{give, lock_account, remove_eni};
use super::{Kit, and};
use crate::control::api::ApiError;
use crate::control::fabric::NoFabric;
use crate::control::plane::codes;
use ask::{Ask, ENIS, Names, Step};
use checks::Kept;
use twin::Twin;

const SEQUENCES: u32 = 2000;

fn kit() -> Kit {
    let small = |config: &mut crate::control::config::Config| {
        let quotas = &mut config.quotas;
        (quotas.rules_per_filter, quotas.filters, quotas.sessions, quotas.sessions_per_filter) = (3, 3, 4, 3);
        (quotas.sessions_per_source, quotas.sources_per_session) = (2, 2);
        (quotas.sources_per_target_eni, quotas.sources_per_large_target_eni) = (2, 3);
        quotas.sources_per_load_balancer = 2;
    };
    // Tables of ENIs that no request names take time.
    let mut inventory = super::inventory();
    let named = |eni: &Value| ENIS.iter().any(|id| eni["NetworkInterfaceId"] == *id);
    inventory["NetworkInterfaces"].as_array_mut().unwrap().retain(named);
    Kit::of(&inventory, small, Box::new(NoFabric::default()))
}

/// The platform's part of a sequence.
fn platform(kit: &Kit, step: &Step) {
    match step.ask {
        Ask::Lock(locked) => lock_account(kit, step.account, locked),
        Ask::Eni(eni, true) => drop(give(kit, eni, |_| ()).unwrap()),
        Ask::Eni(eni, false) => drop(remove_eni(kit, eni, false).unwrap()),
        _ => unreachable!("the tenants'"),
    }
}

/// A request's answer, once workers are not behind.
fn perform(kit: &Kit, step: &Step, names: &Names) -> (String, Result<Value, ApiError>) {
    let (action, pairs) = step.ask.rendered(names).unwrap();
    let pairs: Vec<(&str, &str)> = pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    let token = step.token.map(|token| token.to_string()).unwrap_or_default();
    let params = and(&pairs, &[("ClientToken", &token)]);
    loop {
        match kit.call(step.account, action, &params) {
            Err(e) if e.code.starts_with("IncorrectStatus.") => std::thread::yield_now(),
            done => return (format!("{action:?} {pairs:?}"), done),
        }
    }
}

fn take(kit: &Kit, twin: &mut Twin, names: &mut Names, step: &Step) {
    if step.ask.rendered(names).is_none() {
        platform(kit, step);
        twin.apply(kit, step.account, &step.ask, names, &Value::Null);
        return;
    }
    let mut reasons = twin.judge(step.account, &step.ask, names);
    let key = step.token.map(|token| (step.account, token));
    let seen = key.and_then(|key| twin.tokens.get(&key));
    let before = (step.fails || !reasons.is_empty() || seen.is_some()).then(|| Kept::of(kit));
    let unchanged = || before.iter().for_each(|before| before.check(kit));
    if step.fails {
        kit.store.fail_next(1);
    }
    let (request, done) = perform(kit, step, names);
    kit.store.fail_next(0);
    kit.control.lock().store = Ok(kit.store.clone());
    if let Some((first, answer)) = seen {
        let mismatch = codes::TOKEN_MISMATCH.code;
        match done {
            Ok(again) => assert!(request == *first && again == *answer, "{request} after {first}"),
            Err(e) => assert!(request != *first && e.code == mismatch, "{request} after {first}: {e}"),
        }
        return unchanged();
    }
    match done {
        Ok(answer) => {
            assert!(reasons.is_empty(), "{request} is done in spite of {reasons:?}");
            let old = twin.clone();
            twin.apply(kit, step.account, &step.ask, names, &answer);
            if let Some(key) = key {
                twin.tokens.insert(key, (request.clone(), answer));
            }
            assert!(!step.fails || *twin == old, "{request} is answered and not stored");
        }
        Err(e) => {
            if step.fails && reasons.is_empty() {
                reasons.insert(codes::READ_ONLY.code.to_owned());
            }
            assert!(reasons.contains(&*e.code), "{request}: {e}, where {reasons:?} would be right");
            unchanged();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("VSWITCH_PLANE_SEQUENCES").ok().and_then(|n| n.parse().ok()).unwrap_or(SEQUENCES),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_control_plane_does_what_its_obvious_twin_does(steps in ask::steps(), opened in prop_oneof![7 => Just(4_u8), 1 => 0..4_u8]) {
        let (kit, mut twin, mut names) = (kit(), Twin::default(), Names::default());
        let first = ["a", "b"].into_iter().flat_map(ask::beginning).take(usize::from(opened));
        first.for_each(|step| take(&kit, &mut twin, &mut names, &step));
        for step in &steps {
            take(&kit, &mut twin, &mut names, step);
        }
        checks::agree(&kit, &twin);
    }
}
