//! What operators ask of a running switch.

use serde::Deserialize;
use serde_json::Value;

use crate::metrics::scrape::Scrape;

/// A packet that `explain` judges.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainQuery {
    /// The ENI that sends or gets it.
    pub eni: String,
    /// `out` or `in`.
    pub direction: String,
    /// Source address.
    pub source: std::net::Ipv4Addr,
    /// Destination address.
    pub destination: std::net::Ipv4Addr,
    /// `tcp`, `udp`, `icmp` or a number.
    pub protocol: String,
    /// Source port, for TCP and UDP.
    #[serde(default)]
    pub source_port: u16,
    /// Destination port, for TCP and UDP.
    #[serde(default)]
    pub destination_port: u16,
    /// IP total length in bytes.
    #[serde(default = "default_length")]
    pub length: u16,
}

const fn default_length() -> u16 {
    100
}

/// A running switch.
pub trait Operations: Send + Sync {
    /// Reads the files and applies them; the version that all workers now use.
    ///
    /// # Errors
    /// Every problem found; the running configuration stays.
    fn reload(&self) -> Result<u64, Vec<String>>;

    /// All ENIs, a list of objects with `id`.
    fn enis(&self) -> Value;

    /// All filters, likewise.
    fn filters(&self) -> Value;

    /// All sessions, likewise.
    fn sessions(&self) -> Value;

    /// Totals, and the conservation laws that do not hold at this moment.
    fn stats(&self) -> Value;

    /// What would become of a packet.
    ///
    /// # Errors
    /// One plain sentence.
    fn explain(&self, query: &ExplainQuery) -> Result<Value, String>;

    /// All counters.
    fn scrape(&self) -> Scrape;

    /// Is the switch serving?
    ///
    /// # Errors
    /// Why not.
    fn ready(&self) -> Result<(), String>;
}
