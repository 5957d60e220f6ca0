//! Statistics of rule sets.
//!
//! `acl1`: protocols, port classes and the prefix lengths of its most frequent class are those of ClassBench's parameter
//! file `acl1_seed` (Taylor and Turner, "ClassBench: a packet classification benchmark", IEEE/ACM ToN 15(3), 2007); other
//! classes follow the same lengths. `fw1` and `ipc1` follow the paper's description of those families (wildcards in
//! addresses and source ports with exact services; a mixture of everything), with rounded weights of our own. The
//! address trees are simpler than ClassBench's: a network is inside an earlier one with a fixed probability.

use vswitch::classify::rule::Protocol;

/// Kinds of port ranges, as ClassBench names them: WC, HI, LO, AR, EM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ports {
    /// Any.
    Any,
    /// 1024 to 65535.
    High,
    /// 0 to 1023.
    Low,
    /// Some other range.
    Range,
    /// One port.
    Exact,
}

use Ports::{Any, Exact, High, Low, Range};

/// Weighted pairs of source and destination.
type PortPairs = &'static [(f64, (Ports, Ports))];

/// A rule set's statistics, as weights.
pub(super) struct Shape {
    /// Protocols, each with its pairs of source and destination port classes.
    pub protocols: &'static [(f64, (Protocol, PortPairs))],
    /// Pairs of source and destination prefix lengths.
    pub prefixes: &'static [(f64, (u8, u8))],
    /// Networks that all others are inside.
    pub roots: &'static [(u32, u8)],
    /// Probability that a network is inside one that was used before.
    pub nested: f64,
    /// Ports of half of the exact ones.
    pub services: &'static [u16],
}

const NO_PORTS: PortPairs = &[(1.0, (Any, Any))];
const SERVICES: &[u16] = &[22, 25, 53, 80, 110, 123, 143, 161, 389, 443, 445, 636, 993, 1433, 1521, 3306, 3389, 8080];

/// A tenant's sessions: a VPC of /16, its subnets, hosts, what is peered with it, the world.
pub(super) const MIRROR_LIKE: Shape = Shape {
    protocols: &[
        (0.45, (Protocol::Tcp, &[(0.35, (Any, Any)), (0.45, (Any, Exact)), (0.1, (Any, Range)), (0.1, (High, Exact))])),
        (0.30, (Protocol::Udp, &[(0.35, (Any, Any)), (0.45, (Any, Exact)), (0.2, (Exact, Any))])),
        (0.10, (Protocol::Icmp, NO_PORTS)),
        (0.15, (Protocol::All, NO_PORTS)),
    ],
    prefixes: &[
        (0.15, (0, 24)),
        (0.10, (24, 0)),
        (0.10, (0, 32)),
        (0.10, (16, 28)),
        (0.15, (24, 24)),
        (0.10, (28, 16)),
        (0.10, (32, 16)),
        (0.10, (32, 32)),
        (0.10, (16, 24)),
    ],
    roots: &[(0x0a00_0000, 16), (0x0a00_0000, 16), (0x0a00_0000, 16), (0xac10_0000, 16), (0xc0a8_0000, 16)],
    nested: 0.6,
    services: SERVICES,
};

pub(super) const ACL1: Shape = Shape {
    protocols: &[
        (0.0846, (Protocol::All, NO_PORTS)),
        (0.0314, (Protocol::Icmp, NO_PORTS)),
        (0.8731, (Protocol::Tcp, &[(0.2156, (Any, Any)), (0.1313, (Any, Range)), (0.6531, (Any, Exact))])),
        (0.0109, (Protocol::Udp, &[(0.125, (Any, Range)), (0.875, (Any, Exact))])),
    ],
    prefixes: &[
        (0.0047, (23, 28)),
        (0.0141, (30, 22)),
        (0.0071, (31, 22)),
        (0.0024, (23, 31)),
        (0.0424, (32, 22)),
        (0.0282, (23, 32)),
        (0.0118, (32, 30)),
        (0.0259, (31, 32)),
        (0.0165, (32, 31)),
        (0.8471, (32, 32)),
    ],
    roots: ROOTS,
    nested: 0.8,
    services: SERVICES,
};

pub(super) const FW1: Shape = Shape {
    protocols: &[
        (0.10, (Protocol::All, NO_PORTS)),
        (0.05, (Protocol::Icmp, NO_PORTS)),
        (
            0.60,
            (
                Protocol::Tcp,
                &[
                    (0.10, (Any, Any)),
                    (0.55, (Any, Exact)),
                    (0.10, (High, Exact)),
                    (0.10, (Exact, Any)),
                    (0.05, (Exact, High)),
                    (0.10, (Any, Range)),
                ],
            ),
        ),
        (
            0.25,
            (
                Protocol::Udp,
                &[
                    (0.10, (Any, Any)),
                    (0.60, (Any, Exact)),
                    (0.10, (Exact, Any)),
                    (0.10, (Exact, Exact)),
                    (0.1, (Low, Low)),
                ],
            ),
        ),
    ],
    prefixes: &[
        (0.08, (0, 0)),
        (0.27, (0, 32)),
        (0.08, (0, 24)),
        (0.05, (0, 28)),
        (0.12, (32, 0)),
        (0.06, (24, 0)),
        (0.03, (16, 0)),
        (0.15, (32, 32)),
        (0.06, (24, 32)),
        (0.05, (32, 24)),
        (0.05, (16, 32)),
    ],
    roots: ROOTS,
    nested: 0.5,
    services: SERVICES,
};

pub(super) const IPC1: Shape = Shape {
    protocols: &[
        (0.14, (Protocol::All, NO_PORTS)),
        (0.06, (Protocol::Icmp, NO_PORTS)),
        (
            0.45,
            (
                Protocol::Tcp,
                &[
                    (0.30, (Any, Any)),
                    (0.40, (Any, Exact)),
                    (0.10, (Exact, Any)),
                    (0.05, (High, High)),
                    (0.05, (Any, High)),
                    (0.05, (Range, High)),
                    (0.05, (High, Range)),
                ],
            ),
        ),
        (
            0.35,
            (
                Protocol::Udp,
                &[
                    (0.30, (Any, Any)),
                    (0.25, (Any, Exact)),
                    (0.15, (Exact, Any)),
                    (0.20, (Exact, Exact)),
                    (0.05, (High, Low)),
                    (0.05, (Range, Exact)),
                ],
            ),
        ),
    ],
    prefixes: &[
        (0.05, (0, 32)),
        (0.05, (32, 0)),
        (0.05, (8, 24)),
        (0.05, (16, 16)),
        (0.10, (16, 32)),
        (0.10, (24, 24)),
        (0.10, (24, 32)),
        (0.10, (32, 24)),
        (0.10, (28, 32)),
        (0.10, (32, 28)),
        (0.20, (32, 32)),
    ],
    roots: ROOTS,
    nested: 0.6,
    services: SERVICES,
};

/// Networks of an enterprise and of those it talks to.
const ROOTS: &[(u32, u8)] = &[
    (0x0a00_0000, 8),
    (0xac10_0000, 12),
    (0xc0a8_0000, 16),
    (0x0b40_0000, 10),
    (0x3f80_0000, 9),
    (0x80fc_0000, 14),
    (0xcc98_0000, 13),
    (0xd800_0000, 8),
];
