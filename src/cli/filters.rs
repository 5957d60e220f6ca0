//! What `vswitchctl` is told of filters and their rules.

use clap::{Args, Subcommand};

use super::rule_text::{self, RuleText};
use super::tenant::{ListArgs, NewFields, TenantWrite};
use super::values::id;

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
