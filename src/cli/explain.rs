//! What `vswitchctl explain` is told.

use std::net::Ipv4Addr;

use super::values::id;
use crate::control::packet_text::{self, HexFrame, PacketText};

/// A packet to explain.
#[derive(Clone, Debug, clap::Args)]
pub struct ExplainArgs {
    /// The ENI that sends or gets it.
    #[arg(long, value_parser = id)]
    pub eni: String,
    /// Which way, seen from the ENI.
    #[arg(long, value_parser = ["in", "out"])]
    pub direction: String,
    /// The packet: SOURCE[:PORT]>DESTINATION[:PORT]/PROTOCOL[,len=BYTES], such as 10.0.0.1:1234>10.0.0.2:80/tcp. The
    /// protocol is tcp, udp, icmp or a number; the length is the IP packet's, 100 where none is given.
    #[arg(long, value_parser = packet_text::packet, conflicts_with_all = ["hex", "src", "dst", "protocol"])]
    pub packet: Option<PacketText>,
    /// Or a whole Ethernet frame, in hexadecimal digits.
    #[arg(long, value_parser = packet_text::frame, conflicts_with_all = ["src", "dst", "protocol"])]
    pub hex: Option<HexFrame>,
    /// Or its fields: the source address,
    #[arg(long, required_unless_present_any = ["packet", "hex"])]
    pub src: Option<Ipv4Addr>,
    /// the destination address,
    #[arg(long, required_unless_present_any = ["packet", "hex"])]
    pub dst: Option<Ipv4Addr>,
    /// tcp, udp, icmp or a number,
    #[arg(long, required_unless_present_any = ["packet", "hex"])]
    pub protocol: Option<String>,
    /// the source port,
    #[arg(long, conflicts_with_all = ["packet", "hex"])]
    pub src_port: Option<u16>,
    /// the destination port,
    #[arg(long, conflicts_with_all = ["packet", "hex"])]
    pub dst_port: Option<u16>,
    /// and the IP total length in bytes, 100 where none is given.
    #[arg(long, conflicts_with_all = ["packet", "hex"])]
    pub length: Option<u16>,
}
