//! What admission learns about a frame, once, for every later stage.

use super::reason::Reason;
use crate::wire::ethernet::{self, ethertype};
use crate::wire::ipv4::{self, Fragment, Ipv4, Malformed, Ports, icmp_quote, protocol};
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

    /// The flow hash of the packet with these headers. A fragment hashes by addresses and protocol alone, the first one
    /// included: that is the same for all fragments, for orphans, and on every host. An ICMP error that is whole hashes
    /// as the flow it quotes, so that it goes where the flow goes. `frame` begins at the destination MAC.
    #[inline]
    #[must_use]
    pub fn flow_hash(&self, frame: &[u8]) -> u64 {
        let ip = &self.ip;
        let ports = match ip.ports() {
            Ports::Known(source, destination) if ip.fragment == Fragment::Whole => Some((source, destination)),
            Ports::None if ip.protocol == protocol::ICMP => return self.icmp_hash(frame),
            _ => None,
        };
        hash::flow_hash(ip.source, ip.destination, ip.protocol, ports)
    }

    /// Out of the way of the others.
    #[cold]
    fn icmp_hash(&self, frame: &[u8]) -> u64 {
        let ip = &self.ip;
        let packet = frame.get(ethernet::HEADER..).filter(|_| ip.fragment == Fragment::Whole);
        let (source, destination, protocol, ports) =
            packet.and_then(|packet| icmp_quote(packet, ip)).unwrap_or((ip.source, ip.destination, ip.protocol, None));
        hash::flow_hash(source, destination, protocol, ports)
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
                Err(Malformed::Overlap) => Err(Reason::FragmentOverlap),
                Err(Malformed::Beyond) => Err(Reason::FragmentBeyond),
            }
        }
        ethertype::ARP => Ok(Kind::Arp),
        ethertype::RARP => Ok(Kind::Rarp),
        ethertype::VLAN | ethertype::QINQ | ethertype::QINQ_OLD => Err(Reason::VlanTag),
        ethertype::IPV6 => Err(Reason::Ipv6),
        _ => Err(Reason::BadEthertype),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const A: [u8; 4] = [10, 0, 0, 1];
    const B: [u8; 4] = [10, 0, 0, 2];
    const ROUTER: [u8; 4] = [10, 0, 0, 253];

    fn packet(from: [u8; 4], to: [u8; 4], protocol: u8, word: u16, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x45, 0];
        bytes.extend((20 + payload.len() as u16).to_be_bytes());
        bytes.extend([0, 1]);
        bytes.extend(word.to_be_bytes());
        bytes.extend([64, protocol, 0, 0]);
        bytes.extend([from, to].concat());
        bytes.extend(payload);
        bytes
    }

    fn hash_of(packet: &[u8]) -> u64 {
        let frame = [&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0], packet].concat();
        let mut headers = Headers::default();
        assert_eq!(parse(&frame, &mut headers), Ok(Kind::Ipv4));
        headers.flow_hash(&frame)
    }

    fn udp(source: u16, destination: u16) -> Vec<u8> {
        [source, destination, 8, 0].iter().flat_map(|w| w.to_be_bytes()).collect()
    }

    fn error(from: [u8; 4], kind: u8, word: u16, quoted: &[u8]) -> Vec<u8> {
        packet(from, A, 1, word, &[&[kind, 1, 0, 0, 0, 0, 0, 0], quoted].concat())
    }

    #[test]
    fn an_icmp_error_hashes_as_the_flow_it_quotes() {
        let sent = packet(A, B, 17, 0x4000, &udp(1000, 53));
        let flow = hash_of(&sent);
        assert_eq!(flow, hash_of(&packet(B, A, 17, 0, &udp(53, 1000))));
        for kind in [3, 4, 5, 11, 12] {
            assert_eq!(hash_of(&error(B, kind, 0, &sent)), flow, "type {kind} by the receiver");
            assert_eq!(hash_of(&error(ROUTER, kind, 0, &sent)), flow, "type {kind} by a router on the way");
        }
        let ping = packet(A, B, 1, 0, &[8, 0, 0, 0, 0, 1, 0, 1]);
        assert_eq!(hash_of(&error(ROUTER, 11, 0, &ping)), hash_of(&ping));
        let fragment = packet(A, B, 17, 9, &[5; 8]);
        assert_eq!(hash_of(&error(ROUTER, 11, 0, &fragment)), hash_of(&fragment));
        // No errors, or nothing that could be read: as any ICMP between these two.
        let plain = hash::flow_hash(u32::from_be_bytes(B), u32::from_be_bytes(A), 1, None);
        for kind in [0, 8, 13, 30] {
            assert_eq!(hash_of(&error(B, kind, 0, &sent)), plain, "type {kind}");
        }
        for cut in 0..20 {
            assert_eq!(hash_of(&error(B, 3, 0, &sent[..cut])), plain, "{cut} bytes quoted");
        }
        assert_eq!(hash_of(&error(B, 3, 0x2000, &sent)), plain, "a fragment is a fragment");
    }

    #[test]
    fn a_quote_counts_as_far_as_it_can_be_read() {
        let (a, b) = (u32::from_be_bytes(A), u32::from_be_bytes(B));
        let flow = hash::flow_hash(a, b, 6, Some((1000, 53)));
        let three = hash::flow_hash(a, b, 6, None);
        let sent = packet(A, B, 6, 0, &udp(1000, 53));
        // Addresses without ports are the 3-tuple's; four bytes of transport are enough.
        for (quoted, expected) in [(20, three), (23, three), (24, flow), (28, flow)] {
            assert_eq!(hash_of(&error(ROUTER, 11, 0, &sent[..quoted])), expected, "{quoted} bytes");
        }
        // Ports stand behind the options of the quoted header, wherever it says that it ends.
        let mut options = sent.clone();
        options.splice(20..20, [0x77; 40]);
        options[0] = 0x4f;
        assert_eq!(hash_of(&error(ROUTER, 11, 0, &options)), flow);
        assert_eq!(hash_of(&error(ROUTER, 11, 0, &options[..60])), three);
        assert_eq!(hash_of(&error(ROUTER, 11, 0, &options[..28])), three, "options cut off");
        // A first fragment is quoted like any other one.
        let first = packet(A, B, 6, 0x2000, &udp(1000, 53));
        assert_eq!((hash_of(&error(ROUTER, 11, 0, &first)), hash_of(&first)), (three, three));
    }

    /// RFC 1122 (3.2.2) knows no errors about errors. Who sends one has its first quote looked at, not what that quotes.
    #[test]
    fn an_error_about_an_error_hashes_as_icmp_between_those_two() {
        let inner = error(B, 3, 0, &packet(A, B, 17, 0, &udp(1000, 53)));
        let nested = hash_of(&error(ROUTER, 11, 0, &inner));
        assert_eq!(nested, hash::flow_hash(u32::from_be_bytes(A), u32::from_be_bytes(B), 1, None));
        assert_ne!(nested, hash_of(&inner));
    }

    #[test]
    fn all_fragments_hash_alike_in_both_directions() {
        let three = hash::flow_hash(u32::from_be_bytes(A), u32::from_be_bytes(B), 17, None);
        for (word, payload) in [(0x2000, udp(1000, 53)), (0x2001, vec![7; 8]), (2, vec![9; 3])] {
            assert_eq!(hash_of(&packet(A, B, 17, word, &payload)), three);
            assert_eq!(hash_of(&packet(B, A, 17, word, &payload)), three);
        }
        let mut headers = Headers::default();
        let later = [&[0; 12], &[8, 0][..], &packet(A, B, 17, 2, &[9; 3])].concat();
        assert_eq!(parse(&later, &mut headers), Ok(Kind::Ipv4));
        headers.ip.learn(Some((1000, 53)));
        assert_eq!(headers.flow_hash(&later), three, "also when its ports are known");
    }

    proptest! {
        /// Whatever is quoted, and whatever lies about its lengths: no panic, and padding has no say.
        #[test]
        fn any_quote_hashes(kind: u8, quoted in proptest::collection::vec(any::<u8>(), 0..70), version: bool) {
            let mut quoted = quoted;
            if let Some(first) = quoted.first_mut().filter(|_| version) {
                *first = 0x40 | *first & 0x0f;
            }
            let bytes = error(B, kind, 0, &quoted);
            let padded = [&bytes[..], &[0x45; 60]].concat();
            prop_assert_eq!(hash_of(&bytes), hash_of(&padded));
        }
    }
}
