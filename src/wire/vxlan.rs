//! VXLAN over UDP over IPv4 (RFC 7348): the 50 bytes before the inner frame's payload that a copy adds.

use super::{Mac, checksum, ethernet, ipv4};

/// The well-known UDP port (RFC 7348, section 5).
pub const PORT: u16 = 4789;
/// Outer Ethernet, IPv4, UDP and VXLAN headers in bytes.
pub const OUTER: usize = ethernet::HEADER + ipv4::MIN_HEADER + 8 + 8;
/// Bytes of the outer IPv4 packet before the inner frame.
const IP_OVER_FRAME: usize = OUTER - ethernet::HEADER;
/// What an inner IP packet loses of a path's MTU: outer IPv4, UDP, VXLAN and the inner Ethernet header.
pub const OVERHEAD: u16 = (IP_OVER_FRAME + ethernet::HEADER) as u16;

/// Outer headers with everything filled in that does not change from copy to copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OuterTemplate {
    bytes: [u8; OUTER],
    /// Checksum sum of the IPv4 header without the total length.
    partial: u32,
}

/// Where a copy comes from and where it goes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Endpoints {
    /// Outer source MAC.
    pub source_mac: Mac,
    /// Outer destination MAC.
    pub destination_mac: Mac,
    /// Outer source address, host order.
    pub source_ip: u32,
    /// Outer destination address, host order.
    pub destination_ip: u32,
}

impl OuterTemplate {
    /// Headers from `ends` with VNI `vni` (24 bits): TTL 64, DF, id 0, UDP checksum 0.
    #[must_use]
    pub fn new(ends: &Endpoints, vni: u32) -> Self {
        let mut b = [0u8; OUTER];
        b[0..6].copy_from_slice(&ends.destination_mac.0);
        b[6..12].copy_from_slice(&ends.source_mac.0);
        b[12..14].copy_from_slice(&ethernet::ethertype::IPV4.to_be_bytes());
        b[14] = 0x45;
        b[20] = 0x40;
        b[22] = 64;
        b[23] = ipv4::protocol::UDP;
        b[26..30].copy_from_slice(&ends.source_ip.to_be_bytes());
        b[30..34].copy_from_slice(&ends.destination_ip.to_be_bytes());
        b[36..38].copy_from_slice(&PORT.to_be_bytes());
        b[42] = 0x08;
        b[46..50].copy_from_slice(&(vni << 8).to_be_bytes());
        let partial = checksum::sum(&b[14..34]);
        OuterTemplate { bytes: b, partial }
    }

    /// The headers for an inner frame of `inner` bytes (at most 65,485), sent from UDP port `source_port`.
    #[must_use]
    pub fn fill(&self, inner: usize, source_port: u16) -> [u8; OUTER] {
        let mut b = self.bytes;
        let total = (inner + IP_OVER_FRAME) as u16;
        b[16..18].copy_from_slice(&total.to_be_bytes());
        b[24..26].copy_from_slice(&checksum::finish(self.partial + u32::from(total)).to_be_bytes());
        b[34..36].copy_from_slice(&source_port.to_be_bytes());
        b[38..40].copy_from_slice(&(total - ipv4::MIN_HEADER as u16).to_be_bytes());
        b
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn overhead_is_fifty() {
        assert_eq!(OVERHEAD, 50);
        assert_eq!(OUTER, 50);
    }

    #[test]
    fn outer_headers_parse_with_another_parser() {
        let ends = Endpoints {
            source_mac: Mac([2, 0, 0, 0, 0, 1]),
            destination_mac: Mac([2, 0, 0, 0, 0, 2]),
            source_ip: 0x0a00_0001,
            destination_ip: 0x0a00_0002,
        };
        let template = OuterTemplate::new(&ends, 0x00ab_cdef);
        for inner in [14usize, 64, 1464, 8514] {
            let mut frame = template.fill(inner, 50_000).to_vec();
            frame.resize(OUTER + inner, 0);
            let sliced = etherparse::SlicedPacket::from_ethernet(&frame).unwrap();
            let Some(etherparse::NetSlice::Ipv4(ip)) = sliced.net else { panic!("not IPv4") };
            let header = ip.header().to_header();
            assert_eq!(header.header_checksum, header.calc_header_checksum());
            assert_eq!(usize::from(header.total_len), inner + 36);
            assert!(header.dont_fragment);
            assert_eq!((header.identification, header.time_to_live), (0, 64));
            let Some(etherparse::TransportSlice::Udp(udp)) = sliced.transport else { panic!("not UDP") };
            assert_eq!((udp.source_port(), udp.destination_port(), udp.checksum()), (50_000, 4789, 0));
            assert_eq!(usize::from(udp.length()), inner + 16);
            assert_eq!(&udp.payload()[..8], &[8, 0, 0, 0, 0xab, 0xcd, 0xef, 0]);
        }
    }
}
