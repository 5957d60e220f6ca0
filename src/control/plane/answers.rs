//! What operators see of a switch with a store: all objects, those of this host with their counters.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::control::Control;
use super::session::MirrorSession;
use crate::control::answers;
use crate::control::operations::{ExplainQuery, Operations};
use crate::metrics::scrape::Scrape;

impl Operations for Control {
    fn reload(&self) -> Result<u64, Vec<String>> {
        self.switch.reload()
    }

    fn enis(&self) -> Value {
        self.switch.enis()
    }

    fn filters(&self) -> Value {
        let state = self.lock();
        let list = state.desired.filters.values().map(|filter| {
            let mut value = answers::filter(&filter.compiled());
            value["account"] = json!(&*filter.account);
            value["status"] = json!(state.pending.status(&filter.id).name());
            value
        });
        list.collect()
    }

    fn sessions(&self) -> Value {
        let Value::Array(here) = self.switch.sessions() else { return Value::Null };
        let counted: HashMap<&str, &Value> = here.iter().filter_map(|s| Some((s["id"].as_str()?, s))).collect();
        let state = self.lock();
        let list = state.desired.sessions.values().map(|session| {
            let mut value = about(session, state.desired.world.is_locked(&session.account));
            let count = |key: &str| counted.get(&*session.id).map_or(Value::Null, |s| s[key].clone());
            value["matched"] = count("matched");
            value["sent"] = count("sent");
            value["account"] = json!(&*session.account);
            value["status"] = json!(state.pending.status(&session.id).name());
            value
        });
        list.collect()
    }

    fn stats(&self) -> Value {
        self.switch.stats()
    }

    fn explain(&self, query: &ExplainQuery) -> Result<Value, String> {
        self.switch.explain(query)
    }

    fn scrape(&self) -> Scrape {
        self.switch.scrape()
    }

    fn ready(&self) -> Result<(), String> {
        self.switch.ready()
    }
}

/// With the members that a switch without a store gives its sessions.
fn about(session: &MirrorSession, locked: bool) -> Value {
    json!({
        "id": &*session.id,
        "name": session.labels.name,
        "enabled": session.enabled,
        "locked": locked,
        "priority": session.priority,
        "vni": session.vni,
        "packet_length": session.packet_length,
        "filter": &*session.filter,
        "sources": session.sources.iter().map(|s| json!(&**s)).collect::<Value>(),
        "target": &*session.target.1,
        "target_type": session.target.0.name(),
    })
}
