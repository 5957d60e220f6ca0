//! What a running switch answers its operators, as JSON.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::attach;
use super::fabric::PortView;
use super::model::{EniSpec, Filter, FilterRule, Session, Target};
use super::operations::{ExplainQuery, Operations};
use super::rule_text::{action_name, ports_text, protocol_name};
use super::sources::by_source;
use super::switch::{State, Switch};
use crate::metrics::laws;
use crate::metrics::scrape::{EniSample, RowSample, Scrape};
use crate::packet::{Direction, Reason};
use crate::wire::Mac;

impl Operations for Switch {
    fn reload(&self) -> Result<u64, Vec<String>> {
        Switch::reload(self)
    }

    fn enis(&self) -> Value {
        let state = self.state.lock();
        let counters: BTreeMap<_, _> = state.registry.enis.iter().collect();
        let sources = by_source(&state.model);
        let list = state.model.enis.iter().zip(&sources).map(|(spec, sessions)| {
            let port = self.fabric.port(&spec.id).unwrap_or_default();
            let mut value = eni(spec, &port);
            value["worker"] = json!(state.registry.placement.get(&spec.id));
            value["classifier"] = classifier(&state, sessions);
            if let Some(slot) = counters.get(&spec.id) {
                let c = &slot.counters;
                value["rx_packets"] = json!(c.sum(|b| b.rx_packets.get()));
                value["rx_bytes"] = json!(c.sum(|b| b.rx_bytes.get()));
                value["tx_packets"] = json!(c.sum(|b| b.tx_packets.get()));
                value["tx_bytes"] = json!(c.sum(|b| b.tx_bytes.get()));
                let mut drops = serde_json::Map::new();
                let mut total = 0;
                for reason in Reason::ALL {
                    for d in Direction::ALL {
                        let n = c.drops(d, *reason);
                        total += n;
                        if n > 0 {
                            drops.insert(format!("{d} {reason}"), json!(n));
                        }
                    }
                }
                value["drops"] = json!(total);
                value["drops_by_reason"] = Value::Object(drops);
            }
            value
        });
        list.collect()
    }

    fn filters(&self) -> Value {
        self.state.lock().model.filters.iter().map(filter).collect()
    }

    fn sessions(&self) -> Value {
        let state = self.state.lock();
        let list = state.model.sessions.iter().map(|s| session(&state, s));
        list.collect()
    }

    fn stats(&self) -> Value {
        let scrape = self.scrape();
        let totals = laws::totals(&scrape);
        json!({
            "totals": totals,
            "in_flight": totals.in_flight(),
            "violations": laws::violations(&scrape),
            "workers": scrape.workers.iter().map(|w| json!({
                "busy_cycles": w.busy_cycles,
                "idle_cycles": w.idle_cycles,
                "packets": w.packets,
                "saturated_windows": w.saturated_windows,
                "given_up_64ths": w.given_up,
                "snapshot_version": w.snapshot_version,
            })).collect::<Value>(),
        })
    }

    fn explain(&self, query: &ExplainQuery) -> Result<Value, String> {
        let (model, registry) = {
            let state = self.state.lock();
            (state.model.clone(), state.registry.detached())
        };
        let mut value = crate::replay::explain::explain(&model, registry, self.config.ports.credit, query)?;
        let connected = |eni: &Value| self.fabric.port(eni.as_str()?).map(|port| port.connected);
        if value["service"]["to"].is_string() {
            value["service"]["to_connected"] = json!(connected(&value["service"]["to"]));
        }
        for judged in value["mirror"].as_array_mut().into_iter().flatten().filter(|j| j["target"].is_string()) {
            judged["target_connected"] = json!(connected(&judged["target"]));
        }
        Ok(value)
    }

    fn scrape(&self) -> Scrape {
        let state = self.state.lock();
        let registry = &state.registry;
        let mut enis: Vec<EniSample> = registry
            .enis
            .iter()
            .map(|(id, slot)| EniSample {
                id: id.clone(),
                up: self.fabric.port(id).is_some_and(|p| p.connected),
                counters: slot.counters.clone(),
            })
            .collect();
        enis.sort_by(|a, b| a.id.cmp(&b.id));
        let rows = registry.rows.iter().map(|((session, eni), slot)| RowSample {
            session: session.clone(),
            eni: eni.clone(),
            counters: slot.counters.clone(),
        });
        let mut departed = registry.leaving.clone();
        departed.push(registry.departed.clone());
        Scrape { enis, departed, gone: registry.gone, rows: rows.collect(), workers: self.fabric.worker_views() }
    }

