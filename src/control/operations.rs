//! What operators ask of a running switch.

use serde::Deserialize;
use serde_json::Value;

use super::packet_text::{self, DEFAULT_LENGTH, PacketText};

use crate::metrics::scrape::Scrape;

/// A packet that `explain` judges.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExplainQuery {
    /// The ENI that sends or gets it.
    pub eni: String,
    /// `out` or `in`.
    pub direction: String,
    /// The whole frame in hexadecimal, instead of all that follows.
    #[serde(default)]
    pub hex: Option<String>,
    /// Source address.
    #[serde(default)]
    pub source: Option<std::net::Ipv4Addr>,
    /// Destination address.
    #[serde(default)]
    pub destination: Option<std::net::Ipv4Addr>,
    /// `tcp`, `udp`, `icmp` or a number.
    #[serde(default)]
    pub protocol: Option<String>,
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
    DEFAULT_LENGTH
}

/// What `explain` is asked about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// A packet of which only some fields matter.
    Packet(PacketText),
    /// A frame, byte for byte.
    Frame(Vec<u8>),
}

impl ExplainQuery {
    /// The packet or frame.
    ///
    /// # Errors
    /// One plain sentence.
    pub fn asked(&self) -> Result<Asked, String> {
        let fields = (self.source, self.destination, &self.protocol);
        match (&self.hex, fields) {
            (Some(hex), (None, None, None)) => {
                packet_text::frame(hex).map(|f| Asked::Frame(f.0)).map_err(|e| format!("hex: {e}"))
            }
            (None, (Some(source), Some(destination), Some(protocol))) => {
                let packet = PacketText {
                    source,
                    destination,
                    protocol: packet_text::protocol(protocol)?,
                    source_port: self.source_port,
                    destination_port: self.destination_port,
                    length: self.length,
                };
                packet.check()?;
                Ok(Asked::Packet(packet))
            }
            _ => Err("source, destination and protocol, or hex instead of them: a packet is needed".to_owned()),
        }
    }
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
