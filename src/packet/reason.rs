//! Why a packet was not delivered, or not mirrored: one list, at once counter index, metric label and what
//! `vswitchctl explain` and `vswitch replay` print.

use std::fmt;

/// Which way a packet goes, seen from an ENI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// Sent by the ENI; a filter's egress rules apply.
    Outbound,
    /// Delivered to the ENI; a filter's ingress rules apply.
    Inbound,
}

impl Direction {
    /// Both, in index order.
    pub const ALL: [Direction; 2] = [Direction::Outbound, Direction::Inbound];

    /// 0 outbound, 1 inbound.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The direction of an index: 0 is outbound.
    #[must_use]
    pub const fn from_index(index: u8) -> Direction {
        if index == 0 { Direction::Outbound } else { Direction::Inbound }
    }

    /// The metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Direction::Outbound => "outbound",
            Direction::Inbound => "inbound",
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// The stage of a packet's way that dropped it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Header checks and anti-spoofing.
    Admit,
    /// Security groups and network ACLs.
    Secure,
    /// The instance's bandwidth.
    Police,
    /// The VPC's routes.
    Route,
    /// The ring to another worker.
    Ring,
    /// The receiver's queue.
    Tx,
}

impl Stage {
    /// The metric label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Stage::Admit => "admit",
            Stage::Secure => "secure",
            Stage::Police => "police",
            Stage::Route => "route",
            Stage::Ring => "ring",
            Stage::Tx => "tx",
        }
    }
}

/// What it means for a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The service packet was dropped, at this stage.
    Drop(Stage),
    /// The switch itself was the receiver.
    Consumed,
    /// The packet was never a candidate for mirroring.
    Excluded,
    /// A rule wanted a copy, and there is none.
    Skip,
}

macro_rules! reasons {
    ($($name:ident $label:literal [$($class:expr),+] $doc:literal;)+) => {
        /// Why. There is no "other".
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum Reason { $(#[doc = $doc] $name),+ }

        impl Reason {
            /// All of them, in index order.
            pub const ALL: &'static [Reason] = &[$(Reason::$name),+];
            /// How many there are.
            pub const COUNT: usize = Reason::ALL.len();

            /// The metric label, and what `explain` prints.
            #[must_use]
            pub const fn label(self) -> &'static str {
                match self { $(Reason::$name => $label),+ }
            }

            /// One sentence for people.
            #[must_use]
            pub const fn help(self) -> &'static str {
                match self { $(Reason::$name => $doc),+ }
            }

            /// In which roles the reason is counted.
            #[must_use]
            pub const fn classes(self) -> &'static [Class] {
                match self { $(Reason::$name => &[$($class),+]),+ }
            }
        }
    };
}

use Class::{Consumed, Drop, Excluded, Skip};

