//! How much of a packet a copy keeps: min(total length, PacketLength, path MTU − 50).

use crate::wire::IpMtu;
use crate::wire::vxlan::OVERHEAD;

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
    fn boundaries() {
        use CutCause::{PacketLength, PathMtu};
        let cases = [
            (1500, 1500, 1449, (1449, None)),
            (1500, 1500, 1450, (1450, None)),
            (1500, 1500, 1451, (1450, Some(PathMtu))),
            (8500, 8500, 8450, (8450, None)),
            (8500, 8500, 8451, (8450, Some(PathMtu))),
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
