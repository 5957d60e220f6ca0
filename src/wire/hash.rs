//! The flow hash: one number for a flow, the same in both directions and on every host.
//!
//! All fragments of a datagram have one hash too, which is the 3-tuple's: that of addresses and protocol, without ports.
//! It is so for the first fragment, which holds the ports, and whether or not the ports of later ones are known: nothing
//! else is the same for orphans and on a host that sees only some of the fragments. So the fragments of a flow may have
//! another hash than its whole packets. An ICMP error hashes as the flow it quotes: see `Headers::flow_hash`.
//!
//! Endpoints are ordered first, then mixed with multiplications whose both halves are folded (the construction of
//! wyhash). It is fixed: tools may rely on these values of (source, destination, protocol, ports):
//!
//! | flow | hash |
//! |---|---|
//! | 10.0.0.1 → 10.0.0.2, TCP, 1000 → 80 | `0x5969_32fe_2370_a216` |
//! | 10.0.0.1 → 10.0.0.2, UDP, 1000 → 80 | `0x4144_1710_089b_6f7b` |
//! | 10.0.0.1 → 10.0.0.2, ICMP | `0x48d9_6239_ad3d_5b57` |
//! | 10.0.0.1 → 10.0.0.2, UDP fragment | `0x16f3_e184_602f_50c5` |
//!
//! The whole table is in the test `published_vectors`. The hash needs no secret: who controls a flow's ports may choose
//! its queue, and nothing else follows from it.

const K0: u64 = 0xa076_1d64_78bd_642f;
const K1: u64 = 0xe703_7ed1_a0b4_28db;

const fn fold(a: u64, b: u64) -> u64 {
    let wide = (a as u128) * (b as u128);
    (wide as u64) ^ ((wide >> 64) as u64)
}

/// Flow hash of a 5-tuple. Addresses and ports are integers, host order; packets without ports, and all fragments,
/// hash by addresses and protocol alone.
#[inline]
#[must_use]
pub const fn flow_hash(source: u32, destination: u32, protocol: u8, ports: Option<(u16, u16)>) -> u64 {
    let (source_port, destination_port) = match ports {
        Some(ports) => ports,
        None => (0, 0),
    };
    let x = (source as u64) << 16 | source_port as u64;
    let y = (destination as u64) << 16 | destination_port as u64;
    let (low, high) = if x <= y { (x, y) } else { (y, x) };
    let first = fold(low ^ K0, high ^ K1);
    fold(first ^ K1, protocol as u64 ^ K0)
}

/// UDP source port of a copy (RFC 7348, section 5: from the flow, in the dynamic range 49152–65535): the low 14 bits.
/// Backends are chosen by the upper bits.
#[inline]
#[must_use]
pub const fn source_port(hash: u64) -> u16 {
    0xc000 | (hash as u16 & 0x3fff)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ipv4::Tuple;
    use proptest::prelude::*;

    const A: u32 = 0x0a00_0001;
    const B: u32 = 0x0a00_0002;

    #[test]
    fn published_vectors() {
        let vectors: [(Tuple, u64); 8] = [
            ((A, B, 6, Some((1000, 80))), 0x5969_32fe_2370_a216),
            ((B, A, 6, Some((80, 1000))), 0x5969_32fe_2370_a216),
            ((A, B, 17, Some((1000, 80))), 0x4144_1710_089b_6f7b),
            ((A, B, 6, Some((80, 1000))), 0x16e4_3d22_f77b_ea96),
            ((A, B, 1, None), 0x48d9_6239_ad3d_5b57),
            ((A, B, 17, None), 0x16f3_e184_602f_50c5),
            ((0, 0, 0, None), 0xd7ea_ecc5_1acb_b88e),
            ((u32::MAX, 0, 255, Some((65535, 0))), 0xa406_1080_a794_f93c),
        ];
        for ((source, destination, protocol, ports), hash) in vectors {
            let got = flow_hash(source, destination, protocol, ports);
            assert_eq!(got, hash, "{source:#x} {destination:#x} {protocol} {ports:?}: {got:#018x}");
        }
    }

    proptest! {
        #[test]
        fn both_directions_are_one_flow(a: u32, b: u32, protocol: u8, ports: Option<(u16, u16)>) {
            let there = flow_hash(a, b, protocol, ports);
            prop_assert_eq!(there, flow_hash(b, a, protocol, ports.map(|(s, d)| (d, s))));
            prop_assert!(source_port(there) >= 49152);
        }
    }

    /// 10,000 neighbouring flows into 16 bins: chi-square with 15 degrees of freedom stays below the 0.01 % point (there
    /// are about a hundred looks). Every four bits of the hash are looked at: those of the source port, and those above,
    /// which choose backends; and the latter also among flows that agree in the former.
    #[test]
    fn neighbouring_flows_spread() {
        type Flow = fn(u32) -> Tuple;
        let kinds: [Flow; 6] = [
            |n| (A + n / 100, B, 17, Some((1024 + (n % 100) as u16, 53))),
            // One client's connections to one server, and one server's clients, a host each.
            |n| (A, B, 6, Some((32768 + n as u16, 443))),
            |n| (A + n, B, 6, Some((5000, 443))),
            // The same port at both ends, and ports that an exclusive or makes one of.
            |n| (A, B, 17, Some((n as u16, n as u16))),
            |n| (A, B, 17, Some((n as u16, n as u16 ^ 0x5555))),
            // Fragments and pings: addresses alone.
            |n| (A + n % 100, B + 0x1_0000 + n / 100, 17, None),
        ];
        for (kind, flow) in kinds.into_iter().enumerate() {
            let hashes: Vec<u64> = (0..10_000)
                .map(|n| {
                    let (source, destination, protocol, ports) = flow(n);
                    flow_hash(source, destination, protocol, ports)
                })
                .collect();
            for shift in (0..64).step_by(4) {
                assert_spread(hashes.iter().map(|h| h >> shift & 15), &format!("kind {kind}, bits from {shift}"));
            }
            let ports = || hashes.iter().map(|h| u64::from(source_port(*h)) - 49152);
            assert_spread(ports().map(|port| port >> 10), &format!("kind {kind}, ranges of source ports"));
            assert_spread(ports().map(|port| port % 16), &format!("kind {kind}, neighbouring source ports"));
            let alike = hashes.iter().filter(|h| *h & 3 == 0).map(|h| h >> 60);
            assert_spread(alike, &format!("kind {kind}, backends of flows with like source ports"));
        }
    }

    fn assert_spread(values: impl Iterator<Item = u64>, what: &str) {
        let mut bins = [0u32; 16];
        values.for_each(|v| bins[v as usize] += 1);
        let expected = f64::from(bins.iter().sum::<u32>()) / 16.0;
        let chi: f64 = bins.iter().map(|n| (f64::from(*n) - expected).powi(2) / expected).sum();
        assert!(chi < 44.3, "{what}: chi-square {chi}, bins {bins:?}");
        assert!(expected > 100.0);
    }
}
