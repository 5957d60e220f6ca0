//! IPv4 (RFC 791) and the first bytes of TCP, UDP and ICMP, as far as a switch looks.

use super::{be16, be32, checksum};

/// Bytes of the header without options.
pub const MIN_HEADER: usize = 20;

/// The bits of a fragment's place, in units of eight bytes, in the word at byte 6.
const OFFSET: u16 = 0x1fff;
/// The bit of that word which says that more fragments follow.
const MORE: u16 = 0x2000;

/// Protocol numbers (IANA) that have a meaning for rules.
pub mod protocol {
    /// Internet Control Message Protocol (RFC 792).
    pub const ICMP: u8 = 1;
    /// Transmission Control Protocol (RFC 9293).
    pub const TCP: u8 = 6;
    /// User Datagram Protocol (RFC 768).
    pub const UDP: u8 = 17;
}

/// Why bytes are not an IPv4 packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// Fewer bytes than the header.
    Short,
    /// Version is not 4 or IHL is below 5.
    Header,
    /// The total length is below the header's or beyond the bytes that are there.
    Length,
    /// A TCP, UDP or ICMP header that does not fit, or whose own length lies.
    L4,
    /// A TCP fragment that begins inside the TCP header, to rewrite what a filter has seen (RFC 3128).
    Overlap,
    /// A fragment whose end lies beyond the 65,535 bytes that a packet may have.
    Beyond,
}

/// What a packet is to the datagram it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum Fragment {
    /// All of it.
    #[default]
    Whole,
    /// The fragment with the transport header.
    First,
    /// Another fragment.
    Later,
}

/// What the transport header says, as rules see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Ports {
    /// TCP or UDP source and destination port.
    Known(u16, u16),
    /// A protocol without ports.
    #[default]
    None,
    /// TCP or UDP, but this fragment does not hold the ports.
    Unknown,
}

/// Whether a packet has ports, and whether they are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[repr(u8)]
enum PortsAre {
    #[default]
    None,
    Known,
    Unknown,
}

/// The fields of an IPv4 packet that decide its way. Addresses are integers, host order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Ipv4 {
    /// Source address.
    pub source: u32,
    /// Destination address.
    pub destination: u32,
    /// Source port in the upper half, destination port in the lower.
    port_pair: u32,
    /// Total length in bytes, header included.
    pub total: u16,
    /// Protocol number.
    pub protocol: u8,
    /// Time to live.
    pub ttl: u8,
    /// Header length in bytes, 20 to 60.
    pub header: u8,
    /// Whether it is a fragment, and which.
    pub fragment: Fragment,
    ports_are: PortsAre,
}

impl Ipv4 {
    /// Transport ports.
    #[inline]
    #[must_use]
    pub const fn ports(&self) -> Ports {
        match self.ports_are {
            PortsAre::Known => Ports::Known((self.port_pair >> 16) as u16, self.port_pair as u16),
            PortsAre::None => Ports::None,
            PortsAre::Unknown => Ports::Unknown,
        }
    }

    /// The same for tables: 0 there are none, 1 they are known, 2 they are not; source port in the upper half,
    /// destination port in the lower.
    #[inline]
    #[must_use]
    pub const fn ports_form(&self) -> (u8, u32) {
        (self.ports_are as u8, self.port_pair)
    }

    /// Sets the ports of a fragment to what is known of them; a protocol without ports has none whatever is said.
    pub const fn learn(&mut self, ports: Option<(u16, u16)>) {
        (self.port_pair, self.ports_are) = match ports {
            _ if matches!(self.ports_are, PortsAre::None) => (0, PortsAre::None),
            Some((source, destination)) => ((source as u32) << 16 | destination as u32, PortsAre::Known),
            None => (0, PortsAre::Unknown),
        };
    }
}

