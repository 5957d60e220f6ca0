//! The control plane over a store in memory, without workers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod activity;
mod codes;
mod concurrency;
mod filters;
mod inventory;
mod lists;
mod oracle;
mod refusals;
mod reopened;
mod rules;
mod seed;
mod service;
mod sessions;
mod sources;
mod statuses;
mod stored;
mod tags;
mod tokens;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use serde_json::{Value, json};

use super::control::{Control, Parts};
use super::publisher;
use super::start::desired_of;
use crate::control::api::{Action, Actions, ApiError, Call, Params};
use crate::control::config::Config;
use crate::control::document::{Document, diff};
use crate::control::fabric::{Fabric, NoFabric};
use crate::control::load_regions;
use crate::control::store::{MemoryStore, Store};
use crate::control::switch::Switch;

/// A control plane of a test. `a` and `b` are accounts; `eni-0` to `eni-9` belong to `a`, `eni-far` too, on another host;
/// `eni-b` and `eni-b2` belong to `b`, `eni-managed` to `a`.
pub(super) struct Kit {
    pub(super) control: Arc<Control>,
    pub(super) switch: Arc<Switch>,
    pub(super) store: Arc<MemoryStore>,
    /// Milliseconds since 1970.
    pub(super) now: Arc<AtomicI64>,
    publisher: Option<std::thread::JoinHandle<()>>,
}

pub(super) fn inventory() -> Value {
    let eni = |n: usize, id: &str, owner: &str| {
        json!({
            "NetworkInterfaceId": id, "VSwitchId": "vsw-1", "OwnerId": owner,
            "MacAddress": format!("02:00:00:00:01:{n:02x}"), "PrivateIpAddress": format!("10.0.0.{}", 10 + n),
        })
    };
    let mut enis: Vec<Value> = (0..10).map(|n| eni(n, &format!("eni-{n}"), "a")).collect();
    enis.extend([
        eni(20, "eni-far", "a"),
        eni(21, "eni-b", "b"),
        eni(22, "eni-managed", "a"),
        eni(23, "eni-large", "a"),
        eni(24, "eni-b2", "b"),
    ]);
    enis[10]["HostId"] = json!("elsewhere");
    enis[12]["Managed"] = json!(true);
    (enis[13]["InstanceId"], enis[13]["InstanceType"]) = (json!("i-1"), json!("ecs.large"));
    json!({
        "RegionId": "local",
        "Vpcs": [{"VpcId": "vpc-1", "CidrBlock": "10.0.0.0/16"}],
        "VSwitches": [{"VSwitchId": "vsw-1", "VpcId": "vpc-1", "CidrBlock": "10.0.0.0/24"}],
        "NetworkInterfaces": enis,
        "Accounts": [
            {"AccountId": "a", "AccessKeys": [{"AccessKeyId": "key-a", "AccessKeySecret": "secret-a"}]},
            {"AccountId": "b", "AccessKeys": [{"AccessKeyId": "key-b", "AccessKeySecret": "secret-b"}]},
        ],
    })
}

impl Kit {
    pub(super) fn new() -> Self {
        Kit::with(|_| {}, Box::new(NoFabric::default()))
    }

    pub(super) fn with(configure: impl FnOnce(&mut Config), fabric: Box<dyn Fabric>) -> Self {
        Kit::of(&inventory(), configure, fabric)
    }

    pub(super) fn of(inventory: &Value, configure: impl FnOnce(&mut Config), fabric: Box<dyn Fabric>) -> Self {
        let mut config = Config::default();
        config.quotas.large_instance_types = vec!["ecs.large".to_owned()];
        config.store.host = "here".to_owned();
        // Nobody may open it by mistake.
        config.store.path = "/proc/none/store.redb".into();
        configure(&mut config);
        let store = Arc::new(MemoryStore::default());
        let document = Document::from_json("inventory", inventory).unwrap();
        store.commit(0, &document.writes(&diff(&Document::default(), &document))).unwrap();
        Kit::over(config, store, fabric)
    }

    /// A control plane over what a store holds.
    pub(super) fn over(config: Config, store: Arc<MemoryStore>, fabric: Box<dyn Fabric>) -> Self {
        let regions = load_regions(&config).unwrap();
        let desired = desired_of(store.load().unwrap(), &config, &regions, &[]).unwrap();
        let switch = Arc::new(Switch::new(config.clone(), fabric));
        switch.apply(desired.model()).unwrap();
        let now = Arc::new(AtomicI64::new(1_700_000_000_000));
        let clock = now.clone();
        let parts = Parts {
            config,
            regions,
            accounts: Vec::new(),
            switch: switch.clone(),
            clock: Box::new(move || clock.load(Ordering::Relaxed)),
            desired,
            store: Ok(store.clone()),
            committed: Box::new(|_| {}),
        };
        let control = Arc::new(Control::new(parts));
        let publisher = Some(publisher::start(&control).unwrap());
        Kit { control, switch, store, now, publisher }
    }

