//! The API before a switch that is made up, except for the inventory, which is the real one.

mod documented;
mod fake;
mod objects;
mod refusals;
mod waiting;

use std::sync::Arc;

use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::route::Served;
use super::watch::Watchers;
use crate::control::http::{Answer, Call};
use fake::FakeSwitch;

/// The API of a switch, and the switch.
struct Api {
    served: Served,
    switch: Arc<FakeSwitch>,
    watchers: Arc<Watchers>,
    runtime: tokio::runtime::Runtime,
}

impl Api {
    fn new(inventory: Value) -> Self {
        let switch = Arc::new(FakeSwitch::new(&inventory));
        let served = Served { operations: switch.clone(), platform: Some(switch.clone()) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Api { served, switch, watchers: Arc::new(Watchers::new()), runtime }
    }

    /// One of a switch that has files and no store.
    fn without_store() -> Self {
        let mut api = Api::new(json!({ "RegionId": "local" }));
        api.served.platform = None;
        api
    }

    /// The answer to a raw body; the target is a path with all that follows it.
    fn raw(&self, method: Method, target: &str, body: impl Into<Vec<u8>>) -> Answer {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let body = body.into().into();
        let call = Call { method, path: path.to_owned(), query: query.to_owned(), body };
        self.runtime.block_on(super::answer(self.served.clone(), self.watchers.clone(), call))
    }

    fn ask(&self, method: Method, target: &str, body: Option<&Value>) -> (StatusCode, Value) {
        let answer = self.raw(method, target, body.map(ToString::to_string).unwrap_or_default());
        (answer.status, serde_json::from_slice(&answer.body).unwrap_or(Value::Null))
    }

    /// The answer to what must be done.
    fn done(&self, method: Method, target: &str, body: Option<&Value>) -> Value {
        let (status, value) = self.ask(method.clone(), target, body);
        assert_eq!(status, StatusCode::OK, "{method} {target}: {value}");
        value
    }

    /// The sentences about what must not be done.
    fn refused(&self, status: StatusCode, method: Method, target: &str, body: &str) -> Vec<String> {
        let answer = self.raw(method.clone(), target, body);
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert_eq!(answer.status, status, "{method} {target}: {text}");
        let errors: Value = serde_json::from_str(&text).unwrap();
        errors["errors"].as_array().unwrap().iter().map(|e| e.as_str().unwrap().to_owned()).collect()
    }
}

/// An inventory with one object of each kind.
fn one_of_each() -> Value {
    json!({
        "RegionId": "local",
        "PlatformCidrs": ["100.64.0.0/10"],
        "Accounts": [{
            "AccountId": "1001",
            "AccessKeys": [{ "AccessKeyId": "AK1", "AccessKeySecret": "s3cr3t" }],
            "Quotas": { "filters": 5 },
        }],
        "Vpcs": [{ "VpcId": "vpc-a", "CidrBlock": "10.0.0.0/16" }],
        "VSwitches": [{ "VSwitchId": "vsw-a", "VpcId": "vpc-a", "CidrBlock": "10.0.0.0/24" }],
        "Instances": [{ "InstanceId": "i-a" }],
        "NetworkInterfaces": [{
            "NetworkInterfaceId": "eni-a", "VSwitchId": "vsw-a", "MacAddress": "02:00:00:00:00:0a",
            "PrivateIpAddress": "10.0.0.10", "InstanceId": "i-a", "OwnerId": "1001",
        }],
    })
}
