//! `explain`: a packet to the daemon, and what it answers for people.

use std::fmt::Write;

use hyper::Method;
use serde_json::{Value, json};

use super::client::{CtlError, Daemon};
use super::outcome::Outcome;
use crate::cli::ExplainArgs;
use crate::control::packet_text::DEFAULT_LENGTH;

/// Asks about a packet.
pub(super) fn run(daemon: Daemon<'_>, packet: &ExplainArgs) -> Result<Outcome, CtlError> {
    let answer = daemon.ask(Method::POST, "/v1/explain", Some(&query(packet)))?;
    Ok(Outcome::new(text(&answer), answer))
}

fn query(packet: &ExplainArgs) -> Value {
    let mut query = json!({ "eni": packet.eni, "direction": packet.direction });
    if let Some(frame) = &packet.hex {
        query["hex"] = json!(frame.digits());
        return query;
    }
    let written = packet.packet.as_ref();
    query["source"] = json!(written.map(|p| p.source).or(packet.src));
    query["destination"] = json!(written.map(|p| p.destination).or(packet.dst));
    query["protocol"] = json!(written.map(|p| p.protocol.to_string()).or_else(|| packet.protocol.clone()));
    query["source_port"] = json!(written.map(|p| p.source_port).or(packet.src_port).unwrap_or(0));
    query["destination_port"] = json!(written.map(|p| p.destination_port).or(packet.dst_port).unwrap_or(0));
    query["length"] = json!(written.map(|p| p.length).or(packet.length).unwrap_or(DEFAULT_LENGTH));
    query
}

/// The whole answer.
#[must_use]
pub fn text(answer: &Value) -> String {
    let mut text = String::new();
    let packet = &answer["packet"];
    if packet.is_object() {
        let ends = format!("{} > {}", word(&packet["source"]), word(&packet["destination"]));
        line(
            &mut text,
            0,
            &format!("packet: {ends}, protocol {}, {} bytes of IP", packet["protocol"], packet["length"]),
        );
    }
    let service = &answer["service"];
    let verdict = match service["verdict"].as_str() {
        Some("delivered") => format!("delivered to {}{}", word(&service["to"]), guest(&service["to_connected"])),
        Some(verdict) => {
            let stage = service["stage"].as_str().map_or(String::new(), |stage| format!(" at {stage}"));
            format!("{verdict}{stage}: {}", word(&service["reason"]))
        }
        None => "no verdict".to_owned(),
    };
    line(&mut text, 0, &format!("service: {verdict}"));
    why(&mut text, service);
    if let Some(sentence) = answer["not_judged"].as_str() {
        line(&mut text, 0, &format!("mirror: no: {sentence}"));
    }
    for judged in answer["mirror"].as_array().into_iter().flatten() {
        mirror(&mut text, judged);
    }
    line(&mut text, 0, &format!("note: {}", word(&answer["note"])));
    text
}

fn mirror(text: &mut String, judged: &Value) {
    let verdict = match judged["verdict"].as_str() {
        Some("mirrored") => format!("mirrored by {}, rule {}", word(&judged["session"]), word(&judged["rule"])),
        Some("skipped") => {
            let by = format!("matched by {}, rule {}", word(&judged["session"]), word(&judged["rule"]));
            format!("{by}, but not copied: {}", word(&judged["reason"]))
        }
        Some("refused") => format!("not mirrored: refused by rule {}", word(&judged["rule"])),
        Some("excluded") => format!("not mirrored: {}", word(&judged["reason"])),
        _ => "not mirrored: no rule matches".to_owned(),
    };
    line(text, 0, &format!("mirror, {} at {}: {verdict}", word(&judged["direction"]), word(&judged["eni"])));
    why(text, judged);
    for session in judged["sessions"].as_array().into_iter().flatten() {
        let result = word(&session["result"]).replace('_', " ");
        let of = format!("priority {}, filter {}", session["priority"], word(&session["filter"]));
        line(text, 1, &format!("session {}, {of}: {result}", word(&session["session"])));
        session["rules"].as_array().into_iter().flatten().for_each(|r| rule(text, r));
    }
    if judged["target"].is_string() {
        let kind = word(&judged["target_type"]);
        line(text, 1, &format!("target: {} ({kind}){}", word(&judged["target"]), guest(&judged["target_connected"])));
    }
    let copy = &judged["copy"];
    if copy.is_object() {
        let (from, to) = (word(&copy["source"]), word(&copy["destination"]));
        let (source_port, destination_port) = (&copy["source_port"], &copy["destination_port"]);
        line(text, 1, &format!("copy: VNI {}, {from}:{source_port} > {to}:{destination_port}", copy["vni"]));
        let macs = format!("{} > {}", word(&copy["source_mac"]), word(&copy["destination_mac"]));
        line(text, 1, &format!("      {macs}, {} bytes with {} of the frame", copy["bytes"], copy["inner_bytes"]));
    }
    if let Some(why) = judged["cut_why"].as_str() {
        line(text, 1, &format!("length: {why}"));
    }
}

fn rule(text: &mut String, rule: &Value) {
    let ends = |address: &str, ports: &str| match rule[ports].as_str() {
        Some("-1/-1") | None => word(&rule[address]),
        Some(ports) => format!("{} ports {ports}", word(&rule[address])),
    };
    let (source, destination) = (ends("source", "source_ports"), ends("destination", "destination_ports"));
    let differs: Vec<String> = rule["differs"].as_array().into_iter().flatten().map(word).collect();
    let mut result = word(&rule["result"]).replace('_', " ");
    if !differs.is_empty() {
        let _ = write!(result, " ({})", differs.join(", ").replace('_', " "));
    }
    let name = format!("rule {}, priority {}", word(&rule["id"]), rule["priority"]);
    let what = format!("{} {} {source} > {destination}", word(&rule["action"]), word(&rule["protocol"]));
    line(text, 2, &format!("{name}: {what}: {result}"));
}

/// The reason's sentence and what to do.
fn why(text: &mut String, value: &Value) {
    for (key, title) in [("why", "why"), ("advice", "advice")] {
        if let Some(sentence) = value[key].as_str() {
            line(text, 1, &format!("{title}: {sentence}"));
        }
    }
}

fn guest(connected: &Value) -> &'static str {
    match connected.as_bool() {
        Some(true) => ", whose guest is connected",
        Some(false) => ", whose guest is not connected now",
        None => "",
    }
}

fn line(text: &mut String, depth: usize, what: &str) {
    let _ = writeln!(text, "{:1$}{what}", "", depth * 2);
}

fn word(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(s) => s.clone(),
        other => other.to_string(),
    }
}
