//! The whole configuration as workers read it: one immutable value.

use std::sync::Arc;

use super::address_map::AddressMap;
use super::bandwidth::Limit;
use super::session::MirrorSource;
use crate::metrics::counters::{EniCounters, RowCounters};
use crate::packet::fragments::Fragments;
use crate::wire::{IpMtu, Mac};

/// An ENI on this host.
#[derive(Debug)]
pub struct Eni {
    /// Its id.
    pub id: Arc<str>,
    /// Its place in the snapshot's list; the same in every snapshot as long as the ENI exists.
    pub slot: u32,
    /// Tells this ENI from one that had the slot before.
    pub generation: u32,
    /// The worker that owns it.
    pub worker: usize,
    /// Index of its subnet.
    pub subnet: usize,
    /// Index of its VPC.
    pub vpc: usize,
    /// Its MAC.
    pub mac: Mac,
    /// Primary address, host order.
    pub primary: u32,
    /// Secondary addresses, host order, sorted.
    pub secondaries: Box<[u32]>,
    /// Largest IP packet it sends and gets.
    pub mtu: IpMtu,
    /// The bandwidth of its instance, or its own; `None` is any.
    pub limit: Option<Limit>,
    /// Its sessions, when it is a mirror source.
    pub mirror: Option<Box<MirrorSource>>,
    /// Its counters.
    pub counters: Arc<EniCounters>,
    /// What its worker remembers of fragments.
    pub fragments: Arc<Fragments>,
}

impl Eni {
    /// Is this one of the ENI's addresses?
    #[inline]
    #[must_use]
    pub fn has_address(&self, ip: u32) -> bool {
        self.primary == ip || (!self.secondaries.is_empty() && self.secondaries.binary_search(&ip).is_ok())
    }
}

/// A subnet ("vSwitch" in the cloud's words).
#[derive(Debug)]
pub struct Subnet {
    /// Network address, host order.
    pub network: u32,
    /// Prefix mask.
    pub mask: u32,
    /// The gateway's address, host order.
    pub gateway: u32,
    /// The router's MAC.
    pub router_mac: Mac,
    /// MACs of its ENIs to slots.
    pub macs: AddressMap,
}

impl Subnet {
    /// Does the subnet hold this address?
    #[inline]
    #[must_use]
    pub const fn contains(&self, ip: u32) -> bool {
        ip & self.mask == self.network
    }

    /// Is this the subnet's directed broadcast address (RFC 919)?
    #[inline]
    #[must_use]
    pub const fn is_broadcast(&self, ip: u32) -> bool {
        ip == self.network | !self.mask
    }
}

/// A VPC: whose packets reach whom.
#[derive(Debug)]
pub struct Vpc {
    /// Addresses of its local ENIs to slots. Further kinds of route come with their issues.
    pub local: AddressMap,
    /// (source's primary address << 32 | target's) to the target's slot: whose copies an ICMP error may quote.
    pub copy_pairs: AddressMap,
}

/// Counters of a session-and-source pair, and the generation of its slot.
pub type RowSlot = (u32, Arc<RowCounters>);

/// Everything.
#[derive(Debug)]
pub struct Snapshot {
    /// Grows by one with each publication.
    pub version: u64,
    /// By slot; a slot may be free.
    pub enis: Box<[Option<Arc<Eni>>]>,
    /// Subnets.
    pub subnets: Box<[Subnet]>,
    /// VPCs.
    pub vpcs: Box<[Vpc]>,
    /// The platform's own networks: (network, mask).
    pub platform: Box<[(u32, u32)]>,
    /// Counters of all session-and-source pairs, by slot, each with its generation.
    pub rows: Box<[Option<RowSlot>]>,
    /// Counts for packets that outlive their ENI.
    pub departed: Arc<EniCounters>,
    /// Counts for copies that outlive their session.
    pub departed_rows: Arc<RowCounters>,
    /// Service packets an ENI may have under way to other workers.
    pub credit: u64,
}

impl Snapshot {
    /// The ENI in a slot.
    #[inline]
    #[must_use]
    pub fn eni(&self, slot: u32) -> Option<&Eni> {
        self.enis.get(slot as usize)?.as_deref()
    }

    /// The ENI in a slot, if it is still the one that was meant.
    #[inline]
    #[must_use]
    pub fn eni_of(&self, slot: u32, generation: u32) -> Option<&Eni> {
        self.eni(slot).filter(|e| e.generation == generation)
    }

    /// Counters of an ENI that may be gone.
    #[must_use]
    pub fn counters_of(&self, slot: u32, generation: u32) -> &EniCounters {
        self.eni_of(slot, generation).map_or(&self.departed, |e| &e.counters)
    }

    /// Counters of a session-and-source pair that may be gone.
    #[must_use]
    pub fn row_counters(&self, slot: u32, generation: u32) -> &RowCounters {
        match self.rows.get(slot as usize) {
            Some(Some((g, counters))) if *g == generation => counters,
            _ => &self.departed_rows,
        }
    }

    /// Copies an ENI's packets may have under way to other workers. They have a credit of their own, half as large: no
    /// number of copies on their way to a slow target takes anything from service.
    #[inline]
    #[must_use]
    pub const fn copy_credit(&self) -> u64 {
        self.credit.div_ceil(2)
    }

    /// Does the platform own this address?
    #[inline]
    #[must_use]
    pub fn is_platform(&self, ip: u32) -> bool {
        self.platform.iter().any(|(network, mask)| ip & mask == *network)
    }

    /// The local ENI that has an address in a VPC.
    #[inline]
    #[must_use]
    pub fn local(&self, vpc: usize, ip: u32) -> Option<&Eni> {
        self.eni(self.vpcs.get(vpc)?.local.get(u64::from(ip))?)
    }
}
