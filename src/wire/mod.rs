//! Bytes on the wire: lengths, addresses and header formats. Nothing here knows what a packet is for.

pub mod arp;
pub mod checksum;
pub mod ethernet;
pub mod hash;
pub mod ipv4;
pub mod vxlan;

use std::fmt;
use std::str::FromStr;

/// Length of a frame in bytes, from the destination MAC to the last byte before the FCS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct FrameLen(pub u32);

/// Largest IP packet of an interface or a path, in bytes of IP (the Ethernet header is not counted).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct IpMtu(pub u16);

impl IpMtu {
    /// The longest frame that carries an IP packet of this size, without a VLAN tag.
    #[must_use]
    pub const fn frame(self) -> FrameLen {
        FrameLen(self.0 as u32 + ethernet::HEADER as u32)
    }
}

/// A 48-bit Ethernet address (IEEE 802).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// `ff:ff:ff:ff:ff:ff`.
    pub const BROADCAST: Mac = Mac([0xff; 6]);

    /// Group bit: multicast and broadcast addresses.
    #[must_use]
    pub const fn is_group(self) -> bool {
        self.0[0] & 1 == 1
    }

    /// The address as an integer, most significant byte first.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        let m = self.0;
        u64::from_be_bytes([0, 0, m[0], m[1], m[2], m[3], m[4], m[5]])
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A MAC address must be six hexadecimal bytes with colons between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a MAC address is six hexadecimal bytes with colons, such as 02:00:00:00:00:0a")]
pub struct BadMac;

impl FromStr for Mac {
    type Err = BadMac;

    fn from_str(s: &str) -> Result<Self, BadMac> {
        let mut mac = [0u8; 6];
        let mut parts = s.split(':');
        for byte in &mut mac {
            let part = parts.next().filter(|p| p.len() == 2).ok_or(BadMac)?;
            *byte = u8::from_str_radix(part, 16).map_err(|_| BadMac)?;
        }
        if parts.next().is_some() {
            return Err(BadMac);
        }
        Ok(Mac(mac))
    }
}

/// Two bytes, network order, at `at`; `None` when the slice ends before them.
#[inline]
#[must_use]
pub fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    let b = bytes.get(at..at.checked_add(2)?)?;
    Some(u16::from_be_bytes([b[0], b[1]]))
}

/// Four bytes, network order, at `at`; `None` when the slice ends before them.
#[inline]
#[must_use]
pub fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    let b = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes([b[0], b[1], b[2], b[3]]))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn mac_text_round_trips_and_refuses_nonsense() {
        let mac: Mac = "02:00:00:00:00:0a".parse().unwrap();
        assert_eq!(mac.to_string(), "02:00:00:00:00:0a");
        assert_eq!(mac.as_u64(), 0x0200_0000_000a);
        for bad in ["", "02:00:00:00:00", "02:00:00:00:00:0a:01", "2:00:00:00:00:0a", "02:00:00:00:00:zz"] {
            assert_eq!(bad.parse::<Mac>(), Err(BadMac), "{bad}");
        }
    }

    #[test]
    fn a_frame_is_the_mtu_and_the_ethernet_header() {
        assert_eq!(IpMtu(1500).frame(), FrameLen(1514));
        assert_eq!(IpMtu(8500).frame(), FrameLen(8514));
    }
}
