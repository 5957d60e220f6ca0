//! Copies as a collector gets them: outer Ethernet, IPv4, UDP and VXLAN (RFC 7348), then the first bytes of a frame.

use std::net::Ipv4Addr;

use super::frame::{Stamp, Stream};
use vswitch::wire::{checksum, hash};

/// Bytes before the inner frame.
const OUTER: usize = 14 + 20 + 8 + 8;

/// What all copies of a run have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outer {
    /// The collector's MAC.
    pub mac: [u8; 6],
    /// The mirror source's primary address.
    pub source: Ipv4Addr,
    /// The collector's address.
    pub destination: Ipv4Addr,
    /// VXLAN network identifier.
    pub vni: u32,
    /// Bytes of an IPv4 packet that a copy keeps at most.
    pub keep: usize,
    /// They are our switch's: UDP source ports are the published flow hash's, and TOS, id, TTL and reserved bits as the
    /// design says. Peers have ways of their own.
    pub our_hash: bool,
}

/// What is wrong with a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CopyFault {
    /// It is not a VXLAN packet.
    #[error("not an IPv4 packet with UDP to port 4789 and a VXLAN header")]
    NoVxlan,
    /// A field of the outer headers.
    #[error("outer {0} is wrong")]
    Field(&'static str),
    /// A length does not fit the bytes that are there.
    #[error("outer {0} length is wrong")]
    Length(&'static str),
    /// The inner frame is none of ours.
    #[error("the inner frame is not one that was sent")]
    Inner,
    /// The inner frame is not cut where it should be.
    #[error("the copy keeps {0} bytes of the inner frame, not {1}")]
    Kept(usize, usize),
    /// A packet was copied that no rule accepts.
    #[error("a copy of a packet that no rule accepts")]
    Unmatched,
}

/// Reads no more than which frame this is a copy of.
#[inline]
#[must_use]
pub fn outer_of(frame: &[u8]) -> Option<Stamp> {
    Stamp::read(frame.get(OUTER..)?)
}

/// Checks a copy in full: addresses, lengths, checksum, ports, VNI, and every inner byte.
///
/// # Errors
/// The first fault.
pub fn check_copy(frame: &[u8], outer: &Outer, stream: &Stream, stamp: &Stamp) -> Result<(), CopyFault> {
    use CopyFault::{Field, Length};
    let (Some(head), Some(inner)) = (frame.first_chunk::<OUTER>(), frame.get(OUTER..)) else {
        return Err(CopyFault::NoVxlan);
    };
    let word = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
    if word(12) != 0x0800 || head[14] != 0x45 || head[23] != 17 || word(36) != 4789 || head[42] != 0x08 {
        return Err(CopyFault::NoVxlan);
    }
    let field = |name, right: bool| if right { Ok(()) } else { Err(Field(name)) };
    field("destination MAC", head[0..6] == outer.mac)?;
    field("IP checksum", checksum::finish(checksum::sum(&head[14..34])) == 0)?;
    field("source address", head[26..30] == outer.source.octets())?;
    field("destination address", head[30..34] == outer.destination.octets())?;
    field("fragment field", word(20) == 0x4000)?;
    field("UDP checksum", word(40) == 0)?;
    field("VNI", u32::from_be_bytes([0, head[46], head[47], head[48]]) == outer.vni)?;
    if usize::from(word(16)) != frame.len() - 14 {
        return Err(Length("IP"));
    }
    if usize::from(word(38)) != frame.len() - 34 {
        return Err(Length("UDP"));
    }
    let flow = stream.flow(stamp.number);
    if !stream.matches(flow) {
        return Err(CopyFault::Unmatched);
    }
    let kept = 14 + (stream.len(stamp.number) - 14).min(outer.keep);
    if inner.len() != kept {
        return Err(CopyFault::Kept(inner.len(), kept));
    }
    if !stream.is_prefix(stamp, inner) {
        return Err(CopyFault::Inner);
    }
    if outer.our_hash {
        // What the design promises of ours; of peers it is their own affair.
        field("TOS", head[15] == 0)?;
        field("id", word(18) == 0)?;
        field("TTL", head[22] == 64)?;
        field("reserved VXLAN bits", head[43..46] == [0; 3] && head[49] == 0)?;
        let spec = stream.spec();
        let flow_hash = hash::flow_hash(spec.from.ip.to_bits(), spec.to.ip.to_bits(), 17, Some(stream.ports(flow)));
        field("UDP source port", word(34) == hash::source_port(flow_hash))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::frame::tests::spec;
    use super::*;

    const TARGET: Outer = Outer {
        mac: [2, 0, 0, 0, 0, 12],
        source: Ipv4Addr::new(10, 0, 0, 10),
        destination: Ipv4Addr::new(10, 0, 0, 30),
        vni: 10,
        keep: 1450,
        our_hash: true,
    };

    fn copy(stream: &Stream, number: u64) -> Vec<u8> {
        let inner = stream.frame(number, 0);
        let inner = &inner[..14 + (inner.len() - 14).min(TARGET.keep)];
        let flow = stream.flow(number);
        let (s, d) = (stream.spec().from.ip.to_bits(), stream.spec().to.ip.to_bits());
        let mut f = vec![0; OUTER];
        f[0..6].copy_from_slice(&TARGET.mac);
        f[12..16].copy_from_slice(&[8, 0, 0x45, 0]);
        f[16..18].copy_from_slice(&((inner.len() + 36) as u16).to_be_bytes());
        f[20..24].copy_from_slice(&[0x40, 0, 64, 17]);
        f[26..30].copy_from_slice(&TARGET.source.octets());
        f[30..34].copy_from_slice(&TARGET.destination.octets());
        let sum = checksum::finish(checksum::sum(&f[14..34]));
        f[24..26].copy_from_slice(&sum.to_be_bytes());
        let port = hash::source_port(hash::flow_hash(s, d, 17, Some(stream.ports(flow))));
        f[34..36].copy_from_slice(&port.to_be_bytes());
        f[36..38].copy_from_slice(&4789u16.to_be_bytes());
        f[38..40].copy_from_slice(&((inner.len() + 16) as u16).to_be_bytes());
        f[42] = 8;
        f[48] = 10;
        f.extend_from_slice(inner);
        f
    }

    #[test]
    fn a_right_copy_passes_and_every_wrong_one_is_told() {
        let stream = Stream::new(spec()).unwrap();
        let matching = (0..).find(|n| stream.matches(stream.flow(*n))).unwrap();
        let long = (0..).find(|n| n % 3 == 2 && stream.matches(stream.flow(*n))).unwrap();
        for number in [matching, long] {
            let copy = copy(&stream, number);
            let stamp = outer_of(&copy).unwrap();
            assert_eq!(stamp.number, number);
            assert_eq!(check_copy(&copy, &TARGET, &stream, &stamp), Ok(()));
            // The source MAC is nobody's promise here; every other byte is.
            let free = |at: usize| matches!(at, 6..12);
            for at in (0..copy.len()).filter(|at| !free(*at) && !(OUTER + 42..OUTER + 62).contains(at)) {
                let mut wrong = copy.clone();
                wrong[at] ^= 0x40;
                assert!(check_copy(&wrong, &TARGET, &stream, &stamp).is_err(), "byte {at}");
            }
            assert!(matches!(check_copy(&copy[..copy.len() - 1], &TARGET, &stream, &stamp), Err(CopyFault::Length(_))));
        }
        let other = (0..).find(|n| !stream.matches(stream.flow(*n))).unwrap();
        let copy = copy(&stream, other);
        assert_eq!(check_copy(&copy, &TARGET, &stream, &outer_of(&copy).unwrap()), Err(CopyFault::Unmatched));
    }
}
