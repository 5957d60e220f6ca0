//! Arguments.

use std::path::PathBuf;
use std::time::Instant;

use clap::{Args, Parser, Subcommand};

/// Measures the switch beside its peers, on this machine, and checks what it measures.
#[derive(Debug, Parser)]
#[command(version, after_help = "Without a command: a prompt in the manner of testpmd.")]
pub struct Cli {
    /// Folder for report.json, report.txt and PNG charts.
    #[arg(long, global = true)]
    pub out: Option<PathBuf>,
    /// JSON on standard output instead of tables.
    #[arg(long, global = true)]
    pub json: bool,
    /// No progress on the terminal.
    #[arg(long, global = true)]
    pub quiet: bool,
    /// Leave out the slower run that looks at every frame.
    #[arg(long, global = true)]
    pub no_verify: bool,
    /// Guests' memory in ordinary pages.
    #[arg(long, global = true)]
    pub no_hugepages: bool,
    /// When the program began.
    #[arg(skip = super::now())]
    pub began: Instant,
    /// What to do.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The scenarios that come with the program.
    List,
    /// A scenario by its name, or from a file that ends in .toml.
    Run {
        /// Name or file.
        scenario: String,
        #[command(flatten)]
        overrides: Overrides,
    },
    /// Two ENIs talk to each other.
    Forward(Overrides),
    /// The same, and what matches is copied to a third.
    Mirror(Overrides),
    /// More of something that must not cost.
    Scale(Overrides),
    /// Time on the way at a fixed rate.
    Latency(Overrides),
    /// The configuration changes while packets flow.
    Churn(Overrides),
    /// Recorded packets through the packet path, offline.
    Replay(Overrides),
    /// Our classifier and librte_acl over the same rules and keys.
    Classify {
        /// A few seconds, for correctness.
        #[arg(long)]
        short: bool,
    },
    /// Stages of the packet's way, in TSC cycles a packet.
    Stages {
        /// A second or two, for correctness.
        #[arg(long)]
        short: bool,
    },
    /// Every goal beside its peers, in one table.
    Race {
        /// Under three minutes, for correctness; no goal is judged.
        #[arg(long)]
        short: bool,
        /// Only goals whose scenario has this in its name.
        #[arg(long)]
        only: Option<String>,
        #[command(flatten)]
        overrides: Overrides,
    },
    /// The prompt.
    Prompt,
    /// The inside of a trial whose guests live in the workers' threads.
    #[command(name = "__inside", hide = true)]
    Inside,
}

macro_rules! overrides {
    ($($(#[$doc:meta])* $field:ident => $key:literal;)+) => {
        /// Other values than the scenario's; lists with commas make a point each.
        #[derive(Clone, Debug, Default, Args)]
        pub struct Overrides {
            $($(#[$doc])* #[arg(long)] pub $field: Option<String>,)+
            /// Peer in the same rounds, repeatable: testpmd, ovs, cloop, off; "none" for nobody.
            #[arg(long = "peer")]
            pub peers: Vec<String>,
            #[arg(skip)]
            joined: std::sync::OnceLock<String>,
        }

        impl Overrides {
            /// Names and values, as [`crate::scenario::Scenario::with_overrides`] takes them.
            pub fn pairs(&self) -> Vec<(&str, &str)> {
                let mut pairs = Vec::new();
                $(if let Some(value) = &self.$field { pairs.push(($key, value.as_str())); })+
                if !self.peers.is_empty() {
                    pairs.push(("peers", self.joined.get_or_init(|| self.peers.join(",")).as_str()));
                }
                pairs
            }
        }
    };
}

overrides! {
    /// Frame lengths in bytes without FCS, 64 to 8514, or imix.
    size => "size";
    /// Flows, powers of two up to 1048576.
    flows => "flows";
    /// Percent of the flows that match.
    r#match => "match";
    /// Rules in each direction, 0 to 10000.
    rules => "rules";
    /// ENIs beside the collector's.
    enis => "enis";
    /// Sessions stored in all.
    stored_sessions => "stored_sessions";
    /// Sessions with a source on this host.
    local_sessions => "local_sessions";
    /// What the collector does: fast, slow, blocked.
    target => "target";
    /// What the switch does with copies under overload: share, shed.
    overload => "overload";
    /// Polling workers.
    workers => "workers";
    /// Rings: split, packed.
    ring => "ring";
    /// Bytes kept of a copied packet.
    packet_length => "packet_length";
    /// MTU: 1500, 8500.
    mtu => "mtu";
    /// Offered rate, percent of the lossless maximum; 100: as fast as it goes.
    offered => "offered";
    /// Where the guests are: processes, in_process.
    level => "level";
    /// Rounds.
    rounds => "rounds";
    /// Seconds a round measures.
    seconds => "seconds";
    /// Seconds before, not measured.
    warmup => "warmup";
}

impl Command {
    /// The kind of scenario that a command without one stands for.
    pub fn kind(&self) -> &'static str {
        match self {
            Command::Mirror(_) => "mirror",
            Command::Scale(_) => "scale",
            Command::Latency(_) => "latency",
            Command::Churn(_) => "churn",
            Command::Replay(_) => "replay",
            Command::Classify { .. } => "classify",
            _ => "forward",
        }
    }

    /// Its overrides, of those commands that are a kind.
    pub fn overrides(&self) -> &Overrides {
        static NONE: std::sync::LazyLock<Overrides> = std::sync::LazyLock::new(Overrides::default);
        match self {
            Command::Forward(o)
            | Command::Mirror(o)
            | Command::Scale(o)
            | Command::Latency(o)
            | Command::Churn(o)
            | Command::Replay(o) => o,
            _ => &NONE,
        }
    }
}
