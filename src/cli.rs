//! What the command lines look like. It stands alone: the build script makes completions and man pages from it.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use clap::{CommandFactory, Parser, Subcommand};

use crate::control::id::{ALLOWED, is_id};
use crate::control::packet_text::{self, HexFrame, PacketText};

/// The virtual switch process of a hypervisor host: forwards and mirrors VPC traffic.
#[derive(Clone, Debug, Parser)]
#[command(name = "vswitch")]
pub struct Vswitch {
    /// What to do.
    #[command(subcommand)]
    pub command: DaemonCommand,
}

/// What `vswitch` does.
#[derive(Clone, Debug, Subcommand)]
pub enum DaemonCommand {
    /// Run the switch until SIGTERM or SIGINT; SIGHUP reads the object files again.
    Run {
        /// The configuration file.
        #[arg(long, default_value = "conf/vswitch.toml")]
        config: PathBuf,
    },
    /// Print the effective configuration, or every error in it and in the files it names.
    Check {
        /// The configuration file.
        #[arg(long, default_value = "conf/vswitch.toml")]
        config: PathBuf,
    },
    /// Run recorded packets through the datapath, without root or hugepages.
    Replay(ReplayArgs),
}

/// What is asked of a replay.
#[derive(Clone, Debug, clap::Args)]
pub struct ReplayArgs {
    /// The inventory.
    #[arg(long)]
    pub inventory: PathBuf,
    /// Filters and sessions.
    #[arg(long)]
    pub mirror: PathBuf,
    /// The ENI at which the packets were recorded.
    #[arg(long)]
    pub eni: String,
    /// Which way they went, seen from the ENI; auto decides by the source MAC.
    #[arg(long, value_parser = ["in", "out", "auto"], default_value = "auto")]
    pub direction: String,
    /// The recorded packets: a classic pcap of Ethernet frames.
    #[arg(long)]
    pub pcap: PathBuf,
    /// Folder for delivered.pcap, mirrored.pcap and verdicts.jsonl.
    #[arg(long)]
    pub out: PathBuf,
    /// A list of regions and what they can, instead of the built-in one; the inventory's RegionId chooses.
    #[arg(long)]
    pub regions: Option<PathBuf>,
}

/// Asks a running vswitch. Exit codes: 0 ok, 1 refused, 2 usage, 3 daemon not reached.
#[derive(Clone, Debug, Parser)]
#[command(name = "vswitchctl")]
pub struct Vswitchctl {
    /// The daemon's operations socket.
    #[arg(long, default_value = "/run/vswitch/ops.sock", global = true)]
    pub socket: PathBuf,
    /// Print JSON.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to ask.
    #[command(subcommand)]
    pub command: CtlCommand,
}

/// What `vswitchctl` asks.
#[derive(Clone, Debug, Subcommand)]
pub enum CtlCommand {
    /// Read the object files again and apply them.
    Reload,
    /// ENIs, or one of them with a QEMU line that attaches a guest.
    Eni {
        /// Its id.
        #[arg(value_parser = id)]
        id: Option<String>,
    },
    /// Filters, or one with its rules.
    Filter {
        /// Its id.
        #[arg(value_parser = id)]
        id: Option<String>,
    },
    /// Sessions, or one.
    Session {
        /// Its id.
        #[arg(value_parser = id)]
        id: Option<String>,
    },
    /// What would become of a packet: delivered or dropped, mirrored by which rule, and why not.
    Explain(ExplainArgs),
    /// Totals, and whether the conservation laws hold.
    Stats {
        /// Exit with 1 when a law does not hold.
        #[arg(long)]
        check: bool,
    },
    /// Packet rates of all ENIs, again and again.
    Top {
        /// Seconds between two looks, 0.1 to 3600.
        #[arg(long, default_value_t = 1.0, value_parser = seconds)]
        interval: f64,
        /// How many looks; 0 goes on until interrupted.
        #[arg(long, default_value_t = 0)]
        count: u64,
    },
}

/// A packet to explain.
#[derive(Clone, Debug, clap::Args)]
pub struct ExplainArgs {
    /// The ENI that sends or gets it.
    #[arg(long, value_parser = id)]
    pub eni: String,
    /// Which way, seen from the ENI.
    #[arg(long, value_parser = ["in", "out"])]
    pub direction: String,
    /// The packet: SOURCE[:PORT]>DESTINATION[:PORT]/PROTOCOL[,len=BYTES], such as 10.0.0.1:1234>10.0.0.2:80/tcp. The
    /// protocol is tcp, udp, icmp or a number; the length is the IP packet's, 100 where none is given.
    #[arg(long, value_parser = packet_text::packet, conflicts_with_all = ["hex", "src", "dst", "protocol"])]
    pub packet: Option<PacketText>,
    /// Or a whole Ethernet frame, in hexadecimal digits.
    #[arg(long, value_parser = packet_text::frame, conflicts_with_all = ["src", "dst", "protocol"])]
    pub hex: Option<HexFrame>,
    /// Or its fields: the source address,
    #[arg(long, required_unless_present_any = ["packet", "hex"])]
    pub src: Option<Ipv4Addr>,
    /// the destination address,
    #[arg(long, required_unless_present_any = ["packet", "hex"])]
    pub dst: Option<Ipv4Addr>,
    /// tcp, udp, icmp or a number,
    #[arg(long, required_unless_present_any = ["packet", "hex"])]
    pub protocol: Option<String>,
    /// the source port,
    #[arg(long, conflicts_with_all = ["packet", "hex"])]
    pub src_port: Option<u16>,
    /// the destination port,
    #[arg(long, conflicts_with_all = ["packet", "hex"])]
    pub dst_port: Option<u16>,
    /// and the IP total length in bytes, 100 where none is given.
    #[arg(long, conflicts_with_all = ["packet", "hex"])]
    pub length: Option<u16>,
}

fn id(text: &str) -> Result<String, String> {
    if is_id(text) { Ok(text.to_owned()) } else { Err(format!("an id has {ALLOWED}")) }
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|s| (0.1..=3600.0).contains(s));
    seconds.ok_or_else(|| "seconds from 0.1 to 3600".to_owned())
}

/// Reads the process's command line, or ends the process with help, the version or a complaint (exit code 2).
#[must_use]
pub fn parse<T: Parser + CommandFactory>(version: &'static str) -> T {
    let mut command = T::command().version(version);
    let matches = command.clone().get_matches();
    T::from_arg_matches(&matches).unwrap_or_else(|e| e.format(&mut command).exit())
}
