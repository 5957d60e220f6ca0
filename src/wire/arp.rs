//! ARP for IPv4 over Ethernet (RFC 826), and the replies that the switch gives.

use super::{Mac, be16, be32, ethernet};

/// Bytes of an ARP packet for Ethernet and IPv4, without the Ethernet header.
pub const PACKET: usize = 28;
/// Bytes of the reply frame that [`reply`] builds, padding to the Ethernet minimum included.
pub const REPLY_FRAME: usize = 60;

/// The fields of an ARP packet. Addresses of IP are integers, host order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    /// 1 asks, 2 answers.
    pub operation: u16,
    /// MAC of the one who speaks.
    pub sender_mac: Mac,
    /// Address of the one who speaks; 0.0.0.0 in a probe (RFC 5227).
    pub sender_ip: u32,
    /// The address that is asked for.
    pub target_ip: u32,
}

/// Reads the ARP packet of a frame; `None` when it is short or not for Ethernet and IPv4.
#[must_use]
pub fn parse(frame: &[u8]) -> Option<Arp> {
    let packet = frame.get(ethernet::HEADER..ethernet::HEADER + PACKET)?;
    if be32(packet, 0)? != 0x0001_0800 || be16(packet, 4)? != 0x0604 {
        return None;
    }
    Some(Arp {
        operation: be16(packet, 6)?,
        sender_mac: Mac(*packet.get(8..14)?.first_chunk()?),
        sender_ip: be32(packet, 14)?,
        target_ip: be32(packet, 24)?,
    })
}

/// The answer to `request`: `mac` has the address that was asked for.
#[must_use]
pub fn reply(request: &Arp, mac: Mac) -> [u8; REPLY_FRAME] {
    let mut frame = [0u8; REPLY_FRAME];
    frame[0..6].copy_from_slice(&request.sender_mac.0);
    frame[6..12].copy_from_slice(&mac.0);
    frame[12..14].copy_from_slice(&ethernet::ethertype::ARP.to_be_bytes());
    frame[14..22].copy_from_slice(&[0, 1, 8, 0, 6, 4, 0, 2]);
    frame[22..28].copy_from_slice(&mac.0);
    frame[28..32].copy_from_slice(&request.target_ip.to_be_bytes());
    frame[32..38].copy_from_slice(&request.sender_mac.0);
    frame[38..42].copy_from_slice(&request.sender_ip.to_be_bytes());
    frame
}
