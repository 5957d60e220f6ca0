//! `vswitchctl explain`: one packet on the packet's own way, through the running configuration with counters of its
//! own. No counter of the running switch moves.

use std::net::Ipv4Addr;

use serde_json::{Value, json};

use super::env::HeapEnv;
use super::verdicts::judgement;
use super::{copied, find, made_up, pass, tried};
use crate::control::compile::compile;
use crate::control::model::{EniSpec, Model};
use crate::control::operations::{Asked, ExplainQuery};
use crate::control::registry::Registry;
use crate::datapath::{Verdict, run_crossed};
use crate::mirror::snapshot::{Eni, Snapshot};
use crate::packet::headers::{Kind, parse};
use crate::packet::{Burst, Direction, Headers, HeapBuf, PacketBuf, Reason};
use crate::wire::{be16, ethernet};

const NOTE: &str = "as if all guests were connected and idle, and no other fragment had been seen; a copy keeps at most PacketLength bytes of the IPv4 \
                    packet (64 to 8500, default 1500), also to a jumbo target";

/// Judges a packet as if all guests were connected. `registry` goes with the model and has counters of its own.
///
/// # Errors
/// One plain sentence: what about the question makes no sense.
pub fn explain(model: &Model, mut registry: Registry, credit: u32, query: &ExplainQuery) -> Result<Value, String> {
    let snapshot = compile(model, &mut registry, credit).map_err(|e| e.to_string())?;
    let eni = find(&snapshot, &query.eni)?;
    let direction = match &*query.direction {
        "out" => Direction::Outbound,
        "in" => Direction::Inbound,
        other => return Err(format!("direction = {other}: in or out")),
    };
    let frame = match query.asked()? {
        Asked::Packet(packet) => made_up::frame(&snapshot, eni, direction, &packet),
        Asked::Frame(frame) => frame,
    };
    if direction == Direction::Inbound {
        could_arrive(model, eni, &frame)?;
    }
    let mut headers = Headers::default();
    let parsed = parse(&frame, &mut headers) == Ok(Kind::Ipv4);
    // More fragments follow, or this is not the first (RFC 791).
    let fragment = be16(&frame, 20).is_some_and(|word| word & 0x3fff != 0);
    let mut env = HeapEnv { worker: eni.worker, ..HeapEnv::default() };
    go(&mut env, &snapshot, eni, direction, frame);
    let all =
        Told { model, snapshot: &snapshot, eni, direction, headers: parsed.then_some(headers), fragment, env: &env };
    let mirror: Vec<Value> = env.verdicts.iter().filter_map(|(_, v)| all.mirror(v)).collect();
    Ok(json!({
        "version": snapshot.version,
        "eni": &*eni.id,
        "direction": direction.label(),
        "packet": all.packet(),
        "service": all.service(),
        "mirrored": mirror.iter().any(|m| m["verdict"] == "mirrored"),
        "not_judged": all.not_judged(mirror.is_empty()),
        "mirror": mirror,
        "note": NOTE,
    }))
}

/// The packet's way to its end, over the rings between workers too.
fn go(env: &mut HeapEnv, snapshot: &Snapshot, eni: &Eni, direction: Direction, frame: Vec<u8>) {
    let mut burst = Burst::<HeapBuf>::default();
    pass(env, snapshot, eni, direction, frame, &mut burst);
    while let Some((worker, buf)) = env.crossed.pop() {
        env.worker = worker;
        burst.bufs.push(Some(buf));
        run_crossed(env, snapshot, &mut burst);
    }
}

/// A packet that is delivered to an ENI has its MAC and one of its addresses: no switch would bring it another.
fn could_arrive(model: &Model, eni: &Eni, frame: &[u8]) -> Result<(), String> {
    let Some(spec) = model.enis.iter().find(|e| e.id == eni.id) else {
        return Ok(());
    };
    if let Some(mac) = ethernet::destination(frame).filter(|mac| *mac != eni.mac) {
        return Err(format!(
            "destination MAC {mac}: ENI {} has {}; a frame to another MAC is never delivered to it",
            eni.id, eni.mac
        ));
    }
    let mut headers = Headers::default();
    if parse(frame, &mut headers) != Ok(Kind::Ipv4) || eni.has_address(headers.ip.destination) {
        return Ok(());
    }
    Err(format!(
        "destination = {}: ENI {} has {}; a packet to another address is never delivered to it",
        Ipv4Addr::from_bits(headers.ip.destination),
        eni.id,
        addresses(spec)
    ))
}

fn addresses(spec: &EniSpec) -> String {
    let all = std::iter::once(&spec.primary).chain(&spec.secondaries);
    all.map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// All that the datapath told about the packet.
struct Told<'a> {
    model: &'a Model,
    snapshot: &'a Snapshot,
    eni: &'a Eni,
    direction: Direction,
    /// Of the packet, if it is sound IPv4.
    headers: Option<Headers>,
    /// It is one.
    fragment: bool,
    env: &'a HeapEnv,
}

