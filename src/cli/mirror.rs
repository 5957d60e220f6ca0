//! What `vswitchctl` is told of traffic mirroring. The operator acts for an account.

use clap::{ArgAction, Args, Subcommand, ValueEnum};

use super::rule_text::{self, RuleText};
use super::values::{id, tag};

/// For whom.
#[derive(Clone, Debug, Args)]
pub struct Tenant {
    /// The account that this is done for.
    #[arg(long, value_parser = id)]
    pub account: String,
}

/// For whom, and whether in earnest.
#[derive(Clone, Debug, Args)]
pub struct TenantWrite {
    /// The account that this is done for.
    #[arg(long, value_parser = id)]
    pub account: String,
    /// Only check whether it would be done.
    #[arg(long)]
    pub dry_run: bool,
    /// A token of at most 64 characters: the same request with the same token is done once.
    #[arg(long)]
    pub client_token: Option<String>,
}

/// What a new object may have besides.
#[derive(Clone, Debug, Args)]
pub struct NewFields {
    /// Its resource group.
    #[arg(long, value_parser = id)]
    pub resource_group: Option<String>,
    /// A tag, KEY=VALUE; may be given again.
    #[arg(long, value_parser = tag)]
    pub tag: Vec<(String, String)>,
}

/// Whose objects are listed: with the account, those that are stored, with their statuses.
#[derive(Clone, Debug, Args)]
pub struct ListArgs {
    /// The account.
    #[arg(long, value_parser = id)]
    pub account: String,
    /// Only those with this name.
    #[arg(long)]
    pub name: Option<String>,
}

/// Filters: which one, or what to do.
#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct FilterArgs {
    /// Its id.
    #[arg(value_parser = id)]
    pub id: Option<String>,
    /// What to do.
    #[command(subcommand)]
    pub command: Option<FilterCommand>,
}

/// What can be done with filters.
#[derive(Clone, Debug, Subcommand)]
pub enum FilterCommand {
    /// An account's filters as they are stored.
    List(ListArgs),
    /// Create a filter.
    Create {
        /// Name and description.
        #[command(flatten)]
        fields: FilterFields,
        /// Its rules.
        #[command(flatten)]
        rules: Rules,
        /// What else it may have.
        #[command(flatten)]
        new: NewFields,
        /// For whom.
        #[command(flatten)]
        tenant: TenantWrite,
    },
    /// Change name or description.
    Update {
        /// Its id.
        #[arg(value_parser = id)]
        id: String,
        /// What to change.
        #[command(flatten)]
        fields: FilterFields,
        /// For whom.
        #[command(flatten)]
        tenant: TenantWrite,
    },
    /// Delete a filter that no session uses.
    Delete {
        /// Its id.
        #[arg(value_parser = id)]
        id: String,
        /// For whom.
        #[command(flatten)]
        tenant: TenantWrite,
    },
}

/// What people call a filter.
#[derive(Clone, Debug, Args)]
pub struct FilterFields {
    /// Its name, 1 to 128 characters.
    #[arg(long)]
    pub name: Option<String>,
    /// Its description, 1 to 256 characters.
    #[arg(long)]
    pub description: Option<String>,
}

/// Rules of both directions.
#[derive(Clone, Debug, Args)]
pub struct Rules {
    /// A rule for packets that the source is given, such as
    /// action=accept,priority=1,protocol=TCP,source=10.0.0.0/8,destination=0.0.0.0/0,destination-ports=80/443 (also:
    /// source-ports). May be given again.
    #[arg(long, value_parser = rule_text::rule)]
    pub ingress: Vec<RuleText>,
    /// The same for packets that the source sends.
    #[arg(long, value_parser = rule_text::rule)]
    pub egress: Vec<RuleText>,
}

/// What can be done with rules.
#[derive(Clone, Debug, Subcommand)]
pub enum RuleCommand {
    /// A filter's rules.
    List {
        /// The filter.
        #[arg(value_parser = id)]
        filter: String,
        /// With their statuses, as this account has stored them; otherwise as the switch uses them.
        #[arg(long, value_parser = id)]
        account: Option<String>,
    },
    /// Add rules to a filter.
    Create {
        /// The filter.
        #[arg(value_parser = id)]
        filter: String,
        /// The rules.
        #[command(flatten)]
        rules: Rules,
        /// For whom.
        #[command(flatten)]
        tenant: TenantWrite,
    },
    /// Change a rule.
    Update {
        /// The rule.
        #[arg(value_parser = id)]
        id: String,
        /// What to change.
        #[command(flatten)]
        changes: RuleChanges,
        /// For whom.
        #[command(flatten)]
        tenant: TenantWrite,
    },
    /// Delete rules of a filter.
    Delete {
        /// The filter.
        #[arg(value_parser = id)]
        filter: String,
        /// The rules.
        #[arg(value_parser = id, required = true)]
        rules: Vec<String>,
        /// For whom.
        #[command(flatten)]
        tenant: TenantWrite,
    },
}

/// What a rule becomes.
#[derive(Clone, Debug, Args)]
pub struct RuleChanges {
    /// accept or drop.
    #[arg(long)]
    pub action: Option<String>,
    /// 1 to 16777216, unique in its direction; smaller is tried first.
    #[arg(long)]
    pub priority: Option<u32>,
    /// ALL, ICMP, TCP or UDP.
    #[arg(long)]
    pub protocol: Option<String>,
    /// Source network.
    #[arg(long)]
    pub source: Option<String>,
    /// Destination network.
    #[arg(long)]
    pub destination: Option<String>,
    /// Source ports, FIRST/LAST, or -1/-1 for all.
    #[arg(long, allow_hyphen_values = true)]
    pub source_ports: Option<String>,
    /// Destination ports, likewise.
    #[arg(long, allow_hyphen_values = true)]
    pub destination_ports: Option<String>,
}

