//! A mirror source's sessions as its worker reads them.

use std::sync::Arc;

use super::cut::CopyLimit;
use crate::classify::Compiled;
use crate::metrics::counters::RowCounters;
use crate::packet::Reason;
use crate::wire::vxlan::OuterTemplate;

/// One session of one source.
#[derive(Debug)]
pub struct MirrorRow {
    /// The session's id.
    pub session: Arc<str>,
    /// Slot of the counters in the snapshot's list.
    pub slot: u32,
    /// Generation of that slot.
    pub generation: u32,
    /// The counters themselves.
    pub counters: Arc<RowCounters>,
    /// Slot of the target ENI; meaningless when `gate` is set.
    pub target: u32,
    /// Generation of that slot.
    pub target_generation: u32,
    /// Matched packets are not copied, for this reason.
    pub gate: Option<Reason>,
    /// How much a copy keeps.
    pub limit: CopyLimit,
    /// The finished outer headers.
    pub outer: OuterTemplate,
    /// VXLAN network identifier.
    pub vni: u32,
}

/// What a rule's match means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Copy by this row.
    Mirror(u16),
    /// A drop rule of this row's filter: not mirrored, search ended.
    Refuse(u16),
}

/// Rules of one direction, those of all sessions in session order, and what each means.
#[derive(Debug)]
pub struct MirrorTable {
    /// First match over all rules.
    pub classifier: Compiled,
    /// By rule index.
    pub outcomes: Box<[Outcome]>,
    /// By rule index: the rule's id, for `explain` and `replay`.
    pub rules: Box<[Arc<str>]>,
}

/// All that makes an ENI a mirror source.
#[derive(Debug)]
pub struct MirrorSource {
    /// Its sessions, in session priority order.
    pub rows: Box<[MirrorRow]>,
    /// Rules by direction: outbound, inbound. Shared with other sources whose sessions have the same filters.
    pub tables: [Arc<MirrorTable>; 2],
}
