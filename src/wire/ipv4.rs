//! IPv4 (RFC 791) and the first bytes of TCP, UDP and ICMP, as far as a switch looks.

use super::{be16, be32, checksum};

/// Bytes of the header without options.
pub const MIN_HEADER: usize = 20;

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
    /// More fragments follow, or this is not the first one.
    pub fragment: bool,
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
    let (offset, more) = (word & 0x1fff, word & 0x2000 != 0);
    let protocol = fixed[9];
    let payload = packet.get(usize::from(header)..usize::from(total)).ok_or(Malformed::Length)?;
    ip.source = u32::from_be_bytes([fixed[12], fixed[13], fixed[14], fixed[15]]);
    ip.destination = u32::from_be_bytes([fixed[16], fixed[17], fixed[18], fixed[19]]);
    ip.total = total;
    ip.protocol = protocol;
    ip.ttl = fixed[8];
    ip.header = header;
    ip.fragment = more || offset != 0;
    ip.port_pair = 0;
    ip.ports_are = PortsAre::None;
    if !matches!(protocol, protocol::TCP | protocol::UDP | protocol::ICMP) {
        return Ok(());
    }
    let has_ports = protocol != protocol::ICMP;
    if offset != 0 {
        if has_ports {
            ip.ports_are = PortsAre::Unknown;
        }
        return Ok(());
    }
    if !more {
        whole_l4(protocol, payload)?;
    }
    if has_ports {
        match be32(payload, 0) {
            Some(pair) => (ip.port_pair, ip.ports_are) = (pair, PortsAre::Known),
            None => ip.ports_are = PortsAre::Unknown,
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

/// The 5-tuple that an ICMP error (RFC 792: types 3, 4, 5, 11, 12) quotes: source, destination, protocol and, when
/// they are there, the ports. `packet` begins at the outer IPv4 header, described by `ip`.
#[must_use]
pub fn icmp_quote(packet: &[u8], ip: &Ipv4) -> Option<Tuple> {
    if ip.protocol != protocol::ICMP {
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
    let ports = be16(quoted, header).zip(be16(quoted, header + 2));
    Some((be32(quoted, 12)?, be32(quoted, 16)?, *quoted.get(9)?, ports))
}