impl Told<'_> {
    fn packet(&self) -> Value {
        self.headers.map_or(Value::Null, |headers| {
            let ip = headers.ip;
            json!({
                "source": Ipv4Addr::from_bits(ip.source), "destination": Ipv4Addr::from_bits(ip.destination),
                "protocol": ip.protocol, "length": ip.total, "fragment": self.fragment,
            })
        })
    }

    fn service(&self) -> Value {
        // Null until the datapath says what it was.
        let mut service = json!({ "verdict": null });
        for (_, verdict) in &self.env.verdicts {
            let ended = |word, reason: &Reason| {
                json!({
                    "verdict": word, "reason": reason.label(), "why": reason.help(), "advice": reason.advice(),
                    "stage": reason.stage().filter(|_| word == "dropped").map(|s| s.label()),
                })
            };
            match verdict {
                Verdict::Dropped(reason) => service = ended("dropped", reason),
                Verdict::Consumed(reason) => service = ended("consumed", reason),
                Verdict::Delivered => {
                    let taken = self.env.queued.iter().find(|(_, buf)| buf.meta().copy == 0);
                    let to = taken.and_then(|(slot, _)| self.snapshot.eni(*slot));
                    service = json!({ "verdict": "delivered", "to": to.map(|to| &*to.id) });
                }
                _ => {}
            }
        }
        service
    }

    /// Why the mirror stage said nothing.
    fn not_judged(&self, nothing: bool) -> Option<String> {
        let is_source = self.eni.mirror.is_some();
        nothing.then(|| match is_source {
            true => "what ends at admission or at security, and what is not delivered, is never mirrored".to_owned(),
            false => format!("no enabled session has {} as a source", self.eni.id),
        })
    }

    /// The source at whose end something was judged.
    fn source(&self, verdict: &Verdict) -> Option<&Eni> {
        match verdict {
            Verdict::Matched { source, .. } | Verdict::Refused { source, .. } => self.snapshot.eni(*source),
            Verdict::Excluded(_, Reason::Copy) => {
                let copy = self.env.queued.iter().find(|(_, buf)| buf.meta().copy == 1);
                copy.and_then(|(slot, _)| self.snapshot.eni(*slot))
            }
            // An answer to ARP goes to who asked.
            Verdict::Excluded(_, Reason::Arp) => Some(self.eni),
            Verdict::Excluded(d, _) | Verdict::Unmatched(d) if *d == self.direction => Some(self.eni),
            _ => self.snapshot.local(self.eni.vpc, self.headers?.ip.destination),
        }
    }

    /// What was judged at one end of the packet, with all that led to it.
    fn mirror(&self, verdict: &Verdict) -> Option<Value> {
        let mut value = judgement(self.snapshot, &self.env.verdicts, verdict)?;
        let source = self.source(verdict);
        value["eni"] = json!(source.map(|s| &*s.id));
        let mut asked = self.headers;
        let (why, advice) = match verdict {
            Verdict::Excluded(_, reason) => {
                asked = asked.filter(|_| *reason == Reason::FragmentOrphan);
                (reason.help().to_owned(), reason.advice())
            }
            Verdict::Unmatched(_) => (
                "No rule of the source's sessions matches.".to_owned(),
                "Add an accept rule for such packets to a session's filter; a filter without rules mirrors nothing.",
            ),
            Verdict::Refused { .. } => (
                "A drop rule matches: the search ends there, also for the sessions that come later.".to_owned(),
                "Put an accept rule with a smaller priority before it, if such packets are wanted.",
            ),
            Verdict::Matched { direction, kept, .. } => {
                let skip = self.env.verdicts.iter().find_map(|(_, v)| match v {
                    Verdict::Skipped(d, reason) if d == direction => Some(*reason),
                    _ => None,
                });
                copied::tell(&mut value, self.model, self.env, source, (*kept, self.headers.map_or(0, |h| h.ip.total)));
                skip.map_or((String::new(), ""), |reason| (reason.help().to_owned(), reason.advice()))
            }
            _ => return None,
        };
        let said = |text: &str| if text.is_empty() { Value::Null } else { json!(text) };
        (value["why"], value["advice"]) = (said(&why), said(advice));
        let index = source.and_then(|source| self.model.enis.iter().position(|e| e.id == source.id));
        let direction = if value["direction"] == "outbound" { Direction::Outbound } else { Direction::Inbound };
        value["sessions"] =
            index.map_or(Value::Null, |index| tried::sessions(self.model, index, direction, asked.as_ref()));
        Some(value)
    }
}
