//! Frames of a stream: Ethernet, IPv4, UDP, and a payload that says which frame this is.

use std::net::Ipv4Addr;

use crate::scenario::rules::{MATCHING, OTHER};

/// Bytes of Ethernet, IPv4 and UDP headers.
pub const HEADERS: usize = 42;
/// The shortest frame: headers and [`Stamp`], padded to the Ethernet minimum with its checksum.
pub const MIN_FRAME: usize = 64;
/// The longest: IP MTU 8500.
pub const MAX_FRAME: usize = 8514;
/// First bytes of the payload: it is one of ours, and from which stream.
const MAGIC: u32 = 0x7673_7700;
/// Bytes of magic, number and time.
const STAMP: usize = 20;

/// A guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its MAC.
    pub mac: [u8; 6],
    /// Its address.
    pub ip: Ipv4Addr,
}

/// What a stream is like.
#[derive(Clone, Debug)]
pub struct StreamSpec {
    /// Tells this stream from others, in every frame: below 256.
    pub id: u8,
    /// Who sends.
    pub from: Endpoint,
    /// To whom.
    pub to: Endpoint,
    /// Frame lengths in bytes without FCS, used in turn.
    pub sizes: Vec<usize>,
    /// Flows, a power of two up to 2²⁰, used in turn.
    pub flows: u32,
    /// Of 100 flows, so many match the scenario's rules.
    pub match_percent: u32,
}

/// What a frame says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The stream's id.
    pub stream: u8,
    /// The frame's number in its stream.
    pub number: u64,
    /// TSC at sending, or 0.
    pub time: u64,
}

/// A stream, ready to write its frames.
#[derive(Clone, Debug)]
pub struct Stream {
    spec: StreamSpec,
    /// A headers' template for each entry of `sizes`.
    heads: Vec<[u8; HEADERS]>,
    pattern: Vec<u8>,
}

impl Stream {
    /// # Errors
    /// A sentence that names what is out of range.
    pub fn new(spec: StreamSpec) -> Result<Self, String> {
        if spec.sizes.is_empty() || spec.sizes.iter().any(|s| !(MIN_FRAME..=MAX_FRAME).contains(s)) {
            return Err(format!("sizes = {:?}: frames have {MIN_FRAME} to {MAX_FRAME} bytes", spec.sizes));
        }
        if !spec.flows.is_power_of_two() || spec.flows > 1 << 20 {
            return Err(format!("flows = {}: a power of two up to 1048576", spec.flows));
        }
        if spec.match_percent > 100 {
            return Err(format!("match = {}: 0 to 100", spec.match_percent));
        }
        let heads = spec.sizes.iter().map(|size| head(&spec, *size)).collect();
        let pattern = (0..MAX_FRAME).map(|i| (i as u8).wrapping_mul(7) ^ (i >> 8) as u8).collect();
        Ok(Stream { spec, heads, pattern })
    }

    /// What the stream is like.
    #[must_use]
    pub const fn spec(&self) -> &StreamSpec {
        &self.spec
    }

    /// What every frame's bytes are behind its stamp: buffers that are used again and again hold it once.
    #[must_use]
    pub fn pattern(&self) -> &[u8] {
        &self.pattern
    }

    /// The flow of a frame.
    #[inline]
    #[must_use]
    pub const fn flow(&self, number: u64) -> u32 {
        (number & (self.spec.flows as u64 - 1)) as u32
    }

    /// How many frames of its flow came before it.
    #[inline]
    #[must_use]
    pub const fn turn(&self, number: u64) -> u64 {
        number >> self.spec.flows.trailing_zeros()
    }

    /// Does a flow match the scenario's rules?
    #[inline]
    #[must_use]
    pub const fn matches(&self, flow: u32) -> bool {
        // 61 and 100 have no common factor: any 100 flows in a row hold exactly the wanted share, well mixed.
        (flow % 100 * 61) % 100 < self.spec.match_percent
    }

    /// UDP ports of a flow: source, destination.
    #[inline]
    #[must_use]
    pub const fn ports(&self, flow: u32) -> (u16, u16) {
        let first = if self.matches(flow) { *MATCHING.start() } else { *OTHER.start() };
        (0x8000 | (flow & 0x7fff) as u16, first + (flow >> 15) as u16)
    }

    /// Length of a frame.
    #[inline]
    #[must_use]
    pub fn len(&self, number: u64) -> usize {
        match self.spec.sizes[..] {
            [one] => one,
            ref many => many[(number % many.len() as u64) as usize],
        }
    }

    /// Writes headers and stamp of a frame into a buffer that holds [`Stream::pattern`] behind them.
    #[inline]
    pub fn write(&self, number: u64, time: u64, frame: &mut [u8]) {
        let which = if self.heads.len() == 1 { 0 } else { (number % self.heads.len() as u64) as usize };
        let Some(front) = frame.first_chunk_mut::<{ HEADERS + STAMP }>() else {
            return;
        };
        front[..HEADERS].copy_from_slice(&self.heads[which]);
        let (source, destination) = self.ports(self.flow(number));
        front[34..36].copy_from_slice(&source.to_be_bytes());
        front[36..38].copy_from_slice(&destination.to_be_bytes());
        front[42..46].copy_from_slice(&(MAGIC | u32::from(self.spec.id)).to_be_bytes());
        front[46..54].copy_from_slice(&number.to_be_bytes());
        front[54..62].copy_from_slice(&time.to_be_bytes());
    }

    /// A whole frame.
    #[must_use]
    pub fn frame(&self, number: u64, time: u64) -> Vec<u8> {
        let mut frame = self.pattern[..self.len(number)].to_vec();
        self.write(number, time, &mut frame);
        frame
    }

