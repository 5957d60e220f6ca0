//! How much of a packet a copy keeps: min(total length, PacketLength, path MTU − 50).

use crate::wire::vxlan::OVERHEAD;
use crate::wire::{IpMtu, ethernet, ipv4};

/// The largest path MTU of copies in a region without jumbo mirroring.
pub const STANDARD_MTU: u16 = 1500;
/// What Geneve takes of an appliance's MTU beside its options: outer IPv4, UDP, Geneve and the inner Ethernet header.
const GENEVE: u16 = (ipv4::MIN_HEADER + 8 + 8 + ethernet::HEADER) as u16;

/// A copy's way to whoever gets it, as far as it bounds a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Path {
    /// MTU of the receiver: the target ENI, or the backend or appliance that a load balancer chose.
    pub receiver: IpMtu,
    /// MTU of the underlay between the hosts, if the receiver is on another one.
    pub underlay: Option<IpMtu>,
    /// Bytes of Geneve options, if the receiver gets the copy inside Geneve.
    pub geneve_options: Option<u16>,
    /// The region has jumbo mirroring.
    pub jumbo_mirroring: bool,
}

impl Path {
    /// The longest IP packet that the path carries: a copy with its outer headers.
    #[must_use]
    pub fn mtu(self) -> IpMtu {
        // Between hosts everything travels in VXLAN, the appliance's Geneve packet too.
        let underlay = self.underlay.map_or(u16::MAX, |underlay| underlay.0.saturating_sub(OVERHEAD));
        let geneve = self.geneve_options.map_or(0, |options| GENEVE.saturating_add(options));
        let room = self.receiver.0.min(underlay).saturating_sub(geneve);
        IpMtu(if self.jumbo_mirroring { room } else { room.min(STANDARD_MTU) })
    }
}

/// What made a copy shorter than its original.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CutCause {
    /// The session's PacketLength.
    PacketLength,
    /// The MTU of the path to the target.
    PathMtu,
}

impl CutCause {
    /// The metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            CutCause::PacketLength => "packet_length",
            CutCause::PathMtu => "path_mtu",
        }
    }

    /// As a byte that travels with a copy; 0 is a whole one.
    #[must_use]
    pub const fn code(cause: Option<CutCause>) -> u8 {
        match cause {
            None => 0,
            Some(CutCause::PacketLength) => 1,
            Some(CutCause::PathMtu) => 2,
        }
    }

    /// What a byte says.
    #[must_use]
    pub const fn from_code(code: u8) -> Option<CutCause> {
        match code {
            1 => Some(CutCause::PacketLength),
            2 => Some(CutCause::PathMtu),
            _ => None,
        }
    }
}

/// How much of a packet a copy holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Bytes of the IPv4 packet.
    pub bytes: u16,
    /// Why these are not all.
    pub cut: Option<CutCause>,
}

/// The bytes of an IPv4 packet that a session's copies keep at most, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyLimit {
    bytes: u16,
    cause: CutCause,
}

impl CopyLimit {
    /// The smaller of PacketLength and what the path carries beside 50 bytes of encapsulation.
    #[must_use]
    pub fn new(packet_length: u16, path: IpMtu) -> Self {
        let room = path.0.saturating_sub(OVERHEAD);
        if packet_length <= room {
            CopyLimit { bytes: packet_length, cause: CutCause::PacketLength }
        } else {
            CopyLimit { bytes: room, cause: CutCause::PathMtu }
        }
    }

