//! `vswitchctl`: asks a running vswitch. Exit codes: 0 ok, 1 refused, 2 usage, 3 daemon not reached.

use std::io::IsTerminal;
use std::process::ExitCode;
use std::time::Duration;

use hyper::Method;
use serde_json::{Value, json};
use vswitch::cli::{self, CtlCommand as Command, ExplainArgs, Vswitchctl};
use vswitch::control::packet_text::DEFAULT_LENGTH;
use vswitch::ctl::client::{CtlError, ask};
use vswitch::ctl::{explained, render};
use vswitch::terminal;

fn main() -> ExitCode {
    let cli = cli::parse::<Vswitchctl>(vswitch::VERSION_LINE);
    match run(&cli) {
        Ok(code) => code,
        Err(e) => {
            let lines: Vec<String> = e.to_string().lines().map(str::to_owned).collect();
            terminal::complain("vswitchctl", &lines);
            ExitCode::from(if matches!(e, CtlError::NotReached { .. }) { 3 } else { 1 })
        }
    }
}

fn run(cli: &Vswitchctl) -> Result<ExitCode, CtlError> {
    let get = |path: &str| ask(&cli.socket, Method::GET, path, None);
    match &cli.command {
        Command::Reload => {
            let answer = ask(&cli.socket, Method::POST, "/v1/reload", None)?;
            show(cli, &answer, |v| format!("applied as version {}\n", v["version"]))?;
        }
        Command::Eni { id } => drop(list(cli, &get(&path("enis", id.as_deref()))?, render::ENI)?),
        Command::Filter { id } => drop(list(cli, &get(&path("filters", id.as_deref()))?, render::FILTER)?),
        Command::Session { id } => drop(list(cli, &get(&path("sessions", id.as_deref()))?, render::SESSION)?),
        Command::Explain(packet) => {
            let answer = ask(&cli.socket, Method::POST, "/v1/explain", Some(&query(packet)))?;
            show(cli, &answer, explained::text)?;
        }
        Command::Stats { check } => {
            let answer = get("/v1/stats")?;
            let violations = answer["violations"].as_array().map_or(0, Vec::len);
            show(cli, &answer, |v| stats(v, violations))?;
            if *check && violations > 0 {
                return Ok(ExitCode::FAILURE);
            }
        }
        Command::Top { interval, count } => top(cli, *interval, *count)?,
    }
    Ok(ExitCode::SUCCESS)
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

fn path(what: &str, id: Option<&str>) -> String {
    id.map_or_else(|| format!("/v1/{what}"), |id| format!("/v1/{what}/{id}"))
}

/// Prints an answer; whether anybody still reads.
fn show(cli: &Vswitchctl, value: &Value, text: impl FnOnce(&Value) -> String) -> Result<bool, CtlError> {
    let text = if cli.json { format!("{value:#}\n") } else { text(value) };
    Ok(terminal::write(&text)?)
}

fn list(cli: &Vswitchctl, value: &Value, columns: &[(&str, &str)]) -> Result<bool, CtlError> {
    show(cli, value, |v| if v.is_array() { render::table(v, columns) } else { render::object(v) })
}

fn stats(value: &Value, violations: usize) -> String {
    let mut text = render::object(&value["totals"]);
    if violations == 0 {
        text.push_str("the conservation laws hold\n");
    }
    for violation in value["violations"].as_array().into_iter().flatten() {
        text.push_str(&format!("not conserved (or not quiet): {}\n", violation.as_str().unwrap_or_default()));
    }
    text
}

fn top(cli: &Vswitchctl, interval: f64, count: u64) -> Result<(), CtlError> {
    let interval = Duration::from_secs_f64(interval);
    let enis = || ask(&cli.socket, Method::GET, "/v1/enis", None);
    let mut before = enis()?;
    let mut looks = 0;
    while count == 0 || looks < count {
        std::thread::sleep(interval);
        let now = enis()?;
        let rates = rates(&before, &now, interval.as_secs_f64());
        let clear = if std::io::stdout().is_terminal() { "\x1b[2J\x1b[H" } else { "" };
        let columns = [("ENI", "id"), ("STATE", "state"), ("RX/s", "rx"), ("TX/s", "tx"), ("DROPS/s", "drops")];
        if !show(cli, &rates, |v| clear.to_owned() + &render::table(v, &columns))? {
            return Ok(());
        }
        before = now;
        looks += 1;
    }
    Ok(())
}

fn rates(before: &Value, now: &Value, seconds: f64) -> Value {
    let list = now.as_array().into_iter().flatten().map(|eni| {
        let old = before.as_array().into_iter().flatten().find(|o| o["id"] == eni["id"]);
        let rate = |key: &str| {
            let was = old.and_then(|o| o[key].as_u64()).unwrap_or(0);
            (eni[key].as_u64().unwrap_or(0).saturating_sub(was) as f64 / seconds).round() as u64
        };
        json!({
            "id": eni["id"], "state": eni["state"],
            "rx": rate("rx_packets"), "tx": rate("tx_packets"), "drops": rate("drops"),
        })
    });
    list.collect()
}