    /// Are these the first bytes of the frame that `stamp` names, up to `frame.len()`?
    #[must_use]
    pub fn is_prefix(&self, stamp: &Stamp, bytes: &[u8]) -> bool {
        let mut front = [0; HEADERS + STAMP];
        self.write(stamp.number, stamp.time, &mut front);
        let split = bytes.len().min(front.len());
        let (head, rest) = bytes.split_at(split);
        bytes.len() <= self.len(stamp.number)
            && *head == front[..split]
            && self.pattern.get(split..bytes.len()) == Some(rest)
    }
}

impl Stamp {
    /// Reads the stamp of a frame that starts at `frame[0]`; `None` when it is none of ours.
    #[inline]
    #[must_use]
    pub fn read(frame: &[u8]) -> Option<Stamp> {
        let stamp = frame.get(HEADERS..HEADERS + STAMP)?.first_chunk::<STAMP>()?;
        let [m0, m1, m2, stream, rest @ ..] = *stamp;
        if u32::from_be_bytes([m0, m1, m2, 0]) != MAGIC {
            return None;
        }
        let [n0, n1, n2, n3, n4, n5, n6, n7, t0, t1, t2, t3, t4, t5, t6, t7] = rest;
        Some(Stamp {
            stream,
            number: u64::from_be_bytes([n0, n1, n2, n3, n4, n5, n6, n7]),
            time: u64::from_be_bytes([t0, t1, t2, t3, t4, t5, t6, t7]),
        })
    }
}

fn head(spec: &StreamSpec, size: usize) -> [u8; HEADERS] {
    let mut h = [0; HEADERS];
    h[0..6].copy_from_slice(&spec.to.mac);
    h[6..12].copy_from_slice(&spec.from.mac);
    h[12..14].copy_from_slice(&[8, 0]);
    h[14] = 0x45;
    h[16..18].copy_from_slice(&((size - 14) as u16).to_be_bytes());
    h[20] = 0x40;
    h[22] = 64;
    h[23] = 17;
    h[26..30].copy_from_slice(&spec.from.ip.octets());
    h[30..34].copy_from_slice(&spec.to.ip.octets());
    let sum = vswitch::wire::checksum::finish(vswitch::wire::checksum::sum(&h[14..34]));
    h[24..26].copy_from_slice(&sum.to_be_bytes());
    h[38..40].copy_from_slice(&((size - 34) as u16).to_be_bytes());
    h
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    pub fn spec() -> StreamSpec {
        StreamSpec {
            id: 3,
            from: Endpoint { mac: [2, 0, 0, 0, 0, 10], ip: Ipv4Addr::new(10, 0, 0, 10) },
            to: Endpoint { mac: [2, 0, 0, 0, 0, 11], ip: Ipv4Addr::new(10, 0, 0, 20) },
            sizes: vec![64, 570, 1518],
            flows: 1024,
            match_percent: 50,
        }
    }

    #[test]
    fn a_frame_says_which_it_is_and_is_its_own_prefix() {
        let stream = Stream::new(spec()).unwrap();
        for number in [0, 1, 2, 1023, 1024, 123_456_789_012] {
            let frame = stream.frame(number, 77);
            assert_eq!(frame.len(), [64, 570, 1518][(number % 3) as usize]);
            let stamp = Stamp::read(&frame).unwrap();
            assert_eq!(stamp, Stamp { stream: 3, number, time: 77 });
            for len in [0, 13, 14, 41, 42, 61, 62, 64] {
                assert!(stream.is_prefix(&stamp, &frame[..len]));
            }
            assert!(stream.is_prefix(&stamp, &frame));
            let mut longer = frame.clone();
            longer.push(0);
            assert!(!stream.is_prefix(&stamp, &longer));
            for at in [0, 30, 36, frame.len() - 1] {
                let mut wrong = frame.clone();
                wrong[at] ^= 1;
                assert!(!stream.is_prefix(&stamp, &wrong), "byte {at}");
            }
        }
        assert_eq!(Stamp::read(&[0; 64]), None);
    }

    #[test]
    fn the_switch_takes_the_frames_for_sound() {
        let stream = Stream::new(spec()).unwrap();
        let mut headers = vswitch::packet::Headers::default();
        for number in 0..6 {
            let frame = stream.frame(number, 0);
            assert_eq!(vswitch::packet::headers::parse(&frame, &mut headers), Ok(vswitch::packet::Kind::Ipv4));
            assert_eq!(headers.frame_len(), frame.len());
            assert_eq!(vswitch::wire::checksum::finish(vswitch::wire::checksum::sum(&frame[14..34])), 0);
        }
    }

    #[test]
    fn the_wanted_share_of_flows_matches() {
        for percent in [0, 1, 10, 50, 100] {
            let stream = Stream::new(StreamSpec { match_percent: percent, ..spec() }).unwrap();
            let matching = (0..1000).filter(|f| stream.matches(*f)).count();
            assert_eq!(matching as u32, percent * 10);
            for flow in 0..1 << 20 {
                let (_, destination) = stream.ports(flow);
                let range = if stream.matches(flow) { MATCHING } else { OTHER };
                assert!(range.contains(&destination), "flow {flow}");
            }
        }
    }

    #[test]
    fn what_is_out_of_range_is_said() {
        for (change, word) in [
            (StreamSpec { sizes: vec![63], ..spec() }, "sizes"),
            (StreamSpec { sizes: vec![], ..spec() }, "sizes"),
            (StreamSpec { flows: 3, ..spec() }, "flows"),
            (StreamSpec { flows: 1 << 21, ..spec() }, "flows"),
            (StreamSpec { match_percent: 101, ..spec() }, "match"),
        ] {
            assert!(Stream::new(change).unwrap_err().starts_with(word));
        }
    }
}
