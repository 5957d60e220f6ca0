//! What all that is done for an account has in common; the service's switch and tags.

use clap::{Args, Subcommand, ValueEnum};

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