reasons! {
    ShortFrame "short_frame" [Drop(Stage::Admit)] "The frame ends before its headers do.";
    VlanTag "vlan_tag" [Drop(Stage::Admit)] "The frame carries a VLAN tag.";
    Ipv6 "ipv6" [Drop(Stage::Admit)] "IPv6 is not forwarded yet.";
    BadEthertype "bad_ethertype" [Drop(Stage::Admit)] "Neither IPv4 nor ARP.";
    BadIpHeader "bad_ip_header" [Drop(Stage::Admit)] "IP version is not 4, or the header length is below 20.";
    BadIpLength "bad_ip_length" [Drop(Stage::Admit)] "The IP total length is below the header's or beyond the frame.";
    BadL4Header "bad_l4_header" [Drop(Stage::Admit)] "A TCP, UDP or ICMP header that does not fit or whose length lies.";
    FragmentOverlap "fragment_overlap" [Drop(Stage::Admit)] "A TCP fragment that begins inside the TCP header.";
    FragmentBeyond "fragment_beyond" [Drop(Stage::Admit)] "A fragment that ends beyond 65,535 bytes.";
    BadArp "bad_arp" [Drop(Stage::Admit)] "An ARP packet that is short or not for Ethernet and IPv4.";
    TooLong "too_long" [Drop(Stage::Admit)] "The IP packet is longer than the ENI's MTU.";
    SpoofedMac "spoofed_mac" [Drop(Stage::Admit)] "The source MAC is not the ENI's.";
    SpoofedIp "spoofed_ip" [Drop(Stage::Admit)] "The source address is not one of the ENI's.";
    BadDmac "bad_dmac" [Drop(Stage::Admit)] "The destination MAC is neither the router's nor an ENI's of the subnet.";
    Broadcast "broadcast" [Drop(Stage::Admit)] "IPv4 broadcast is not forwarded.";
    Multicast "multicast" [Drop(Stage::Admit)] "IPv4 multicast is not forwarded.";
    Denied "denied" [Drop(Stage::Secure)] "Security refused the packet.";
    Policed "policed" [Drop(Stage::Police)] "The instance has no bandwidth left for the packet.";
    NoRoute "no_route" [Drop(Stage::Route), Skip] "No route leads to the destination.";
    TtlExpired "ttl_expired" [Drop(Stage::Route)] "The time to live ended at the router.";
    Hairpin "hairpin" [Drop(Stage::Route)] "The destination is the sender itself.";
    NoBuffer "no_buffer" [Drop(Stage::Tx), Skip] "The buffer pool was exhausted.";
    WorkerRingFull "worker_ring_full" [Drop(Stage::Ring), Skip] "The ring to the receiver's worker was full.";
    CreditExhausted "credit_exhausted" [Drop(Stage::Ring), Skip] "The ENI has too many packets under way to other workers.";
    ExceedsMtu "exceeds_mtu" [Drop(Stage::Tx)] "The IP packet is longer than the receiver's MTU.";
    GuestFull "guest_full" [Drop(Stage::Tx)] "The receiver's queue had no room.";
    GuestDown "guest_down" [Drop(Stage::Tx)] "The receiver is not connected or has no enabled queue.";
    ArpAnswered "arp_answered" [Consumed] "An ARP request that the switch answered.";
    ArpSilent "arp_silent" [Consumed] "An ARP packet that asks for nothing the switch may answer.";
    Rarp "rarp" [Consumed] "The RARP of a migration.";
    Arp "arp" [Excluded] "ARP is never mirrored.";
    Dhcp "dhcp" [Excluded] "DHCP is never mirrored.";
    Platform "platform" [Excluded] "The remote address belongs to the platform.";
    NotIpv4 "not_ipv4" [Excluded] "Only IPv4 is mirrored.";
    Copy "copy" [Excluded] "A copy is never mirrored again.";
    CopyFeedback "copy_feedback" [Consumed, Excluded] "An ICMP error that quotes a copy.";
    FragmentOrphan "fragment_orphan" [Excluded] "A fragment whose ports a rule asks for and nobody knows.";
    TargetFull "target_full" [Skip] "The target's queue had no room.";
    TargetDown "target_down" [Skip] "The target is not connected, or of a kind that is not served yet.";
    Bandwidth "bandwidth" [Skip] "The source's instance has no bandwidth left for the copy.";
    Locked "locked" [Skip] "The account's mirroring is locked.";
}

impl Reason {
    /// The stage at which this reason drops a service packet.
    #[must_use]
    pub fn stage(self) -> Option<Stage> {
        self.classes().iter().find_map(|c| if let Drop(stage) = c { Some(*stage) } else { None })
    }

    /// Is the reason counted in this role?
    #[must_use]
    pub fn is(self, wanted: fn(&Class) -> bool) -> bool {
        self.classes().iter().any(wanted)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn labels_are_unique_and_indices_dense() {
        let labels: HashSet<_> = Reason::ALL.iter().map(|r| r.label()).collect();
        assert_eq!(labels.len(), Reason::COUNT);
        for (i, r) in Reason::ALL.iter().enumerate() {
            assert_eq!(*r as usize, i);
        }
    }
}
