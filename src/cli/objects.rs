//! What `vswitchctl` is told of the inventory: accounts, networks, instances, ENIs.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::values::id;

/// What can be done with the inventory.
#[derive(Clone, Debug, Subcommand)]
pub enum InventoryCommand {
    /// Print the whole document, or the objects of a kind, or one.
    Show {
        /// The kind.
        kind: Option<InventoryKind>,
        /// The object's id.
        #[arg(value_parser = id, requires = "kind")]
        id: Option<String>,
    },
    /// Make the inventory what a file says; what is not in it goes.
    Apply {
        /// A JSON file like conf/inventory.json, or - for standard input.
        file: PathBuf,
        /// Only say what would change.
        #[arg(long)]
        dry_run: bool,
    },
    /// Say what applying a file would change.
    Diff {
        /// A JSON file like conf/inventory.json, or - for standard input.
        file: PathBuf,
    },
    /// Delete an object.
    Delete {
        /// Its kind.
        kind: InventoryKind,
        /// Its id.
        #[arg(value_parser = id)]
        id: String,
        /// Only say what would change.
        #[arg(long)]
        dry_run: bool,
    },
}

/// Kinds of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum InventoryKind {
    /// Accounts.
    Accounts,
    /// VPCs.
    Vpcs,
    /// Subnets.
    Vswitches,
    /// Instances.
    Instances,
    /// ENIs.
    NetworkInterfaces,
}

/// What can be done with accounts.
#[derive(Clone, Debug, Subcommand)]
pub enum AccountCommand {
    /// All accounts.
    List,
    /// One account; its secrets are not shown.
    Show {
        /// Its id.
        #[arg(value_parser = id)]
        id: String,
    },
    /// Add an account with an AccessKey.
    Add(NewAccount),
    /// Lock or unlock an account's mirroring.
    SetStatus {
        /// Its id.
        #[arg(value_parser = id)]
        id: String,
        /// What it becomes.
        status: AccountStatus,
        /// Only say what would change.
        #[arg(long)]
        dry_run: bool,
    },
    /// Delete an account that owns nothing any more.
    Delete {
        /// Its id.
        #[arg(value_parser = id)]
        id: String,
        /// Only say what would change.
        #[arg(long)]
        dry_run: bool,
    },
}

/// A new account.
#[derive(Clone, Debug, Args)]
pub struct NewAccount {
    /// Its id.
    #[arg(value_parser = id)]
    pub id: String,
    /// A name for people.
    #[arg(long)]
    pub name: Option<String>,
    /// The id of its AccessKey; without one, one is made up.
    #[arg(long, value_parser = id)]
    pub access_key_id: Option<String>,
    /// A file with the AccessKey's secret, or - for standard input; without one, a secret is made up and shown once.
    #[arg(long)]
    pub secret_file: Option<PathBuf>,
    /// Only say what would change.
    #[arg(long)]
    pub dry_run: bool,
}

/// Whether an account's mirroring is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum AccountStatus {
    /// It is.
    Active,
    /// It is not: mirroring stops, and writes are refused.
    #[value(name = "financial_locked", alias = "financial-locked")]
    FinancialLocked,
}

/// ENIs: which one, or what to do.
#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct EniArgs {
    /// Its id.
    #[arg(value_parser = id)]
    pub id: Option<String>,
    /// What to do.
    #[command(subcommand)]
    pub command: Option<EniCommand>,
}

/// What can be done with ENIs.
#[derive(Clone, Debug, Subcommand)]
pub enum EniCommand {
    /// Add an ENI, from a file or by its fields; answers with the socket and with QEMU and libvirt lines.
    Add(Box<NewEni>),
    /// Delete an ENI; sessions that use it stay and skip, and are named.
    Delete {
        /// Its id.
        #[arg(value_parser = id)]
        id: String,
        /// Only say what would change.
        #[arg(long)]
        dry_run: bool,
    },
}

/// A new ENI: a file, or its fields.
#[derive(Clone, Debug, Args)]
pub struct NewEni {
    /// A JSON object like those of NetworkInterfaces in conf/inventory.json, or - for standard input.
    #[arg(required_unless_present = "id")]
    pub file: Option<PathBuf>,
    /// Its id.
    #[arg(long, value_parser = id, conflicts_with = "file", requires_all = ["vswitch", "mac", "ip"])]
    pub id: Option<String>,
    /// The subnet that it belongs to.
    #[arg(long, value_parser = id, requires = "id")]
    pub vswitch: Option<String>,
    /// Its MAC address.
    #[arg(long, requires = "id")]
    pub mac: Option<String>,
    /// Its primary address.
    #[arg(long, requires = "id")]
    pub ip: Option<Ipv4Addr>,
    /// A secondary address; may be given again.
    #[arg(long, requires = "id")]
    pub secondary_ip: Vec<Ipv4Addr>,
    /// 1500 or 8500 bytes.
    #[arg(long, requires = "id")]
    pub mtu: Option<u16>,
    /// The instance that it belongs to.
    #[arg(long, value_parser = id, requires = "id")]
    pub instance: Option<String>,
    /// The account that owns it.
    #[arg(long, value_parser = id, requires = "id")]
    pub owner: Option<String>,
    /// The host that has its port; without one, this host.
    #[arg(long, value_parser = id, requires = "id")]
    pub host: Option<String>,
    /// Queue pairs that its guest is offered, 1 to 8.
    #[arg(long, requires = "id")]
    pub queue_pairs: Option<u8>,
    /// The path of its vhost-user socket.
    #[arg(long, requires = "id")]
    pub socket_path: Option<String>,
    /// Who listens there: the VMM (the switch is client) or the switch (server).
    #[arg(long, requires = "id")]
    pub socket_mode: Option<SocketOwner>,
    /// Bits a second that it may send and receive, if it belongs to no instance.
    #[arg(long, requires = "id")]
    pub bandwidth_bps: Option<u64>,
    /// Only say what would change.
    #[arg(long)]
    pub dry_run: bool,
}

/// Who listens on an ENI's socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SocketOwner {
    /// The VMM; the switch connects.
    Client,
    /// The switch.
    Server,
}
