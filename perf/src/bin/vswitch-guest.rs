//! `vswitch-guest`: guests without machines. Each port is a vhost-user frontend with a TAP in a network namespace, or
//! pcap files, behind it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::Arc;

use clap::Parser;
use vmm_sys_util::eventfd::EventFd;
use vswitch_perf::guest::bridge::{self, End, Stats};
use vswitch_perf::guest::{GuestPort, PortConfig, Role};
use vswitch_perf::sys::signals;
use vswitch_perf::sys::tap::Tap;

/// Guests without machines: vhost-user frontends with a TAP device or pcap files behind them.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// A port, repeatable: socket=PATH[,role=server|client][,queues=1..8][,ring=split|packed][,size=256][,mtu=1500]
    /// [,announce-mtu=N] and either tap=NAME[,netns=NS],mac=AA:BB:CC:DD:EE:FF or [pcap-in=F][,pcap-out=F].
    #[arg(long = "port", required = true)]
    ports: Vec<PortArg>,
    /// Write this file when all sockets and TAP devices are there.
    #[arg(long)]
    ready_file: Option<PathBuf>,
    /// Print what each port did, as JSON, at the end.
    #[arg(long)]
    stats: bool,
}

#[derive(Clone, Debug)]
struct PortArg {
    config: PortConfig,
    tap: Option<(String, Option<String>, [u8; 6])>,
    pcap_in: Option<PathBuf>,
    pcap_out: Option<PathBuf>,
}

impl FromStr for PortArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut config = PortConfig::new("");
        let (mut tap, mut netns, mut mac, mut pcap_in, mut pcap_out) = (None, None, None, None, None);
        for part in text.split(',') {
            let (key, value) = part.split_once('=').ok_or_else(|| format!("{part}: key=value is expected"))?;
            let number = |max: u16| match value.parse::<u16>() {
                Ok(n) if (1..=max).contains(&n) => Ok(n),
                _ => Err(format!("{key}={value}: a whole number from 1 to {max}")),
            };
            match key {
                "socket" => config.socket = value.into(),
                "role" if value == "server" => config.role = Role::Server,
                "role" if value == "client" => config.role = Role::Client,
                "ring" if value == "split" => config.packed = false,
                "ring" if value == "packed" => config.packed = true,
                "queues" => config.queue_pairs = number(8)? as u8,
                "size" => config.queue_size = number(32768)?,
                "mtu" => config.mtu = number(9000)?,
                "announce-mtu" => config.announce_mtu = Some(number(65535)?),
                "tap" => tap = Some(value.to_owned()),
                "netns" => netns = Some(value.to_owned()),
                "mac" => mac = Some(parse_mac(value)?),
                "pcap-in" => pcap_in = Some(value.into()),
                "pcap-out" => pcap_out = Some(value.into()),
                _ => return Err(format!("{part}: not known; see --help")),
            }
        }
        if config.socket.as_os_str().is_empty() {
            return Err("socket=PATH is missing".to_owned());
        }
        if !config.queue_size.is_power_of_two() {
            return Err(format!("size={}: a power of two", config.queue_size));
        }
        let tap = match (tap, mac) {
            (Some(tap), Some(mac)) => Some((tap, netns, mac)),
            (Some(_), None) => return Err("tap= needs mac=".to_owned()),
            (None, _) => None,
        };
        Ok(PortArg { config, tap, pcap_in, pcap_out })
    }
}

fn parse_mac(text: &str) -> Result<[u8; 6], String> {
    let bytes: Result<Vec<u8>, _> = text.split(':').map(|b| u8::from_str_radix(b, 16)).collect();
    bytes
        .ok()
        .and_then(|b| <[u8; 6]>::try_from(b).ok())
        .ok_or_else(|| format!("mac={text}: six hexadecimal bytes with colons"))
}

fn main() -> ExitCode {
    match run(Cli::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("vswitch-guest: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: Cli) -> Result<(), String> {
    let stop = Arc::new(signals::stop_event().map_err(|e| format!("no signal handling: {e}"))?);
    let mut threads = Vec::new();
    for arg in cli.ports {
        let name = arg.config.socket.display().to_string();
        let error = |e: &dyn std::fmt::Display| format!("{name}: {e}");
        let end = match &arg.tap {
            Some((tap, netns, mac)) => {
                End::Tap(Tap::open(netns.as_deref(), tap, *mac, arg.config.mtu).map_err(|e| format!("TAP {tap}: {e}"))?)
            }
            None => End::pcap(arg.pcap_in, arg.pcap_out).map_err(|e| error(&e))?,
        };
        let port = GuestPort::open(arg.config).map_err(|e| error(&e))?;
        let stop: Arc<EventFd> = stop.clone();
        let thread = std::thread::spawn(move || bridge::run(port, end, &stop));
        threads.push((name, thread));
    }
    if let Some(file) = cli.ready_file {
        std::fs::write(&file, "ready\n").map_err(|e| format!("{}: {e}", file.display()))?;
    }
    let mut failed = Vec::new();
    for (name, thread) in threads {
        match thread.join() {
            Ok(Ok(stats)) => report(cli.stats, &name, &stats),
            Ok(Err(e)) => failed.push(format!("{name}: {e}")),
            Err(_) => failed.push(format!("{name}: the port's thread ended")),
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(failed.join("; ")) }
}

fn report(wanted: bool, name: &str, stats: &Stats) {
    if wanted {
        println!("{}", serde_json::json!({ "socket": name, "stats": stats.json() }));
    }
}
