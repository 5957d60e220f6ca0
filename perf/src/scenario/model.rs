//! The words of a scenario.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $word:ident = $text:literal),+ $(,)? })+) => {
        $($(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$word_doc])* $word),+ }

        impl $name {
            /// All of them, as files write them.
            pub const ALL: &'static [(&'static str, Self)] = &[$(($text, $name::$word)),+];

            /// As files write it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $($name::$word => $text),+ }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let word = String::deserialize(d)?;
                let found = Self::ALL.iter().find(|(text, _)| *text == word).map(|(_, word)| *word);
                found.ok_or_else(|| serde::de::Error::custom(format!("no such word: {word}")))
            }
        }
        )+
    };
}

words! {
    /// What is done.
    Kind {
        /// Two ENIs talk to each other; rules, if there are any, see every packet.
        Forward = "forward",
        /// The same, and what matches is copied to a third ENI.
        Mirror = "mirror",
        /// The classifier by itself, on gathered keys.
        Classify = "classify",
        /// One of the two above, with more of something that must not cost.
        Scale = "scale",
        /// Time on the way at a fixed rate.
        Latency = "latency",
        /// The configuration changes while packets flow.
        Churn = "churn",
        /// Recorded packets through the very same packet path, offline.
        Replay = "replay",
    }
    /// Where the guests are.
    Level {
        /// None: one stage, in TSC cycles a packet.
        Stage = "stage",
        /// In the worker's own thread, between its turns.
        InProcess = "in_process",
        /// In a process and on a CPU of their own, over vhost-user.
        Processes = "processes",
    }
    /// Who is measured beside the switch.
    Peer {
        /// `dpdk-testpmd`, io-forward over two net_vhost ports; the best of its ring modes.
        Testpmd = "testpmd",
        /// OVS-DPDK; the best of its tunings.
        Ovs = "ovs",
        /// The C loop of `perf/peers/`.
        Cloop = "cloop",
        /// DPDK's librte_acl; the best of its algorithms.
        LibrteAcl = "librte_acl",
        /// The switch itself without any session (contender `vswitch-off`).
        Off = "off",
    }
    /// What the collector does.
    Target {
        /// Takes every copy at once.
        Fast = "fast",
        /// Takes copies slower than they come.
        Slow = "slow",
        /// Takes nothing.
        Blocked = "blocked",
    }
    /// What the switch does with copies when its worker is saturated (`mirror.overload`).
    Overload {
        /// Gives them up.
        Shed = "shed",
        /// Nothing: service and copies share the worker, as they do in peers.
        Share = "share",
    }
    /// Form of the guests' rings.
    Ring {
        /// Split virtqueues.
        Split = "split",
        /// Packed virtqueues.
        Packed = "packed",
    }
}

/// Length of the frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Size {
    /// All alike: bytes without FCS.
    Fixed(u16),
    /// The mix of [`super::IMIX`].
    Imix,
}

impl Size {
    /// Bytes of the longest frame, without FCS.
    #[must_use]
    pub fn longest(self) -> u16 {
        match self {
            Size::Fixed(bytes) => bytes,
            Size::Imix => super::IMIX.iter().map(|(bytes, _)| *bytes).max().unwrap_or_default(),
        }
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Size::Fixed(bytes) => write!(f, "{bytes}"),
            Size::Imix => f.write_str("imix"),
        }
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            Size::Fixed(bytes) => s.serialize_u16(*bytes),
            Size::Imix => s.serialize_str("imix"),
        }
    }
}

/// One file of `perf/scenarios`. Every list makes points; a list that the file leaves out holds its default.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scenario {
    /// The file's stem.
    pub name: String,
    /// What is done.
    pub kind: Kind,
    /// One or two sentences.
    pub about: String,
    /// Where the guests are.
    pub level: Level,
    /// Who is measured beside the switch, in the same rounds.
    pub peers: Vec<Peer>,
    /// Frame lengths.
    pub sizes: Vec<Size>,
    /// Flows, in all; powers of two.
    pub flows: Vec<u32>,
    /// Share of the flows that match, percent.
    pub match_percent: Vec<u8>,
    /// Rules of the measured session in each direction; 0: no session at all.
    pub rules: Vec<u32>,
    /// ENIs beside the collector's; two for each worker talk, the rest is idle.
    pub enis: Vec<u32>,
    /// Sessions that the switch stores, the local ones among them; empty: the local ones only.
    pub stored_sessions: Vec<u32>,
    /// Sessions with a source on this host, the measured one among them.
    pub local_sessions: Vec<u32>,
    /// What the collector does.
    pub target: Vec<Target>,
    /// What the switch gives up when its worker is saturated.
    pub overload: Vec<Overload>,
    /// Polling workers.
    pub workers: Vec<u8>,
    /// Form of the rings.
    pub ring: Vec<Ring>,
    /// Bytes kept of a copied IPv4 packet.
    pub packet_length: Vec<u16>,
    /// MTU of all ENIs; empty: 1500, or 8500 where the frames need it.
    pub mtu: Vec<u16>,
    /// Offered rate, percent of the lossless maximum that the same run has measured: in `latency` scenarios that of the
    /// scenario's own configuration, in all others that of the switch without any session. 100: as fast as it goes.
    pub offered_percent: Vec<u8>,
    /// Rounds of every contender, interleaved.
    pub rounds: u32,
    /// Seconds that a round measures.
    pub seconds: f64,
    /// Seconds that run before, unmeasured.
    pub warmup_seconds: f64,
    /// What has not landed yet.
    pub needs: Option<String>,
}

impl Scenario {
    /// What to answer instead of measuring, if its feature has not landed.
    #[must_use]
    pub fn not_yet(&self) -> Option<String> {
        self.needs.as_ref().map(|needs| format!("not yet: {needs}"))
    }
}
