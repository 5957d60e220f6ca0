//! Ethernet II (IEEE 802.3, clause 3): destination, source, EtherType.

use super::Mac;

/// Bytes of the header: two addresses and the EtherType.
pub const HEADER: usize = 14;

/// EtherTypes that the switch tells apart (IEEE 802 numbers).
pub mod ethertype {
    /// Internet Protocol, version 4.
    pub const IPV4: u16 = 0x0800;
    /// Address Resolution Protocol (RFC 826).
    pub const ARP: u16 = 0x0806;
    /// Reverse ARP (RFC 903); a library sends one after a migration to teach switches the new place.
    pub const RARP: u16 = 0x8035;
    /// Customer VLAN tag (802.1Q).
    pub const VLAN: u16 = 0x8100;
    /// Service VLAN tag (802.1ad).
    pub const QINQ: u16 = 0x88a8;
    /// The VLAN tag of old stacked-VLAN equipment.
    pub const QINQ_OLD: u16 = 0x9100;
    /// Internet Protocol, version 6.
    pub const IPV6: u16 = 0x86dd;
}

/// Destination address. `frame` holds at least [`HEADER`] bytes, else `None`.
#[inline]
#[must_use]
pub fn destination(frame: &[u8]) -> Option<Mac> {
    frame.first_chunk::<6>().map(|m| Mac(*m))
}

/// Source address. `frame` holds at least [`HEADER`] bytes, else `None`.
#[inline]
#[must_use]
pub fn source(frame: &[u8]) -> Option<Mac> {
    frame.get(6..12).and_then(|m| m.first_chunk::<6>()).map(|m| Mac(*m))
}

/// Overwrites both addresses; a frame too short is left alone.
pub fn set_addresses(frame: &mut [u8], destination: Mac, source: Mac) {
    if let Some(header) = frame.first_chunk_mut::<12>() {
        header[..6].copy_from_slice(&destination.0);
        header[6..].copy_from_slice(&source.0);
    }
}
