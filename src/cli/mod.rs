//! What the command lines look like. It stands alone: the build script makes completions and man pages from it.

mod ctl;
mod explain;
mod filters;
mod objects;
pub mod rule_text;
mod sessions;
mod tenant;
mod values;

use std::path::PathBuf;

use clap::{CommandFactory, Parser, Subcommand};

pub use ctl::{CtlCommand, StatsArgs, TopArgs, Vswitchctl, WatchArgs};
pub use explain::ExplainArgs;
pub use filters::{FilterArgs, FilterCommand, FilterFields, RuleChanges, RuleCommand, Rules};
pub use objects::{
    AccountCommand, AccountStatus, EniArgs, EniCommand, InventoryCommand, InventoryKind, NewAccount, NewEni,
    SocketOwner,
};
pub use sessions::{SessionArgs, SessionCommand, SessionFields};
pub use tenant::{ListArgs, NewFields, ServiceCommand, TagCommand, Tagged, TaggedKind, Tenant, TenantWrite};

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

/// Reads the process's command line, or ends the process with help, the version or a complaint (exit code 2).
#[must_use]
pub fn parse<T: Parser + CommandFactory>(version: &'static str) -> T {
    let mut command = T::command().version(version);
    let matches = command.clone().get_matches();
    T::from_arg_matches(&matches).unwrap_or_else(|e| e.format(&mut command).exit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_lines_are_sound() {
        Vswitch::command().debug_assert();
        Vswitchctl::command().debug_assert();
    }
}
