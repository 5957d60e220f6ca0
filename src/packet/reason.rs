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

/// The role in which a reason is counted: what it means for a packet.
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

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Class::Drop(stage) => write!(f, "dropped at {}", stage.label()),
            Class::Consumed => f.write_str("consumed"),
            Class::Excluded => f.write_str("never mirrored"),
            Class::Skip => f.write_str("copy skipped"),
        }
    }
}

macro_rules! reasons {
    ($($name:ident $label:literal [$($class:expr),+] $doc:literal $advice:literal;)+) => {
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

            /// What to do about it, in one sentence for people.
            #[must_use]
            pub const fn advice(self) -> &'static str {
                match self { $(Reason::$name => $advice),+ }
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
    ShortFrame "short_frame" [Drop(Stage::Admit)] "The frame ends before its headers do."
        "Capture in the guest: its driver or program makes frames that are cut off.";
    VlanTag "vlan_tag" [Drop(Stage::Admit)] "The frame carries a VLAN tag."
        "Remove the VLAN interface in the guest; ENIs carry untagged frames.";
    Ipv6 "ipv6" [Drop(Stage::Admit)] "IPv6 is not forwarded yet."
        "Use IPv4; switch IPv6 off in the guest to keep it from trying.";
    BadEthertype "bad_ethertype" [Drop(Stage::Admit)] "Neither IPv4 nor ARP."
        "Nothing to do unless a program in the guest needs that protocol: a VPC carries IPv4 only.";
    BadIpHeader "bad_ip_header" [Drop(Stage::Admit)] "IP version is not 4, or the header length is below 20."
        "Capture in the guest: a program or driver builds wrong IPv4 headers.";
    BadIpLength "bad_ip_length" [Drop(Stage::Admit)] "The IP total length is below the header's or beyond the frame."
        "Capture in the guest: a program or driver builds wrong IPv4 headers, or cuts frames.";
    BadL4Header "bad_l4_header" [Drop(Stage::Admit)] "A TCP, UDP or ICMP header that does not fit or whose length lies."
        "Capture in the guest: a program builds wrong headers, or a scan is under way.";
    FragmentOverlap "fragment_overlap" [Drop(Stage::Admit)] "A TCP fragment that begins inside the TCP header."
        "Nothing to do: only attempts to slip past filters (RFC 3128) make such fragments.";
    FragmentBeyond "fragment_beyond" [Drop(Stage::Admit)] "A fragment that ends beyond 65,535 bytes."
        "Nothing to do: no datagram is that long; somebody tries to overrun a receiver.";
    BadArp "bad_arp" [Drop(Stage::Admit)] "An ARP packet that is short or not for Ethernet and IPv4."
        "Capture in the guest: a program builds wrong ARP packets.";
    TooLong "too_long" [Drop(Stage::Admit)] "The IP packet is longer than the ENI's MTU."
        "Set the guest interface's MTU to the ENI's (`vswitchctl eni ID` shows it).";
    SpoofedMac "spoofed_mac" [Drop(Stage::Admit)] "The source MAC is not the ENI's."
        "Give the guest's interface the ENI's MAC; bridges and nested machines in the guest need ENIs of their own.";
    SpoofedIp "spoofed_ip" [Drop(Stage::Admit)] "The source address is not one of the ENI's."
        "Add the address to the ENI in the inventory as a secondary one, or correct it in the guest.";
    BadDmac "bad_dmac" [Drop(Stage::Admit)] "The destination MAC is neither the router's nor an ENI's of the subnet."
        "Flush the guest's ARP table; the receiver may have left the subnet.";
    Broadcast "broadcast" [Drop(Stage::Admit)] "IPv4 broadcast is not forwarded."
        "Nothing to do: VPCs have no broadcast but ARP's and DHCP's.";
    Multicast "multicast" [Drop(Stage::Admit)] "IPv4 multicast is not forwarded."
        "Use unicast: VPCs have no multicast.";
    Denied "denied" [Drop(Stage::Secure)] "Security refused the packet."
        "Allow the packet in the ENI's security group and its subnet's network ACL.";
    Policed "policed" [Drop(Stage::Police)] "The instance has no bandwidth left for the packet."
        "Raise the limit (BandwidthBps, BurstBytes of the inventory), or send less.";
    NoRoute "no_route" [Drop(Stage::Route), Skip] "No route leads to the destination."
        "Check the destination address; for copies, put the target into the source's VPC.";
    TtlExpired "ttl_expired" [Drop(Stage::Route)] "The time to live ended at the router."
        "Raise the sender's TTL, or look for a routing loop (traceroute ends packets this way on purpose).";
    Hairpin "hairpin" [Drop(Stage::Route)] "The destination is the sender itself."
        "Correct the guest's routes: packets to its own address must stay inside it.";
    NoBuffer "no_buffer" [Drop(Stage::Tx), Skip] "The buffer pool was exhausted."
        "Raise pools.std_mbufs or pools.jumbo_mbufs, and dpdk.memory_mb with them.";
    WorkerRingFull "worker_ring_full" [Drop(Stage::Ring), Skip] "The ring to the receiver's worker was full."
        "Raise worker.ring_size or worker.count; the receiver's worker does not keep up.";
    CreditExhausted "credit_exhausted" [Drop(Stage::Ring), Skip] "The ENI has too much under way to other workers."
        "Raise ports.credit (at most half of worker.ring_size); the receiver's worker does not keep up.";
    ExceedsMtu "exceeds_mtu" [Drop(Stage::Tx)] "The IP packet is longer than the receiver's MTU."
        "Give both ENIs the same MTU, or lower the sender's.";
    GuestFull "guest_full" [Drop(Stage::Tx)] "The receiver's queue had no room."
        "The guest does not take packets fast enough: give it more CPU, queue pairs or a longer ring.";
    GuestDown "guest_down" [Drop(Stage::Tx)] "The receiver is not connected or has no enabled queue."
        "Start the guest, or bring its interface up (`vswitchctl eni` shows the state).";
    ArpAnswered "arp_answered" [Consumed] "An ARP request that the switch answered."
        "Nothing to do.";
    ArpSilent "arp_silent" [Consumed] "An ARP packet that asks for nothing the switch may answer."
        "Check the address that the guest asks for: it is nobody's in the subnet.";
    Rarp "rarp" [Consumed] "The RARP of a migration."
        "Nothing to do.";
    Arp "arp" [Excluded] "ARP is never mirrored."
        "Nothing to do: the service mirrors no ARP.";
    Dhcp "dhcp" [Excluded] "DHCP is never mirrored."
        "Nothing to do: the service mirrors no DHCP.";
    Platform "platform" [Excluded] "The remote address belongs to the platform."
        "Nothing to do: PlatformCidrs of the inventory names the network.";
    NotIpv4 "not_ipv4" [Excluded] "Only IPv4 is mirrored."
        "Nothing to do: the service mirrors IPv4 only.";
    Copy "copy" [Excluded] "A copy is never mirrored again."
        "Nothing to do: copies of copies would never end.";
    CopyFeedback "copy_feedback" [Consumed, Excluded] "An ICMP error that quotes a copy."
        "Let the target listen on UDP port 4789, or drop what comes there without an ICMP answer.";
    FragmentOrphan "fragment_orphan" [Excluded] "A fragment whose ports a rule asks for and nobody knows."
        "The first fragment was not seen, or is too old: use a rule without ports, or lower the sender's MTU.";
    TargetFull "target_full" [Skip] "The target's queue had no room."
        "Give the target more CPU, queue pairs or a longer ring, or mirror less (filter, PacketLength).";
    TargetDown "target_down" [Skip] "The target is not connected, or of a kind that is not served yet."
        "Start the target's guest, or choose an ENI of this host as the target.";
    UnsupportedRegion "unsupported_region" [Skip] "The region has no Gateway Load Balancer endpoints as targets."
        "Choose an ENI or an internal CLB as the target, or correct the region's abilities (files.regions).";
    Bandwidth "bandwidth" [Skip] "The source's instance has no bandwidth left for the copy."
        "Raise the instance's limit (BandwidthBps), or mirror less (filter, PacketLength).";
    Overload "overload" [Skip] "The worker is saturated, and the sender asks for more than its share of it."
        "Raise worker.count, mirror less (filter, PacketLength), or set mirror.overload = \"share\".";
    Locked "locked" [Skip] "The account's mirroring is locked."
        "Settle the account's bill; service packets are not affected.";
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