    fn ready(&self) -> Result<(), String> {
        let state = self.state.lock();
        if state.registry.version == 0 {
            return Err("no configuration is applied yet".to_owned());
        }
        let stuck = state.model.enis.iter().find(|e| self.fabric.port(&e.id).is_some_and(|p| p.stuck_queues > 0));
        match stuck {
            Some(eni) => Err(format!("ring_stuck: a queue of {} has entries that cannot be taken", eni.id)),
            None => Ok(()),
        }
    }
}

fn eni(spec: &EniSpec, port: &PortView) -> Value {
    let state = match (port.connected, &port.fault) {
        (_, Some(_)) => "fault",
        (true, None) => "up",
        (false, None) => "waiting",
    };
    let addresses: Vec<String> =
        std::iter::once(&spec.primary).chain(&spec.secondaries).map(ToString::to_string).collect();
    json!({
        "id": &*spec.id,
        "state": state,
        "fault": port.fault,
        "ring": if port.packed { "packed" } else { "split" },
        "queue_pairs": port.queue_pairs,
        "queue_pairs_offered": spec.queue_pairs,
        "stuck_queues": port.stuck_queues,
        "mtu": spec.mtu,
        "announced_mtu": port.announced_mtu,
        "instance": spec.instance.as_deref(),
        "bandwidth_bps": spec.bandwidth.map(|b| b.bps),
        "burst_bytes": spec.bandwidth.map(|b| b.burst),
        "mac": Mac(spec.mac).to_string(),
        "addresses": addresses,
        "socket": spec.socket.display().to_string(),
        "mode": spec.mode,
        "connections": port.connections,
        "qemu": attach::qemu(spec),
        "libvirt": attach::libvirt(spec),
    })
}

/// How a mirror source's rules of each direction are compiled; nothing for others.
fn classifier(state: &State, sessions: &[&Session]) -> Value {
    if sessions.is_empty() {
        return Value::Null;
    }
    let of = |direction: Direction| {
        let table = &state.registry.tables.of(&state.model, sessions, direction)?.classifier;
        let about = json!({ "layout": table.layout(), "rules": table.len(), "bytes": table.bytes() });
        Some((direction.to_string(), about))
    };
    Value::Object(Direction::ALL.into_iter().filter_map(of).collect())
}

pub(super) fn filter(filter: &Filter) -> Value {
    json!({
        "id": &*filter.id,
        "name": filter.name,
        "ingress": filter.ingress.iter().map(rule).collect::<Value>(),
        "egress": filter.egress.iter().map(rule).collect::<Value>(),
    })
}

/// A rule, as it is listed and explained.
pub(crate) fn rule(rule: &FilterRule) -> Value {
    json!({
        "id": &*rule.id,
        "priority": rule.priority,
        "action": action_name(rule.rule.action),
        "protocol": protocol_name(rule.rule.protocol),
        "source": rule.rule.src.to_string(),
        "destination": rule.rule.dst.to_string(),
        "source_ports": ports_text(rule.rule.src_ports),
        "destination_ports": ports_text(rule.rule.dst_ports),
    })
}

fn session(state: &State, session: &Session) -> Value {
    let model = &state.model;
    let (kind, target) = match &session.target {
        Target::Eni(eni) => ("NetworkInterface", model.enis[*eni].id.to_string()),
        Target::Away(id) => ("NetworkInterface", id.clone()),
        Target::Slb(id) => ("SLB", id.clone()),
        Target::Gwlbe(id) => ("GatewayLoadBalancerEndpoint", id.clone()),
    };
    let (mut matched, mut sent) = (0, 0);
    for ((id, _), slot) in state.registry.rows.iter().filter(|((id, _), _)| *id == session.id) {
        debug_assert_eq!(*id, session.id);
        for d in 0..2 {
            matched += slot.counters.sum(|b| b.matched[d].get());
            sent += slot.counters.sum(|b| b.sent[d].get());
        }
    }
    json!({
        "id": &*session.id,
        "name": session.name,
        "enabled": session.enabled,
        "locked": session.locked,
        "priority": session.priority,
        "vni": session.vni,
        "packet_length": session.packet_length,
        "filter": &*model.filters[session.filter].id,
        "sources": session.sources.iter().map(|i| json!(&*model.enis[*i].id)).collect::<Value>(),
        "target": target,
        "target_type": kind,
        "matched": matched,
        "sent": sent,
    })
}
