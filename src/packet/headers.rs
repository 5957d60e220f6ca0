//! What admission learns about a frame, once, for every later stage.

use super::reason::Reason;
use crate::wire::ethernet::{self, ethertype};
use crate::wire::ipv4::{self, Ipv4, Malformed};
use crate::wire::{be16, hash};

/// What a frame is to a switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// IPv4 with sound headers.
    Ipv4,
    /// ARP; its own bytes are not looked at yet.
    Arp,
    /// Reverse ARP.
    Rarp,
}

/// The headers of an IPv4 frame without VLAN tag.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    /// The IPv4 header and the ports.
    pub ip: Ipv4,
}

impl Headers {
    /// 14 + IP total length: the bytes of the frame that count, without padding.
    #[must_use]
    pub const fn frame_len(&self) -> usize {
        ethernet::HEADER + self.ip.total as usize
    }

    /// The flow hash of these headers; fragments hash by addresses and protocol alone.
    #[must_use]
    pub fn flow_hash(&self) -> u64 {
        let ports = match self.ip.ports() {
            ipv4::Ports::Known(source, destination) if !self.ip.fragment => Some((source, destination)),
            _ => None,
        };
        hash::flow_hash(self.ip.source, self.ip.destination, self.ip.protocol, ports)
    }
}

/// Looks at the headers of a frame; those of IPv4 go into `headers`.
///
/// # Errors
/// The reason for which the frame may not pass.
#[inline]
pub fn parse(frame: &[u8], headers: &mut Headers) -> Result<Kind, Reason> {
    let kind = be16(frame, 12).ok_or(Reason::ShortFrame)?;
    match kind {
        ethertype::IPV4 => {
            let packet = frame.get(ethernet::HEADER..).ok_or(Reason::ShortFrame)?;
            match ipv4::parse(packet, &mut headers.ip) {
                Ok(()) => Ok(Kind::Ipv4),
                Err(Malformed::Short) => Err(Reason::ShortFrame),
                Err(Malformed::Header) => Err(Reason::BadIpHeader),
                Err(Malformed::Length) => Err(Reason::BadIpLength),
                Err(Malformed::L4) => Err(Reason::BadL4Header),
            }
        }
        ethertype::ARP => Ok(Kind::Arp),
        ethertype::RARP => Ok(Kind::Rarp),
        ethertype::VLAN | ethertype::QINQ | ethertype::QINQ_OLD => Err(Reason::VlanTag),
        ethertype::IPV6 => Err(Reason::Ipv6),
        _ => Err(Reason::BadEthertype),
    }
}
