//! `vswitchctl`: asks a running vswitch. Exit codes: 0 ok, 1 refused, 2 usage, 3 daemon not reached.

use std::io::IsTerminal;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use hyper::Method;
use serde_json::{Value, json};
use vswitch::ctl::client::{CtlError, ask};
use vswitch::ctl::render;

/// Asks a running vswitch.
#[derive(Parser)]
#[command(name = "vswitchctl", version = vswitch::VERSION)]
struct Cli {
    /// The daemon's operations socket.
    #[arg(long, default_value = "/run/vswitch/ops.sock", global = true)]
    socket: PathBuf,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Read the object files again and apply them.
    Reload,
    /// ENIs, or one of them with a QEMU line that attaches a guest.
    Eni {
        /// Its id.
        id: Option<String>,
    },
    /// Filters, or one with its rules.
    Filter {
        /// Its id.
        id: Option<String>,
    },
    /// Sessions, or one.
    Session {
        /// Its id.
        id: Option<String>,
    },
    /// What would become of a packet: delivered or dropped, mirrored by which rule, and why not.
    Explain {
        /// The ENI that sends or gets it.
        #[arg(long)]
        eni: String,
        /// Which way, seen from the ENI.
        #[arg(long, value_parser = ["in", "out"])]
        direction: String,
        /// Source address.
        #[arg(long)]
        src: Ipv4Addr,
        /// Destination address.
        #[arg(long)]
        dst: Ipv4Addr,
        /// tcp, udp, icmp or a number.
        #[arg(long)]
        protocol: String,
        /// Source port.
        #[arg(long, default_value_t = 0)]
        src_port: u16,
        /// Destination port.
        #[arg(long, default_value_t = 0)]
        dst_port: u16,
        /// IP total length in bytes.
        #[arg(long, default_value_t = 100)]
        length: u16,
    },
    /// Totals, and whether the conservation laws hold.
    Stats {
        /// Exit with 1 when a law does not hold.
        #[arg(long)]
        check: bool,
    },
    /// Packet rates of all ENIs, again and again.
    Top {
        /// Seconds between two looks.
        #[arg(long, default_value_t = 1.0)]
        interval: f64,
        /// How many looks; 0 goes on until interrupted.
        #[arg(long, default_value_t = 0)]
        count: u64,
    },
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(code) => code,
        Err(e) => {
            eprintln!("vswitchctl: {e}");
            ExitCode::from(if matches!(e, CtlError::NotReached { .. }) { 3 } else { 1 })
        }
    }
}

fn run(cli: &Cli) -> Result<ExitCode, CtlError> {
    let get = |path: &str| ask(&cli.socket, Method::GET, path, None);
    match &cli.command {
        Command::Reload => {
            let answer = ask(&cli.socket, Method::POST, "/v1/reload", None)?;
            show(cli, &answer, |v| format!("applied as version {}\n", v["version"]));
        }
        Command::Eni { id } => list(cli, &get(&path("enis", id.as_deref()))?, render::ENI),
        Command::Filter { id } => list(cli, &get(&path("filters", id.as_deref()))?, render::FILTER),
        Command::Session { id } => list(cli, &get(&path("sessions", id.as_deref()))?, render::SESSION),
        Command::Explain { eni, direction, src, dst, protocol, src_port, dst_port, length } => {
            let query = json!({
                "eni": eni, "direction": direction, "source": src, "destination": dst, "protocol": protocol,
                "source_port": src_port, "destination_port": dst_port, "length": length,
            });
            let answer = ask(&cli.socket, Method::POST, "/v1/explain", Some(&query))?;
            show(cli, &answer, render::object);
        }
        Command::Stats { check } => {
            let answer = get("/v1/stats")?;
            let violations = answer["violations"].as_array().map_or(0, Vec::len);
            show(cli, &answer, |v| stats(v, violations));
            if *check && violations > 0 {
                return Ok(ExitCode::FAILURE);
            }
        }
        Command::Top { interval, count } => top(cli, *interval, *count)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn path(what: &str, id: Option<&str>) -> String {
    id.map_or_else(|| format!("/v1/{what}"), |id| format!("/v1/{what}/{id}"))
}

fn show(cli: &Cli, value: &Value, text: impl FnOnce(&Value) -> String) {
    if cli.json {
        println!("{value:#}");
    } else {
        print!("{}", text(value));
    }
}

fn list(cli: &Cli, value: &Value, columns: &[(&str, &str)]) {
    show(cli, value, |v| if v.is_array() { render::table(v, columns) } else { render::object(v) });
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

fn top(cli: &Cli, interval: f64, count: u64) -> Result<(), CtlError> {
    let interval = Duration::from_secs_f64(interval.clamp(0.1, 3600.0));
    let enis = || ask(&cli.socket, Method::GET, "/v1/enis", None);
    let mut before = enis()?;
    let mut looks = 0;
    while count == 0 || looks < count {
        std::thread::sleep(interval);
        let now = enis()?;
        let rates = rates(&before, &now, interval.as_secs_f64());
        if !cli.json && std::io::stdout().is_terminal() {
            print!("\x1b[2J\x1b[H");
        }
        let columns = [("ENI", "id"), ("STATE", "state"), ("RX/s", "rx"), ("TX/s", "tx"), ("DROPS/s", "drops")];
        show(cli, &rates, |v| render::table(v, &columns));
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