    /// Ends, and starts again over the same store.
    pub(super) fn restarted(self) -> Self {
        let (config, store, now) = (self.control.config.clone(), self.store.clone(), self.now.load(Ordering::Relaxed));
        drop(self);
        let kit = Kit::over(config, store, Box::new(NoFabric::default()));
        kit.now.store(now, Ordering::Relaxed);
        kit
    }

    pub(super) fn call(&self, account: &str, action: Action, params: &[(&str, &str)]) -> Result<Value, ApiError> {
        let pairs = params.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
        let params = Params::from_pairs(pairs)?;
        self.control.perform(&Call { request_id: "R".to_owned(), account: account.into(), action, params })
    }

    /// A request of account `a` that is done.
    pub(super) fn ok(&self, action: Action, params: &[(&str, &str)]) -> Value {
        self.call("a", action, params).unwrap_or_else(|e| panic!("{}: {e}", action.name()))
    }

    /// A request of account `a` that is refused.
    pub(super) fn no(&self, action: Action, params: &[(&str, &str)]) -> ApiError {
        self.call("a", action, params).expect_err(action.name())
    }

    /// Account `a` has opened the service.
    pub(super) fn opened(self) -> Self {
        self.ok(Action::OpenTrafficMirrorService, &[]);
        self
    }

    /// A filter of account `a` with one rule; its id.
    pub(super) fn filter(&self) -> String {
        let answer = self.ok(
            Action::CreateTrafficMirrorFilter,
            &[
                ("IngressRules.1.Action", "accept"),
                ("IngressRules.1.Priority", "1"),
                ("IngressRules.1.Protocol", "ALL"),
            ],
        );
        answer["TrafficMirrorFilterId"].as_str().unwrap().to_owned()
    }

    /// Creates a session of account `a`, enabled, with more parameters.
    pub(super) fn session(&self, filter: &str, source: &str, target: &str, priority: &str) -> String {
        let answer = self.ok(Action::CreateTrafficMirrorSession, &wanted(filter, source, target, priority));
        answer["TrafficMirrorSessionId"].as_str().unwrap().to_owned()
    }

    pub(super) fn listed_session(&self, id: &str) -> Value {
        let answer = self.ok(Action::ListTrafficMirrorSessions, &[("TrafficMirrorSessionIds.1", id)]);
        answer["TrafficMirrorSessions"][0].clone()
    }

    pub(super) fn listed_filter(&self, id: &str) -> Value {
        let answer = self.ok(Action::ListTrafficMirrorFilters, &[("TrafficMirrorFilterIds.1", id)]);
        answer["TrafficMirrorFilters"][0].clone()
    }
}

/// What differs from a request that is done, the code that it is refused with, and words of the message.
pub(super) type Bad<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a str);

/// Each of these is refused, and nothing is stored.
pub(super) fn refuses(kit: &Kit, action: Action, good: &[(&str, &str)], cases: &[Bad<'_>]) {
    let before = kit.store.dump().unwrap();
    for (patch, code, words) in cases {
        let error = match kit.call("a", action, &and(good, patch)) {
            Ok(answer) => panic!("{} with {patch:?} is done: {answer}", action.name()),
            Err(error) => error,
        };
        assert_eq!((&*error.code, error.status / 100), (*code, 4), "{patch:?}: {error}");
        assert!(error.message.contains(words), "{patch:?}: {error}");
        assert_eq!(kit.store.dump().unwrap(), before, "{patch:?}");
    }
}

impl Drop for Kit {
    fn drop(&mut self) {
        self.control.stop();
        self.publisher.take().map(std::thread::JoinHandle::join);
    }
}

/// The parameters of a session.
pub(super) fn wanted<'a>(
    filter: &'a str,
    source: &'a str,
    target: &'a str,
    priority: &'a str,
) -> [(&'a str, &'a str); 6] {
    [
        ("TrafficMirrorFilterId", filter),
        ("TrafficMirrorSourceIds.1", source),
        ("TrafficMirrorTargetId", target),
        ("TrafficMirrorTargetType", "NetworkInterface"),
        ("Priority", priority),
        ("Enabled", "true"),
    ]
}

/// `with` on top of parameters: a value of `""` takes one away.
pub(super) fn and<'a>(params: &[(&'a str, &'a str)], with: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut all: Vec<_> = params.iter().copied().filter(|(name, _)| with.iter().all(|(n, _)| n != name)).collect();
    all.extend(with.iter().copied().filter(|(_, value)| !value.is_empty()));
    all
}