    /// Bytes kept of a packet of `total` bytes, and what cut it if it is cut.
    #[inline]
    #[must_use]
    pub const fn keep(self, total: u16) -> Kept {
        if total <= self.bytes {
            Kept { bytes: total, cut: None }
        } else {
            Kept { bytes: self.bytes, cut: Some(self.cause) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_on_values() {
        // Receiver's MTU, underlay's, Geneve options, jumbo mirroring: path MTU.
        let cases = [
            (1500, None, None, true, 1500),
            (1500, None, None, false, 1500),
            (8500, None, None, true, 8500),
            (8500, None, None, false, 1500),
            // Another host: 50 bytes of the underlay's packets are the hosts' own.
            (1500, Some(1500), None, true, 1450),
            (1500, Some(1549), None, true, 1499),
            (1500, Some(1550), None, true, 1500),
            (8500, Some(1550), None, true, 1500),
            (8500, Some(8500), None, true, 8450),
            (8500, Some(8549), None, true, 8499),
            (8500, Some(8550), None, true, 8500),
            (8500, Some(9000), None, true, 8500),
            (8500, Some(9000), None, false, 1500),
            (8500, Some(1549), None, false, 1499),
            // An appliance gets the copy inside Geneve: 20 + 8 + 8 + 14 and the options.
            (1500, None, Some(0), true, 1450),
            (1500, None, Some(32), true, 1418),
            (8500, None, Some(0), true, 8450),
            (8500, None, Some(0), false, 1500),
            (8500, Some(8500), Some(32), true, 8368),
            (8500, Some(9000), Some(32), true, 8418),
            // Nonsense is no room, not a wrap.
            (1500, Some(49), None, true, 0),
            (40, None, Some(u16::MAX), true, 0),
        ];
        for (receiver, underlay, geneve_options, jumbo_mirroring, expected) in cases {
            let underlay = underlay.map(IpMtu);
            let path = Path { receiver: IpMtu(receiver), underlay, geneve_options, jumbo_mirroring };
            assert_eq!(path.mtu(), IpMtu(expected), "{path:?}");
        }
        assert_eq!(CopyLimit::new(8500, IpMtu(0)).keep(100), Kept { bytes: 0, cut: Some(CutCause::PathMtu) });
    }

    proptest::proptest! {
        /// What comes out of the last link is never longer than that link takes, whatever the numbers.
        #[test]
        fn a_copy_fits_every_link(
            receiver in 50u16..9001, underlay in proptest::option::of(100u16..9001),
            options in proptest::option::of(0u16..253), jumbo: bool, length in 64u16..8501, total in 20u16..8501,
        ) {
            let path = Path {
                receiver: IpMtu(receiver), underlay: underlay.map(IpMtu), geneve_options: options, jumbo_mirroring: jumbo,
            };
            let kept = CopyLimit::new(length, path.mtu()).keep(total).bytes;
            proptest::prop_assert!(kept <= length && kept <= total);
            proptest::prop_assume!(kept > 0);
            let copy = u32::from(kept) + 14 + 8 + 8 + 20;
            proptest::prop_assert!(jumbo || copy <= 1500);
            let last = options.map_or(copy, |options| copy + 14 + 8 + u32::from(options) + 8 + 20);
            proptest::prop_assert!(last <= u32::from(receiver));
            if let Some(underlay) = underlay {
                proptest::prop_assert!(last + 14 + 8 + 8 + 20 <= u32::from(underlay));
            }
        }
    }

    #[test]
    fn boundaries() {
        use CutCause::{PacketLength, PathMtu};
        let cases = [
            (1500, 1500, 1449, (1449, None)),
            (1500, 1500, 1450, (1450, None)),
            (1500, 1500, 1451, (1450, Some(PathMtu))),
            (8500, 8500, 8450, (8450, None)),
            (8500, 8500, 8451, (8450, Some(PathMtu))),
            (8500, 8500, 8449, (8449, None)),
            (8500, 8500, 8500, (8450, Some(PathMtu))),
            (8450, 8500, 8500, (8450, Some(PacketLength))),
            (64, 1500, 63, (63, None)),
            (64, 1500, 64, (64, None)),
            (64, 1500, 65, (64, Some(PacketLength))),
            (1450, 1500, 1451, (1450, Some(PacketLength))),
        ];
        for (length, mtu, total, (bytes, cut)) in cases {
            let kept = CopyLimit::new(length, IpMtu(mtu)).keep(total);
            assert_eq!(kept, Kept { bytes, cut }, "{length} {mtu} {total}");
            assert_eq!(CutCause::from_code(CutCause::code(cut)), cut);
        }
    }
}