/// Sessions: which one, or what to do.
#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct SessionArgs {
    /// Its id.
    #[arg(value_parser = id)]
    pub id: Option<String>,
    /// What to do.
    #[command(subcommand)]
    pub command: Option<SessionCommand>,
}

/// What can be done with sessions.
#[derive(Clone, Debug, Subcommand)]
pub enum SessionCommand {
    /// An account's sessions as they are stored.
    List(ListArgs),
    /// Create a session.
    Create {
        /// An ENI whose traffic it mirrors; may be given again.
        #[arg(long, value_parser = id, required = true)]
        source: Vec<String>,
        /// The filter that decides what is mirrored.
        #[arg(long, value_parser = id)]
        filter: String,
        /// Where the copies go.
        #[arg(long, value_parser = id)]
        target: String,
        /// 1 to 32766, unique in the account; smaller is tried first.
        #[arg(long)]
        priority: u32,
        /// The rest.
        #[command(flatten)]
        fields: SessionFields,
        /// What else it may have.
        #[command(flatten)]
        new: NewFields,
        /// For whom.
        #[command(flatten)]
        tenant: TenantWrite,
    },
    /// Change a session; what is not named stays.
    Update {
        /// Its id.
        #[arg(value_parser = id)]
        id: String,
        /// Another filter.
        #[arg(long, value_parser = id)]
        filter: Option<String>,
        /// Another target.
        #[arg(long, value_parser = id)]
        target: Option<String>,
        /// Another priority.
        #[arg(long)]
        priority: Option<u32>,
        /// What else to change.
        #[command(flatten)]
        fields: SessionFields,
        /// For whom.
        #[command(flatten)]
        tenant: TenantWrite,
    },
    /// Start mirroring.
    Enable {
        /// Its id.
        #[arg(value_parser = id)]
        id: String,
        /// For whom.
        #[command(flatten)]
        tenant: TenantWrite,
    },
    /// Stop mirroring.
    Disable {
        /// Its id.
        #[arg(value_parser = id)]
        id: String,
        /// For whom.
        #[command(flatten)]
        tenant: TenantWrite,
    },
    /// Add sources.
    AddSources {
        /// Its id.
        #[arg(value_parser = id)]
        id: String,
        /// The ENIs.
        #[arg(value_parser = id, required = true)]
        sources: Vec<String>,
        /// For whom.
        #[command(flatten)]
        tenant: TenantWrite,
    },
    /// Remove sources; the last one may go, too.
    RemoveSources {
        /// Its id.
        #[arg(value_parser = id)]
        id: String,
        /// The ENIs.
        #[arg(value_parser = id, required = true)]
        sources: Vec<String>,
        /// For whom.
        #[command(flatten)]
        tenant: TenantWrite,
    },
    /// Delete a session.
    Delete {
        /// Its id.
        #[arg(value_parser = id)]
        id: String,
        /// For whom.
        #[command(flatten)]
        tenant: TenantWrite,
    },
}

/// What a session says.
#[derive(Clone, Debug, Args)]
pub struct SessionFields {
    /// NetworkInterface (a new session's default), SLB or GatewayLoadBalancerEndpoint.
    #[arg(long)]
    pub target_type: Option<String>,
    /// VXLAN network identifier, 0 to 16777215; without one, a new session gets a random one.
    #[arg(long)]
    pub vni: Option<u32>,
    /// Bytes that are kept of a packet, 64 to 8500; 1500 where none is given.
    #[arg(long)]
    pub packet_length: Option<u32>,
    /// Whether it mirrors: true or false; a new session does not unless told to.
    #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, action = ArgAction::Set)]
    pub enabled: Option<bool>,
    /// Its name, 1 to 128 characters.
    #[arg(long)]
    pub name: Option<String>,
    /// Its description, 1 to 256 characters.
    #[arg(long)]
    pub description: Option<String>,
}

/// What can be done with the service's switch.
#[derive(Clone, Debug, Subcommand)]
pub enum ServiceCommand {
    /// Open the service, which an account does once, before its first filter.
    Open(Tenant),
    /// Whether it is open.
    Status(Tenant),
}

/// Whose tags.
#[derive(Clone, Debug, Args)]
pub struct Tagged {
    /// What kind of object.
    pub kind: TaggedKind,
    /// Its id.
    #[arg(value_parser = id)]
    pub id: String,
    /// The account that this is done for.
    #[arg(long, value_parser = id)]
    pub account: String,
}

/// What has tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TaggedKind {
    /// A filter.
    Filter,
    /// A session.
    Session,
}

/// What can be done with tags.
#[derive(Clone, Debug, Subcommand)]
pub enum TagCommand {
    /// An object's tags.
    List(Tagged),
    /// Add tags, or change their values.
    Add {
        /// Whose.
        #[command(flatten)]
        object: Tagged,
        /// KEY=VALUE.
        #[arg(value_parser = tag, required = true)]
        tags: Vec<(String, String)>,
    },
    /// Remove tags.
    Remove {
        /// Whose.
        #[command(flatten)]
        object: Tagged,
        /// Their keys.
        #[arg(required = true)]
        keys: Vec<String>,
    },
}
