//! The command line of `vswitchctl`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::explain::ExplainArgs;
use super::filters::{FilterArgs, RuleCommand};
use super::objects::{AccountCommand, EniArgs, InventoryCommand};
use super::sessions::SessionArgs;
use super::tenant::{ServiceCommand, TagCommand};
use super::values::{id, seconds};

/// Asks a running vswitch. Exit codes: 0 ok, 1 refused, 2 usage, 3 daemon not reached.
#[derive(Clone, Debug, Parser)]
#[command(name = "vswitchctl")]
pub struct Vswitchctl {
    /// The daemon's operations socket.
    #[arg(long, default_value = "/run/vswitch/ops.sock", global = true, help_heading = "For every command")]
    pub socket: PathBuf,
    /// Print JSON, also of a refusal (to standard error).
    #[arg(long, global = true, help_heading = "For every command")]
    pub json: bool,
    /// What to ask.
    #[command(subcommand)]
    pub command: CtlCommand,
}

/// What `vswitchctl` asks.
#[derive(Clone, Debug, Subcommand)]
pub enum CtlCommand {
    /// How the daemon is: version, readiness, store, revisions.
    Status,
    /// Read the object files again and apply them (a switch without a store).
    Reload,
    /// The inventory as one document: show it, compare it with a file, apply a file.
    #[command(subcommand)]
    Inventory(InventoryCommand),
    /// Accounts and their AccessKeys.
    #[command(subcommand)]
    Account(AccountCommand),
    /// ENIs, or one of them with a QEMU line that attaches a guest; add and delete them.
    Eni(EniArgs),
    /// Filters, or one with its rules; create, change and delete them.
    Filter(FilterArgs),
    /// Rules of a filter.
    #[command(subcommand)]
    Rule(RuleCommand),
    /// Sessions, or one; create, change, start, stop and delete them.
    Session(SessionArgs),
    /// An account's switch of the traffic mirror service.
    #[command(subcommand)]
    Service(ServiceCommand),
    /// Tags of filters and sessions.
    #[command(subcommand)]
    Tag(TagCommand),
    /// An account's limits, and how much of each is used.
    Quota {
        /// The account.
        #[arg(long, value_parser = id)]
        account: String,
    },
    /// What would become of a packet: delivered or dropped, mirrored by which rule, and why not.
    Explain(ExplainArgs),
    /// Totals, and whether the conservation laws hold.
    Stats(StatsArgs),
    /// Packet rates of all ENIs and sessions, live; q ends it.
    Top(TopArgs),
    /// Changes of the stored objects as they happen.
    Watch(WatchArgs),
    /// Write a backup of the store to a file.
    Backup {
        /// The file, which must not exist yet, or - for standard output. It holds secrets: only its owner may read it.
        file: PathBuf,
    },
    /// Replace all that is stored by what a backup holds.
    Restore {
        /// The backup, or - for standard input.
        file: PathBuf,
    },
    /// Look at this host: hugepages, sockets, permissions, versions, clock, CPUs. Needs no running daemon.
    Doctor {
        /// The daemon's configuration file; otherwise conf/vswitch.toml, or /etc/vswitch/vswitch.toml.
        #[arg(long)]
        config: Option<PathBuf>,
    },
}

/// How totals are looked at.
#[derive(Clone, Debug, Args)]
pub struct StatsArgs {
    /// Exit with 1 when a law does not hold.
    #[arg(long)]
    pub check: bool,
}

/// How rates are looked at.
#[derive(Clone, Debug, Args)]
pub struct TopArgs {
    /// Seconds between two looks, 0.1 to 3600.
    #[arg(long, default_value_t = 1.0, value_parser = seconds)]
    pub interval: f64,
    /// How many looks; 0 goes on until interrupted.
    #[arg(long, default_value_t = 0)]
    pub count: u64,
    /// One look, for pipes; the same as --count 1.
    #[arg(long, conflicts_with = "count")]
    pub once: bool,
}

/// Which changes are looked at.
#[derive(Clone, Debug, Args)]
pub struct WatchArgs {
    /// Those after this revision; without it, those from now on.
    #[arg(long)]
    pub after: Option<u64>,
    /// Print what there is, and end.
    #[arg(long)]
    pub once: bool,
}