/// Reads the header at the start of `packet` into `ip`; bytes behind the total length are padding and not looked at.
/// (Into a place, and ports as one word: passed by value these fields went through memory in pieces of different sizes,
/// and waiting for them took a quarter of the switch's own time.)
///
/// # Errors
/// [`Malformed`] names the first thing that is wrong; `ip` is meaningless then.
#[inline]
pub fn parse(packet: &[u8], ip: &mut Ipv4) -> Result<(), Malformed> {
    let fixed = packet.first_chunk::<MIN_HEADER>().ok_or(Malformed::Short)?;
    let header = (fixed[0] & 0x0f) * 4;
    if fixed[0] >> 4 != 4 || usize::from(header) < MIN_HEADER {
        return Err(Malformed::Header);
    }
    let total = u16::from_be_bytes([fixed[2], fixed[3]]);
    if total < u16::from(header) || usize::from(total) > packet.len() {
        return Err(Malformed::Length);
    }
    let word = u16::from_be_bytes([fixed[6], fixed[7]]);
    let protocol = fixed[9];
    let payload = packet.get(usize::from(header)..usize::from(total)).ok_or(Malformed::Length)?;
    ip.source = u32::from_be_bytes([fixed[12], fixed[13], fixed[14], fixed[15]]);
    ip.destination = u32::from_be_bytes([fixed[16], fixed[17], fixed[18], fixed[19]]);
    ip.total = total;
    ip.protocol = protocol;
    ip.ttl = fixed[8];
    ip.header = header;
    ip.fragment = Fragment::Whole;
    ip.port_pair = 0;
    ip.ports_are = PortsAre::None;
    if word & (OFFSET | MORE) != 0 {
        return fragment(word & OFFSET, payload, ip);
    }
    if !matches!(protocol, protocol::TCP | protocol::UDP | protocol::ICMP) {
        return Ok(());
    }
    whole_l4(protocol, payload)?;
    if protocol != protocol::ICMP {
        ports(payload, ip);
    }
    Ok(())
}

/// Reads TCP's or UDP's ports, which may not be there.
#[inline]
fn ports(payload: &[u8], ip: &mut Ipv4) {
    match be32(payload, 0) {
        Some(pair) => (ip.port_pair, ip.ports_are) = (pair, PortsAre::Known),
        None => ip.ports_are = PortsAre::Unknown,
    }
}

/// The rest of [`parse`] for fragments: they hold as much of the transport header as they like, but not its middle.
#[cold]
fn fragment(offset: u16, payload: &[u8], ip: &mut Ipv4) -> Result<(), Malformed> {
    if u32::from(offset) * 8 + u32::from(ip.total) > u32::from(u16::MAX) {
        return Err(Malformed::Beyond);
    }
    if ip.protocol == protocol::TCP && offset == 1 {
        return Err(Malformed::Overlap);
    }
    ip.fragment = if offset == 0 { Fragment::First } else { Fragment::Later };
    if matches!(ip.protocol, protocol::TCP | protocol::UDP) {
        match ip.fragment {
            Fragment::Later => ip.ports_are = PortsAre::Unknown,
            _ => ports(payload, ip),
        }
    }
    Ok(())
}

/// An unfragmented transport header must fit and its own lengths must not lie.
#[inline]
fn whole_l4(proto: u8, payload: &[u8]) -> Result<(), Malformed> {
    let fits = match proto {
        protocol::TCP => {
            payload.len() >= 20 && {
                let offset = usize::from(payload[12] >> 4) * 4;
                (20..=payload.len()).contains(&offset)
            }
        }
        protocol::UDP => be16(payload, 4).is_some_and(|len| len >= 8 && usize::from(len) <= payload.len()),
        _ => payload.len() >= 8,
    };
    if fits { Ok(()) } else { Err(Malformed::L4) }
}

