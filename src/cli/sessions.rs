//! What `vswitchctl` is told of sessions.

use clap::{ArgAction, Args, Subcommand};

use super::tenant::{ListArgs, NewFields, TenantWrite};
use super::values::id;

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