/// Takes one from the TTL of the header at the start of `packet` and mends the checksum (RFC 1141, RFC 1624).
/// The caller has seen that the TTL is at least 2; a packet too short is left alone.
pub fn decrement_ttl(packet: &mut [u8]) {
    let Some(h) = packet.first_chunk_mut::<MIN_HEADER>() else {
        return;
    };
    let old = u16::from_be_bytes([h[8], h[9]]);
    h[8] = h[8].wrapping_sub(1);
    let new = u16::from_be_bytes([h[8], h[9]]);
    let sum = checksum::update(u16::from_be_bytes([h[10], h[11]]), old, new);
    h[10..12].copy_from_slice(&sum.to_be_bytes());
}

/// A 5-tuple: source, destination, protocol and, when they are there, the ports.
pub type Tuple = (u32, u32, u8, Option<(u16, u16)>);

/// The flow that an ICMP error (RFC 792: types 3, 4, 5, 11, 12) quotes: source, destination, protocol and, when they
/// are there, the ports. A quoted fragment has none, and neither has a protocol without. `packet` begins at the outer
/// IPv4 header, described by `ip`; a later fragment quotes nothing, whatever its first bytes look like.
#[must_use]
pub fn icmp_quote(packet: &[u8], ip: &Ipv4) -> Option<Tuple> {
    if ip.protocol != protocol::ICMP || ip.fragment == Fragment::Later {
        return None;
    }
    let icmp = packet.get(usize::from(ip.header)..usize::from(ip.total))?;
    if !matches!(icmp.first()?, 3 | 4 | 5 | 11 | 12) {
        return None;
    }
    let quoted = icmp.get(8..)?;
    let first = *quoted.first()?;
    let header = usize::from(first & 0x0f) * 4;
    if first >> 4 != 4 || header < MIN_HEADER {
        return None;
    }
    let (source, destination, protocol) = (be32(quoted, 12)?, be32(quoted, 16)?, *quoted.get(9)?);
    let has_ports = matches!(protocol, protocol::TCP | protocol::UDP) && be16(quoted, 6)? & (OFFSET | MORE) == 0;
    let ports = be16(quoted, header).zip(be16(quoted, header + 2)).filter(|_| has_ports);
    Some((source, destination, protocol, ports))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    /// A packet of `protocol` with these fragment bits and transport bytes.
    fn packet(protocol: u8, word: u16, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0x45, 0];
        bytes.extend((20 + payload.len() as u16).to_be_bytes());
        bytes.extend([0, 7]);
        bytes.extend(word.to_be_bytes());
        bytes.extend([64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        bytes.extend(payload);
        bytes
    }

    fn parsed(bytes: &[u8]) -> Result<Ipv4, Malformed> {
        let mut ip = Ipv4::default();
        parse(bytes, &mut ip).map(|()| ip)
    }

    #[test]
    fn fragments_have_the_ports_that_are_in_them() {
        let cases = [
            (17, MORE, 8, Fragment::First, Ports::Known(0x0102, 0x0304)),
            (17, MORE, 3, Fragment::First, Ports::Unknown),
            (6, MORE, 4, Fragment::First, Ports::Known(0x0102, 0x0304)),
            (17, MORE | 1, 8, Fragment::Later, Ports::Unknown),
            (17, 1, 8, Fragment::Later, Ports::Unknown),
            (6, 2, 8, Fragment::Later, Ports::Unknown),
            (1, MORE, 8, Fragment::First, Ports::None),
            (1, 1, 8, Fragment::Later, Ports::None),
            (47, 9, 0, Fragment::Later, Ports::None),
        ];
        for (protocol, word, len, fragment, ports) in cases {
            let ip = parsed(&packet(protocol, word, &[1, 2, 3, 4, 5, 6, 7, 8][..len])).unwrap();
            assert_eq!((ip.fragment, ip.ports()), (fragment, ports), "{protocol} {word:#x} {len}");
        }
        // Don't-fragment and the reserved bit are no fragments.
        let whole = parsed(&packet(17, 0xc000, &[1, 2, 3, 4, 0, 8, 0, 0])).unwrap();
        assert_eq!((whole.fragment, whole.ports()), (Fragment::Whole, Ports::Known(0x0102, 0x0304)));
    }

    #[test]
    fn what_is_learned_of_a_later_fragment_is_its_ports() {
        let mut udp = parsed(&packet(17, 1, &[0; 8])).unwrap();
        udp.learn(Some((5, 6)));
        assert_eq!(udp.ports(), Ports::Known(5, 6));
        udp.learn(None);
        assert_eq!(udp.ports(), Ports::Unknown);
        let mut icmp = parsed(&packet(1, 1, &[0; 8])).unwrap();
        icmp.learn(Some((5, 6)));
        assert_eq!(icmp.ports(), Ports::None);
    }

    #[test]
    fn a_tcp_header_is_not_begun_twice_and_no_packet_is_longer_than_a_packet_can_be() {
        for word in [1, MORE | 1] {
            assert_eq!(parsed(&packet(6, word, &[0; 16])), Err(Malformed::Overlap));
        }
        assert!(parsed(&packet(17, 1, &[0; 16])).is_ok());
        // 8,189 × 8 + 20 = 65,532: three bytes more are the last that fit.
        for protocol in [1, 6, 17, 50] {
            assert!(parsed(&packet(protocol, 8189, &[0; 3])).is_ok());
            assert_eq!(parsed(&packet(protocol, 8189, &[0; 4])), Err(Malformed::Beyond));
            assert_eq!(parsed(&packet(protocol, 8190, &[])), Err(Malformed::Beyond));
            assert_eq!(parsed(&packet(protocol, MORE | OFFSET, &[0; 8])), Err(Malformed::Beyond));
        }
    }

    #[test]
    fn errors_quote_flows_with_ports_only_where_there_are_any() {
        let error = |kind: u8, quoted: &[u8]| packet(1, 0, &[&[kind, 0, 0, 0, 0, 0, 0, 0], quoted].concat());
        let quote = |bytes: &[u8]| icmp_quote(bytes, &parsed(bytes).unwrap());
        let l4 = [1, 2, 3, 4, 0, 8, 0, 0];
        let (a, b) = (0x0a00_0001, 0x0a00_0002);
        for kind in 0..=u8::MAX {
            let expected = matches!(kind, 3 | 4 | 5 | 11 | 12).then_some((a, b, 17, Some((0x0102, 0x0304))));
            assert_eq!(quote(&error(kind, &packet(17, 0x4000, &l4))), expected, "type {kind}");
        }
        assert_eq!(quote(&error(3, &packet(17, MORE, &l4))), Some((a, b, 17, None)), "a quoted fragment");
        assert_eq!(quote(&error(3, &packet(17, 9, &l4))), Some((a, b, 17, None)));
        assert_eq!(quote(&error(11, &packet(1, 0, &l4))), Some((a, b, 1, None)), "no ports");
        assert_eq!(quote(&error(11, &packet(6, 0, &l4[..3]))), Some((a, b, 6, None)), "ports cut off");
        assert_eq!(quote(&error(11, &packet(6, 0, &l4)[..19])), None, "a header cut off");
        let mut later = error(3, &packet(17, 0, &l4));
        later[7] = 1;
        assert_eq!(quote(&later), None);
    }

    proptest! {
        /// Any bytes: no panic, and nothing is read from behind the total length.
        #[test]
        fn quotes_are_read_within_the_packet(bytes in proptest::collection::vec(any::<u8>(), 0..80), kind: u8) {
            let mut error = packet(1, 0, &[&[kind % 14, 0, 0, 0, 0, 0, 0, 0], &bytes[..]].concat());
            let Ok(ip) = parsed(&error) else { return Ok(()) };
            let quote = icmp_quote(&error, &ip);
            error.extend([0xff; 64]);
            prop_assert_eq!(icmp_quote(&error, &ip), quote);
        }
    }
}
